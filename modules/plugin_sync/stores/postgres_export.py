"""Exports from PostgreSQL: the database makes whole lines, COPY TO sends them, a thread of its own takes them in."""

from __future__ import annotations

import csv
import io
import queue
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..records import FieldSpec, TableSpec
from ..values import CODECS, NULL
from . import reading
from .staging import uuid_column

if TYPE_CHECKING:
    from .postgres import PostgresSession

PIECE = 1 << 18  # bytes of an export handed on at once
WAITING = 16  # such pieces kept while the receiver is slow


class PostgresSnapshot:
    """Tables as the lines of an export, as of one moment; the database itself writes them."""

    def __init__(self, session: PostgresSession) -> None:
        self._session = session

    def lines(self, spec: TableSpec, specs: Mapping[str, TableSpec]) -> Iterator[tuple[bytes, int]]:
        """Yield the lines of a table in pieces, and with the last how many records there were."""
        types = self._session.types(spec)
        select = reading.query(spec, specs, lambda field, column: to_text(field, column, types[field.column]), uuids_of_list)
        width = len(reading.header_of(spec, specs))
        force = ", FORCE_QUOTE *" if width == 1 else ""  # an empty cell alone would be a blank line
        copy = f"COPY ({select}) TO STDOUT WITH (FORMAT csv, NULL '{NULL}'{force})"
        yield from _copied(self._session, copy)

    def read(self, spec: TableSpec, specs: Mapping[str, TableSpec]) -> Iterator[reading.Rows]:
        """Yield the rows of a table as cells, in batches."""
        for data, _ in self.lines(spec, specs):
            yield list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))


def to_text(field: FieldSpec, column: str, kind: str) -> str:
    """SQL for the cell of a column; NULL stays NULL, which COPY writes as a word."""
    if field.type == "boolean":
        text = f"CAST({column} AS text)"
        return f"CASE WHEN {column} IS NULL THEN NULL WHEN {text} IN ('T', 'true') THEN 'True' ELSE 'False' END"
    if kind == "bytea":
        return f"convert_from({column}, 'UTF8')"
    if CODECS[field.type].textual:
        escaped = f"{column} LIKE '%{NULL}' AND ltrim({column}, '\\') = '{NULL}'"  # LIKE is fast, and nearly never true
        return f"CASE WHEN {escaped} THEN '\\' || {column} ELSE {column} END"
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
