"""Mends of three clashes between web2py 2.26.1 and the current pyDAL. Import it before gluon.

Each mend first looks whether the thing is broken where it runs: web2py 3.x matches its pyDAL, so there nothing is changed
but for the last, which pyDAL itself still needs. Nothing else of the two libraries may be altered here.
"""

import functools
import importlib.util
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydal._compat
from pydal.objects import Set, Table


class Result(dict[str, Any]):
    """The dictionary that a validating write returns, with its keys readable as attributes, as gluon reads them."""

    __getattr__ = dict.get


def mend_missing_opener() -> None:
    """gluon.tools imports contrib modules that subclass FancyURLopener, which pyDAL dropped from its shims.

    gluon copies them. In the fresh process of a worker's task it has done so before anything of the host is imported.
    """
    for shims in (pydal._compat, sys.modules.get("gluon._compat")):
        if shims is not None and not hasattr(shims, "FancyURLopener"):
            setattr(shims, "FancyURLopener", type("FancyURLopener", (), {}))  # noqa: B010  gluon's shims are typed


def mend_filter_fields() -> None:
    """gluon calls `Table._filter_fields(record, id=True)`; the argument is now called `allow_id`."""
    original = Table._filter_fields
    names = original.__code__.co_varnames[: original.__code__.co_argcount]
    if "id" in names or "allow_id" not in names:
        return

    @functools.wraps(original)
    def filter_fields(self: Table, record: Any, allow_id: bool = False, *args: Any, **kwargs: Any) -> Any:
        return original(self, record, kwargs.pop("id", allow_id), *args, **kwargs)

    Table._filter_fields = filter_fields


def mend_results() -> None:
    """gluon reads `.id` and `.errors` of what validating writes return; it is a plain dictionary now."""
    for owner in (Table, Set):
        for name in ("validate_and_insert", "validate_and_update", "validate_and_update_or_insert"):
            original = owner.__dict__.get(name)
            if original is not None and not hasattr(original, "__wrapped__"):
                setattr(owner, name, _with_attributes(original))


def _with_attributes(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method so that a plain dictionary it returns becomes a `Result`; other results pass unchanged."""

    @functools.wraps(original)
    def method(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        return Result(result) if type(result) is dict else result

    return method


def mend_binary_csv() -> None:
    """appadmin hands the uploaded, binary file to `Table.import_from_csv_file`, which can read text only."""
    original = Table.import_from_csv_file
    if hasattr(original, "__wrapped__"):
        return

    @functools.wraps(original)
    def import_from_csv_file(self: Table, csvfile: Any, *args: Any, **kwargs: Any) -> Any:
        if not hasattr(csvfile, "read") or not isinstance(csvfile.read(0), bytes):
            return original(self, csvfile, *args, **kwargs)
        text = io.TextIOWrapper(csvfile, "utf-8-sig", newline="")
        try:
            return original(self, text, *args, **kwargs)
        finally:
            text.detach()  # else the caller's file is closed with the wrapper

    Table.import_from_csv_file = import_from_csv_file


def gluon_version() -> str:
    """The version of the gluon that is, or would be, imported: known from 3.0 on, '2' before."""
    spec = importlib.util.find_spec("gluon")
    if spec is None or spec.origin is None:
        return ""
    found = re.search(r'^__version__ = "([\d.]+)', Path(spec.origin).read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else "2"


if gluon_version().startswith("2"):
    mend_missing_opener()
    mend_filter_fields()
    mend_results()
mend_binary_csv()
