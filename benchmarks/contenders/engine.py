"""This engine, as an application calls it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from schema import open_pydal
from task import Job, Outcome, Task, Unavailable

import plugin_sync


def prepare(task: Task) -> Job:
    """Connect; see `task.Prepare`."""
    db = open_pydal(task.uri, task.folder, task.driver_args)

    def import_file() -> Outcome:
        with Path(task.stock_file).open("rb") as file:
            report = plugin_sync.import_csv(db, file, strict=True)
        db.commit()
        return {"lock_s": report.lock_s, "counts": asdict(report.counts)}

    def export_file() -> Outcome:
        path = Path(task.output)
        with path.open("wb") as file:
            return {"rows": plugin_sync.export_file(db, file, path.suffix.removeprefix(".")).total}

    return _available(export_file if task.operation == "export" else import_file)


def _available(job: Job) -> Job:
    """Tell a database without a store from a failure."""

    def run() -> Outcome | None:
        try:
            return job()
        except plugin_sync.SettingsError as exc:
            raise Unavailable(str(exc)) from exc

    return run
