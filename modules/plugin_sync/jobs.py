"""Imports as jobs: keep the uploaded file, check it, apply it once; what exports were made.

The use cases behind pages and workers. A job is queued, then checked, then running, then done; or it failed, or was
cancelled. Each step names the states it starts from, so that no step is done twice. These functions commit and roll
back; the engine below them does not.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import uuid as uuids
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

from .connections import own_connection
from .errors import Cancelled, FileIncomplete, FileProblem, SettingsError, SyncError
from .exporter import Export, stream_csv
from .importer import run_import
from .instances import Instance, utc_now
from .loading import ImportOptions
from .policies import policy_of
from .records import ImportReport
from .reports import dump_report, load_report
from .settings import Settings

CHUNK_BYTES = 1 << 20
MAX_UPLOAD_BYTES = 10 << 30
log = logging.getLogger(__name__)


class State(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    CHECKED = "checked"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


_CHECKABLE = (State.QUEUED, State.CHECKED, State.FAILED)


@dataclass(frozen=True, slots=True)
class Job:
    """One row of plugin_sync_job. Times are UTC; `error` is a SyncError's to_dict()."""

    uuid: str
    kind: str
    state: State
    file_name: str
    file_sha256: str
    size_bytes: int
    policy: str
    module: str
    tables: tuple[str, ...]
    user_id: int | None
    created_on: datetime
    started_on: datetime | None
    finished_on: datetime | None
    check: ImportReport | None
    result: ImportReport | None
    error: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Imports:
    """Where imports happen: the database, the folder of kept files, and what the engine needs to know.

    Tables of the plugin must be defined on `db`.
    """

    db: Any
    folder: Path
    settings: Settings
    instance: Instance
    new_uuid: Callable[[], str]
    clock: Callable[[], datetime] = utc_now

    def receive(self, source: BinaryIO, *, file_name: str, policy: str, user_id: int | None, whole: bool) -> str:
        """Keep an uploaded file and return its job's uuid; it is not read yet.

        `whole` says whether all bytes that the sender announced have come. Raises FileProblem, or SettingsError for
        an unknown policy; then nothing is kept.
        """
        policy_of(policy)
        if not whole:
            raise FileIncomplete("the upload was cut off before its end", hint="Send the file again.")
        job_uuid = str(uuids.uuid4())
        sha256, size_bytes = keep_file(source, self.folder / job_uuid)
        self.db.plugin_sync_job.insert(
            uuid=job_uuid,
            kind="import",
            state=State.QUEUED,
            file_name=Path(file_name.replace("\\", "/")).name[:255],
            file_sha256=sha256,
            size_bytes=size_bytes,
            policy=policy,
            user_id=user_id,
            created_on=self.clock(),
        )
        self.db.commit()
        return job_uuid

    def check(self, job_uuid: str) -> Job:
        """Read a kept file, find out what importing it would do, and remember that; no record is written.

        A job that was applied, or is being applied, is left alone.
        """
        if find_job(self.db, job_uuid).state in _CHECKABLE:
            self._set(job_uuid, *_CHECKABLE, state=State.QUEUED)
            self.db.commit()
            self._attempt(job_uuid, State.QUEUED, self._check)
        return find_job(self.db, job_uuid)

    def apply(self, job_uuid: str) -> Job:
        """Import a checked file, once: a job that is not `checked` any more is returned as it is.

        The records and the job's new state are committed together.
        """
        claimed = self._set(job_uuid, State.CHECKED, state=State.RUNNING, started_on=self.clock())
        self.db.commit()
        if claimed:
            self._attempt(job_uuid, State.RUNNING, self._apply)
        return find_job(self.db, job_uuid)

    def _check(self, job_uuid: str) -> None:
        report = self._import(job_uuid, dry_run=True)
        self.db.rollback()
        self._set(job_uuid, State.QUEUED, state=State.CHECKED, check_report=dump_report(report), error=None)

    def _apply(self, job_uuid: str) -> None:
        report = self._import(job_uuid, dry_run=False)
        changes = {"result_report": dump_report(report), "finished_on": self.clock(), "error": None}
        self._set(job_uuid, State.RUNNING, state=State.DONE, **changes)

    def _import(self, job_uuid: str, *, dry_run: bool) -> ImportReport:
        options = ImportOptions(
            policy=find_job(self.db, job_uuid).policy,
            strict=False,
            dry_run=dry_run,
            settings=self.settings,
            instance=self.instance,
            new_uuid=self.new_uuid,
        )
        with (self.folder / job_uuid).open("rb") as file:
            return run_import(self.db, file, options)

    def _attempt(self, job_uuid: str, during: State, work: Callable[[str], None]) -> None:
        """Do a job's work and commit; whatever goes wrong is undone, and remembered in the job."""
        try:
            work(job_uuid)
            self.db.commit()
        except Cancelled as error:
            self._fail(job_uuid, during, State.CANCELLED, error)
        except SyncError as error:
            self._fail(job_uuid, during, State.FAILED, error)
        except Exception:
            log.exception("job %s failed", job_uuid)
            fault = SyncError("an unexpected fault stopped it", hint="The log of the server has the details.")
            self._fail(job_uuid, during, State.FAILED, fault)

    def _fail(self, job_uuid: str, during: State, state: State, error: SyncError) -> None:
        self.db.rollback()
        self._set(job_uuid, during, state=state, error=json.dumps(error.to_dict()), finished_on=self.clock())
        self.db.commit()

    def _set(self, job_uuid: str, *states: State, **changes: Any) -> bool:
        """Change a job that is in one of `states`, in one statement: of two requests at once, one alone gets on."""
        jobs = self.db.plugin_sync_job
        return bool(self.db((jobs.uuid == job_uuid) & jobs.state.belongs(states)).update(**changes))


