"""`sync instances sync`: exchange with a registered instance over the network, now; for people and for cron."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from ..jobs import COMMAND_LINE, Job, State
from ..records import Outcome
from ..register import find_peer
from ..texts import IN_ENGLISH
from ..wishes import Direction, Extent, SyncReport, read_wish
from .context import Context
from .exits import Exit, Refusal, exit_of_code
from .terminal import Line, table_text
from .waiting import run_job

STAYS = "What was complete before that stays; the rest is exchanged the next time."
UNTOUCHED = "Nothing was changed, neither here nor there."


def add_arguments(parser: ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("code", metavar="CODE", help="the instance's four characters")
    parser.add_argument("--direction", choices=tuple(Direction), default=Direction.BOTH, help="which way data go (both)")
    parser.add_argument(
        "--extent", choices=tuple(Extent), default=Extent.CHANGES, help="what changed since the last time, or all (changes)"
    )
    parser.add_argument("--module", action="append", default=[], metavar="NAME", help="only this module; may be repeated")


def run(context: Context, asked: Namespace) -> Exit:
    """Synchronise, and say what went each way."""
    peer = find_peer(context.db, asked.code.lower())
    wish = read_wish(asked.direction, asked.extent, tuple(asked.module))
    job = run_job(context, context.syncs().ask(peer, wish, COMMAND_LINE), Line(context.stderr, not asked.quiet))
    report = job.synced or SyncReport(wish)
    if asked.json:
        context.answer_json({"job": job.uuid, "state": job.state.value, "error": job.error, "report": asdict(report)})
    elif not asked.quiet and (report.pulled or report.pushed):
        context.answer(_summary(report))
    if job.state is not State.DONE:
        return _ended_early(context, asked, job, report)
    rejected = any(leg is not None and leg.counts.rejected for leg in (report.pulled, report.pushed))
    return Exit.REJECTED if rejected else Exit.DONE


def _ended_early(context: Context, asked: Namespace, job: Job, report: SyncReport) -> Exit:
    """Say why a synchronisation did not come to its end, and what of it stays."""
    hint = UNTOUCHED if report.changed_nothing and job.state is not State.INTERRUPTED else STAYS
    if job.state is State.CANCELLED:
        refusal = Refusal(Exit.CANCELLED, "cancelled", hint)
    elif job.error:
        text = IN_ENGLISH.fault_text(job.error)
        refusal = Refusal(exit_of_code(job.error.get("error")), f"{text[:1].lower()}{text[1:]}", hint)
    else:
        refusal = Refusal(Exit.BUSY, "it was interrupted", hint)
    if asked.json:  # which says it all already
        return refusal.exit_code
    raise refusal


def _summary(report: SyncReport) -> str:
    outcomes = [outcome.value for outcome in Outcome]
    legs = (("received", report.pulled), ("sent", report.pushed))
    rows = [(way, leg.total, *(asdict(leg.counts)[outcome] for outcome in outcomes)) for way, leg in legs if leg is not None]
    return table_text(["", "rows", *outcomes], rows, numbers=range(1, len(outcomes) + 2))
