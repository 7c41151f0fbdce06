"""The MariaDB (and MySQL) store: rows into temporary tables, then the merge in SQL.

Rows come by LOAD DATA LOCAL where connection and server allow it, else by INSERTs of many rows. Nothing here commits: indexes
of temporary tables are declared when they are made, since CREATE INDEX and ALTER TABLE would commit, even theirs. The
session is strict and speaks utf8mb4 while an import runs, whatever the connection has. Texts are compared byte by byte;
uuids by the collation of their column, so that its index serves.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import StoreBusy, StoreError
from ..records import FieldSpec, TableSpec
from ..values import CODECS, NULL, Limits
from . import mysql_loading, reading
from .contract import MergesInPlace
from .mysql_loading import Repertoire, repertoire_of
from .mysql_unchanged import StagedRows
from .session import CellByCell, Dialect, Params
from .staging import Staged, Work

SAVEPOINT = "plugin_sync"
LOCK_NAME = "LEFT(CONCAT('plugin_sync ', DATABASE()), 64)"  # such a lock is the whole server's
LOCK_WAIT_S = 60
FEW = 200  # rows that one INSERT brings as fast as a file
ROWS = 500  # of one INSERT; larger statements were slower
PAGE = 2000  # records read at once
_numbers = itertools.count()
TIMEOUT, DEADLOCK = 1205, 1213
TEXT_TYPE = "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
SQL_MODE = "STRICT_ALL_TABLES,STRICT_TRANS_TABLES,PIPES_AS_CONCAT,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE"
SETTINGS = (
    *("sql_mode", "sql_notes", "max_error_count", "foreign_key_checks", "group_concat_max_len", "innodb_lock_wait_timeout"),
    *("character_set_client", "character_set_connection", "character_set_results", "collation_connection"),
)
BYTES = "BINARY CONVERT({a} USING utf8mb4)"
HAS = {
    **dict.fromkeys(("ascii", "latin1"), Repertoire.ASCII),
    **dict.fromkeys(("utf8", "utf8mb3"), Repertoire.BASIC),
    "utf8mb4": Repertoire.ALL,
}
TEXTUAL = ("string", "text", "upload", "json", "jsonb", "blob", "list:string", "list:integer", "list:reference")

DIALECT = Dialect(
    mark="%s",
    target="t.{column}",
    current=" LOCK IN SHARE MODE",
    key_equal="{a} = {b} AND BINARY lower({a}) = BINARY lower({b})",
    same="{a} <=> {b}",
    by_text=frozenset(TEXTUAL),
    text=BYTES,
    id_type="BIGINT",
    list_type=TEXT_TYPE,
    limits=Limits(nul=True),
    max_modified="IF({a} IS NULL OR {b} > {a}, {b}, {a})",
    update_from="UPDATE {table} t, {source} SET {sets} WHERE {on}",
    update_many="UPDATE {table} t STRAIGHT_JOIN {source} SET {sets} WHERE {on}",  # row by row, else all wait in a table
    concat_items="CONCAT('|', group_concat({id} ORDER BY {pos} SEPARATOR '|'), '|')",
    self_references_at_once=True,
    self_references_apart=False,
    indexes_in_transactions=False,
    as_named="STRAIGHT_JOIN ",
    fingerprint="CAST(WEIGHT_STRING({a}) AS BINARY(80))",
    content="BINARY quote(CONVERT({a} USING utf8mb4))",
    contents={"datetime": "CAST({a} AS DATETIME(6))", "time": "CAST({a} AS TIME(6))"},
)


class MysqlSession(CellByCell):
    """Statements on one connection; errors of the driver become StoreError with its reason."""

    dialect = DIALECT

    def __init__(self, connection: Any, driver: Any) -> None:
        self.connection = connection
        self._errors: type[Exception] = driver.Error
        self._types: dict[str, dict[str, tuple[str, str | None, str | None]]] = {}
        self._unique: dict[str, list[tuple[str, ...]]] = {}
        self._local_infile: bool | None = None  # whether LOAD DATA LOCAL is allowed, once it was asked for
        self._repertoires: dict[tuple[str, str], Repertoire] = {}  # of the texts that were loaded, by table and column
        self._beside: dict[str, StagedRows] = {}  # by table
        self.made: list[str] = []  # temporary tables

    def run(self, sql: str, params: Params = ()) -> int:
        """Execute a statement; return the rows it touched."""
        with self._translated(), contextlib.closing(self.connection.cursor()) as cursor:
            cursor.execute(sql, params or None)
            return int(cursor.rowcount)

    def rows(self, sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """Execute a query; return all its rows."""
        with self._translated(), contextlib.closing(self.connection.cursor()) as cursor:
            cursor.execute(sql, params or None)
            return list(cursor.fetchall())

    def create(self, name: str, columns: Sequence[str], keys: Sequence[str] = ()) -> None:
        """Create an empty temporary table with its indexes."""
        self.made.append(name)
        indexes = [f"INDEX ({key})" for key in keys]
        self.run(f"CREATE TEMPORARY TABLE {name} ({', '.join([*columns, *indexes])}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4")

    def create_like(self, name: str, other: str) -> None:
        """Create an empty temporary table like another, into which the same characters may come."""
        self.made.append(name)
        self.run(f"CREATE TEMPORARY TABLE {name} LIKE {other}")
        known = self._repertoires.items()
        self._repertoires |= {(name, column): repertoire for (table, column), repertoire in known if table == other}

    def index(self, name: str, key: str) -> None:
        """Nothing to do: the index was declared."""

    def create_as(self, name: str, select: str, keys: Sequence[str] = (), distinct: bool = False) -> None:
        """Create a temporary table from a query, with its indexes: rows that go by their first column lie in its order."""
        self.made.append(name)
        indexes = ", ".join(f"PRIMARY KEY ({key.split(',')[0]})" if distinct else f"INDEX ({key})" for key in keys)
        columns = f"({indexes})" if indexes else ""
        self.run(f"CREATE TEMPORARY TABLE {name} {columns} ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 AS {select}")

    def drop(self, name: str) -> None:
        """Drop a temporary table, if it is there; without TEMPORARY it would commit."""
        self.run(f"DROP TEMPORARY TABLE IF EXISTS {name}")
        self.made = [made for made in self.made if made != name]

    def load(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
        """Put rows, given column by column, into a temporary table."""
        for name, column in zip(columns, values, strict=True):
            known = self._repertoires.get((table, name), Repertoire.ASCII)
            self._repertoires[table, name] = max(known, repertoire_of(column))
        if len(values[0]) > FEW and self._loads_files():
            self._load_file(table, columns, values)
        else:
            self._insert(table, columns, values)

    def settle(self, work: Work, staged: Staged) -> None:
        """Leave the rows that are the same here out of the merge."""
        self.beside(staged).settle(work)

    def beside(self, staged: Staged) -> StagedRows:
        """Return the rows of a staging table as they are compared with the records here."""
        return self._beside.setdefault(staged.spec.name, StagedRows(self, staged))

    def _loads_files(self) -> bool:
        """Whether connection, server and system allow LOAD DATA LOCAL; PyMySQL alone says what a connection allows."""
        if self._local_infile is None:
            willing = getattr(self.connection, "_local_infile", False) and mysql_loading.can_name_files()
            self._local_infile = willing and self.rows("SELECT @@GLOBAL.local_infile") == [(1,)]
        return self._local_infile

    def _load_file(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
        """Load rows as a file; what would only be a warning there is the error that it is in an INSERT."""
        with mysql_loading.file_of(values) as path:
            loaded = self.run(mysql_loading.statement(table, columns, path))
        [(warnings,)] = self.rows("SELECT @@warning_count")
        if warnings or loaded != len(values[0]):
            [*_, reason] = self.rows("SHOW WARNINGS LIMIT 1")[0] if warnings else ["rows are missing"]
            raise StoreError(f"the database refused a statement: {reason}")

    def _insert(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
        row = f"({','.join(['%s'] * len(columns))})"
        insert = f"INSERT INTO {table} ({','.join(columns)}) VALUES "
        rows = list(zip(*values, strict=True))
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            self.run(insert + ",".join([row] * len(part)), [value for r in part for value in r])

    def analyze(self, table: str, columns: Sequence[str]) -> None:
        """ANALYZE would commit."""

    def staged_type(self, spec: TableSpec, field: FieldSpec) -> str:
        """Return the column's own type where it is compared by its index; else one that keeps every value exactly."""
        if field.is_reference:
            return "BIGINT"
        kind, charset, collation = self._column(spec, field)
        if charset is None:
            return f"{kind}(6)" if kind in ("datetime", "time", "timestamp") else kind
        keyed = field.name == spec.uuid_name or field.name in spec.primary_key
        if keyed or any(field.column in key for key in self.unique_keys(spec)):
            return f"{kind} CHARACTER SET {charset} COLLATE {collation}"
        return TEXT_TYPE

    def key_type(self, spec: TableSpec) -> str:
        """Return the type of the uuid column, so that its index serves; else a text as long as an index takes."""
        field = spec.field(spec.uuid_name or "")
        return self.staged_type(spec, field) if field is not None else "VARCHAR(700) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

    def _column(self, spec: TableSpec, field: FieldSpec) -> tuple[str, str | None, str | None]:
        """Return type, character set and collation of a column."""
        if spec.name not in self._types:
            found = self.rows(
                "SELECT column_name, column_type, character_set_name, collation_name FROM information_schema.columns "
                "WHERE table_schema = database() AND table_name = %s",
                (_plain(spec.sql_name),),
            )
            self._types[spec.name] = {name: (_text(kind), charset, collation) for name, kind, charset, collation in found}
        try:
            return self._types[spec.name][_plain(field.column)]
        except KeyError as exc:
            raise StoreError("the database has no such column", table=spec.name, column=field.name) from exc

    def unfit(self, spec: TableSpec, field: FieldSpec, table: str, column: str) -> tuple[str, str] | None:
        """Return an SQL condition for staged values that the field's column would change silently, and the reason."""
        if field.is_reference:
            return None
        kind, charset, _ = self._column(spec, field)
        if kind in ("datetime", "time", "timestamp"):
            return f"microsecond({column}) <> 0", "has fractions of a second, which this column does not keep"
        if charset is not None and self._repertoires.get((table, column), Repertoire.ALL) > HAS.get(charset, Repertoire.NONE):
            kept = f"CONVERT(CONVERT({column} USING {charset}) USING utf8mb4)"
            return f"BINARY {kept} <> BINARY CONVERT({column} USING utf8mb4)", f"has characters that {charset} does not have"
        return None

    def reader(self) -> MysqlSnapshot:
        """Return what reads tables as they are inside this transaction."""
        return MysqlSnapshot(self)

    def unique_keys(self, spec: TableSpec) -> list[tuple[str, ...]]:
        """Return the SQL-ready columns of each unique index of a table, its id left out."""
        if spec.name not in self._unique:
            found = self.rows(
                "SELECT index_name, column_name, sub_part FROM information_schema.statistics WHERE table_schema = database() "
                "AND table_name = %s AND non_unique = 0 ORDER BY index_name, seq_in_index",
                (_plain(spec.sql_name),),
            )
            columns = {_plain(f.column): f.column for f in spec.fields}
            keys: dict[str, tuple[str, ...]] = {}
            for index, name, part in found:
                keys[index] = (*keys.get(index, ()), "" if part else columns.get(name, ""))
            self._unique[spec.name] = [key for key in keys.values() if all(key)]
        return self._unique[spec.name]

    def next_id(self, spec: TableSpec) -> int:
        """Return an id above every one that was given in the table."""
        [(highest,)] = self.rows(f"SELECT COALESCE(max({spec.id_column}), 0) FROM {spec.sql_name}{self.dialect.current}")
        counters = self.rows(
            "SELECT auto_increment FROM information_schema.tables WHERE table_schema = database() AND table_name = %s",
            (_plain(spec.sql_name),),
        )
        return max([int(highest) + 1] + [int(n) for (n,) in counters if n is not None])

    def used_ids(self, spec: TableSpec, last: int) -> None:
        """The database notes explicit ids itself."""

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the driver's errors into StoreError, or StoreBusy where waiting helps."""
        try:
            yield
        except self._errors as exc:
            code = exc.args[0] if exc.args else None
            if code in (TIMEOUT, DEADLOCK):
                raise self._busy(code) from exc
            raise StoreError(f"the database refused a statement: {exc.args[-1] if exc.args else exc}") from exc

    def _busy(self, code: int) -> StoreBusy:
        """Return the error for a lock that was not to be had; it says so when the database undid more than this import."""
        if code == TIMEOUT and self.rows("SELECT @@GLOBAL.innodb_rollback_on_timeout") == [(0,)]:
            return StoreBusy("the database is held by another program", hint="Try again in a minute.")
        return StoreBusy(
            "another program was changing the same records, and the database undid everything since the last commit, "
            "also what was pending before this import",
            hint="Do again what was not committed, then try again.",
        )


