"""Deciding conflicts: what was picked becomes a file of a few records, and is imported.

So types, references and the application's callbacks are looked after as ever. A decision is an edit of its own: its time is
now, so that it counts as the newest everywhere. These functions neither commit nor roll back.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..catalog import Catalog, read_catalog
from ..errors import SettingsError
from ..formats.csv import CsvWriter
from ..importer import run_import
from ..intake import ImportOptions
from ..planning import COMPANION
from ..policies import Policy
from ..records import TableSpec
from ..schema import CONFLICT
from ..settings import Duplicates, Settings
from ..values import NULL, escape
from .rows import BATCH, DECIDED, OPEN, Conflict
from .sides import cells_here, record_here, spec_of

OURS, THEIRS, OTHER, NEWEST = "ours", "theirs", "other", "newest"


@dataclass(frozen=True, slots=True)
class Pick:
    """What one field becomes: OURS, THEIRS, or OTHER with a text as somebody typed it."""

    side: str
    text: str = ""


def decide_one(db: Any, conflict: Conflict, picks: Mapping[str, Pick], now: datetime, record_id: int | None = None) -> None:
    """Write what was picked, field by field, and close the conflict; fields without a pick stay as they are here.

    Where it is asked which record this is, `record_id` says which one here it is from now on; without one it becomes a
    new record. Raises RowsRejected, with the reason, for what cannot be written; then nothing is.
    """
    if conflict.state != OPEN:
        raise SettingsError("this conflict has been decided already", hint="Choose another from the list.")
    spec, here = record_here(db, conflict, record_id)
    whole = dict.fromkeys((f.name for f in spec.fields), Pick(THEIRS)) if not here else {}
    cells = _picked(spec, conflict, {**whole, **picks} if here else whole)
    if conflict.asks_which and record_id is not None:
        db.plugin_sync_alias.insert(table_name=spec.name, alias=conflict.record_uuid.lower(), uuid=here[spec.uuid_name or ""])
    _write(db, {spec.name: [_dated(spec, cells, here, conflict.cells, now)]})
    choices = {name: pick.side for name, pick in picks.items()}
    _close(db, [conflict.uuid], json.dumps(choices, ensure_ascii=True), now)


def decide_all(db: Any, conflicts: Sequence[Conflict], side: str, now: datetime) -> int:
    """Keep OURS, THEIRS or the NEWEST of many records at once; return how many were decided.

    What has to be asked stays open: which record it is, and with NEWEST those of equal time.
    """
    catalog = read_catalog(db)
    files: dict[str, list[dict[str, str]]] = {}
    decided = []
    for name in sorted({c.table for c in conflicts}):
        chosen = [c for c in conflicts if c.table == name and c.state == OPEN and not c.asks_which]
        for start in range(0, len(chosen), BATCH):
            for conflict, cells in _decisions(db, catalog, chosen[start : start + BATCH], side, now):
                decided.append(conflict.uuid)
                files.setdefault(name, []).append(cells)
    _write(db, files)
    for start in range(0, len(decided), BATCH):
        _close(db, decided[start : start + BATCH], json.dumps({"*": side}), now)
    return len(decided)


def _decisions(
    db: Any, catalog: Catalog, conflicts: Sequence[Conflict], side: str, now: datetime
) -> Iterator[tuple[Conflict, dict[str, str]]]:
    """Yield the conflicts of one table that can be decided, each with the cells to write."""
    spec = spec_of(catalog, conflicts[0])
    here = cells_here(db, catalog, spec, [c.record_id for c in conflicts])
    for conflict in conflicts:
        ours = here.get(conflict.record_id or 0, {})
        wins = side if side != NEWEST else _newest(spec, ours, conflict.cells)
        if wins == THEIRS or (wins == OURS and ours):
            cells = _picked(spec, conflict, {f.name: Pick(wins) for f in spec.fields})
            yield conflict, _dated(spec, cells, ours, conflict.cells, now)


def _newest(spec: TableSpec, ours: Mapping[str, str], theirs: Mapping[str, str]) -> str | None:
    name = spec.modified_name or ""
    here, there = ours.get(name, NULL), theirs.get(name, NULL)
    if here == there or NULL in (here, there):
        return None
    return OURS if here > there else THEIRS


def _picked(spec: TableSpec, conflict: Conflict, picks: Mapping[str, Pick]) -> dict[str, str]:
    """Return the cells to write: the record's uuid, and of each field that changes its cell and companion."""
    cells = {spec.uuid_name or "": conflict.cells.get(spec.uuid_name or "", NULL)}
    for field in spec.fields:
        pick = picks.get(field.name, Pick(OURS))
        if field.name == spec.uuid_name or pick.side == OURS:
            continue
        if pick.side == OTHER:
            textual = field.type in ("string", "text")
            cells[field.name] = escape(pick.text) if textual else pick.text.strip() or NULL
            continue
        for name in (field.name, field.name + COMPANION):
            if name in conflict.cells:
                cells[name] = conflict.cells[name]
    return cells


def _dated(
    spec: TableSpec, cells: dict[str, str], ours: Mapping[str, str], theirs: Mapping[str, str], now: datetime
) -> dict[str, str]:
    """Return the cells with a time of change that is later than both versions', whatever their clocks said."""
    name = spec.modified_name
    if name is None:
        return cells
    seen = [datetime.fromisoformat(t) for t in (ours.get(name, NULL), theirs.get(name, NULL)) if t != NULL]
    latest = max((moment.replace(microsecond=0) for moment in seen), default=datetime.min)
    return {**cells, name: max(now.replace(microsecond=0), latest + timedelta(seconds=1)).isoformat(" ")}


def _write(db: Any, files: Mapping[str, Sequence[Mapping[str, str]]]) -> None:
    """Import records given as cells, those of a table with the same columns in one section; any problem refuses all."""
    groups: dict[tuple[str, tuple[str, ...]], list[Mapping[str, str]]] = {}
    for name, records in files.items():
        for record in records:
            groups.setdefault((name, tuple(record)), []).append(record)
    plain = Settings(duplicates=Duplicates.CREATE)
    options = ImportOptions(policy=Policy.THEIRS, settings=plain, same_instance=True, files_here=True)
    for (name, columns), records in groups.items():
        if len(columns) > 1:
            writer = CsvWriter()
            data = writer.begin(name, [f"{name}.{column}" for column in columns])
            data += writer.rows([[record[column] for column in columns] for record in records])
            data += writer.end_table() + writer.close()
            run_import(db, io.BytesIO(data), options)


def _close(db: Any, ids: Sequence[str], decision: str, now: datetime) -> None:
    db(db[CONFLICT].uuid.belongs(list(ids))).update(state=DECIDED, decision=decision, decided_on=now)
