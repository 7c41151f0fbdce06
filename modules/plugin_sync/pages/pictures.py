"""The figures of the pages' pictures: what happened by day, by instance, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from .. import history
from ..charts import Chart, Series
from ..history import Entry, Filters
from ..register import Peer
from ..texts import Texts

Counts = Mapping[tuple[date, str, int | None], int]  # exchanges by day, kind and instance
Days = Sequence[date]


@dataclass(frozen=True, slots=True)
class Pictures:
    """Bars a day, a line for each instance with which anything was exchanged; the last exchanges, how many of them succeeded."""

    chart: Chart
    lines: list[Series]
    last: list[Entry]
    succeeded: int


def read_pictures(db: Any, filters: Filters, today: date, peers: Sequence[Peer], texts: Texts) -> Pictures:
    """Return the pictures of the history: of two weeks, or of the days that are asked for."""
    days = filters.days(today)
    found = history.counts_by_day(db, filters, days)
    last = history.last_results(db, filters)
    succeeded = sum(entry.state == "done" for entry in last)
    return Pictures(exchanges_chart(found, days, texts), lines_of(found, days, peers), last, succeeded)


def records_chart(found: Mapping[date, tuple[int, int]], days: Days, texts: Texts) -> Chart:
    """Return how many records imports brought and changed, by day."""
    T = texts.translate
    new, changed = (tuple(found.get(day, (0, 0))[which] for day in days) for which in (0, 1))
    series = (Series(str(T("New")), new), Series(str(T("Changed")), changed))
    return Chart(str(T("Records that imports brought or changed, by day")), _names(days, texts), series)


def exchanges_chart(found: Counts, days: Days, texts: Texts) -> Chart:
    """Return how many exchanges of each kind came to an end, by day; undone imports only when there were any."""
    T = texts.translate
    kinds = {"import": T("Imports"), "export": T("Exports"), "undo": T("Undone")}
    numbers = {kind: tuple(sum(n for (d, k, _), n in found.items() if (d, k) == (day, kind)) for day in days) for kind in kinds}
    series = (Series(str(kinds[kind]), values) for kind, values in numbers.items() if any(values) or kind != "undo")
    return Chart(str(T("Exchanges by day")), _names(days, texts), tuple(series))


def lines_of(found: Counts, days: Days, peers: Sequence[Peer]) -> list[Series]:
    """Return how many exchanges there were with each instance, by day. Each way of a synchronisation has an entry of its own."""
    ways = {key: n for key, n in found.items() if key[1] != "sync"}
    lines = (
        Series(peer.label, tuple(sum(n for (d, _, i), n in ways.items() if (d, i) == (day, peer.id)) for day in days))
        for peer in peers
    )
    return [line for line in lines if line.total]


def _names(days: Days, texts: Texts) -> tuple[str, ...]:
    return tuple(map(texts.day_text, days))
