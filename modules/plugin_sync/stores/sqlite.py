"""The SQLite store: staging in temporary tables, which lock nothing; the write lock only for reconciling and applying.

One savepoint inside the caller's transaction; neither commits nor rolls back what the caller has pending.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import StoreBusy, StoreError
from ..records import FieldSpec, TableSpec
from ..values import CODECS, NULL, Limits
from . import reading
from .contract import MergesInPlace
from .session import CellByCell, Dialect, Params, TemporaryTables
from .sqlite_lines import Part, lines_of, parts_of

SAVEPOINT = "plugin_sync"
BATCH = 1000  # rows read at once
LOCK_WAIT_MS = 60_000
STAGING_PAGE = 65_536  # bytes; fewer and larger reads and writes of staging save 5-8 % of an import
CACHE_KIB = 16_000  # page cache of each of database and staging while importing; the default is 2,000

STAGED_TYPES = {
    **dict.fromkeys(("integer", "bigint", "reference"), "INTEGER"),
    **dict.fromkeys(("float", "double", "decimal"), "REAL"),
}

DIALECT = Dialect(
    mark="?",
    target="{column}",
    current="",
    key_equal="{a} = {b}",
    same="{a} IS {b}",
    by_text=frozenset(),
    text="{a}",
    id_type="INTEGER",
    list_type="TEXT",
    limits=Limits(integer_bits=64, lengths=False, infinity=True, nan=False, nul=True, decimal_as_double=True),
    max_modified="CASE WHEN {a} IS NULL OR {b} > {a} THEN {b} ELSE {a} END",
    update_from="UPDATE {table} AS t SET {sets} FROM {source} WHERE {on}",
    concat_items="'|' || group_concat({id}, '|') || '|'",
    self_references_at_once=False,
    self_references_apart=True,
    indexes_in_transactions=True,
    content="quote({a})",
)


class SqliteSession(CellByCell, TemporaryTables):
    """Statements on one connection; database errors become StoreError with the driver's reason."""

    dialect = DIALECT

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._unique: dict[str, list[tuple[str, ...]]] = {}

    def run(self, sql: str, params: Params = ()) -> int:
        """Execute a statement; return the rows it touched."""
        with _translated():
            return self.connection.execute(sql, params).rowcount

    def rows(self, sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """Execute a query; return all its rows."""
        with _translated():
            return self.connection.execute(sql, params).fetchall()

    def stream(self, sql: str, params: Params = ()) -> Iterator[list[Sequence[Any]]]:
        """Execute a query; yield its rows in batches."""
        with _translated():
            cursor = self.connection.execute(sql, params)
            while batch := cursor.fetchmany(BATCH):
                yield list(batch)

    def load(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
        """Put rows, given column by column, into a temporary table."""
        marks = ",".join("?" * len(columns))
        with _translated():
            self.connection.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks})", zip(*values, strict=True))

    def analyze(self, table: str, columns: Sequence[str]) -> None:
        """SQLite plans the merge well without statistics."""

    def staged_type(self, spec: TableSpec, field: FieldSpec) -> str:
        """Return the column affinity that keeps a stored value as it is."""
        return STAGED_TYPES.get(field.type, "TEXT")

    def key_type(self, spec: TableSpec) -> str:
        """Return the type of keys: text, compared byte by byte."""
        return "TEXT"

    def reader(self) -> SqliteSnapshot:
        """Return what reads tables as they are inside this transaction."""
        return SqliteSnapshot(self)

    def unique_keys(self, spec: TableSpec) -> list[tuple[str, ...]]:
        """Return the SQL-ready columns of each unique index of a table, its id left out."""
        if spec.name not in self._unique:
            table = spec.sql_name.strip('"').replace("'", "''")
            found = self.rows(f"SELECT name FROM pragma_index_list('{table}') WHERE \"unique\" = 1 AND partial = 0")
            columns = (self.rows("SELECT name FROM pragma_index_info(?) ORDER BY seqno", name) for name in found)
            quoted = (tuple(_quoted(spec, c) for (c,) in names) for names in columns)
            self._unique[spec.name] = [key for key in quoted if all(key)]
        return self._unique[spec.name]

    def next_id(self, spec: TableSpec) -> int:
        """Return an id above every one that was ever given in the table."""
        [(highest,)] = self.rows(f"SELECT COALESCE(max({spec.id_column}), 0) FROM {spec.sql_name}")
        if self.rows("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"):
            name = spec.sql_name.strip('"')
            given = self.rows("SELECT seq FROM sqlite_sequence WHERE name = ?", (name,))
            highest = max([highest] + [seq for (seq,) in given if seq is not None])
        return int(highest) + 1

    def used_ids(self, spec: TableSpec, last: int) -> None:
        """SQLite notes explicit ids itself."""


def _quoted(spec: TableSpec, column: str | None) -> str:
    return next((f.column for f in spec.fields if column and f.column.strip('"') == column), "")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as exc:
        if "locked" in str(exc) or "busy" in str(exc):
            raise StoreBusy("the database is held by another program", hint="Try again in a minute.") from exc
        raise StoreError(f"the database refused a statement: {exc}") from exc
    except sqlite3.Error as exc:
        raise StoreError(f"the database refused a statement: {exc}") from exc


