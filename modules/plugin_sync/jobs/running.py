"""Doing a job's step: once, alone, watched, all or nothing. The one place where a job's work is called.

Takes the lock before the state, and keeps it until the end is committed: a job that is `running` and whose lock is free
was interrupted. What a step does is none of this module's business.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..errors import Cancelled, StoreBusy, SyncError
from .boards import Board
from .progress import Phase, Progress
from .rows import Job, State, Step, change_job, find_job, state_of
from .watching import Watch

PATIENCE_S = 120.0  # for whoever holds the lock for a moment, or another import that keeps SQLite's only writer's place
PAUSE_S = 0.1
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class End:
    """Where a step leads: the job's new state, what else changes in its row, and whether what it wrote is kept.

    `withdraw` takes back what no rollback does, when the step's work cannot be committed.
    """

    state: State
    keep: bool
    changes: Mapping[str, Any] = field(default_factory=dict)
    withdraw: Callable[[], None] = lambda: None


Work = Callable[[Job, Watch], End]


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs jobs on `db`, each on the board that `board` opens, by the function that `works` has for its step."""

    db: Any
    board: Callable[[str], Board]
    works: Mapping[Step, Work]
    clock: Callable[[], datetime]

    def run(self, job_uuid: str) -> bool:
        """Do the step that a job waits for; False when it does not wait, or somebody else does it.

        A job that is found `running` though its lock is free is marked as interrupted.
        """
        board = self.board(job_uuid)
        if not self._hold(board, job_uuid):
            return False
        try:
            if self._claim(job_uuid):
                self._attempt(find_job(self.db, job_uuid), board)
                return True
            patiently(self.db, lambda: change_job(self.db, job_uuid, State.RUNNING, changes={"state": State.INTERRUPTED}))
            return False
        finally:
            self._undo()
            board.close()

    def _hold(self, board: Board, job_uuid: str) -> bool:
        """Take the lock; while the job still waits, whoever has it has it for a moment only."""
        until = time.monotonic() + PATIENCE_S
        while not board.hold():
            if state_of(self.db, job_uuid) is not State.QUEUED or time.monotonic() > until:
                return False
            time.sleep(PAUSE_S)
        return True

    def _claim(self, job_uuid: str) -> bool:
        now, first = self.clock(), Progress(Phase.READING).dump()
        changes = {"state": State.RUNNING, "started_on": now, "progress": first, "stop_asked": None}
        return patiently(self.db, lambda: change_job(self.db, job_uuid, State.QUEUED, changes=changes))

    def _attempt(self, job: Job, board: Board) -> None:
        """Do the step and commit; whatever goes wrong is undone, and remembered in the job."""
        watch = Watch(board)
        try:
            end = self._do(job, board, watch)
        except SyncError as error:
            watch.close()
            self._fail(job, watch, error)
        except Exception:
            watch.close()
            if not watch.stopping:  # a statement that was broken off fails in many ways
                log.exception("job %s failed", job.uuid)
            self._fail(job, watch, SyncError("an unexpected fault stopped it", hint="The log of the server has the details."))
        else:
            log.info("job %s is %s", job.uuid, end.state)
        finally:
            watch.close()

    def _do(self, job: Job, board: Board, watch: Watch) -> End:
        end = self.works[job.step](job, watch) if job.step else End(State.FAILED, keep=False)
        try:
            self._finish(job, board, watch, end)
        except BaseException:
            end.withdraw()
            raise
        return end

    def _finish(self, job: Job, board: Board, watch: Watch, end: End) -> None:
        """Commit what a step did, with the job's new state; raises Cancelled when somebody asked to stop before."""
        if not end.keep:
            self.db.rollback()
        watch.close()
        watch.require()
        if board.stop_asked():
            raise Cancelled("it was cancelled")

        def finish() -> bool:
            changes = {"state": end.state, "error": None, **end.changes}
            return change_job(self.db, job.uuid, State.RUNNING, changes=changes, unless_stopped=True)

        if not (finish() if end.keep else patiently(self.db, finish)):
            raise Cancelled("it was cancelled")
        self.db.commit()

    def _fail(self, job: Job, watch: Watch, error: SyncError) -> None:
        self._undo()
        cancelled = watch.stopping or isinstance(error, Cancelled)
        state = State.CANCELLED if cancelled else State.FAILED
        fault = None if cancelled else json.dumps(error.to_dict())
        changes = {"state": state, "error": fault, "finished_on": self.clock()}
        patiently(self.db, lambda: change_job(self.db, job.uuid, State.RUNNING, changes=changes))

    def _undo(self) -> None:
        """Roll back; a connection that refuses, for it was broken off in that very moment, is given up for a new one."""
        adapter = self.db._adapter
        try:
            self.db.rollback()
        except adapter.driver.Error:
            log.warning("the connection of a job is given up", exc_info=True)
            adapter.connection.close()
            adapter.set_connection(None)


def patiently(db: Any, change: Callable[[], bool]) -> bool:
    """Make a change of one statement and commit, waiting while another import keeps the database; raises StoreBusy."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            with translated(db):
                changed = change()
                db.commit()
                return changed
        except StoreBusy:
            if time.monotonic() > until:
                raise
            time.sleep(PAUSE_S)


@contextmanager
def translated(db: Any) -> Iterator[None]:
    """Turn SQLite's refusal to let a second writer in into StoreBusy; what was begun is undone."""
    driver = db._adapter.driver
    try:
        yield
    except driver.OperationalError as exc:
        db.rollback()
        if "locked" not in str(exc) and "busy" not in str(exc):
            raise
        raise StoreBusy("another import is writing at this moment", hint="Try again in a minute.") from exc
