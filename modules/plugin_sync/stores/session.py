"""What the set-based merge needs of a database: one connection inside one transaction, and where its SQL differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ..records import FieldSpec, TableSpec
from ..values import Limits

if TYPE_CHECKING:
    from ..formats.blocks import RawRows
    from .staging import Layout, Staged, Work

Params = Sequence[Any]
ROW_NUMBER = "n INTEGER PRIMARY KEY"  # the first column of what is made beside the rows of a file


class Session(Protocol):
    """Statements on one connection inside one transaction. Errors of the driver arrive as StoreError."""

    @property
    def dialect(self) -> Dialect:
        """Where SQL differs on this database."""

    def run(self, sql: str, params: Params = ()) -> int:
        """Execute a statement; return the rows it touched."""

    def rows(self, sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """Execute a query; return all its rows."""

    def create(self, name: str, columns: Sequence[str], keys: Sequence[str] = ()) -> None:
        """Create an empty temporary table; `keys` are the column lists that `index` will be asked for."""

    def index(self, name: str, key: str) -> None:
        """Index a filled temporary table by one of its `keys`."""

    def create_as(self, name: str, select: str, keys: Sequence[str] = (), distinct: bool = False) -> None:
        """Create a temporary table from a query, and index it; `distinct` says that the first column is in no two rows the
        same, and nowhere NULL.
        """

    def drop(self, name: str) -> None:
        """Drop a temporary table, if it is there."""

    def load(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
        """Put rows, given column by column, into a temporary table, the fastest way that the database has."""

    def stage_raw(self, staged: Staged, layout: Layout, raw: RawRows, told: Callable[[int], None]) -> bool:
        """Stage a table from the file's bytes, and say how many rows were read; return False, and leave everything as it was,
        where it has to be read by cells.
        """

    def settle(self, work: Work, staged: Staged) -> None:
        """Leave the rows that are just the same here out of the staging table, where that is faster. Called first of all
        under the lock.
        """

    def analyze(self, table: str, columns: Sequence[str]) -> None:
        """Make a temporary table that was filled ready to be joined, by these columns."""

    def staged_type(self, spec: TableSpec, field: FieldSpec) -> str:
        """Return the SQL type in which values of a field are staged."""

    def key_type(self, spec: TableSpec) -> str:
        """Return the SQL type in which folded uuids of a table, or its primary keys, are compared."""

    def unfit(self, spec: TableSpec, field: FieldSpec, table: str, column: str) -> tuple[str, str] | None:
        """Return an SQL condition for staged values that the field's column would change silently, and the reason; None if
        there are none. `table` and `column` say where they were loaded.
        """

    def reader(self) -> Any:
        """Return what reads tables as the lines of a file, as they are inside this transaction."""

    def unique_keys(self, spec: TableSpec) -> list[tuple[str, ...]]:
        """Return the SQL-ready columns of each unique constraint of a table, its id left out."""

    def next_id(self, spec: TableSpec) -> int:
        """Return an id above every one that a record has or had; under the lock nobody else takes the ids above it."""

    def used_ids(self, spec: TableSpec, last: int) -> None:
        """Note that ids up to `last` were given, so that the database itself gives higher ones."""


class CellByCell:
    """A session whose database takes no rows as the file has them."""

    def stage_raw(self, staged: Staged, layout: Layout, raw: RawRows, told: Callable[[int], None]) -> bool:
        """Return False: nothing was staged."""
        return False

    def settle(self, work: Work, staged: Staged) -> None:
        """Leave the staging table as it is."""


class TemporaryTables:
    """The temporary tables of a session whose database takes CREATE INDEX inside a transaction."""

    run: Callable[..., int]

    def create(self, name: str, columns: Sequence[str], keys: Sequence[str] = ()) -> None:
        """Create an empty temporary table."""
        self.run(f"CREATE TEMPORARY TABLE {name} ({', '.join(columns)})")

    def index(self, name: str, key: str) -> None:
        """Index a filled temporary table."""
        self.run(f"CREATE INDEX {name}_{key.split(',', maxsplit=1)[0]} ON {name} ({key})")

    def create_as(self, name: str, select: str, keys: Sequence[str] = (), distinct: bool = False) -> None:
        """Create a temporary table from a query, and index it."""
        self.run(f"CREATE TEMPORARY TABLE {name} AS {select}")
        for key in keys:
            self.index(name, key)

    def unfit(self, spec: TableSpec, field: FieldSpec, table: str, column: str) -> tuple[str, str] | None:
        """Return None: what passed the codecs is kept as it is."""
        return None

    def drop(self, name: str) -> None:
        """Drop a temporary table, if it is there."""
        self.run(f"DROP TABLE IF EXISTS {name}")


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where SQL differs: each entry is a template or a name."""

    mark: str  # placeholder of a bound value
    target: str  # the column {column} on the left of an assignment in `update_from`
    current: str  # after a query: read what is committed now, and keep it so
    key_equal: str  # {a} of a table is the key {b}
    same: str  # null-safe equality of {a} and {b}
    by_text: frozenset[str]  # pyDAL types whose own equality is none, or not exact
    text: str  # {a} of these types as text, or bytes, to be compared
    id_type: str
    list_type: str
    limits: Limits
    max_modified: str  # the later of {a} and {b}, either may be NULL
    update_from: str  # {table} {sets} {source} {on}, the source's tables parted by commas
    concat_items: str  # bar-joins {id} in the order of {pos} over groups
    self_references_at_once: bool  # one INSERT may bring rows that point to each other
    self_references_apart: bool  # an UPDATE that assigns one costs much more, though it stays as it is
    indexes_in_transactions: bool  # CREATE INDEX commits nothing; and columns of references have none of their own
    content: str  # text that is equal for equal values {a}, NULL included
    update_many: str = ""  # the same, the source's tables parted by STRAIGHT_JOIN: faster when much of the table changes
    as_named: str = ""  # after SELECT: join in the order in which the tables are named
    fingerprint: str = ""  # few bytes of the text {a}, equal for equal ones: different ones are counted faster than found
    hash_joins: bool = False  # whole tables are joined without an index
    contents: Mapping[str, str] = field(default_factory=dict)  # pyDAL type -> what {a} of it is made to before

    def equal(self, a: str, b: str, kind: str) -> str:
        """SQL for a = b for values of a pyDAL type, where NULL equals NULL."""
        if kind in self.by_text:
            a, b = self.text.format(a=a), self.text.format(a=b)
        return self.same.format(a=a, b=b)

    def assign(self, column: str, value: str) -> str:
        """SQL for one assignment of `update_from`."""
        return f"{self.target.format(column=column)} = {value}"

    def content_key(self, values: Sequence[tuple[str, str]]) -> str:
        """SQL for one text that is equal exactly for rows of equal values, each given with its pyDAL type."""
        same_form = (self.contents.get(kind, "{a}").format(a=value) for value, kind in values)
        return "||','||".join(self.content.format(a=value) for value in same_form) or "''"


def as_columns(rows: Iterable[Sequence[Any]], width: int) -> list[Sequence[Any]]:
    """Return rows as columns."""
    return list(zip(*rows, strict=True)) or [()] * width
