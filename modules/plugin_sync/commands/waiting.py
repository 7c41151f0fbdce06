"""Doing a job from the command line: in a thread, as the pages do, while this one shows its progress and hears signals."""

from __future__ import annotations

from ..jobs import Job, Phase, Progress
from ..texts import IN_ENGLISH
from .context import Context
from .exits import Exit, Refusal, exit_of_code
from .terminal import Line

PERIOD_S = 0.2
DOING = {
    Phase.READING: "Reading",
    Phase.WAITING: "Waiting for another import",
    Phase.COMPARING: "Comparing with what is here",
    Phase.WRITING: "Writing",
    Phase.FINISHING: "Finishing",
    Phase.ASKING: "Asking the other office",
    Phase.RECEIVING: "Receiving",
    Phase.SENDING: "Sending",
    Phase.TAKING: "The other office takes it",
}


def run_job(context: Context, job_uuid: str, line: Line) -> Job:
    """Do what a job waits for and return it as it is then; a signal cancels it, which undoes what it did."""
    with context.stopping.deferred():
        thread = context.start(job_uuid)
        cancelled = False
        while thread.is_alive():
            thread.join(PERIOD_S)
            if context.stopping.asked and not cancelled:
                cancelled = True
                line.clear()
                context.say("Stopping …")
                context.imports.cancel(job_uuid)
            elif line.is_shown and not cancelled:
                context.db.commit()  # so that what the thread has written meanwhile is seen
                line.show(progress_text(context.imports.progress(job_uuid)))
        line.clear()
        context.db.commit()
        return context.imports.look(job_uuid)


def progress_text(progress: Progress | None) -> str:
    """Return how far a job is as one line."""
    if progress is None:
        return "Waits for its turn"
    rows = IN_ENGLISH.number_text(progress.rows)
    if progress.total:
        rows = f"{rows} of {IN_ENGLISH.number_text(progress.total)}"
    noun = "row" if (progress.total or progress.rows) == 1 else "rows"
    where = f": {rows} {noun}, {progress.table}" if progress.table else ""
    left = f", {progress.left_s} s left" if progress.left_s is not None else ""
    return f"{progress.permille // 10:3d} %  {DOING[Phase(progress.phase)]}{where}{left}"


def require_ended(job: Job) -> None:
    """Raise what fits a job that did not come to a good end; nothing of it was written."""
    if job.state in ("checked", "done"):
        return
    if job.state == "cancelled":
        raise Refusal(Exit.CANCELLED, "cancelled, nothing was changed")
    if job.error:
        text = IN_ENGLISH.fault_text(job.error)
        raise Refusal(exit_of_code(job.error.get("error")), f"{text[:1].lower()}{text[1:]}", "Nothing was changed.")
    raise Refusal(Exit.BUSY, "it was interrupted, nothing was changed", "Run the command again.")
