"""A job's board: the lock that its process holds, how far it is, and whether somebody wants it to stop.

Seen by other requests while the job's transaction is open. PostgreSQL and MariaDB keep it in the job's row, through a
second, small connection whose session also owns the lock; where the writer's own lock would forbid that (SQLite, and
any other database) it is files. The lock goes with the process, however that ends: nothing here times out.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from ..connections import side_connection
from .progress import Progress, load_progress
from .rows import State, change_job


class Board(Protocol):
    """One job's board. The running job calls `hold`, then `show`, `stop_asked`, `close`; others the rest."""

    def hold(self) -> bool:
        """Take the job's lock for this process and return True, or False when it is taken."""

    def show(self, progress: Progress) -> None:
        """Let others see how far the job is. Needs the lock."""

    def stop_asked(self) -> bool:
        """Whether somebody asked the job to stop. Needs the lock."""

    def interrupter(self) -> Callable[[], None]:
        """Return a function by which another thread breaks off the statement that this one's connection runs."""

    def close(self) -> None:
        """Give the lock back, if it is held."""

    def is_held(self) -> bool:
        """Whether some process holds the lock."""

    def read(self) -> Progress | None:
        """Return how far the running job is."""

    def ask_stop(self) -> None:
        """Ask the running job to stop."""


class _RowBoard:
    """In the job's row, with a lock of the database server. Holding it takes a connection more."""

    def __init__(self, db: Any, job_uuid: str) -> None:
        self.db, self.job_uuid = db, job_uuid
        self._side: Any = None

    def _ask(self, sql: str, *values: Any) -> Any:
        """Return the first value of a query on the second connection."""
        with contextlib.closing(self._side.cursor()) as cursor:
            cursor.execute(sql, values)
            row = cursor.fetchone()
        return row[0] if row else None

    def _look(self, sql: str, *values: Any) -> Any:
        """Return the first value of a query on the caller's connection."""
        self.db._adapter.execute(sql, values)
        row = self.db._adapter.cursor.fetchone()
        return row[0] if row else None

    def _names(self, *fields: str) -> tuple[str, ...]:
        table = self.db.plugin_sync_job
        return (table._rname, table.uuid._rname, *(table[name]._rname for name in fields))

    def show(self, progress: Progress) -> None:
        """Write into the row."""
        table, uuid, column = self._names("progress")
        with contextlib.closing(self._side.cursor()) as cursor:
            cursor.execute(f"UPDATE {table} SET {column} = %s WHERE {uuid} = %s", (progress.dump(), self.job_uuid))

    def stop_asked(self) -> bool:
        """Look into the row."""
        table, uuid, column = self._names("stop_asked")
        return self._ask(f"SELECT {column} FROM {table} WHERE {uuid} = %s", self.job_uuid) is not None

    def close(self) -> None:
        """End the second connection, and with it the lock."""
        if self._side is not None:
            self._side.close()
            self._side = None

    def read(self) -> Progress | None:
        """Read the row."""
        jobs = self.db.plugin_sync_job
        row = self.db(jobs.uuid == self.job_uuid).select(jobs.progress).first()
        return load_progress(row.progress) if row else None

    def ask_stop(self) -> None:
        """Mark the row, if the job has not ended: whoever comes first, the mark or the end, wins."""
        change_job(self.db, self.job_uuid, State.RUNNING, changes={"stop_asked": True})
        self.db.commit()


