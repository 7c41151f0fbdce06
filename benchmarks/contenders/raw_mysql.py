"""The limit on MariaDB: LOAD DATA LOCAL into the indexed tables without foreign key checks; a plain dump by csv.writer.

Where the server forbids LOCAL, inserts of many rows each.
"""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import pymysql
from pymysql.cursors import SSCursor
from schema import COLUMNS, NULLABLE
from task import Job, Outcome, Task

FORBIDDEN = (1148, 3948, 4166)  # "not allowed with this version", "is disabled", "disabled or missing"
BATCH = 1000


def prepare(task: Task) -> Job:
    """Connect; see `task.Prepare`."""
    connection = pymysql.connect(local_infile=True, **task.connection)

    def import_files() -> Outcome:
        how = load(connection, {table: Path(path) for table, path in task.raw_files.items()})
        connection.commit()
        return {"how": how}

    def export_file() -> None:
        with Path(task.output).open("w", encoding="utf-8", newline="") as file, connection.cursor(SSCursor) as cursor:
            for table, columns in COLUMNS.items():
                cursor.execute(f"SELECT {','.join(columns)} FROM {table} ORDER BY id")
                csv.writer(file).writerows(cursor)

    return export_file if task.operation == "export" else import_files


def load(connection: pymysql.Connection, files: dict[str, Path]) -> str:
    """Read plain files into empty tables; return by which statement."""
    with connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        for table, path in files.items():
            how = _load_data(cursor, table, path) or _insert(cursor, table, path)
    return how


def _load_data(cursor: pymysql.cursors.Cursor, table: str, path: Path) -> str:
    names = ",".join(f"@{name}" if name in NULLABLE else name for name in COLUMNS[table])
    sets = ", ".join(f"{name} = nullif(@{name}, '')" for name in NULLABLE if name in COLUMNS[table])
    statement = (
        f"LOAD DATA LOCAL INFILE %s INTO TABLE {table} CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' "
        f"OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\\r\\n' IGNORE 1 LINES ({names})"
    )
    try:
        cursor.execute(statement + (f" SET {sets}" if sets else ""), (str(path),))
    except pymysql.err.MySQLError as exc:
        if exc.args[0] in FORBIDDEN:
            return ""
        raise
    return "LOAD DATA LOCAL"


def _insert(cursor: pymysql.cursors.Cursor, table: str, path: Path) -> str:
    columns = COLUMNS[table]
    values = ",".join("nullif(%s,'')" if name in NULLABLE else "%s" for name in columns)
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        while batch := list(itertools.islice(rows, BATCH)):
            cursor.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({values})", batch)
    return "INSERT of many rows"
