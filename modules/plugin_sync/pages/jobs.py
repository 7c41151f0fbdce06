"""Jobs as pages show them: a file received, which page it is on, how far it is, and what was kept when it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import SettingsError, SyncError
from ..jobs import Imports, Job, Phase, Progress, State, Step, last_jobs, undo_of
from ..texts import Texts
from .forms import Errors, Vars, is_file


@dataclass(frozen=True, slots=True)
class Place:
    """A page of one job, and what its address says beside the job's uuid."""

    page: str
    vars: Mapping[str, int] = field(default_factory=dict)


def find_shown(imports: Imports, job_uuid: str) -> Job:
    """Return a job that pages show as it is; SettingsError where there is none, and for an export, which is a file alone."""
    job = imports.look(job_uuid)
    if job.kind == "export":
        raise SettingsError("an export has no page of its own", hint="The history lists it.")
    return job


def receive(imports: Imports, post: Vars, whole: bool, user_id: int | None, texts: Texts) -> tuple[str, Errors]:
    """Keep the file that a form sent, to be checked; return the job's uuid, and what is wrong with the form.

    `whole` says whether all of the form has come. Commits.
    """
    T = texts.translate
    sent: Any = post.get("file")
    if not is_file(sent):
        return "", [("file", T("Select a file"))]
    facts = {"file_name": sent.filename, "policy": post.get("policy") or "", "user_id": user_id}
    try:
        return imports.receive(sent.file, whole=whole, **facts), []
    except SyncError as error:
        return "", [("file", texts.fault_text(error.to_dict()))]


def why_failed(job: Job, texts: Texts) -> Errors:
    """Return why a file could not be checked, as something wrong with the form that sent it."""
    return [("file", texts.fault_text(job.error))] if job.error else []


def place_of(state: State, step: str | None, cancelled: bool = False) -> Place:
    """Return where a job is shown; `cancelled` when somebody wanted that, and has to be told what became of it."""
    if state.is_under_way:
        return Place("progress", {"cancel": 1} if cancelled else {})
    if state is State.CHECKED:
        return Place("check")
    if state is State.FAILED and step == Step.CHECK:
        return Place("import_file")
    return Place("result", {"late": 1} if cancelled and state is State.DONE else {})


@dataclass(frozen=True, slots=True)
class Shown:
    """What people see of a job that waits or runs: per mille of the whole, what it does, how long it may take."""

    permille: int
    text: str
    left: str


def read_progress(db: Any, imports: Imports, job: Job, texts: Texts) -> Shown:
    """Return what is to be seen of a job now."""
    done = imports.progress(job.uuid) if job.state is State.RUNNING else None
    if done is None:
        T = texts.translate
        return Shown(0, str(T("Waits for its turn")), "")
    return shown(done, (done.table in db.tables and db[done.table]._plural) or done.table, texts)


def shown(done: Progress, table: str, texts: Texts) -> Shown:
    """Return progress as people see it; `table` is what they call its table."""
    T = texts.translate
    phases = {
        Phase.READING: T("Reading"),
        Phase.WAITING: T("Waits for another import"),
        Phase.COMPARING: T("Comparing with what is here"),
        Phase.WRITING: T("Writing"),
        Phase.FINISHING: T("Finishing"),
        Phase.ASKING: T("Asking the other office"),
        Phase.RECEIVING: T("Receiving"),
        Phase.SENDING: T("Sending"),
        Phase.TAKING: T("The other office brings it in"),
    }
    rows: object = texts.number_text(done.rows)
    if done.total:
        rows = T("%(rows)s of %(total)s", {"rows": rows, "total": texts.number_text(done.total)})
    where = f": {rows} · {table}" if done.table else ""
    return Shown(done.permille, f"{phases[Phase(done.phase)]}{where}", left_text(done.left_s, texts))


def left_text(seconds: int | None, texts: Texts) -> str:
    """Return how long something may take still; nothing when that is not known."""
    T = texts.translate
    if seconds is None:
        return ""
    if seconds < 60:
        return str(T("less than a minute left"))
    minutes = round(seconds / 60)
    return str(T("about 1 minute left") if minutes == 1 else T("about %s minutes left", minutes))


def title_of(job: Job, texts: Texts) -> object:
    """Return what the page of a job that waits or runs is called, as the translator gives it."""
    T = texts.translate
    titles = {Step.APPLY: T("Importing"), Step.UNDO: T("Undoing the import")}
    titles[Step.SYNC] = T("Synchronising with %s", job.file_name)
    return titles.get(job.step or Step.CHECK, T("Checking the file"))


@dataclass(frozen=True, slots=True)
class Checked:
    """Of a file that was checked: whether its rejected rows are kept, and its last import, if it was imported before."""

    has_rejects: bool
    earlier: list[Job]


@dataclass(frozen=True, slots=True)
class Ended:
    """Of an import that ended: whether its file and rejected rows are kept, its undo, and whether it can be undone."""

    kept: bool
    has_rejects: bool
    undone: Job | None
    can_undo: bool


def read_checked(imports: Imports, job: Job) -> Checked:
    """Return what the page of a check shows."""
    earlier = last_jobs(imports.db, "import", State.DONE, limit=1, sha256=job.file_sha256)
    return Checked(imports.has_rejects(job.uuid), earlier)


def read_ended(imports: Imports, job: Job) -> Ended:
    """Return what the page of a result shows."""
    can_undo = job.kind == "import" and imports.can_undo(job)
    return Ended(imports.is_kept(job), imports.has_rejects(job.uuid), undo_of(imports.db, job.uuid), can_undo)
