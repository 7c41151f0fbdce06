"""Imports as jobs: keep the uploaded file, check it, apply it once, cancel or discard it, run it again.

The use cases behind pages and workers. `queue` and `again` let a job wait for a step, `run` does it, in whatever process;
`check` and `apply` are both in one. These functions commit and roll back; the engine below them does not.
"""

from __future__ import annotations

import json
import time
import uuid as uuids
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from ..conflicts import note_conflicts
from ..errors import FileIncomplete, PeerError, SettingsError
from ..formats.registry import S3XML, format_of_file
from ..history import note_import, note_undo
from ..importer import run_import
from ..instances import Instance, note_origin, utc_now
from ..intake import ImportOptions
from ..keeping import AFTER, DECIDED, NEW, THEIRS, Kept
from ..mending import dump_problem, load_problems, rejected_rows
from ..policies import Policy, policy_of
from ..records import ImportReport, UndoReport
from ..register import Peer, find_peer
from ..reports import dump_report
from ..sent import Sent
from ..settings import Settings
from ..signing import Signer, Trust
from ..texts import IN_ENGLISH, Texts
from ..undoing import undo_import
from ..uploads import Placing
from .boards import Board, open_board
from .files import keep_file, remove_old_files, rows_of
from .progress import Meter, Progress
from .rows import IMPORT, UNDO, Job, State, Step, change_job, find_job, state_of, undo_of
from .running import End, Runner, Work, translated
from .watching import Watch