def _plain(name: str) -> str:
    return name.strip("`")


def _text(value: Any) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else str(value)


class MysqlStore(MergesInPlace):
    """The store of a pydal.DAL on MariaDB or MySQL."""

    def __init__(self, db: Any) -> None:
        self.session = MysqlSession(db._adapter.connection, db._adapter.driver)

    @contextmanager
    def transaction(self, keep: bool) -> Iterator[MysqlSession]:
        """Open a savepoint; on leaving keep its work (`keep`) or undo it. An exception always undoes it."""
        savepoint = f"{SAVEPOINT}_{next(_numbers)}"  # a second one of the same name would take the first's place
        with self._settings():
            self.session.run(f"SAVEPOINT {savepoint}")
            try:
                yield self.session
            except BaseException:
                self._undo(savepoint)
                raise
            if keep:
                self._drop_staging()
                self.session.run(f"RELEASE SAVEPOINT {savepoint}")
            else:
                self._undo(savepoint)

    @contextmanager
    def _settings(self) -> Iterator[None]:
        """Make the session strict, fluent in utf8mb4 and patient, and give it back its settings afterwards."""
        session, connection = self.session, self.session.connection
        [before] = session.rows(f"SELECT {', '.join(f'@@SESSION.{name}' for name in SETTINGS)}")
        escapes = ",NO_BACKSLASH_ESCAPES" if "NO_BACKSLASH_ESCAPES" in before[0] else ""
        patience = getattr(connection, "_read_timeout", None), getattr(connection, "_write_timeout", None)
        if hasattr(connection, "_read_timeout"):
            connection._read_timeout = connection._write_timeout = None  # PyMySQL: a long statement is no lost connection
        session.run("SET NAMES utf8mb4 COLLATE utf8mb4_bin")
        session.run(f"SET SESSION sql_mode = '{SQL_MODE}{escapes}', group_concat_max_len = 1073741824, foreign_key_checks = 0")
        session.run("SET SESSION sql_notes = 0, max_error_count = 64")  # of what LOAD DATA warns; a note is no warning
        session.run(f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT_S}")
        try:
            yield
        finally:
            if connection.open:
                session.run(f"DO RELEASE_LOCK({LOCK_NAME})")
                session.run("SET SESSION " + ", ".join(f"{name} = %s" for name in SETTINGS), before)
                if hasattr(connection, "_read_timeout"):
                    connection._read_timeout, connection._write_timeout = patience

    def _undo(self, savepoint: str) -> None:
        if self.session.connection.open:
            with contextlib.suppress(StoreError):  # a deadlock has rolled everything back, the savepoint too
                self.session.run(f"ROLLBACK TO SAVEPOINT {savepoint}")
            self._drop_staging()

    def _drop_staging(self) -> None:
        for name in self.session.made:
            self.session.drop(name)

    def lock(self, tables: Sequence[TableSpec]) -> None:
        """Wait for other imports; what the merge reads it locks until the transaction ends. Raises StoreBusy."""
        [(got,)] = self.session.rows(f"SELECT GET_LOCK({LOCK_NAME}, {LOCK_WAIT_S})")
        if got != 1:
            raise StoreBusy("another import is running", hint="Try again in a minute.")
        for spec in sorted(tables, key=lambda s: s.sql_name):
            if spec.id_column is not None:  # the end of the table: nobody else inserts there meanwhile
                newest = f"SELECT {spec.id_column} FROM {spec.sql_name} ORDER BY {spec.id_column} DESC LIMIT 1"
                self.session.rows(f"{newest} FOR UPDATE")

    @contextmanager
    def snapshot(self) -> Iterator[MysqlSnapshot]:
        """Read all tables as of one moment: that of the transaction's first read."""
        with self._settings():
            idle = self.session.rows("SELECT @@in_transaction") == [(0,)]
            if idle:
                self.session.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                self.session.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            try:
                yield MysqlSnapshot(self.session)
            finally:
                if idle:
                    self.session.connection.rollback()


