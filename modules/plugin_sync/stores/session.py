"""What the set-based merge needs of a database: one connection inside one transaction, and where its SQL differs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..records import FieldSpec, TableSpec
from ..values import Limits

Params = Sequence[Any]


class Session(Protocol):
    """Statements on one connection inside one transaction. Errors of the driver arrive as StoreError."""

    @property
    def dialect(self) -> Dialect:
        """Where SQL differs on this database."""

    def run(self, sql: str, params: Params = ()) -> int:
        """Execute a statement; return the rows it touched."""

    def rows(self, sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """Execute a query; return all its rows."""

    def load(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
        """Put rows, given column by column, into a temporary table, the fastest way that the database has."""

    def analyze(self, table: str, columns: Sequence[str]) -> None:
        """Tell the planner about a temporary table that was filled; `columns` are those it is joined by."""

    def staged_type(self, spec: TableSpec, field: FieldSpec) -> str:
        """Return the SQL type in which values of a field are staged."""

    def unique_keys(self, spec: TableSpec) -> list[tuple[str, ...]]:
        """Return the SQL-ready columns of each unique constraint of a table, its id left out."""

    def next_id(self, spec: TableSpec) -> int:
        """Return an id above every one that a record has or had; under the lock nobody else takes the ids above it."""

    def used_ids(self, spec: TableSpec, last: int) -> None:
        """Note that ids up to `last` were given, so that the database itself gives higher ones."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where SQL differs: each entry is a template or a name."""

    mark: str  # placeholder of a bound value
    same: str  # null-safe equality of {a} and {b}
    text: str  # {a} of a type that has no equality, as text
    key_type: str
    id_type: str
    list_type: str
    limits: Limits
    max_modified: str  # the later of {a} and {b}, either may be NULL
    update_from: str  # {table} {sets} {source} {on}
    concat_items: str  # bar-joins {id} in the order of {pos} over groups
    self_references_at_once: bool  # one INSERT may bring rows that point to each other
    content: str  # text that is equal for equal values {a}, NULL included

    def equal(self, a: str, b: str, kind: str) -> str:
        """SQL for a = b for values of a pyDAL type, where NULL equals NULL."""
        if kind in ("json", "jsonb"):
            a, b = self.text.format(a=a), self.text.format(a=b)
        return self.same.format(a=a, b=b)

    def content_key(self, values: Sequence[str]) -> str:
        """SQL for one text that is equal exactly for rows of equal values."""
        return "||','||".join(self.content.format(a=v) for v in values) or "''"


def as_columns(rows: Iterable[Sequence[Any]], width: int) -> list[Sequence[Any]]:
    """Return rows as columns."""
    return list(zip(*rows, strict=True)) or [()] * width
