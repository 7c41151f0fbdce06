"""Which measurements there are, and the running of one: a state restored, a child process, its work checked."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from contenders import CONTENDERS
from data import Dataset
from databases import Database
from task import EDITION_OF, OPERATIONS, STATE_OF, Answer, Task

HERE = Path(__file__).resolve().parent
TIMEOUT_S = 3600


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing to measure; `size` is the data set's that is really used."""

    engine: str
    size: int
    operation: str
    contender: str


def cell_of(cell: Cell, sample: int) -> Cell:
    """Return the cell whose figure stands for this one: a sampled contender's, or a limit's into empty tables."""
    contender = CONTENDERS[cell.contender]
    if contender.sampled:
        cell = replace(cell, size=min(cell.size, sample))
    if cell.engine in contender.one_import and cell.operation != "export":
        cell = replace(cell, operation="empty")
    return cell


def cells(engines: Iterable[str], sizes: Iterable[int], names: list[str], sample: int) -> Iterator[Cell]:
    """Yield every cell of the table."""
    for engine in engines:
        for size in sizes:
            for operation in OPERATIONS:
                for name in names:
                    if CONTENDERS[name].does(engine, operation):
                        yield cell_of(Cell(engine, size, operation, name), sample)


def run(cell: Cell, database: Database, dataset: Dataset, folder: Path) -> Answer:
    """Measure one cell once, in a process of its own, and check what it did."""
    database.restore(STATE_OF[cell.operation], dataset)
    edition = EDITION_OF[cell.operation]
    task = Task(
        contender=cell.contender,
        operation=cell.operation,
        engine=cell.engine,
        uri=database.uri,
        folder=str(folder),
        connection=database.connection,
        driver_args=database.driver_args,
        stock_file=str(dataset.stock(edition)),
        raw_files={table: str(path) for table, path in dataset.raw(edition).items()},
        output=str(folder / "export.csv"),
    )
    answer = ask(task)
    return replace(answer, failed=_fault(cell, database, dataset, Path(task.output))) if answer.ok else answer


def keep_engine(folder: Path) -> None:
    """Copy the engine, so that one run measures one version of it, whoever edits the checkout meanwhile."""
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(HERE.parent / "modules" / "plugin_sync", folder / "modules" / "plugin_sync", ignore=ignored)


def ask(task: Task) -> Answer:
    """Start a child and return its answer."""
    path = os.pathsep.join(filter(None, [str(Path(task.folder) / "modules"), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, str(HERE / "measuring.py"), task.to_json()]
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": path, "PYTHONUTF8": "1"},
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        return Answer(failed=f"the process ended with {done.returncode}")
    return Answer(**json.loads(done.stdout.splitlines()[-1]))


def _fault(cell: Cell, database: Database, dataset: Dataset, output: Path) -> str:
    """Say what is wrong with the work that was done, '' when nothing is."""
    if cell.operation != "export":
        held, wanted = database.holds(), dataset.expected[EDITION_OF[cell.operation]]
        return "" if held == wanted else f"the database holds {held} instead of {wanted}"
    with output.open(encoding="utf-8", newline="") as file:
        written = sum(1 for _ in csv.reader(file))
    return "" if written >= dataset.rows else f"the file holds {written} lines instead of {dataset.rows}"
