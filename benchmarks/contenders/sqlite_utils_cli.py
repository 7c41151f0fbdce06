"""sqlite-utils, by its own commands, called in this process: `upsert --csv` and `rows --csv`."""

from __future__ import annotations

import contextlib
from pathlib import Path

from schema import COLUMNS
from sqlite_utils.cli import cli
from task import Job, Task


def prepare(task: Task) -> Job:
    """Nothing to connect; see `task.Prepare`."""
    database = task.connection["database"]

    def import_files() -> None:
        for table, path in task.raw_files.items():
            cli.main(["upsert", database, table, path, "--csv", "--pk", "uuid", "--empty-null"], standalone_mode=False)

    def export_file() -> None:
        with Path(task.output).open("w", encoding="utf-8", newline="") as file, contextlib.redirect_stdout(file):
            for table in COLUMNS:
                cli.main(["rows", database, table, "--csv"], standalone_mode=False)

    return export_file if task.operation == "export" else import_files
