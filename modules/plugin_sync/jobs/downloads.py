"""Exports as jobs: a download that is remembered once it is whole, for everybody or for one instance."""

from __future__ import annotations

import hashlib
import json
import uuid as uuids
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..connections import own_connection
from ..errors import SyncError
from ..exporter import Export
from ..formats.registry import CSV, Format
from ..history import note_export
from ..instances import Instance, utc_now
from ..register import Peer
from ..sent import Sent, Since, Taking
from ..settings import Settings
from ..signing import Signer
from .rows import State


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a file is for, what of the data it holds, and where it is kept what was sent."""

    peer: Peer
    since: Since
    sent: Sent


@dataclass(frozen=True, slots=True)
class Made:
    """What an export wrote: its size, its sha256, and the rows of each table."""

    size_bytes: int
    sha256: str
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class Download:
    """What a download holds: all included tables, one module, or the tables named; who asked for it, and for whom.

    `form` is its format; `uploads` is the application's folder of uploaded files, and `signer` signs what can be signed.
    """

    settings: Settings
    instance: Instance
    module: str | None = None
    tables: tuple[str, ...] | None = None
    user_id: int | None = None
    file_name: str = ""
    target: Target | None = None
    form: Format = CSV
    uploads: Path | None = None
    signer: Signer | None = None

    def require(self, db: Any) -> None:
        """Raise SettingsError for what cannot be exported; once `stream` has begun it is too late to say so."""
        with self._taking() as taking:
            since = taking.since if taking else None
            Export(db, self.tables, self.module, settings=self.settings, since=since, form=self.form)

    def stream(self, db: Any) -> Iterator[bytes]:
        """Yield the file, read through a connection of its own; when it is whole, remember that it was made.

        A file that was given up on is not remembered, and what the next one for its instance starts from stays.
        """
        with own_connection(db) as own:
            yield from self.write(own)

    def write(self, db: Any, finish: Callable[[Made], bool] = lambda made: True) -> Iterator[bytes]:
        """Yield the file, read through `db`, where it is remembered when it is whole; commits.

        `finish` is called with what was made before anything is remembered, and says whether it is.
        """
        started_on, digest, size_bytes = utc_now(), hashlib.sha256(), 0
        with self._taking() as taking:
            export = self._export(db, taking)
            with closing(_pieces(export)) as chunks:
                for chunk in chunks:
                    digest.update(chunk)
                    size_bytes += len(chunk)
                    yield chunk
            db.rollback()
            made = Made(size_bytes, digest.hexdigest(), dict(export.report.rows))
            if not finish(made):
                return
            self.record(db, started_on, made)
            db.commit()
            if taking is not None and (any(made.rows.values()) or taking.since is None):
                taking.take_over()  # a file without rows can be lost: the one before it stays the last

    @contextmanager
    def _taking(self) -> Iterator[Taking | None]:
        if self.target is None:
            yield None
        else:
            with self.target.sent.taking(self.target.peer, self.target.since) as taking:
                yield taking

    def _export(self, db: Any, taking: Taking | None) -> Export:
        options: dict[str, Any] = {"settings": self.settings, "instance": self.instance, "form": self.form}
        options |= {"uploads": self.uploads, "signer": self.signer}
        if taking is not None:
            options |= {"since": taking.since, "checkpoint": taking.checkpoint}
        return Export(db, self.tables, self.module, **options)

    def record(self, db: Any, started_on: datetime, made: Made) -> None:
        """Remember that a file was made, and what it held; the caller commits."""
        facts = {"file_sha256": made.sha256, "size_bytes": made.size_bytes}
        job_uuid = self._insert(db, started_on, state=State.DONE, **facts)
        note_export(db, job_uuid, made.rows)

    def record_failure(self, db: Any, error: SyncError) -> None:
        """Remember that the file could not be made, and why; commits."""
        self._insert(db, utc_now(), state=State.FAILED, error=json.dumps(error.to_dict()))
        db.commit()

    def _insert(self, db: Any, started_on: datetime, **facts: Any) -> str:
        job_uuid = str(uuids.uuid4())
        db.plugin_sync_job.insert(
            uuid=job_uuid,
            kind="export",
            instance_id=self.target.peer.id if self.target else None,
            file_name=self.file_name,
            module_name=self.module,
            table_names=" ".join(self.tables or ()),
            user_id=self.user_id,
            created_on=started_on,
            started_on=started_on,
            finished_on=utc_now(),
            **facts,
        )
        return job_uuid


def _pieces(export: Export) -> Generator[bytes, None, None]:
    yield from export
