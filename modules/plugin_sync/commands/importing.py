"""`sync import` and `sync check`: a file or stdin, checked, and imported as a job that the pages show and that can be undone."""

from __future__ import annotations

import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from ..errors import FileProblem, RowsRejected
from ..importer import run_import
from ..intake import ImportOptions
from ..jobs import COMMAND_LINE, Job, Step, rows_of
from ..jobs.imports import PROBLEMS
from ..jobs.progress import Meter, Progress
from ..mending import dump_problem, load_problems, rejected_rows
from ..policies import Policy
from ..records import ImportReport, Outcome
from ..texts import IN_ENGLISH
from .context import Context
from .exits import Exit, Refusal
from .files import STREAM, located, opened, shown_name, write_whole
from .terminal import Line, table_text
from .waiting import progress_text, require_ended, run_job

PROBLEMS_SHOWN = 10


def add_arguments(parser: ArgumentParser) -> None:
    """Say what can be asked for."""
    add_check_arguments(parser)
    parser.add_argument("--strict", action="store_true", help="import nothing when any row, column or table cannot be taken")
    parser.add_argument("--dry-run", action="store_true", help="only say what would happen, as the command check does")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask; it is asked only where somebody sits at a terminal")


def add_check_arguments(parser: ArgumentParser) -> None:
    """Say what can be asked for of a check."""
    parser.add_argument("file", metavar="FILE", help="the file; - is stdin")
    parser.add_argument("--policy", choices=tuple(Policy), help="what happens to records that are here (as the settings say)")
    parser.add_argument("--rejects", metavar="FILE", help="write the rows that cannot be taken, with the reasons, into this CSV")


def check(context: Context, asked: Namespace) -> Exit:
    """Say what importing a file would do; nothing is written, and the history does not tell of it."""
    line = Line(context.stderr, not asked.quiet)
    with located(context, asked.file) as path, tempfile.TemporaryDirectory(prefix="plugin_sync-") as folder:
        _require_content(path)
        problems = Path(folder, PROBLEMS)
        with problems.open("w", encoding="ascii") as noted:
            report = _dry_run(context, asked, path, noted, line)
        line.clear()
        if asked.rejects and report.counts.rejected:
            _write_rejects(context, asked, _rejects_of(path, problems))
    _answer(context, asked, report, {"job": None, "state": "checked"})
    if report.problems_total:
        return Exit.REJECTED
    return Exit.CHANGES if report.counts.written or report.counts.conflict else Exit.DONE


def _require_content(path: Path) -> None:
    if not path.stat().st_size:
        raise FileProblem("the selected file is empty")


def _dry_run(context: Context, asked: Namespace, path: Path, noted: TextIO, line: Line) -> ImportReport:
    meter = Meter(Step.CHECK, rows_of(path), time.monotonic)
    size_bytes = max(path.stat().st_size, 1)
    with path.open("rb") as file:

        def show(progress: Progress) -> None:
            line.show(progress_text(progress))

        options = ImportOptions(
            policy=_policy(context, asked),
            strict=False,
            dry_run=True,
            settings=context.settings,
            instance=context.instance,
            new_uuid=context.imports.new_uuid,
            uploads=context.imports.uploads,
            trust=context.imports.trust(),
            progress=lambda table, rows: show(meter.read(table, rows, min(file.tell() / size_bytes, 1.0))),
            on_phase=lambda *where: show(meter.entered(*where)),
            on_problem=lambda problem: _put(noted, dump_problem(problem)),
        )
        return run_import(context.db, file, options)


def _put(file: TextIO, text: str) -> None:
    file.write(text)


def _policy(context: Context, asked: Namespace) -> str:
    return asked.policy or str(context.options.policy)


