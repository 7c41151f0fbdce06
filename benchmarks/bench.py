"""Stock pyDAL, this engine, its peers and the raw limits, side by side. See docs/performance.md.

    python benchmarks/bench.py --db sqlite --rows 20000,200000 --repeat 5

Each measurement runs in a process of its own. Contenders take turns, so that noise hits all of them alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import data
import plan
from contenders import CONTENDERS
from databases import DATABASES
from report import Results, lines
from task import Answer

RESULTS = Path(__file__).resolve().parent / "results"
LARGE = 1_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    engines: list[str]
    sizes: list[int]
    names: list[str]
    repeat: int
    sample: int
    json: Path


def options() -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure imports and exports.")
    parser.add_argument("--db", default=",".join(DATABASES), help="databases, by comma (%(default)s)")
    parser.add_argument("--rows", help="sizes, by comma (20000,200000)")
    parser.add_argument("--only", default=",".join(CONTENDERS), help="contenders, by comma (%(default)s)")
    parser.add_argument("--repeat", type=int, help="measurements of each, of which the median counts (5)")
    parser.add_argument("--sample", type=int, help="rows for the contenders that are too slow for all (20000)")
    parser.add_argument("--large", action="store_true", help=f"add {LARGE:,} rows to the sizes")
    parser.add_argument("--quick", action="store_true", help="once, with few rows: does everything run?")
    parser.add_argument("--json", type=Path, help="the file for the figures (benchmarks/results/<time>.json)")
    given = parser.parse_args()
    sizes = [int(text) for text in (given.rows or ("2000" if given.quick else "20000,200000")).split(",")]
    return Options(
        engines=_known(parser, given.db, DATABASES),
        sizes=sizes + [LARGE] * given.large,
        names=_known(parser, given.only, CONTENDERS),
        repeat=given.repeat or (1 if given.quick else 5),
        sample=given.sample or (2000 if given.quick else 20000),
        json=given.json or RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json",
    )


def _known(parser: argparse.ArgumentParser, text: str, known: Iterable[str]) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(known):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return names


def measure(wanted: Options, folder: Path, results: Results) -> None:
    """Measure every cell `repeat` times, all of them in turn."""
    plan.keep_engine(folder)
    todo = list(dict.fromkeys(plan.cells(wanted.engines, wanted.sizes, wanted.names, wanted.sample)))
    datasets = {size: data.make(size, folder) for size in sorted({cell.size for cell in todo})}
    results.rows = {size: dataset.rows for size, dataset in datasets.items()}
    with ExitStack() as stack:
        databases = {}
        for engine in wanted.engines:
            databases[engine] = DATABASES[engine](folder)
            stack.callback(databases[engine].drop)
        for turn in range(wanted.repeat):
            for cell in todo:
                if all(answer.ok for answer in results.answers.get(cell, [])):
                    answer = plan.run(cell, databases[cell.engine], datasets[cell.size], folder)
                    results.add(cell, answer)
                    _tell(turn, cell, answer)


def _tell(turn: int, cell: plan.Cell, answer: Answer) -> None:
    outcome = f"{answer.seconds:.2f} s" if answer.ok else answer.failed or "not available"
    line = f"{turn + 1}: {cell.engine} {cell.size} {cell.operation} {cell.contender}: {outcome}"
    print(line, file=sys.stderr, flush=True)


def environment() -> dict[str, Any]:
    """What the figures depend on."""
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "commit": commit,
    }


def main() -> int:
    """Measure, print the table, write the JSON; 1 when a contender failed, 130 when interrupted."""
    wanted = options()
    results = Results(wanted.sample)
    interrupted = False
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that databases are dropped then too
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            measure(wanted, Path(folder), results)
    except KeyboardInterrupt:
        interrupted = True
        print("Interrupted. The figures so far:")
    print(*lines(results, wanted.engines, wanted.sizes, wanted.names), sep="\n")
    wanted.json.parent.mkdir(parents=True, exist_ok=True)
    found = {"environment": environment(), "repeat": wanted.repeat, "cells": results.to_dict(), "faults": results.faults()}
    wanted.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(f"\nWritten: {wanted.json}")
    return 130 if interrupted else int(bool(results.faults()))


if __name__ == "__main__":
    sys.exit(main())