class SqliteStore(MergesInPlace):
    """The store of a pydal.DAL on SQLite."""

    def __init__(self, db: Any) -> None:
        self.session = SqliteSession(db._adapter.connection)
        self._began = False

    @contextmanager
    def transaction(self, keep: bool) -> Iterator[SqliteSession]:
        """Open a savepoint; on leaving keep its work (`keep`) or undo it. An exception always undoes it."""
        run = self.session.run
        run(f"PRAGMA temp.page_size = {STAGING_PAGE}")
        self._began = not self.session.connection.in_transaction
        if self._began:
            run("BEGIN")  # a RELEASE that ends the outermost savepoint would commit
        run(f"SAVEPOINT {SAVEPOINT}")
        caches = [(db, self.session.rows(f"PRAGMA {db}.cache_size")[0][0]) for db in ("main", "temp")]
        for db, _ in caches:
            run(f"PRAGMA {db}.cache_size = -{CACHE_KIB}")
        try:
            yield self.session
        except BaseException:
            self._undo()
            raise
        else:
            if keep:
                self._drop_staging()
                run(f"RELEASE {SAVEPOINT}")
            else:
                self._undo()
        finally:
            for db, size in caches:
                run(f"PRAGMA {db}.cache_size = {size}")

    def _undo(self) -> None:
        self.session.run(f"ROLLBACK TO {SAVEPOINT}")
        self.session.run(f"RELEASE {SAVEPOINT}")
        if self._began:
            self.session.run("ROLLBACK")  # nothing but our own, undone, work is in it

    def _drop_staging(self) -> None:
        found = self.session.rows("SELECT name FROM sqlite_temp_master WHERE type = 'table' AND name GLOB 'ps_*'")
        for (name,) in found:
            self.session.run(f"DROP TABLE temp.{name}")

    def lock(self, tables: Sequence[TableSpec]) -> None:
        """Take the write lock, waiting for other writers; raises StoreBusy. References are checked at the end."""
        [(patience,)] = self.session.rows("PRAGMA busy_timeout")
        self.session.run(f"PRAGMA busy_timeout = {LOCK_WAIT_MS}")
        try:
            for spec in tables[:1]:
                column = spec.fields[0].column if spec.fields else spec.id_column
                self.session.run(f"UPDATE {spec.sql_name} SET {column} = {column} WHERE 0")
        finally:
            self.session.run(f"PRAGMA busy_timeout = {patience}")
        self.session.run("PRAGMA defer_foreign_keys = ON")

    @contextmanager
    def snapshot(self) -> Iterator[SqliteSnapshot]:
        """Open a read transaction, or use the caller's: all tables are read as of one moment."""
        began = not self.session.connection.in_transaction
        if began:
            self.session.run("BEGIN")
        try:
            yield SqliteSnapshot(self.session)
        finally:
            if began:
                self.session.run("ROLLBACK")


class SqliteSnapshot:
    """Tables as the cells of an export, as of one moment."""

    def __init__(self, session: SqliteSession) -> None:
        self._session = session

    def lines(self, spec: TableSpec, specs: Mapping[str, TableSpec]) -> Iterator[tuple[bytes, int]]:
        """Yield the lines of a table in pieces, and how many records each holds."""
        written = 0
        if not any(f.is_list_reference for f in spec.references):
            parts, source = parts_of(spec, specs, to_text)
            for batch in self._session.stream(f"SELECT {', '.join(part.sql for part in parts)} {source}"):
                lines = lines_of(batch, parts)
                if lines is None:
                    break
                written += len(batch)
                yield lines, len(batch)
            else:
                return
        cells = [Part("", 1)] * len(reading.header_of(spec, specs))
        for batch in self.read(spec, specs):  # what was written already is read again
            rest = batch[written:]
            written -= len(batch) - len(rest)
            yield lines_of(rest, cells) or b"", len(rest)

    def read(self, spec: TableSpec, specs: Mapping[str, TableSpec]) -> Iterator[reading.Rows]:
        """Yield the rows of a table as cells, in batches."""
        batches = self._session.stream(reading.query(spec, specs, to_text))
        return reading.with_lists(self._session, spec, specs, batches)


def to_text(field: FieldSpec, column: str) -> str:
    """SQL for the cell of a column. Being expressions, these also keep the driver from converting dates."""
    if field.type == "boolean":
        return f"CASE {column} WHEN 'T' THEN 'True' WHEN 'F' THEN 'False' ELSE COALESCE({column}, '{NULL}') END"
    if field.type == "decimal":
        return f"CASE WHEN {column} IS NULL THEN '{NULL}' ELSE printf('%.{field.scale or 0}f', {column}) END"
    if CODECS[field.type].textual:
        escaped = f"{column} >= '\\' AND {column} < ']' AND ltrim({column}, '\\') = '{NULL}'"
        return (
            f"CASE WHEN {column} IS NULL THEN '{NULL}' WHEN {column} = '{NULL}' OR ({escaped}) THEN '\\' || {column} "
            f"ELSE {column} END"
        )
    return f"COALESCE({column}, '{NULL}')"
