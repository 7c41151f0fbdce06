"""The limit on PostgreSQL: COPY into the indexed tables with their foreign keys, and ordered COPY out."""

from __future__ import annotations

from pathlib import Path

import psycopg2
from schema import COLUMNS
from task import Job, Task


def prepare(task: Task) -> Job:
    """Connect; see `task.Prepare`."""
    connection = psycopg2.connect(**task.connection)

    def import_files() -> None:
        load(connection, {table: Path(path) for table, path in task.raw_files.items()})
        connection.commit()

    def export_file() -> None:
        with connection.cursor() as cursor, Path(task.output).open("wb") as file:
            for table, columns in COLUMNS.items():
                rows = f"SELECT {','.join(columns)} FROM {table} ORDER BY id"
                cursor.copy_expert(f"COPY ({rows}) TO STDOUT (FORMAT csv)", file)

    return export_file if task.operation == "export" else import_files


def load(connection: psycopg2.extensions.connection, files: dict[str, Path]) -> None:
    """Read plain files into empty tables. The sequences stay where they are."""
    with connection.cursor() as cursor:
        for table, path in files.items():
            with path.open("rb") as file:
                copy = f"COPY {table} ({','.join(COLUMNS[table])}) FROM STDIN (FORMAT csv, HEADER, NULL '')"
                cursor.copy_expert(copy, file)
