"""`sync undo`: take an import back, as a job of its own."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ..jobs import COMMAND_LINE
from ..records import UndoReport
from .context import Context
from .exits import Exit, Refusal
from .terminal import Line, table_text
from .waiting import require_ended, run_job

KEPT_SHOWN = 10


def add_arguments(parser: ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("job", metavar="JOB", help="the import, as the commands import and history name it")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed, restored and kept")


def run(context: Context, asked: Namespace) -> Exit:
    """Undo."""
    imports, line = context.imports, Line(context.stderr, not asked.quiet)
    if not imports.can_undo(imports.look(asked.job)):
        hint = "An import can be undone once, while what it changed is kept: the command history tells its state."
        raise Refusal(Exit.SETTINGS, "this import cannot be undone", hint)
    if asked.dry_run:
        _answer(context, asked, imports.look_at_undo(asked.job), {"job": None, "state": "checked"})
        return Exit.DONE
    undo_uuid = imports.undo(asked.job, COMMAND_LINE)
    if undo_uuid is None:
        raise Refusal(Exit.BUSY, "this import is being undone at this moment")
    job = run_job(context, undo_uuid, line)
    require_ended(job)
    assert job.undone is not None  # noqa: S101  a done undo has its report
    _answer(context, asked, job.undone, {"job": job.uuid, "state": job.state.value})
    return Exit.DONE


def _answer(context: Context, asked: Namespace, report: UndoReport, facts: dict[str, object]) -> None:
    if asked.json:
        context.answer_json({**facts, "report": report.to_dict()})
    elif not asked.quiet:
        rows = [*((t.table, t.removed, t.restored) for t in report.tables), ("all", report.removed, report.restored)]
        context.answer(table_text(["table", "removed", "restored"], rows, numbers=(1, 2)))
        for record in report.kept[:KEPT_SHOWN]:
            context.say(f"kept: {record.table} {record.key}: {record.reason}")
        if report.kept_total > KEPT_SHOWN:
            more = report.kept_total - KEPT_SHOWN
            context.say("and 1 more was kept" if more == 1 else f"and {more:,} more were kept")
