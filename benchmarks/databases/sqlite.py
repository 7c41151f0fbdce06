"""SQLite: a file; its states are files too, which are copied."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

from contenders.raw_sqlite import load
from data import Dataset, Expected
from schema import CHECK, open_pydal


class Sqlite:
    """A file; the states are files too."""

    engine = "sqlite"
    driver_args: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "sqlite"
        self.folder.mkdir()
        self.path = self.folder / "run.sqlite"
        self.uri = f"sqlite://{self.path}"
        self.connection: dict[str, Any] = {"database": str(self.path)}
        open_pydal(f"sqlite://{self.folder / 'empty.sqlite'}", str(self.folder), {}, migrate=True).close()

    def restore(self, state: str, dataset: Dataset) -> None:
        """Bring back empty tables, or those that hold the base rows."""
        source = self.folder / f"{state}.sqlite"
        if state == "full":
            source = self.folder / f"full-{dataset.size}.sqlite"
            if not source.exists():
                self._fill(source, dataset)
        shutil.copyfile(source, self.path)

    def _fill(self, path: Path, dataset: Dataset) -> None:
        shutil.copyfile(self.folder / "empty.sqlite", path)
        connection = sqlite3.connect(path)
        for table, file in dataset.raw("base").items():
            load(connection, table, file)
        connection.commit()
        connection.close()

    def holds(self) -> Expected:
        """Return what the people's table holds."""
        connection = sqlite3.connect(self.path)
        try:
            return Expected(*connection.execute(CHECK).fetchone())
        finally:
            connection.close()

    def drop(self) -> None:
        """Nothing: the folder goes as a whole."""
