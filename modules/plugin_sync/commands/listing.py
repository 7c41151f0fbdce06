"""`sync tables` and `sync history`: what travels, and what was exchanged."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date

from ..catalog import read_catalog
from ..history import KINDS, RESULTS, Entry, Filters, Tally, count_entries, read_entries
from ..jobs import State
from ..register import find_peer, list_peers
from ..sizes import table_sizes
from .context import Context
from .exits import Exit
from .terminal import table_text

LIMIT = 50


def add_table_arguments(parser: ArgumentParser) -> None:
    """Say what can be asked for of the tables."""
    parser.add_argument("--module", metavar="NAME", help="only the tables of this module")
    parser.add_argument("--included", action="store_true", help="only those that travel")


def tables(context: Context, asked: Namespace) -> Exit:
    """List the tables: module, rows, and whether they travel, or why not."""
    catalog = read_catalog(context.db, context.settings)
    specs = [s for s in catalog.tables if asked.module in (None, s.module) and (s.included or not asked.included)]
    sizes = table_sizes(context.db, [spec for spec in specs if spec.included])
    found = [
        {
            "table": spec.name,
            "module": spec.module,
            "rows": sizes[spec.name].rows if spec.included else None,
            "included": spec.included,
            "reason": spec.reason,
        }
        for spec in specs
    ]
    if asked.json:
        context.answer_json(found)
    else:
        rows = [(t["module"], t["table"], "" if t["rows"] is None else t["rows"], t["reason"] or "travels") for t in found]
        context.answer(table_text(["module", "table", "rows", "travels or why not"], rows, numbers=(2,)))
    return Exit.DONE


def add_history_arguments(parser: ArgumentParser) -> None:
    """Say what can be asked for of the history: the filters of the page."""
    parser.add_argument("--instance", metavar="CODE", help="only with this instance")
    parser.add_argument("--direction", choices=KINDS, help="only exports, imports or undoings")
    parser.add_argument("--result", choices=RESULTS, help="only what ended like this")
    parser.add_argument("--table", metavar="NAME", help="only what held this table")
    parser.add_argument("--from", dest="first", type=_day, metavar="DAY", help="the first day, as 2026-05-02, in UTC")
    parser.add_argument("--to", dest="last", type=_day, metavar="DAY", help="the last day")
    parser.add_argument("--limit", type=_count, default=LIMIT, metavar="N", help=f"how many, latest first ({LIMIT})")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise ArgumentTypeError(f"{text!r} is no day such as 2026-05-02") from exc


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 10_000:
        raise ArgumentTypeError(f"{text!r} is no number from 1 to 10000")
    return int(text)


def history(context: Context, asked: Namespace) -> Exit:
    """List what was exported, imported and undone, latest first."""
    filters = Filters(
        instance=find_peer(context.db, asked.instance.lower()).id if asked.instance else None,
        direction=asked.direction or "",
        result=asked.result or "",
        table=asked.table or "",
        first=asked.first,
        last=asked.last,
    )
    peers = {peer.id: peer.base_uuid for peer in list_peers(context.db, removed=True)}
    entries = [_as_it_is(context, entry) for entry in read_entries(context.db, filters, size=asked.limit)]
    total = count_entries(context.db, filters)
    if asked.json:
        found = [{**asdict(entry), "instance": peers.get(entry.instance_id or 0)} for entry in entries]
        context.answer_json({"total": total, "entries": found})
    else:
        head = ["when (UTC)", "kind", "state", "with", "what happened", "file", "job"]
        context.answer(table_text(head, [_row(entry, peers.get) for entry in entries]))
        if total > len(entries) and not asked.quiet:
            context.say(f"{len(entries):,} of {total:,} entries; --limit shows more")
    return Exit.DONE


def _as_it_is(context: Context, entry: Entry) -> Entry:
    """An entry whose process is gone is interrupted, whatever its row says."""
    if entry.state == State.RUNNING and entry.kind != "export":
        return replace(entry, state=context.imports.look(entry.uuid).state.value)
    return entry


def _row(entry: Entry, code_of: Callable[[int], str | None]) -> tuple[str, ...]:
    when = f"{entry.when:%Y-%m-%d %H:%M}"
    with_whom = code_of(entry.instance_id or 0) or ""
    return (when, entry.kind, entry.state, with_whom, _counts(entry.tally), entry.file_name, entry.uuid)


def _counts(tally: Tally) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in asdict(tally).items() if count)