def keep_file(source: BinaryIO, target: Path, limit_bytes: int = MAX_UPLOAD_BYTES) -> tuple[str, int]:
    """Copy a stream into a file that is whole or not there; return its sha256 and size.

    Raises FileProblem when it is empty or too large.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    digest, size_bytes = hashlib.sha256(), 0
    try:
        with part.open("wb") as file:
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
                if size_bytes > limit_bytes:
                    raise FileProblem(f"the selected file is larger than {limit_bytes >> 20:,} MB")
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if not size_bytes:
            raise FileProblem("the selected file is empty")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return digest.hexdigest(), size_bytes


@dataclass(frozen=True, slots=True)
class Download:
    """What a download holds: all included tables, one module, or the tables named; and who asked for it."""

    settings: Settings
    instance: Instance
    module: str | None = None
    tables: tuple[str, ...] | None = None
    user_id: int | None = None
    file_name: str = ""

    def require(self, db: Any) -> None:
        """Raise SettingsError for what cannot be exported; once `stream` has begun it is too late to say so."""
        Export(db, self.tables, self.module, settings=self.settings)

    def stream(self, db: Any) -> Iterator[bytes]:
        """Yield the file, read through a connection of its own; when it is whole, remember that it was made."""
        started_on, digest, size_bytes = utc_now(), hashlib.sha256(), 0
        with own_connection(db) as own:
            with closing(self._chunks(own)) as chunks:
                for chunk in chunks:
                    digest.update(chunk)
                    size_bytes += len(chunk)
                    yield chunk
            own.rollback()
            self._record(own, started_on, digest.hexdigest(), size_bytes)
            own.commit()

    def _chunks(self, db: Any) -> Generator[bytes, None, None]:
        yield from stream_csv(db, self.tables, self.module, settings=self.settings, instance=self.instance)

    def _record(self, db: Any, started_on: datetime, sha256: str, size_bytes: int) -> None:
        db.plugin_sync_job.insert(
            uuid=str(uuids.uuid4()),
            kind="export",
            state=State.DONE,
            file_name=self.file_name,
            file_sha256=sha256,
            size_bytes=size_bytes,
            module_name=self.module,
            table_names=" ".join(self.tables or ()),
            user_id=self.user_id,
            created_on=started_on,
            started_on=started_on,
            finished_on=utc_now(),
        )


def find_job(db: Any, job_uuid: str) -> Job:
    """Return a job; SettingsError when there is none."""
    row = db(db.plugin_sync_job.uuid == job_uuid).select().first()
    if row is None:
        raise SettingsError("there is no such import", hint="Choose one from the home page, or send the file again.")
    return _job(row)


def last_jobs(db: Any, kind: str, *states: State, limit: int = 5, sha256: str | None = None) -> list[Job]:
    """Return the latest jobs of a kind in one of `states` (any when none is given), optionally of one file."""
    jobs = db.plugin_sync_job
    query = jobs.kind == kind
    query = query & jobs.state.belongs(states) if states else query
    query = query & (jobs.file_sha256 == sha256) if sha256 else query
    return [_job(row) for row in db(query).select(orderby=~jobs.id, limitby=(0, limit))]


def _job(row: Any) -> Job:
    return Job(
        uuid=row.uuid,
        kind=row.kind,
        state=State(row.state),
        file_name=row.file_name or "",
        file_sha256=row.file_sha256 or "",
        size_bytes=row.size_bytes or 0,
        policy=row.policy or "",
        module=row.module_name or "",
        tables=tuple((row.table_names or "").split()),
        user_id=row.user_id,
        created_on=row.created_on,
        started_on=row.started_on,
        finished_on=row.finished_on,
        check=load_report(row.check_report) if row.check_report else None,
        result=load_report(row.result_report) if row.result_report else None,
        error=json.loads(row.error) if row.error else None,
    )
