"""The limit on SQLite: csv.reader into executemany of one UPSERT; export by csv.writer over the cursor.
As "raw-if-newer" the UPSERT leaves rows alone that are not newer, which spares it the writing of unchanged data.

The connection is set as pyDAL sets its own: foreign keys on, everything else SQLite's default.
"""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path

from schema import COLUMNS, NULLABLE
from task import Job, Task


def prepare(task: Task) -> Job:
    """Connect; see `task.Prepare`."""
    connection = sqlite3.connect(**task.connection)
    connection.execute("PRAGMA foreign_keys=ON")
    only_newer = task.contender == "raw-if-newer"

    def import_files() -> None:
        for table, path in task.raw_files.items():
            load(connection, table, Path(path), only_newer)
        connection.commit()

    def export_file() -> None:
        with Path(task.output).open("w", encoding="utf-8", newline="") as file:
            for table, columns in COLUMNS.items():
                csv.writer(file).writerows(connection.execute(f"SELECT {','.join(columns)} FROM {table} ORDER BY id"))

    return export_file if task.operation == "export" else import_files


def load(connection: sqlite3.Connection, table: str, path: Path, only_newer: bool = False) -> None:
    """Read a plain file into a table, updating the rows whose uuid is there."""
    columns = COLUMNS[table]
    values = ",".join("nullif(?,'')" if name in NULLABLE else "?" for name in columns)
    sets = ",".join(f"{name}=excluded.{name}" for name in columns if name not in ("id", "uuid"))
    statement = f"INSERT INTO {table} ({','.join(columns)}) VALUES ({values}) ON CONFLICT (uuid) DO UPDATE SET {sets}"
    if only_newer:
        statement += f" WHERE excluded.modified_on > {table}.modified_on"
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        connection.executemany(statement, rows)
