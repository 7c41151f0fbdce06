"""Cells checked and converted by MariaDB while it loads them: for each pyDAL type a guard and a value, SQL on a text.

The codecs of values/ are the specification. A guard holds only for cells that are certainly right and in their usual
form; every other cell, also a right one, is left to the codecs. A property test holds both to the same values. What a
column does not take (a number out of its range) is a warning of LOAD DATA, and leaves the rows to the codecs too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..records import FieldSpec
from ..values import NULL

TEXT_KINDS = ("varchar", "tinytext", "text", "mediumtext", "longtext")
KEY = "BINARY {a} NOT REGEXP '[^-0-9a-z:_.]' AND {a} <> ''"  # a uuid that needs no folding: no capitals, no blanks
SOURCE = "LENGTH({a}) < 19 AND CAST(CAST({a} AS SIGNED) AS CHAR) = BINARY {a} AND LEFT({a}, 1) <> '-'"
BACKSLASH = "CHAR(92)"  # whatever the session's mode makes of one


@dataclass(frozen=True, slots=True)
class Rule:
    """SQL on {a}, a text that is not NULL: whether it is usual, and what is loaded into the column."""

    guard: str
    value: str = "{a}"
    breaks: bool = False  # a usual cell may hold line breaks


def _as_written(kind: str, also: str = "") -> Rule:
    """What is usual is what the database itself writes."""
    return Rule(f"CAST(CAST({{a}} AS {kind}) AS CHAR) = BINARY {{a}}{also}")


def _text(field: FieldSpec, kind: str, also: str = "") -> Rule | None:
    if kind.split("(", 1)[0] not in TEXT_KINDS:
        return None
    length = field.length
    within = f" AND (LENGTH({{a}}) <= {length} OR CHAR_LENGTH({{a}}) <= {length})" if length is not None else ""
    return Rule(f"NOT (LEFT({{a}}, 1) = {BACKSLASH} AND RIGHT({{a}}, {len(NULL)}) = '{NULL}'){within}{also}", breaks=not also)


def _upload(field: FieldSpec, kind: str) -> Rule | None:
    return _text(field, kind, " AND BINARY {a} NOT REGEXP '[^-0-9A-Za-z_.]' AND LEFT({a}, 1) <> '.'")


def _list_of_texts(field: FieldSpec, kind: str) -> Rule | None:
    return Rule("({a} LIKE '|%|' OR {a} = '|')", breaks=True) if kind == "longtext" else None


def _integer(field: FieldSpec, kind: str) -> Rule | None:
    known = {"integer": "int", "bigint": "bigint"}[field.type]
    return _as_written("SIGNED") if kind.split("(", 1)[0] == known and "unsigned" not in kind else None


def _reference(field: FieldSpec, kind: str) -> Rule | None:
    return _as_written("SIGNED")


def _double(field: FieldSpec, kind: str) -> Rule | None:
    return Rule("BINARY {a} NOT REGEXP '[^-+.0-9eE]' AND {a} <> ''") if kind == "double" else None


def _decimal(field: FieldSpec, kind: str) -> Rule | None:
    known = kind == f"decimal({field.precision},{field.scale})"
    return _as_written(kind) if known else None


def _boolean(field: FieldSpec, kind: str) -> Rule | None:
    return Rule("BINARY {a} IN ('True', 'False', 'T', 'F')", "LEFT({a}, 1)") if kind == "char(1)" else None


def _date(field: FieldSpec, kind: str) -> Rule | None:
    return _as_written("DATE", " AND LENGTH({a}) = 10 AND {a} > '0001'") if kind == "date" else None


def _time(field: FieldSpec, kind: str) -> Rule | None:
    return _as_written("TIME", " AND LENGTH({a}) = 8 AND {a} < '24'") if kind == "time" else None


def _datetime(field: FieldSpec, kind: str) -> Rule | None:
    return _as_written("DATETIME", " AND LENGTH({a}) = 19 AND {a} > '0001'") if kind == "datetime" else None


RULES: dict[str, Callable[[FieldSpec, str], Rule | None]] = {
    "string": _text,
    "text": _text,
    "upload": _upload,
    "list:string": _list_of_texts,
    "integer": _integer,
    "bigint": _integer,
    "reference": _reference,
    "double": _double,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "time": _time,
    "datetime": _datetime,
}


def rule_of(field: FieldSpec, kind: str) -> Rule | None:
    """Return how cells of a field are taken whose column has the SQL type `kind`; None: only by its codec."""
    make = RULES.get(field.type)
    return make(field, kind) if make is not None else None
