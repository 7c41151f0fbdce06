"""The PostgreSQL store: COPY into temporary tables of the tables' own types, then the merge in SQL; exports by COPY TO.

One savepoint inside the caller's transaction. Imports wait for each other at an advisory lock, and while one is applied
nobody else writes to its tables; readers go on.
"""

from __future__ import annotations

import csv
import io
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import StoreBusy, StoreError
from ..records import FieldSpec, TableSpec
from ..values import CODECS, NULL, Limits
from . import reading
from .session import Dialect, Params, TemporaryTables
from .staging import uuid_column

SAVEPOINT = "plugin_sync"
LOCK_KEY = int.from_bytes(b"plg_sync", "big")
LOCK_WAIT_MS = 60_000
PIECE = 1 << 18  # bytes of an export handed on at once
WAITING = 16  # such pieces kept while the receiver is slow
BUSY = ("55P03", "40P01", "40001")  # lock not available, deadlock detected, serialization failure
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
    content="quote_nullable(CAST({a} AS text))",
)


class PostgresSession(TemporaryTables):
    """Statements on one connection; errors of the driver become StoreError with its reason."""

    dialect = DIALECT

    def __init__(self, connection: Any, driver: Any) -> None:
        self.connection = connection
        self.driver = driver
        self._types: dict[str, dict[str, str]] = {}
        self._unique: dict[str, list[tuple[str, ...]]] = {}

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

    def analyze(self, table: str, columns: Sequence[str]) -> None:
        """Gather statistics of a temporary table: without them the merge took three times as long."""
        self.run(f"ANALYZE {table} ({', '.join(columns)})")

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


class PostgresStore:
    """The store of a pydal.DAL on PostgreSQL."""

    def __init__(self, db: Any) -> None:
        self.session = PostgresSession(db._adapter.connection, db._adapter.driver)

    @contextmanager
    def transaction(self, keep: bool) -> Iterator[PostgresSession]:
        """Open a savepoint; on leaving keep its work (`keep`) or undo it. An exception always undoes it."""
        run = self.session.run
        run(f"SAVEPOINT {SAVEPOINT}")
        [settings] = self.session.rows("SELECT current_setting('work_mem'), current_setting('DateStyle')")
        run("SET LOCAL work_mem = '64MB'")
        run("SET LOCAL DateStyle = 'ISO, YMD'")
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
            run(f"DROP TABLE pg_temp.{name}")
        run("SELECT set_config('work_mem', %s, true), set_config('DateStyle', %s, true)", settings)
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
        self.session.run("SET LOCAL DateStyle = 'ISO, YMD'")
        try:
            yield PostgresSnapshot(self.session)
        finally:
            if idle:
                connection.rollback()
            else:
                self.session.run(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")


class PostgresSnapshot:
    """Tables as the lines of an export, as of one moment; the database itself writes them."""

    def __init__(self, session: PostgresSession) -> None:
        self._session = session

    def csv(self, spec: TableSpec, specs: Mapping[str, TableSpec]) -> Iterator[tuple[bytes, int]]:
        """Yield the lines of a table in pieces, and with the last how many records there were."""
        types = self._session.types(spec)
        select = reading.query(spec, specs, lambda field, column: to_text(field, column, types[field.column]), uuids_of_list)
        width = len(reading.header_of(spec, specs))
        force = ", FORCE_QUOTE *" if width == 1 else ""  # an empty cell alone would be a blank line
        copy = f"COPY ({select}) TO STDOUT WITH (FORMAT csv, NULL '{NULL}'{force})"
        yield from _copied(self._session, copy)


def to_text(field: FieldSpec, column: str, kind: str) -> str:
    """SQL for the cell of a column; NULL stays NULL, which COPY writes as a word."""
    if field.type == "boolean":
        text = f"CAST({column} AS text)"
        return f"CASE WHEN {column} IS NULL THEN NULL WHEN {text} IN ('T', 'true') THEN 'True' ELSE 'False' END"
    if kind == "bytea":
        return f"convert_from({column}, 'UTF8')"
    if CODECS[field.type].textual:
        escaped = f"left({column}, 1) = '\\' AND ltrim({column}, '\\') = '{NULL}'"
        return f"CASE WHEN {column} = '{NULL}' OR ({escaped}) THEN '\\' || {column} ELSE {column} END"
    return column


def uuids_of_list(column: str, target: TableSpec) -> str:
    """SQL for the uuids of a list:reference's items, bar-encoded in their order."""
    uuid = f"replace(NULLIF(u.{uuid_column(target)}, ''), '|', '||')"
    return (
        f"CASE WHEN {column} IS NULL THEN NULL ELSE (SELECT '|' || COALESCE(string_agg(COALESCE({uuid}, '{NULL}'), '|' "
        f"ORDER BY i.pos), '') || '|' FROM unnest(string_to_array({column}, '|')) WITH ORDINALITY i(id, pos) "
        f"LEFT JOIN {target.sql_name} u ON CAST(u.{target.id_column} AS text) = i.id WHERE i.id ~ '^[0-9]+$') END"
    )


def _copied(session: PostgresSession, copy: str) -> Iterator[tuple[bytes, int]]:
    """Run a COPY TO in a thread of its own, which pushes, and yield what comes; stopping early ends the COPY."""
    pipe = _Pipe()
    outcome: list[BaseException | int] = []

    def work() -> None:
        """Push the lines into the pipe, and leave how it ended in `outcome`."""
        try:
            with session.translated(), session.connection.cursor() as cursor:
                cursor.copy_expert(copy, pipe, PIECE)
                outcome.append(int(cursor.rowcount))
        except BaseException as exc:  # handed to the reader, who raises it
            outcome.append(exc)
        finally:
            pipe.finish()

    thread = threading.Thread(target=work, name="plugin_sync export", daemon=True)
    thread.start()
    try:
        for piece in pipe:
            yield piece, 0
    finally:
        pipe.close()
        thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    yield b"", outcome[0]


class _Pipe:
    """A file to write to for one thread, pieces to iterate over for another, with few of them in between."""

    def __init__(self) -> None:
        self._pieces: queue.Queue[bytes] = queue.Queue(WAITING)
        self._kept: list[bytes] = []
        self._bytes = 0
        self._closed = False

    def write(self, data: bytes) -> int:
        """Take some bytes; raises BrokenPipeError when nobody reads any more."""
        if self._closed:
            raise BrokenPipeError("the receiver of the export went away")
        self._kept.append(data[:-1])  # each call is one record and its line end
        self._bytes += len(data)
        if self._bytes >= PIECE:
            self._push()
        return len(data)

    def _push(self) -> None:
        self._kept.append(b"")
        piece, self._kept, self._bytes = b"\r\n".join(self._kept), [], 0
        if piece and not self._closed:
            self._pieces.put(piece)

    def finish(self) -> None:
        """Say that nothing more comes."""
        self._push()
        self._pieces.put(b"")

    def close(self) -> None:
        """Stop reading: what is waiting is thrown away until the writer has noticed."""
        self._closed = True
        while not self._pieces.empty():
            self._pieces.get_nowait()

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._pieces.get():
            yield piece
