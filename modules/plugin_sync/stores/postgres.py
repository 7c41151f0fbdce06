"""The PostgreSQL store: COPY into temporary tables of the tables' own types, then the merge in SQL; exports by COPY TO.

One savepoint inside the caller's transaction. Imports wait for each other at an advisory lock, and while one is applied
nobody else writes to its tables; readers go on.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import StoreBusy, StoreError
from ..formats.blocks import RawRows
from ..records import FieldSpec, TableSpec
from ..values import Limits
from .contract import MergesInPlace
from .postgres_export import PostgresSnapshot
from .postgres_staging import Feed, TextStage, Told, text_stage
from .session import ROW_NUMBER, Dialect, Params, TemporaryTables
from .staging import Layout, Staged, Work

SAVEPOINT = "plugin_sync"
TEXTS = "plugin_sync_texts"
LOCK_KEY = int.from_bytes(b"plg_sync", "big")
LOCK_WAIT_MS = 60_000
PIECE = 1 << 18  # bytes handed to the driver at once
BUSY = ("55P03", "40P01", "40001")  # lock not available, deadlock detected, serialization failure
SETTINGS = {  # for the time of an import
    "work_mem": "64MB",
    "DateStyle": "ISO, YMD",
    "jit": "off",  # compiling took longer than it saved
}
EXPORT_SETTINGS = {**SETTINGS, "max_parallel_workers_per_gather": "0"}  # several sorts merged take no less time, and two cores
TRY_AGAIN = "Try again in a minute."

DIALECT = Dialect(
    mark="%s",
    target="{column}",
    current="",
    key_equal="{a} = {b}",
    same="{a} IS NOT DISTINCT FROM {b}",
    by_text=frozenset(("json", "jsonb")),
    text="CAST({a} AS text)",
    id_type="bigint",
    list_type="text",
    limits=Limits(infinity=True, nan=True),
    max_modified="GREATEST({a}, {b})",
    update_from="UPDATE {table} AS t SET {sets} FROM {source} WHERE {on}",
    concat_items="'|' || string_agg(CAST({id} AS text), '|' ORDER BY {pos}) || '|'",
    self_references_at_once=True,
    self_references_apart=False,
    indexes_in_transactions=True,
    content="quote_nullable(CAST({a} AS text))",
    hash_joins=True,
)


class PostgresSession(TemporaryTables):
    """Statements on one connection; errors of the driver become StoreError with its reason."""

    dialect = DIALECT

    def __init__(self, connection: Any, driver: Any) -> None:
        self.connection = connection
        self.driver = driver
        self._types: dict[str, dict[str, str]] = {}
        self._unique: dict[str, list[tuple[str, ...]]] = {}
        self.texts: dict[str, TextStage] = {}  # by table: rows that were taken as the file has them
        self._unnumbered: set[str] = set()  # temporary tables whose index by row number is still to be made
        self.views: dict[str, str] = {}  # staging tables that are views, and the tables beneath

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn the driver's errors into StoreError, or StoreBusy where waiting helps."""
        try:
            yield
        except self.driver.Error as exc:
            reason = " ".join(str(exc).split())
            if exc.pgcode in BUSY:
                raise StoreBusy("the database is held by another program", hint=TRY_AGAIN) from exc
            raise StoreError(f"the database refused a statement: {reason}") from exc

    def run(self, sql: str, params: Params = ()) -> int:
        """Execute a statement; return the rows it touched."""
        with self.translated(), self.connection.cursor() as cursor:
            cursor.execute(sql, params or None)
            return int(cursor.rowcount)

    def rows(self, sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """Execute a query; return all its rows."""
        with self.translated(), self.connection.cursor() as cursor:
            cursor.execute(sql, params or None)
            return list(cursor.fetchall())

    def load(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
        """Put rows, given column by column, into a temporary table, by COPY.

        NULL is a word that no text of these rows is: a csv writer cannot leave only NULL unquoted.
        """
        null = "\\N"
        while any(null in column for column in values):
            null += "N"
        cells = [[null if v is None else v for v in column] if None in column else column for column in values]
        text = io.StringIO(newline="")
        csv.writer(text).writerows(zip(*cells, strict=True))
        text.seek(0)
        copy = f"COPY {table} ({', '.join(columns)}) FROM STDIN WITH (FORMAT csv, NULL '{null}')"
        with self.translated(), self.connection.cursor() as cursor:
            cursor.copy_expert(copy, text, PIECE)

    @property
    def is_utf8(self) -> bool:
        """Whether the database keeps text in UTF-8."""
        return bool(self.connection.get_parameter_status("server_encoding") == "UTF8")

    def copy(self, statement: str, feed: Feed) -> int:
        """Run a COPY FROM; return its rows."""
        with self.translated(), self.connection.cursor() as cursor:
            cursor.copy_expert(statement, feed, PIECE)
            return int(cursor.rowcount)

    def stage_raw(self, staged: Staged, layout: Layout, raw: RawRows, told: Told) -> bool:
        """Stage a table from the file's bytes; return False, and leave everything as it was, where it has to be read by cells."""
        stage = text_stage(self, staged, layout)
        if stage is None:
            return False
        self.run(f"SAVEPOINT {TEXTS}")
        try:
            taken = stage.load(raw, told) and raw.end()
        except StoreError as exc:
            if not isinstance(exc.__cause__, self.driver.DataError):
                raise
            taken = False  # the codecs say what is wrong, and where
        if taken:
            self.run(f"RELEASE SAVEPOINT {TEXTS}")
            self.texts[staged.spec.name] = stage
            stage.take()
            return True
        self.views.pop(staged.s, None)
        self.run(f"ROLLBACK TO SAVEPOINT {TEXTS}")
        self.run(f"RELEASE SAVEPOINT {TEXTS}")
        raw.back()
        return False

    def settle(self, work: Work, staged: Staged) -> None:
        """Fill the staging table from the texts, without the rows that are the same here."""
        if staged.spec.name in self.texts:
            self.texts[staged.spec.name].settle(work)

    def create(self, name: str, columns: Sequence[str], keys: Sequence[str] = ()) -> None:
        """Create an empty temporary table; row numbers are indexed once it is filled, in a third of the time."""
        if columns[0] == ROW_NUMBER:
            self._unnumbered.add(name)
            columns = ["n integer NOT NULL", *columns[1:]]
        super().create(name, columns, keys)

    def analyze(self, table: str, columns: Sequence[str]) -> None:
        """Gather statistics of a temporary table: without them the merge took three times as long."""
        filled = self.views.get(table, table)
        if table in self._unnumbered:
            self._unnumbered.remove(table)
            self.run(f"CREATE INDEX ON {filled} (n)")
        self.run(f"ANALYZE {filled} ({', '.join(columns)})")

    def staged_type(self, spec: TableSpec, field: FieldSpec) -> str:
        """Return the column's own type; ids of the file may be larger than those here."""
        return "bigint" if field.is_reference else self.types(spec)[field.column]

    def types(self, spec: TableSpec) -> dict[str, str]:
        """Return the SQL type of each column of a table."""
        if spec.name not in self._types:
            found = self.rows(
                "SELECT quote_ident(attname), attname, format_type(atttypid, atttypmod) FROM pg_attribute "
                "WHERE attrelid = CAST(%s AS regclass) AND attnum > 0 AND NOT attisdropped",
                (spec.sql_name,),
            )
            by_name = {name: kind for quoted, plain, kind in found for name in (quoted, plain, f'"{plain}"')}
            missing = next((f.name for f in spec.fields if f.column not in by_name), None)
            if missing is not None:
                raise StoreError("the database has no such column", table=spec.name, column=missing)
            self._types[spec.name] = by_name
        return self._types[spec.name]

    def key_type(self, spec: TableSpec) -> str:
        """Return the type of keys: text, compared byte by byte."""
        return "text"

    def reader(self) -> PostgresSnapshot:
        """Return what reads tables as they are inside this transaction."""
        return PostgresSnapshot(self)

    def unique_keys(self, spec: TableSpec) -> list[tuple[str, ...]]:
        """Return the SQL-ready columns of each unique index of a table, its id left out."""
        if spec.name not in self._unique:
            found = self.rows(
                "SELECT i.indexrelid, a.attname FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k(n, pos) "
                "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n WHERE i.indrelid = CAST(%s AS regclass) "
                "AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL ORDER BY i.indexrelid, k.pos",
                (spec.sql_name,),
            )
            columns = {f.column.strip('"'): f.column for f in spec.fields}
            keys: dict[int, tuple[str, ...]] = {}
            for index, name in found:
                keys[index] = (*keys.get(index, ()), columns.get(name, ""))
            self._unique[spec.name] = [key for key in keys.values() if all(key)]
        return self._unique[spec.name]

    def next_id(self, spec: TableSpec) -> int:
        """Return an id above every one that a record has or that the sequence gave."""
        [(highest,)] = self.rows(f"SELECT COALESCE(max({spec.id_column}), 0) FROM {spec.sql_name}")
        sequence = self._sequence(spec)
        if sequence is not None:
            [(given,)] = self.rows(f"SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {sequence}")
            highest = max(highest, given)
        return int(highest) + 1

    def used_ids(self, spec: TableSpec, last: int) -> None:
        """Move the sequence behind the ids that were given: an explicit id does not."""
        sequence = self._sequence(spec)
        if sequence is not None:
            self.rows("SELECT setval(CAST(%s AS regclass), %s)", (sequence, last))

    def _sequence(self, spec: TableSpec) -> str | None:
        column = (spec.id_column or "").strip('"')
        [(sequence,)] = self.rows("SELECT pg_get_serial_sequence(%s, %s)", (spec.sql_name, column))
        return None if sequence is None else str(sequence)


class PostgresStore(MergesInPlace):
    """The store of a pydal.DAL on PostgreSQL."""

    def __init__(self, db: Any) -> None:
        self.session = PostgresSession(db._adapter.connection, db._adapter.driver)

    @contextmanager
    def transaction(self, keep: bool) -> Iterator[PostgresSession]:
        """Open a savepoint; on leaving keep its work (`keep`) or undo it. An exception always undoes it."""
        run = self.session.run
        run(f"SAVEPOINT {SAVEPOINT}")
        names = ", ".join(f"current_setting('{name}')" for name in SETTINGS)
        [before] = self.session.rows(f"SELECT {names}")
        for name, value in SETTINGS.items():
            run(f"SET LOCAL {name} = '{value}'")
        try:
            yield self.session
        except BaseException:
            self._undo()
            raise
        if not keep:
            self._undo()
            return
        for (name,) in self.session.rows(
            "SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r' AND relname ~ '^ps_'"
        ):
            run(f"DROP TABLE pg_temp.{name} CASCADE")
        for name, value in zip(SETTINGS, before, strict=True):
            self.session.rows("SELECT set_config(%s, %s, true)", (name, value))
        run(f"RELEASE SAVEPOINT {SAVEPOINT}")

    def _undo(self) -> None:
        if not self.session.connection.closed:
            self.session.run(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
            self.session.run(f"RELEASE SAVEPOINT {SAVEPOINT}")

    def lock(self, tables: Sequence[TableSpec]) -> None:
        """Wait for other imports, then for other writers of the tables; raises StoreBusy."""
        run = self.session.run
        [(isolation,)] = self.session.rows("SELECT current_setting('transaction_isolation')")
        if isolation != "read committed":  # it does not see what others have committed since it began, and would double it
            raise StoreError(
                f"the transaction is {isolation}", hint="Commit or roll back, and import in a transaction that is READ COMMITTED."
            )
        [(patience,)] = self.session.rows("SELECT current_setting('lock_timeout')")
        run(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
        self.session.rows(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
        for name in sorted(spec.sql_name for spec in tables):
            run(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE")
        run("SELECT set_config('lock_timeout', %s, true)", (patience,))

    @contextmanager
    def snapshot(self) -> Iterator[PostgresSnapshot]:
        """Read all tables as of one moment.

        With work of the caller pending its transaction is used as it is: unless that is REPEATABLE READ, each table is
        then as of the moment its reading begins.
        """
        connection = self.session.connection
        idle = connection.get_transaction_status() == self.session.driver.extensions.TRANSACTION_STATUS_IDLE
        if not idle and self.session.rows("SELECT pg_current_xact_id_if_assigned() IS NULL") == [(True,)]:
            connection.rollback()  # it has written nothing: there is nothing to lose
            idle = True
        if idle:
            self.session.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        else:
            self.session.run(f"SAVEPOINT {SAVEPOINT}")
        for name, value in EXPORT_SETTINGS.items():
            self.session.run(f"SET LOCAL {name} = '{value}'")
        try:
            yield PostgresSnapshot(self.session)
        finally:
            if idle:
                connection.rollback()
            else:
                self.session.run(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
