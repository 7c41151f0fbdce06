"""Cells checked and converted by PostgreSQL itself: for each pyDAL type a guard and a cast, SQL on a text.

The codecs of values/ are the specification. A guard holds only for cells that are certainly right and in their usual
form; every other cell, also a right one, is left to the codecs. A property test holds both to the same values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..records import FieldSpec
from ..values import NULL

KEY = "{a} !~ '[^-0-9a-z:_.]' AND {a} <> ''"  # a uuid that needs no folding: no capitals, no blanks
SOURCE = "octet_length({a}) < 19 AND CAST(CAST({a} AS bigint) AS text) = {a} AND left({a}, 1) <> '-'"
MAX_JSON = 400  # bytes in which no nesting is too deep for Python


@dataclass(frozen=True, slots=True)
class Rule:
    """SQL on {a}, a text that is not NULL: whether it is usual, and its value."""

    guard: str
    value: str
    canonical: bool = False  # usual is what the database itself writes: equal values are equal texts, compared in less time


def _cast(kind: str, also: str = "") -> Rule:
    """What is usual is what the database itself writes."""
    value = f"CAST({{a}} AS {kind})"
    return Rule(f"CAST({value} AS text) = {{a}}{also}", value, canonical=True)


def _text(field: FieldSpec, kind: str, also: str = "") -> Rule | None:
    if kind not in ("text", "character varying", f"character varying({field.length})"):
        return None
    length = field.length
    within = f" AND (octet_length({{a}}) <= {length} OR char_length({{a}}) <= {length})" if length is not None else ""
    return Rule(f"{{a}} NOT LIKE '\\\\%{NULL}'{within}{also}", "{a}")


def _upload(field: FieldSpec, kind: str) -> Rule | None:
    return _text(field, kind, " AND {a} !~ '[^-0-9A-Za-z_.]' AND left({a}, 1) <> '.'")


def _list_of_texts(field: FieldSpec, kind: str) -> Rule | None:
    return Rule("({a} LIKE '|%|' OR {a} = '|')", "{a}") if kind == "text" else None


def _integer(field: FieldSpec, kind: str) -> Rule | None:
    return _cast(kind) if kind == field.type else None


def _reference(field: FieldSpec, kind: str) -> Rule | None:
    return _cast("bigint")


def _double(field: FieldSpec, kind: str) -> Rule | None:
    if kind != "double precision":
        return None
    return Rule("{a} !~ '[^-+.0-9eE]' AND CAST({a} AS double precision) > '-Infinity'", "CAST({a} AS double precision)")


def _decimal(field: FieldSpec, kind: str) -> Rule | None:
    return _cast(kind, " AND {a} <> 'NaN'") if kind == f"numeric({field.precision},{field.scale})" else None


def _boolean(field: FieldSpec, kind: str) -> Rule | None:
    if kind not in ("character(1)", "boolean"):
        return None
    return Rule("{a} IN ('True', 'False', 'T', 'F')", f"CAST(left({{a}}, 1) AS {kind})")


def _date(field: FieldSpec, kind: str) -> Rule | None:
    return _cast("date", " AND octet_length({a}) = 10") if kind == "date" else None


def _time(field: FieldSpec, kind: str) -> Rule | None:
    known = kind == "time without time zone"
    return _cast("time", " AND octet_length({a}) IN (8, 15) AND left({a}, 2) <> '24'") if known else None


def _datetime(field: FieldSpec, kind: str) -> Rule | None:
    known = kind == "timestamp without time zone"
    return _cast("timestamp", " AND octet_length({a}) IN (19, 26)") if known else None


def _json(field: FieldSpec, kind: str) -> Rule | None:
    value = f"CAST({{a}} AS {kind})"
    return (
        Rule(f"octet_length({{a}}) <= {MAX_JSON} AND CAST({value} AS text) <> ''", value) if kind in ("json", "jsonb") else None
    )


RULES: dict[str, Callable[[FieldSpec, str], Rule | None]] = {
    "string": _text,
    "text": _text,
    "upload": _upload,
    "list:string": _list_of_texts,
    "integer": _integer,
    "bigint": _integer,
    "reference": _reference,
    "double": _double,
    "float": _double,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "time": _time,
    "datetime": _datetime,
    "json": _json,
    "jsonb": _json,
}


def rule_of(field: FieldSpec, kind: str) -> Rule | None:
    """Return how cells of a field are taken whose column has the SQL type `kind`; None: only by its codec."""
    make = RULES.get(field.type)
    return make(field, kind) if make is not None else None
