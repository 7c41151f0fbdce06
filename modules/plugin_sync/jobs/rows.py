"""A job's row: how far it is, and the one statement by which it gets on.

Each change names the states it starts from, so that of two that try at once one alone succeeds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from ..errors import SettingsError
from ..records import ImportReport, UndoReport
from ..reports import load_report, load_undo_report
from ..wishes import SyncReport, load_sync_report

IMPORT, EXPORT, UNDO, SYNC = "import", "export", "undo", "sync"  # kinds of jobs
COMMAND_LINE, OTHER_OFFICE = 0, -1  # who asked for a job, where that is no account; None is the schedule or not known


class State(StrEnum):
    """How far a job is. INTERRUPTED is also what a RUNNING one becomes, for whoever looks, when its process is gone."""

    QUEUED = "queued"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    CHECKED = "checked"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_under_way(self) -> bool:
        """Whether it waits or runs, so that it will be in another state."""
        return self in (State.QUEUED, State.RUNNING)


class Step(StrEnum):
    """What a queued job waits for, what a running one does, and what one that ended early was doing."""

    CHECK = "check"
    APPLY = "apply"
    UNDO = "undo"
    SYNC = "sync"


@dataclass(frozen=True, slots=True)
class Job:
    """One row of plugin_sync_job. Times are UTC; `error` is a SyncError's to_dict()."""

    uuid: str
    kind: str
    state: State
    step: Step | None
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
    of_uuid: str = ""  # the import that an undo undoes
    undone: UndoReport | None = None
    instance_id: int | None = None
    wish: Mapping[str, Any] = field(default_factory=dict)  # of a synchronisation, or who sent an import's file
    synced: SyncReport | None = None

    def as_interrupted(self) -> Job:
        """Return the same job as one whose process is gone."""
        return replace(self, state=State.INTERRUPTED)


def find_job(db: Any, job_uuid: str) -> Job:
    """Return a job as its row says; SettingsError when there is none."""
    row = db(db.plugin_sync_job.uuid == job_uuid).select().first()
    if row is None:
        raise SettingsError("there is no such import", hint="Choose one from the home page, or send the file again.")
    return _job(row)


def state_of(db: Any, job_uuid: str) -> State | None:
    """Return a job's state as committed now, cheaply; None without such a job. Commits, so that nothing old is seen."""
    db.commit()
    row = db(db.plugin_sync_job.uuid == job_uuid).select(db.plugin_sync_job.state).first()
    return State(row.state) if row else None


def last_jobs(db: Any, kind: str, *states: State, limit: int = 5, sha256: str | None = None) -> list[Job]:
    """Return the latest jobs of a kind in one of `states` (any when none is given), optionally of one file."""
    jobs = db.plugin_sync_job
    query = jobs.kind == kind
    query = query & jobs.state.belongs(states) if states else query
    query = query & (jobs.file_sha256 == sha256) if sha256 else query
    return [_job(row) for row in db(query).select(orderby=~jobs.id, limitby=(0, limit))]


def undo_of(db: Any, job_uuid: str) -> Job | None:
    """Return the latest undo of an import that was not given up, or None."""
    jobs = db.plugin_sync_job
    query = (jobs.of_uuid == job_uuid) & ~jobs.state.belongs((State.CANCELLED, State.FAILED))
    row = db(query).select(orderby=~jobs.id, limitby=(0, 1)).first()
    return _job(row) if row else None


def change_job(db: Any, job_uuid: str, *states: State, changes: Mapping[str, Any], unless_stopped: bool = False) -> bool:
    """Change a job that is in one of `states`, and say whether it was; with `unless_stopped`, if nobody asked it to stop."""
    jobs = db.plugin_sync_job
    query = (jobs.uuid == job_uuid) & jobs.state.belongs(states)
    if unless_stopped:
        query = query & (jobs.stop_asked == None)  # noqa: E711
    return bool(db(query).update(**changes))


def _job(row: Any) -> Job:
    return Job(
        uuid=row.uuid,
        kind=row.kind,
        state=State(row.state),
        step=Step(row.step) if row.step else None,
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
        result=load_report(row.result_report) if row.result_report and row.kind not in (UNDO, SYNC) else None,
        error=json.loads(row.error) if row.error else None,
        of_uuid=row.of_uuid or "",
        undone=load_undo_report(row.result_report) if row.result_report and row.kind == UNDO else None,
        instance_id=row.instance_id,
        wish=json.loads(row.wish) if row.wish else {},
        synced=load_sync_report(row.result_report) if row.result_report and row.kind == SYNC else None,
    )
