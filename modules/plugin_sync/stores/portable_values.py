"""Values between the merge, pyDAL and files, for databases that are reached through pyDAL alone.

What the driver gives is made to the stored form that the codecs have (`from_raw`), a stored value to what pyDAL takes
(`to_field`), and to the cell of an export (`to_cell`). Nothing here knows a connection.
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from ..records import FieldSpec
from ..values import CODECS, NULL, Stored, escape

# The pyDAL type by which a column is written: one that takes the stored form, and that carries it without a change.
WRITTEN_AS = {
    **dict.fromkeys(("integer", "bigint", "reference"), "integer"),
    **dict.fromkeys(("float", "double"), "double"),
    **dict.fromkeys(("string", "upload"), "string"),
    **{kind: kind for kind in ("boolean", "date", "time", "datetime", "blob")},
    "decimal": "decimal(38,10)",
}  # all others are text
JSON_TYPES = ("json", "jsonb")
TRUTHS = {**dict.fromkeys(("T", "TRUE", "1"), "T"), **dict.fromkeys(("F", "FALSE", "0"), "F")}
MIDNIGHT = datetime.datetime(1, 1, 1)


def from_raw(field: FieldSpec, raw: Any) -> Stored:
    """Return the stored form of what the driver gave for a column; a value of another type as its text."""
    if hasattr(raw, "read"):  # a large object
        raw = raw.read()
    if isinstance(raw, (bytes, bytearray, memoryview)):
        raw = bytes(raw).decode("utf-8")
    convert: Callable[[FieldSpec, Any], Stored] = _FROM_RAW.get(field.type, _text)
    return None if raw is None else convert(field, raw)


def _text(field: FieldSpec, raw: Any) -> Stored:
    return raw if isinstance(raw, str) else str(raw)


def _whole(field: FieldSpec, raw: Any) -> Stored:
    return int(raw) if isinstance(raw, (int, Decimal)) and raw == int(raw) else str(raw)


def _double(field: FieldSpec, raw: Any) -> Stored:
    return float(raw) if isinstance(raw, (int, float, Decimal)) else str(raw)


def _decimal(field: FieldSpec, raw: Any) -> Stored:
    try:
        number = raw if isinstance(raw, (float, Decimal)) else Decimal(raw)
    except InvalidOperation:
        return str(raw)
    return format(number, f".{field.scale or 0}f")


def _boolean(field: FieldSpec, raw: Any) -> Stored:
    return TRUTHS.get(str(raw).upper(), str(raw))


def _date(field: FieldSpec, raw: Any) -> Stored:
    if isinstance(raw, datetime.datetime):
        raw = raw.date()
    return raw.isoformat() if isinstance(raw, datetime.date) else str(raw)


def _time(field: FieldSpec, raw: Any) -> Stored:
    if isinstance(raw, datetime.timedelta) and datetime.timedelta(0) <= raw < datetime.timedelta(days=1):
        raw = MIDNIGHT + raw
    if isinstance(raw, datetime.datetime):
        raw = raw.time()
    return raw.isoformat() if isinstance(raw, datetime.time) else str(raw)


def _datetime(field: FieldSpec, raw: Any) -> Stored:
    if not isinstance(raw, datetime.datetime):
        return f"{raw.isoformat()} 00:00:00" if isinstance(raw, datetime.date) else str(raw)
    return (raw.astimezone(datetime.UTC).replace(tzinfo=None) if raw.tzinfo else raw).isoformat(" ")


_FROM_RAW: dict[str, Callable[[FieldSpec, Any], Stored]] = {
    **dict.fromkeys(("integer", "bigint", "reference"), _whole),
    **dict.fromkeys(("float", "double"), _double),
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "time": _time,
    "datetime": _datetime,
}


def to_field(field: FieldSpec, stored: Stored) -> Any:
    """Return what pyDAL writes, for a column of the type in WRITTEN_AS, as this stored value.

    pyDAL puts a decimal into its SQL as it is: what is given for one here is digits, a point and a sign. It cuts the
    microseconds of times that are objects, not of those that are texts.
    """
    convert = _TO_FIELD.get(field.type)
    return stored if stored is None or convert is None else convert(str(stored))


def _moment(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a function that gives the object of a time, or the text where pyDAL would cut the object."""

    def convert(text: str) -> Any:
        value = parse(text)
        return text if value.microsecond else value

    return convert


_TO_FIELD: dict[str, Callable[[str], Any]] = {
    "boolean": lambda text: text == "T",
    "date": datetime.date.fromisoformat,
    "time": _moment(datetime.time.fromisoformat),
    "datetime": _moment(datetime.datetime.fromisoformat),
    "decimal": lambda text: format(Decimal(text), "f"),
    "blob": base64.b64decode,
}


def to_cell(field: FieldSpec, stored: Stored) -> object:
    """Return the cell of an export: the same as the SQLite store makes of the same value."""
    if stored is None:
        return NULL
    if field.type == "boolean":
        return {"T": "True", "F": "False"}.get(str(stored), stored)
    return escape(str(stored)) if CODECS[field.type].textual else stored


def canonical_json(text: str | None) -> str | None:
    """Return a text that is equal for equal JSON, however it is laid out: databases with a type for JSON lay it out anew."""
    if text is None:
        return None
    try:
        return repr(json.loads(text, parse_float=_number, object_pairs_hook=_pairs))
    except (ValueError, RecursionError):
        return text


def _number(text: str) -> Decimal:
    return Decimal(text).normalize()


def _pairs(pairs: list[tuple[str, object]]) -> tuple[str, list[tuple[str, object]]]:
    return "{}", sorted(pairs, key=lambda pair: pair[0])


def same(field: FieldSpec, a: Stored, b: Stored) -> bool:
    """Whether two stored values are the same value."""
    if field.type in JSON_TYPES and isinstance(a, str) and isinstance(b, str):
        return canonical_json(a) == canonical_json(b)
    return a == b