class PostgresBoard(_RowBoard):
    """With a session-level advisory lock."""

    @property
    def _key(self) -> int:
        digest = hashlib.sha256(f"plugin_sync job {self.job_uuid}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def hold(self) -> bool:
        """Take the advisory lock."""
        self._side = side_connection(self.db)
        got = self._ask("SELECT pg_try_advisory_lock(%s)", self._key) is True
        if not got:
            self.close()
        return got

    def is_held(self) -> bool:
        """Look for the lock among those of this database, without touching it."""
        found = self._look(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND (CAST(classid AS bigint) << 32 | CAST(objid AS bigint)) = %s",
            self._key,
        )
        return bool(found)

    def interrupter(self) -> Callable[[], None]:
        """Return the connection's own cancel."""
        cancel: Callable[[], None] = self.db._adapter.connection.cancel
        return cancel


class MysqlBoard(_RowBoard):
    """With a named lock."""

    @property
    def _lock(self) -> str:
        return f"plugin_sync job {self.job_uuid}"

    def hold(self) -> bool:
        """Take the named lock."""
        self._side = side_connection(self.db)
        got = bool(self._ask("SELECT GET_LOCK(%s, 0)", self._lock) == 1)
        if not got:
            self.close()
        return got

    def is_held(self) -> bool:
        """Ask who holds the named lock."""
        return self._look("SELECT IS_USED_LOCK(%s)", self._lock) is not None

    def interrupter(self) -> Callable[[], None]:
        """Return a function that kills the statement from the second connection."""
        number = int(self._look("SELECT CONNECTION_ID()"))

        def kill() -> None:
            with contextlib.closing(self._side.cursor()) as cursor:
                cursor.execute(f"KILL QUERY {number}")

        return kill


class FileBoard:
    """In three files of the application's private folder: UUID.lock, .progress and .stop."""

    def __init__(self, db: Any, job_uuid: str, folder: Path) -> None:
        self.db, self.folder, self.job_uuid = db, folder, job_uuid
        self._file: int | None = None

    def _path(self, kind: str) -> Path:
        return self.folder / f"{self.job_uuid}.{kind}"

    def hold(self) -> bool:
        """Lock the file; a leftover of an ended process is no lock."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path("lock")
        while True:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            if not _locked(file, fcntl.LOCK_EX):
                os.close(file)
                return False
            if _is_at(file, path):
                break
            os.close(file)  # it was removed by the one that held it, after we had opened it
        self._file = file
        for kind in ("progress", "stop"):  # of a process that ended early
            self._path(kind).unlink(missing_ok=True)
        return True

    def show(self, progress: Progress) -> None:
        """Replace the file of progress, so that no half of it is ever seen."""
        part = self._path("part")
        part.write_text(progress.dump(), encoding="ascii")
        part.replace(self._path("progress"))

    def stop_asked(self) -> bool:
        """Look for the file."""
        return self._path("stop").exists()

    def interrupter(self) -> Callable[[], None]:
        """Return SQLite's own; elsewhere a job stops when it reports its progress next."""
        interrupt: Callable[[], None] = getattr(self.db._adapter.connection, "interrupt", lambda: None)
        return interrupt

    def close(self) -> None:
        """Remove the files, the locked one last but while it is locked."""
        if self._file is not None:
            for kind in ("progress", "stop", "part", "lock"):
                self._path(kind).unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def is_held(self) -> bool:
        """Try a lock that others who look may have too, and give it back."""
        try:
            file = os.open(self._path("lock"), os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            return not _locked(file, fcntl.LOCK_SH)
        finally:
            os.close(file)

    def read(self) -> Progress | None:
        """Read the file."""
        try:
            return load_progress(self._path("progress").read_text(encoding="ascii"))
        except FileNotFoundError:
            return None

    def ask_stop(self) -> None:
        """Make the file, if the job runs."""
        if self.is_held():
            self._path("stop").touch()


def _locked(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: int, path: Path) -> bool:
    """Whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


_ROW_BOARDS: dict[str, Callable[[Any, str], Board]] = {"postgres": PostgresBoard, "mysql": MysqlBoard}


def open_board(db: Any, job_uuid: str, folder: Path) -> Board:
    """Return the board of a job; `folder` is for the files of one that needs them."""
    make = _ROW_BOARDS.get(db._adapter.dbengine)
    return make(db, job_uuid) if make else FileBoard(db, job_uuid, folder)