class MysqlSnapshot:
    """Tables as the cells of an export, as of one moment, page by page along the id."""

    def __init__(self, session: MysqlSession) -> None:
        self._session = session

    def lines(self, spec: TableSpec, specs: Mapping[str, TableSpec]) -> None:
        """Only cells can be had."""

    def read(self, spec: TableSpec, specs: Mapping[str, TableSpec]) -> Iterator[reading.Rows]:
        """Yield the rows of a table as cells, in batches."""
        return reading.with_lists(self._session, spec, specs, self._pages(reading.query(spec, specs, to_text), spec))

    def _pages(self, query: str, spec: TableSpec) -> Iterator[reading.Rows]:
        if spec.id_column is None:
            yield list(self._session.rows(query))
            return
        select, _, order = query.rpartition(" ORDER BY ")
        after = ""
        while page := self._session.rows(f"{select}{after} ORDER BY {order} LIMIT {PAGE}"):
            after = f" WHERE t.{spec.id_column} > {int(page[-1][0])}"
            yield list(page)


def to_text(field: FieldSpec, column: str) -> str:
    """SQL for the cell of a column."""
    if field.type == "boolean":
        return f"CASE {column} WHEN 'T' THEN 'True' WHEN 'F' THEN 'False' ELSE COALESCE({column}, '{NULL}') END"
    if CODECS[field.type].textual:
        slash = "CHAR(92)"  # a backslash, whatever the session's mode makes of one
        escaped = f"LEFT({column}, 1) = {slash} AND TRIM(LEADING {slash} FROM {column}) = '{NULL}'"
        text = f"CONVERT({column} USING utf8mb4)"
        return (
            f"CASE WHEN {column} IS NULL THEN '{NULL}' WHEN BINARY {column} = '{NULL}' OR ({escaped}) "
            f"THEN CONCAT({slash}, {text}) ELSE {text} END"
        )
    text = f"CAST({column} AS CHAR)"
    if field.type in ("double", "float"):
        text = f"REPLACE(REPLACE({text}, 'e', 'e+'), 'e+-', 'e-')"  # 1e+300, as everywhere else
    return f"COALESCE({text}, '{NULL}')"