def run(context: Context, asked: Namespace) -> Exit:
    """Import a file."""
    if asked.dry_run:
        return check(context, asked)
    line = Line(context.stderr, not asked.quiet)
    imports = context.imports
    with opened(context, asked.file) as source:
        name = shown_name(asked.file)
        job_uuid = imports.receive(source, file_name=name, policy=_policy(context, asked), user_id=COMMAND_LINE, whole=True)
    job = run_job(context, job_uuid, line)
    require_ended(job)
    assert job.check is not None  # noqa: S101  a checked job has the report of its check
    _require_wish(context, asked, job, job.check)
    imports.queue(job_uuid, Step.APPLY)
    job = run_job(context, job_uuid, line)
    require_ended(job)
    report = job.result
    assert report is not None  # noqa: S101
    _rejects_of_job(context, asked, job, report)
    _answer(context, asked, report, {"job": job.uuid, "state": job.state.value})
    return Exit.REJECTED if report.problems_total else Exit.DONE


def _require_wish(context: Context, asked: Namespace, job: Job, report: ImportReport) -> None:
    """Go on only if a checked file is wanted; else it is thrown away."""
    if asked.strict and report.problems_total:
        _rejects_of_job(context, asked, job, report)
        context.imports.cancel(job.uuid)
        raise RowsRejected(report.problems, report.problems_total)
    asking = not asked.yes and asked.file != STREAM and context.stdin.isatty() and context.stderr.isatty()
    if asking and report.counts.written and not _agreed(context, report):
        context.imports.cancel(job.uuid)
        raise Refusal(Exit.CANCELLED, "nothing was changed")


def _agreed(context: Context, report: ImportReport) -> bool:
    """Ask whoever sits at the terminal; who breaks that off did not agree."""
    rows = "row" if report.counts.changed == 1 else "rows"
    question = f"Import {report.counts.new:,} new and {report.counts.changed:,} changed {rows}? [y/N] "
    context.stderr.write(_summary(report) + question)
    context.stderr.flush()
    try:
        return context.stdin.readline().strip().lower() in (b"y", b"yes")
    except KeyboardInterrupt:
        return False


def _rejects_of_job(context: Context, asked: Namespace, job: Job, report: ImportReport) -> None:
    if asked.rejects and report.counts.rejected:
        _write_rejects(context, asked, lambda: context.imports.rejects(job.uuid))


def _rejects_of(path: Path, problems: Path) -> Callable[[], Any]:
    def pieces() -> Any:
        with path.open("rb") as file:
            yield from rejected_rows(file, load_problems(problems))

    return pieces


def _write_rejects(context: Context, asked: Namespace, pieces: Callable[[], Any]) -> None:
    write_whole(asked.rejects, pieces() or ())
    if not asked.quiet:
        context.say(f"The rows that cannot be taken, with the reasons, are in {asked.rejects}")


def _answer(context: Context, asked: Namespace, report: ImportReport, facts: dict[str, object]) -> None:
    if asked.json:
        context.answer_json({**facts, "report": report.to_dict()})
    elif not asked.quiet:
        job = f"Job {facts['job']}\n" if facts["job"] else ""
        context.answer(_summary(report) + job)


def _summary(report: ImportReport) -> str:
    """A report as text: where the file is from, a row a table, problems by cause."""
    lines = []
    if report.origin.base_uuid:
        lines.append(f"From {report.origin.name or report.origin.base_uuid}, made {report.origin.made_utc}\n")
    outcomes = [outcome.value for outcome in Outcome]
    counted = [*((t.table, t.counts) for t in report.tables), ("all", report.counts)]
    rows = [(name, *(asdict(counts)[outcome] for outcome in outcomes)) for name, counts in counted]
    lines.append(table_text(["table", *outcomes], rows, numbers=range(1, len(outcomes) + 1)))
    for group in report.groups[:PROBLEMS_SHOWN]:
        place = ", ".join(filter(None, (group.table, group.column)))
        shown = f" (lines {IN_ENGLISH.lines_text(group.lines, group.count)})" if group.lines else ""
        lines.append(f"{group.count:,} × {place}: {IN_ENGLISH.sentence(group.message, group.hint)}{shown}\n")
    if more := len(report.groups) - PROBLEMS_SHOWN:
        causes = "1 more cause" if more == 1 else f"{more} more causes"
        lines.append(f"and {causes}; --json has them all\n" if more > 0 else "")
    if report.ignored_tables:
        lines.append(f"Unknown here, left out: {', '.join(report.ignored_tables)}\n")
    if report.counts.conflict:
        lines.append("Records with two versions wait for a decision on the pages\n" if not report.dry_run else "")
    return "".join(lines)
