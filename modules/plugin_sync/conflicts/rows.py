"""Conflicts as rows of plugin_sync_conflict: noted by imports, listed, found.

A row holds the other version as the cells of a file. These functions neither commit nor roll back.
"""

from __future__ import annotations

import json
import uuid as uuids
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..catalog import read_catalog
from ..errors import SettingsError
from ..formats.csv import CsvReader
from ..records import Origin
from ..schema import CONFLICT

OPEN, DECIDED = "open", "decided"
BATCH = 200  # rows a statement
COLUMNS = ("uuid", "job_uuid", "instance", "instance_name", "table_name", "record_uuid", "cells", "state", "created_on")


@dataclass(frozen=True, slots=True)
class Conflict:
    """One record with two versions. `cells` are the other one's; `record_id` is None where it is asked which record it is."""

    uuid: str
    table: str
    record_uuid: str
    record_id: int | None
    instance: str
    instance_name: str
    job_uuid: str
    state: str
    created_on: datetime
    cells: Mapping[str, str]

    @property
    def asks_which(self) -> bool:
        """Whether it is the question which record here this is, if any."""
        return self.record_id is None


def note_conflicts(db: Any, path: Path, job_uuid: str, origin: Origin, now: datetime) -> int:
    """Keep the other side of an import's conflicts (`keeping.THEIRS`) until somebody decides; return how many.

    A question about the same record that is still open is replaced.
    """
    rows = list(_rows_of(db, path, job_uuid, origin, now))
    table = db[CONFLICT]
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        for name in {row[4] for row in part}:
            again = [row[5] for row in part if row[4] == name]
            db((table.state == OPEN) & (table.table_name == name) & table.record_uuid.belongs(again)).delete()
        _insert(db, part)
    return len(rows)


def _rows_of(db: Any, path: Path, job_uuid: str, origin: Origin, now: datetime) -> Iterator[tuple[Any, ...]]:
    catalog = read_catalog(db)
    with path.open("rb") as file:
        for section in CsvReader(file).sections():
            spec = catalog.by_name[section.table]
            names = [cell.split(".", 1)[1] for cell in section.header]
            moments = {f.name for f in spec.fields if f.type in ("datetime", "time")}
            for batch in section.batches:
                for row in batch.rows:
                    cells = dict(zip(names, row, strict=True))
                    cells |= {name: cells[name].removesuffix(".000000") for name in moments & cells.keys()}
                    key = cells.get(spec.uuid_name or "", "")
                    text = json.dumps(cells, ensure_ascii=True)
                    source = origin.instance or "", (origin.name or origin.base_uuid or "")[:100]
                    yield str(uuids.uuid4()), job_uuid, *source, spec.name, key[:64], text, OPEN, now


def _insert(db: Any, rows: Sequence[tuple[Any, ...]]) -> None:
    mark = "?" if db._adapter.driver.paramstyle == "qmark" else "%s"
    row = f"({', '.join([mark] * len(COLUMNS))})"
    db.executesql(
        f"INSERT INTO {CONFLICT} ({', '.join(COLUMNS)}) VALUES {', '.join([row] * len(rows))}",
        [value.isoformat(" ") if isinstance(value, datetime) else value for values in rows for value in values],
    )


def count_open(db: Any) -> int:
    """Return how many conflicts wait for a decision."""
    return int(db(db[CONFLICT].state == OPEN).count())


def open_by(db: Any) -> list[tuple[str, str, str, int]]:
    """Return table, instance, its name and how many open conflicts there are of each, by table."""
    table = db[CONFLICT]
    count = table.id.count()
    fields = (table.table_name, table.instance, table.instance_name)
    rows = db(table.state == OPEN).select(*fields, count, groupby=fields, orderby=table.table_name)
    return [(r[table.table_name], r[table.instance], r[table.instance_name], r[count]) for r in rows]


def list_open(db: Any, table_name: str = "", instance: str = "", start: int = 0, limit: int = 50) -> list[Conflict]:
    """Return open conflicts, oldest first, of one table or instance where one is named."""
    rows = db(_filter(db, table_name, instance)).select(orderby=db[CONFLICT].id, limitby=(start, start + limit))
    return [_conflict(row) for row in rows]


def count_filtered(db: Any, table_name: str = "", instance: str = "") -> int:
    """Return how many `list_open` would give without a limit."""
    return int(db(_filter(db, table_name, instance)).count())


def _filter(db: Any, table_name: str, instance: str) -> Any:
    table = db[CONFLICT]
    query = table.state == OPEN
    query = query & (table.table_name == table_name) if table_name else query
    return query & (table.instance == instance) if instance else query


def find_conflict(db: Any, uuid: str) -> Conflict:
    """Return a conflict; SettingsError when there is none."""
    row = db(db[CONFLICT].uuid == uuid).select().first()
    if row is None:
        raise SettingsError("there is no such conflict", hint="Choose one from the list.")
    return _conflict(row)


def next_open(db: Any, after: Conflict) -> str | None:
    """Return the uuid of the open conflict that follows one, or of the first; None when no other is open."""
    table = db[CONFLICT]
    others = (table.state == OPEN) & (table.uuid != after.uuid)
    number = db(table.uuid == after.uuid).select(table.id).first().id
    for query in (others & (table.id > number), others):
        row = db(query).select(table.uuid, orderby=table.id, limitby=(0, 1)).first()
        if row is not None:
            return str(row.uuid)
    return None


def _conflict(row: Any) -> Conflict:
    cells = json.loads(row.cells)
    ident = next((int(cell) for cell in [next(iter(cells.values()), "")] if cell.lstrip("-").isdecimal()), -1)
    return Conflict(
        row.uuid,
        row.table_name,
        row.record_uuid,
        ident if ident > 0 else None,
        row.instance or "",
        row.instance_name or "",
        row.job_uuid,
        row.state,
        row.created_on,
        cells,
    )
