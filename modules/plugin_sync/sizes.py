"""How many rows a table has and about how large its part of a file will be, cheaply enough for a page.

Reads only: a count, and the mean length of a few rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .records import TableSpec

_SAMPLE_ROWS = 200
_UUID_BYTES = 37  # a companion cell with its comma
_TEXT = {"sqlite": "TEXT", "postgres": "TEXT", "mysql": "CHAR"}


@dataclass(frozen=True, slots=True)
class Size:
    """Rows, and the bytes they take in a file, estimated."""

    rows: int = 0
    size_bytes: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(self.rows + other.rows, self.size_bytes + other.size_bytes)


def table_sizes(db: Any, specs: Iterable[TableSpec]) -> dict[str, Size]:
    """Return the size of each table by its name."""
    return {spec.name: _size(db, spec) for spec in specs}


def total(sizes: Mapping[str, Size], specs: Iterable[TableSpec]) -> Size:
    """Return the sum over some tables."""
    return sum((sizes[spec.name] for spec in specs), Size())


def count_rows(db: Any, spec: TableSpec) -> int:
    """Return how many rows a table has."""
    return int(_value(db, f"SELECT COUNT(*) FROM {spec.sql_name}"))


def _size(db: Any, spec: TableSpec) -> Size:
    rows = count_rows(db, spec)
    if not rows or not spec.fields:
        return Size(rows)
    kind = _TEXT[db._adapter.dbengine]
    lengths = " + ".join(f"COALESCE(LENGTH(CAST({f.column} AS {kind})), 6) + 1" for f in spec.fields)
    mean = _value(db, f"SELECT AVG(n) FROM (SELECT {lengths} AS n FROM {spec.sql_name} LIMIT {_SAMPLE_ROWS}) AS sample")
    return Size(rows, round(rows * (float(mean) + _UUID_BYTES * len(spec.references) + len(str(rows)))))


def _value(db: Any, sql: str) -> Any:
    return db.executesql(sql)[0][0]
