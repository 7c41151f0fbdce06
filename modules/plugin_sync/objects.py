"""Stored values <-> the Python objects that an application sees: for callbacks, validators and defaults of fields."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from pydal.helpers.methods import bar_decode_integer, bar_decode_string, bar_encode

from .errors import SettingsError
from .records import FieldSpec
from .values import Stored

EMPTY_IS_A_VALUE = ("string", "text", "upload", "json", "jsonb")


def to_object(field: FieldSpec, stored: Stored) -> Any:
    """Return what pyDAL gives an application for a stored value."""
    convert: Callable[[Any], Any] = _TO_OBJECT.get(field.type, _same)
    return None if stored is None else convert(stored)


def from_object(field: FieldSpec, value: Any) -> Stored:
    """Return what pyDAL stores for an application's value; ValueError or TypeError when it is none of the type."""
    convert: Callable[[Any], Stored] = _FROM_OBJECT.get(field.type, _same)
    return None if value is None else convert(value)


def default_of(field: Any, spec: FieldSpec) -> Stored:
    """Return the stored default of a pyDAL field, computed once for all the rows of an import.

    Raises SettingsError when it cannot be computed or is no value of the field's type.
    """
    try:
        value = field.default() if callable(field.default) else field.default
        empty = value == "" and spec.type not in EMPTY_IS_A_VALUE  # pyDAL stores NULL then
        return None if empty else from_object(spec, value)
    except Exception as exc:  # the host's code may raise anything
        raise SettingsError(f"the field's default cannot be used: {exc}", table=field.tablename, column=field.name) from exc


def _same(value: Any) -> Any:
    return value


def _blob(stored: str) -> Any:
    data = base64.b64decode(stored)
    try:
        return data.decode("utf-8")  # as pyDAL's parser does
    except UnicodeDecodeError:
        return data


def _blob_text(value: Any) -> str:
    return base64.b64encode(value.encode("utf-8") if isinstance(value, str) else bytes(value)).decode("ascii")


def _moment_text(value: Any) -> str:
    return value.isoformat(" ") if isinstance(value, datetime.datetime) else str(value)


def _boolean(value: Any) -> str:
    return "T" if value and str(value)[:1].upper() not in "0F" else "F"


_TO_OBJECT: dict[str, Callable[[Any], Any]] = {
    "boolean": lambda v: str(v)[:1].upper() == "T",
    "date": lambda v: v if isinstance(v, datetime.date) else datetime.date.fromisoformat(v),
    "datetime": lambda v: v if isinstance(v, datetime.datetime) else datetime.datetime.fromisoformat(v),
    "time": lambda v: v if isinstance(v, datetime.time) else datetime.time.fromisoformat(v),
    "decimal": lambda v: Decimal(str(v)),
    "json": json.loads,
    "jsonb": json.loads,
    "blob": _blob,
    "list:string": bar_decode_string,
    "list:integer": bar_decode_integer,
    "list:reference": bar_decode_integer,
}

_FROM_OBJECT: dict[str, Callable[[Any], Stored]] = {
    "boolean": _boolean,
    "date": lambda v: v.isoformat()[:10] if isinstance(v, datetime.date) else str(v),
    "datetime": _moment_text,
    "time": lambda v: v.isoformat() if isinstance(v, datetime.time) else str(v),
    "decimal": str,
    "json": json.dumps,
    "jsonb": json.dumps,
    "blob": _blob_text,
    "integer": int,
    "bigint": int,
    "reference": int,
    "double": float,
    "float": float,
    "list:string": bar_encode,
    "list:integer": bar_encode,
    "list:reference": bar_encode,
}
