"""The engine's file formats beside each other, on SQLite: exports, and imports of what was exported. See docs/performance.md.

    python benchmarks/formats.py --rows 200000 --repeat 3

Each measurement runs in a process of its own, and the formats take turns, as in bench.py.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import data
import plan
from databases.sqlite import Sqlite
from task import OPERATIONS, STATE_OF, Answer, Task

FORMS = ("csv", "s3xml")  # the others are compared with the first
DONE = ("export", "empty", "unchanged")
MIB = 1 << 20
Answers = dict[tuple[str, str], list[Answer]]


def measure(size: int, repeat: int, folder: Path) -> tuple[int, Answers]:
    """Measure every operation on every format `repeat` times, in turn; return how many rows and the answers."""
    plan.keep_engine(folder)
    dataset, database = data.make(size, folder), Sqlite(folder)
    answers: Answers = {}
    for turn in range(repeat):
        for operation in DONE:
            for form in FORMS:
                database.restore(STATE_OF[operation], dataset)
                answer = _checked(plan.ask(_task(operation, form, database, folder)), database, dataset)
                answers.setdefault((operation, form), []).append(answer)
                told = answer.failed or f"{answer.seconds:.2f} s, {answer.cpu_s:.2f} s of processor time"
                print(f"{turn + 1}: {operation} {form}: {told}", file=sys.stderr, flush=True)
    return dataset.rows, answers


def _task(operation: str, form: str, database: Sqlite, folder: Path) -> Task:
    """Return the task: an export makes the very file that the imports of its format read."""
    file = str(folder / f"export.{form}")
    where = (database.uri, str(folder), database.connection, database.driver_args)
    return Task("engine", operation, database.engine, *where, stock_file=file, raw_files={}, output=file)


def _checked(answer: Answer, database: Sqlite, dataset: data.Dataset) -> Answer:
    """Return the answer, as failed when the database does not hold the rows afterwards."""
    held, wanted = database.holds(), dataset.expected["base"]
    wrong = answer.ok and held != wanted
    return replace(answer, failed=f"the database holds {held} instead of {wanted}") if wrong else answer


def lines(rows: int, answers: Answers) -> Iterator[str]:
    """Yield the table: the medians of each format, and what share of the first one's rates it reaches."""
    yield _line("operation", "format", "rows/s", "of csv", "rows/cpu s", "of csv", "memory MB")
    for (operation, form), found in answers.items():
        if failed := next((a.failed or a.unavailable for a in found if not a.ok), ""):
            yield _line(OPERATIONS[operation], form, failed)
            continue
        first = answers[operation, FORMS[0]]
        memory = statistics.median(a.peak_bytes - a.start_bytes for a in found) / MIB
        rates = [text for get in (_seconds, _cpu) for text in _rates(rows, found, first, get)]
        yield _line(OPERATIONS[operation], form, *rates, f"{memory:.0f}")


def _seconds(answer: Answer) -> float:
    return answer.seconds


def _cpu(answer: Answer) -> float:
    return answer.cpu_s


def _rates(rows: int, found: list[Answer], first: list[Answer], get: Callable[[Answer], float]) -> tuple[str, str]:
    """Return the rate of the median, and its share of the other's."""
    time_s, other_s = statistics.median(map(get, found)), statistics.median(map(get, first))
    return f"{rows / time_s:,.0f}", f"{other_s / time_s:.2f}"


def _line(operation: str, form: str, *cells: str) -> str:
    return f"{operation:26} {form:6} " + " ".join(f"{cell:>10}" for cell in cells)


def main() -> int:
    """Measure and print the table; 1 when something failed."""
    parser = argparse.ArgumentParser(prog="formats", description="Measure exports and imports in each file format.")
    parser.add_argument("--rows", type=int, default=200_000, help="people (%(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="measurements of each, of which the median counts (%(default)s)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        rows, answers = measure(given.rows, given.repeat, Path(folder))
    print(*lines(rows, answers), sep="\n")
    return int(not all(answer.ok for found in answers.values() for answer in found))


if __name__ == "__main__":
    sys.exit(main())
