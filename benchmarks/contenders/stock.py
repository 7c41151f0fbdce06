"""pyDAL's own import and export."""

from __future__ import annotations

from pathlib import Path

import pydal  # noqa: F401  # its memory belongs to the start
from schema import open_pydal
from task import Job, Task


def prepare(task: Task) -> Job:
    """Connect; see `task.Prepare`."""
    db = open_pydal(task.uri, task.folder, task.driver_args)

    def import_file() -> None:
        with Path(task.stock_file).open(encoding="utf-8", newline="") as file:
            db.import_from_csv_file(file)
        db.commit()

    def export_file() -> None:
        with Path(task.output).open("w", encoding="utf-8", newline="") as file:
            db.export_to_csv_file(file)

    return export_file if task.operation == "export" else import_file