_ENDED_EARLY = (State.INTERRUPTED, State.CANCELLED, State.FAILED)
_STARTS_FROM: Mapping[Step, tuple[State, ...]] = {
    Step.CHECK: (State.CHECKED, *_ENDED_EARLY),
    Step.APPLY: (State.CHECKED,),
    Step.UNDO: (),
}
AS_SENT = (Policy.NEWER, Policy.THEIRS)  # what these write is what was sent, and need not be sent back
PROBLEMS = "problems.txt"  # of the folder of an import: all of them, a line each


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that comes in: its name, the policy, who sent it (a user, or an instance by network), what is done with it."""

    file_name: str
    policy: str
    user_id: int | None = None
    peer: Peer | None = None
    step: Step = Step.CHECK
    job_uuid: str = ""  # given, so that the same file comes in once


@dataclass(frozen=True, slots=True)
class Imports:
    """Where imports happen: the database, the folder of kept files, and what the engine needs to know.

    Tables of the plugin must be defined on `db`. Files are kept for `retention_days` after their job ended.
    """

    db: Any
    folder: Path
    settings: Settings
    instance: Instance
    new_uuid: Callable[[], str]
    clock: Callable[[], datetime] = utc_now
    retention_days: int = 90
    uploads: Path | None = None  # the application's folder of uploaded files
    trust: Callable[[], Trust] = Trust  # whose signatures are known
    signer: Callable[[], Signer | None] = lambda: None  # the own key, for what is sent
    synced: Sent | None = None  # what other instances are known to have

    def receive(self, source: BinaryIO, *, file_name: str, policy: str, user_id: int | None, whole: bool) -> str:
        """Keep an uploaded file and return its job's uuid; it waits to be checked.

        `whole` says whether all bytes that the sender announced have come. Raises FileProblem, or SettingsError for
        an unknown policy; then nothing is kept.
        """
        if not whole:
            raise FileIncomplete("the upload was cut off before its end", hint="Send the file again.")
        return self.accept(source, Arrival(file_name, policy, user_id))

    def accept(self, source: BinaryIO, arrival: Arrival) -> str:
        """Keep a file and return its job's uuid; it waits for the arrival's step.

        A job that is there by the arrival's uuid is left as it is. Raises as `receive`.
        """
        policy_of(arrival.policy)
        for folder in (self.folder, self.folder.with_name("kept")):
            remove_old_files(self.db, folder, self.clock(), self.retention_days)
        job_uuid = arrival.job_uuid or str(uuids.uuid4())
        if arrival.job_uuid and state_of(self.db, job_uuid) is not None:
            return job_uuid
        sha256, size_bytes = keep_file(source, self.folder / job_uuid)
        with translated(self.db):
            self.db.plugin_sync_job.insert(
                uuid=job_uuid,
                kind=IMPORT,
                state=State.QUEUED,
                step=arrival.step,
                file_name=Path(arrival.file_name.replace("\\", "/")).name[:255],
                file_sha256=sha256,
                size_bytes=size_bytes,
                policy=arrival.policy,
                user_id=arrival.user_id,
                instance_id=arrival.peer.id if arrival.peer else None,
                wish=json.dumps({"from": arrival.peer.base_uuid}) if arrival.peer else None,
                created_on=self.clock(),
            )
            self.db.commit()
        return job_uuid

    def check(self, job_uuid: str) -> Job:
        """Read a kept file, find out what importing it would do, and remember that; no record is written.

        A job that was applied, or is being applied, is left alone.
        """
        if self.queue(job_uuid, Step.CHECK):
            self.run(job_uuid)
        return self.look(job_uuid)

    def apply(self, job_uuid: str) -> Job:
        """Import a checked file, once: a job that is not `checked` any more is returned as it is.

        The records and the job's new state are committed together.
        """
        if self.queue(job_uuid, Step.APPLY):
            self.run(job_uuid)
        return self.look(job_uuid)

    def look(self, job_uuid: str) -> Job:
        """Return a job; one whose row says `running` while no process holds its lock is INTERRUPTED. Nothing is written."""
        job = find_job(self.db, job_uuid)
        if job.state is not State.RUNNING or self.board(job_uuid).is_held():
            return job
        if state_of(self.db, job_uuid) is State.RUNNING:  # the row was read before the lock: it may have ended meanwhile
            return job.as_interrupted()
        return find_job(self.db, job_uuid)

    def progress(self, job_uuid: str) -> Progress | None:
        """Return how far a running job is, as its process last said."""
        return self.board(job_uuid).read()

    def is_kept(self, job: Job) -> bool:
        """Whether what a job works on is still there, so that it can be run again."""
        return self.kept(job.of_uuid).can_undo if job.kind == UNDO else (self.folder / job.uuid).is_file()

    def kept(self, job_uuid: str) -> Kept:
        """Return what an import leaves behind."""
        return Kept(self.folder.with_name("kept") / job_uuid)

    def rejects(self, job_uuid: str, texts: Texts = IN_ENGLISH) -> Iterator[bytes] | None:
        """Return the rejected rows of an import as a file, each with its reasons; None when they are not kept any more,
        or the file was XML: it is mended itself.
        """
        problems = self.kept(job_uuid).path(PROBLEMS)
        return _rejects(self.folder / job_uuid, problems, texts) if self.has_rejects(job_uuid) else None

    def has_rejects(self, job_uuid: str) -> bool:
        """Whether the rejected rows of an import can be had as a file."""
        path = self.folder / job_uuid
        if not (path.is_file() and self.kept(job_uuid).path(PROBLEMS).is_file()):
            return False
        with path.open("rb") as file:  # rows of CSV cannot say which cells a record of XML did not mention
            return format_of_file(file) is not S3XML

    def can_undo(self, job: Job) -> bool:
        """Whether an import can be undone: it was done, what it changed is kept, and it was not undone before."""
        return job.state is State.DONE and self.kept(job.uuid).can_undo and undo_of(self.db, job.uuid) is None

    def look_at_undo(self, job_uuid: str) -> UndoReport:
        """Return what undoing an import would do; nothing is written."""
        try:
            return undo_import(self.db, self.kept(job_uuid), self.settings, dry_run=True)
        finally:
            self.db.rollback()

    def undo(self, job_uuid: str, user_id: int | None) -> str | None:
        """Let the undo of an import wait to be run, and return its job's uuid; None when it cannot be undone."""
        job = self.look(job_uuid)
        if not self.can_undo(job):
            return None
        undo_uuid = str(uuids.uuid5(uuids.UUID(job_uuid), f"undo {self._attempts(job_uuid)}"))  # of two at once one fails
        jobs = self.db.plugin_sync_job
        came_from = self.db(jobs.uuid == job_uuid).select(jobs.instance_id).first().instance_id
        facts: dict[str, Any] = {
            "file_name": job.file_name,
            "file_sha256": job.file_sha256,
            "policy": job.policy,
            "user_id": user_id,
            "instance_id": came_from,
        }
        facts |= {"kind": UNDO, "of_uuid": job_uuid, "state": State.QUEUED, "step": Step.UNDO, "created_on": self.clock()}
        try:
            with translated(self.db):
                jobs.insert(uuid=undo_uuid, **facts)
                self.db.commit()
        except self.db._adapter.driver.IntegrityError:
            self.db.rollback()
            return None
        return undo_uuid

    def _attempts(self, job_uuid: str) -> int:
        return int(self.db(self.db.plugin_sync_job.of_uuid == job_uuid).count())

    def queue(self, job_uuid: str, step: Step) -> bool:
        """Let a job wait for a step; False, and nothing changed, when its state does not allow that."""
        job = self.look(job_uuid)
        return (job.state, job.step) == (State.QUEUED, step) or self._queue(job, step, _STARTS_FROM[step])

    def again(self, job_uuid: str) -> bool:
        """Let a job that failed, was cancelled or interrupted wait for the same step; False when it did not."""
        job = self.look(job_uuid)
        return job.step is not None and self._queue(job, job.step, _ENDED_EARLY)

    def run(self, job_uuid: str) -> Job:
        """Do the step that a job waits for, in this process, unless another does; the Scheduler's task and the thread."""
        return self.run_within(job_uuid, lambda board: board)

    def run_within(self, job_uuid: str, joined: Callable[[Board], Board]) -> Job:
        """Do the same as a part of another job, which `joined` lets see and stop it."""
        works: dict[Step, Work] = {Step.CHECK: self._check, Step.APPLY: self._apply, Step.UNDO: self._undo}
        Runner(self.db, lambda name: joined(self.board(name)), works, self.clock).run(job_uuid)
        return self.look(job_uuid)

    def cancel(self, job_uuid: str) -> Job:
        """Stop a job that waits or runs, and throw away one that was checked; a job that has ended stays as it is.

        A running job hears of it within a second, undoes what it did, and is cancelled then.
        """
        state = find_job(self.db, job_uuid).state
        changed = state in (State.QUEUED, State.CHECKED) and self._change(
            job_uuid, state, {"state": State.CANCELLED, "finished_on": self.clock(), "error": None}
        )
        if changed and state is State.CHECKED:
            (self.folder / job_uuid).unlink(missing_ok=True)
        elif not changed:
            self.board(job_uuid).ask_stop()
        return self.look(job_uuid)

    def board(self, job_uuid: str) -> Board:
        """Return the board of a job."""
        return open_board(self.db, job_uuid, self.folder.with_name("jobs"))

    def _queue(self, job: Job, step: Step, states: tuple[State, ...]) -> bool:
        changes = {"state": State.QUEUED, "step": step, "finished_on": None, "error": None, "progress": None}
        if job.state not in states or not self.is_kept(job):
            return False
        found = find_job(self.db, job.uuid).state
        if found is not State.RUNNING:
            return self._change(job.uuid, found, changes)
        board = self.board(job.uuid)
        if not board.hold():
            return False
        try:  # its process is gone, and with the lock held no other can begin
            return self._change(job.uuid, State.RUNNING, changes)
        finally:
            board.close()

    def _change(self, job_uuid: str, state: State, changes: Mapping[str, Any]) -> bool:
        """Change a job that was seen in a state, if it still is, and commit; raises StoreBusy."""
        with translated(self.db):
            changed = change_job(self.db, job_uuid, state, changes=changes)
            self.db.commit()
        return changed

    def _check(self, job: Job, watch: Watch) -> End:
        report = self._noting_problems(job, watch, dry_run=True, on_decided=self.kept(job.uuid).note_decisions)
        return End(State.CHECKED, keep=False, changes={"check_report": dump_report(report)})

    def _noting_problems(self, job: Job, watch: Watch, **how: Any) -> ImportReport:
        kept = self.kept(job.uuid)
        kept.folder.mkdir(parents=True, exist_ok=True)
        with kept.path(PROBLEMS).open("w", encoding="ascii") as problems:
            return self._import(job, watch, on_problem=lambda problem: problems.write(dump_problem(problem)), **how)

    def _apply(self, job: Job, watch: Watch) -> End:
        kept = self.kept(job.uuid)
        placing = Placing()
        how: dict[str, Any] = {"dry_run": False, "keep": kept, "placing": placing}
        if kept.path(DECIDED).is_file():
            report = self._import(job, watch, on_decided=kept.require_decisions, **how)
        else:  # a file that another instance sent is not checked before
            report = self._noting_problems(job, watch, **how)
        sender = self._sender(job, report)
        now = self.clock()
        if report.counts.conflict:
            note_conflicts(self.db, kept.path(THEIRS), job.uuid, report.origin, now)
        note_import(self.db, job.uuid, report)
        came_from = note_origin(self.db, report.origin, now, counted=sender is None)
        if sender is not None and self.synced is not None:
            self.synced.note(sender, self._as_sent(job, kept))
        changes = {"result_report": dump_report(report), "finished_on": now, "instance_id": came_from}
        return End(State.DONE, keep=True, changes=changes, withdraw=placing.withdraw)

    def _sender(self, job: Job, report: ImportReport) -> Peer | None:
        """Return the instance that sent a job's file by network; PeerError when the file was made by another."""
        if not job.wish.get("from"):
            return None
        sender, origin = find_peer(self.db, job.wish["from"]), report.origin
        known = sender.facts.uuid
        if (origin.instance != known) if known else (origin.base_uuid != sender.base_uuid):
            raise PeerError("what it sent was made by another office", hint="Look at the code of the office on its page.")
        return sender

    def _as_sent(self, job: Job, kept: Kept) -> Mapping[Path, frozenset[str]]:
        """Return the files of records that are now as the sender has them, with the tables of which that is not sure.

        A record that was found by a match key keeps a uuid here that the sender does not know.
        """
        files = {NEW: frozenset[str]()}
        if policy_of(job.policy) in AS_SENT:
            own = self.settings.table_policies.items()
            files[AFTER] = frozenset({*self.settings.match, *(table for table, policy in own if policy not in AS_SENT)})
        return {kept.path(name): left_out for name, left_out in files.items() if kept.path(name).is_file()}

    def _undo(self, job: Job, watch: Watch) -> End:
        done = find_job(self.db, job.of_uuid).result
        meter = Meter(Step.UNDO, done.counts.written if done else 0, time.monotonic)
        report = undo_import(
            self.db,
            self.kept(job.of_uuid),
            self.settings,
            progress=lambda table, rows: watch.note(meter.read(table, rows, 0.0)),
            on_phase=lambda *where: watch.note(meter.entered(*where)),
        )
        note_undo(self.db, job.uuid, report)
        return End(State.DONE, keep=True, changes={"result_report": dump_report(report), "finished_on": self.clock()})

    def _import(self, job: Job, watch: Watch, **how: Any) -> ImportReport:
        path = self.folder / job.uuid
        if not path.is_file():
            raise SettingsError("the uploaded file is not kept any more", hint="Send it again.")
        meter = Meter(job.step or Step.CHECK, rows_of(path), time.monotonic)
        with path.open("rb") as file:
            size = max(job.size_bytes, 1)
            options = ImportOptions(
                policy=job.policy,
                strict=False,
                settings=self.settings,
                instance=self.instance,
                new_uuid=self.new_uuid,
                uploads=self.uploads,
                trust=self.trust(),
                progress=lambda table, rows: watch.note(meter.read(table, rows, min(file.tell() / size, 1.0))),
                on_phase=lambda *where: watch.note(meter.entered(*where)),
                **how,
            )
            return run_import(self.db, file, options)


def _rejects(path: Path, problems: Path, texts: Texts) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from rejected_rows(file, load_problems(problems), texts)
