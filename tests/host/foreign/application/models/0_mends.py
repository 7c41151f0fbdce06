"""web2py-gluon 2.26.1 with the current pyDAL needs these before its tools are imported."""

from mends import gluon_version  # noqa: F401
