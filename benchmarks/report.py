"""Figures out of measurements: medians, shares of the raw limit, times stock pyDAL; as a table and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from contenders import CONTENDERS
from plan import Cell, cell_of
from task import OPERATIONS, Answer

MIB = 1 << 20
HEADER = ("contender", "rows", "rows/s", "of raw", "x stock", "memory MB", "start MB", "lock ms", "cpu s")


@dataclass(frozen=True, slots=True)
class Figure:
    """The medians of one cell; `spread` is the slowest and the fastest rate."""

    rows: int
    rate: float
    spread: tuple[float, float]
    above_start_bytes: int
    start_bytes: int
    lock_s: float | None
    cpu_s: float


def figure(answers: list[Answer], rows: int) -> Figure | None:
    """Return the medians of the answers, or None when there is a fault among them or nothing at all."""
    if not answers or not all(a.ok for a in answers):
        return None
    rates = sorted(rows / a.seconds for a in answers)
    locks = [a.lock_s for a in answers if a.lock_s is not None]
    return Figure(
        rows=rows,
        rate=statistics.median(rates),
        spread=(rates[0], rates[-1]),
        above_start_bytes=int(statistics.median(a.peak_bytes - a.start_bytes for a in answers)),
        start_bytes=int(statistics.median(a.start_bytes for a in answers)),
        lock_s=statistics.median(locks) if locks else None,
        cpu_s=statistics.median(a.cpu_s for a in answers),
    )


class Results:
    """All answers of a run, by cell."""

    def __init__(self, sample: int) -> None:
        self.sample = sample
        self.answers: dict[Cell, list[Answer]] = {}
        self.rows: dict[int, int] = {}  # rows of a data set, by its size

    def add(self, cell: Cell, answer: Answer) -> None:
        """Keep one answer."""
        self.answers.setdefault(cell, []).append(answer)

    def figure(self, cell: Cell) -> Figure | None:
        """Return the figure that stands for a cell."""
        real = cell_of(cell, self.sample)
        return figure(self.answers.get(real, []), self.rows.get(real.size, 0))

    def rate(self, cell: Cell) -> float | None:
        """Return the rows a second that stand for a cell."""
        found = self.figure(cell)
        return found.rate if found else None

    def faults(self) -> list[str]:
        """Say what failed, by cell."""
        return [f"{cell}: {a.failed}" for cell, answers in self.answers.items() for a in answers if a.failed]

    def to_dict(self) -> list[dict[str, Any]]:
        """Return every cell with its figure and its single answers, fit for JSON."""
        found = ((cell, self.figure(cell)) for cell in self.answers)
        return [
            {**asdict(cell), "figure": asdict(fig) if fig else None, "answers": [asdict(a) for a in self.answers[cell]]}
            for cell, fig in found
        ]


def lines(results: Results, engines: Iterable[str], sizes: Iterable[int], names: list[str]) -> Iterator[str]:
    """Yield the table: a block for each database, size and operation, a line for each contender; then the notes."""
    for engine in engines:
        for size in sizes:
            for operation, title in OPERATIONS.items():
                yield f"\n{engine}, {size:,} rows: {title}"
                yield _line(HEADER)
                for name in names:
                    if CONTENDERS[name].does(engine, operation):
                        yield _line(_cells(results, Cell(engine, size, operation, name)))
    yield ""
    shown = [name for name in names if any(engine in CONTENDERS[name].modules for engine in engines)]
    yield from (f"{name}: {CONTENDERS[name].note}" for name in shown)


def _cells(results: Results, cell: Cell) -> tuple[str, ...]:
    """The texts of one line."""
    found = results.figure(cell)
    if found is None:
        answers = results.answers.get(cell_of(cell, results.sample), [])
        return cell.contender, next((text for a in answers if (text := _why(a))), "not measured")
    return (
        cell.contender,
        f"{found.rows:,}",
        f"{found.rate:,.0f}",
        _ratio(found.rate, results, cell, "raw"),
        _ratio(found.rate, results, cell, "pydal"),
        f"{found.above_start_bytes / MIB:.0f}",
        f"{found.start_bytes / MIB:.0f}",
        "" if found.lock_s is None else f"{found.lock_s * 1000:.0f}",
        f"{found.cpu_s:.2f}",
    )


def _why(answer: Answer) -> str:
    if answer.failed:
        return f"failed: {answer.failed}"
    return f"not available: {answer.unavailable}" if answer.unavailable else ""


def _ratio(rate: float, results: Results, cell: Cell, contender: str) -> str:
    other = results.rate(Cell(cell.engine, cell.size, cell.operation, contender))
    if other is None:
        return ""
    return f"{rate / other:.2f}" if contender == "raw" else f"{rate / other:.1f}"


def _line(texts: tuple[str, ...]) -> str:
    if len(texts) != len(HEADER):
        return f"  {texts[0]:22}  {'  '.join(texts[1:])}"
    return f"  {texts[0]:22}" + "".join(f"{text:>11}" for text in texts[1:])
