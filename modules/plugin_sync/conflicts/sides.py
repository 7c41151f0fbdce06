"""Both versions of a record side by side, as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..catalog import Catalog, read_catalog
from ..errors import SettingsError
from ..planning import COMPANION
from ..records import FieldSpec, TableSpec
from ..settings import Settings
from ..stores.reading import header_of
from ..stores.registry import open_store
from ..values import NULL, unescape
from .rows import Conflict


@dataclass(frozen=True, slots=True)
class Pair:
    """One field of a record in both versions, as cells; None where there is no value. `shown_*` is what people read."""

    field: FieldSpec
    ours: str | None
    theirs: str | None
    shown_ours: str | None
    shown_theirs: str | None

    @property
    def differs(self) -> bool:
        """Whether the versions differ here."""
        return self.ours != self.theirs

    @property
    def can_be_typed(self) -> bool:
        """Whether a third value may be given."""
        return self.field.target is None and self.field.type not in ("blob", "upload", "json", "jsonb")


def sides(db: Any, conflict: Conflict, record_id: int | None = None) -> list[Pair]:
    """Return a record's fields in both versions, those that differ first; `record_id` for a record that was asked for.

    A record that is not here any more has None everywhere on our side.
    """
    spec, ours = record_here(db, conflict, record_id)
    shown = [f for f in spec.fields if f.name not in (spec.uuid_name, spec.modified_name)]
    pairs = [_pair(db, field, ours, conflict.cells) for field in shown]
    return sorted(pairs, key=lambda pair: not pair.differs)


def candidates(db: Any, conflict: Conflict, settings: Settings, limit: int = 5) -> list[int]:
    """Return the ids of records here that a record may be, by the match key of its table."""
    spec = spec_of(read_catalog(db), conflict)
    table = db[spec.name]
    query = table._id > 0
    for name in settings.match.get(spec.name, ()):
        field, cell = spec.field(name), conflict.cells.get(name, NULL)
        if field is None or field.target is not None:
            continue
        text = unescape(cell).strip()
        query = query & (table[name].lower() == text.lower() if field.type in ("string", "text") else table[name] == text)
    return [row[table._id.name] for row in db(query, ignore_common_filters=True).select(table._id, limitby=(0, limit))]


def times(db: Any, conflict: Conflict, record_id: int | None = None) -> tuple[str | None, str | None]:
    """Return when our version and when the other were last changed, as ISO texts in UTC."""
    spec, ours = record_here(db, conflict, record_id)
    if spec.modified_name is None:
        return None, None
    return _present(ours.get(spec.modified_name, NULL)), _present(conflict.cells.get(spec.modified_name, NULL))


def record_here(db: Any, conflict: Conflict, record_id: int | None = None) -> tuple[TableSpec, dict[str, str]]:
    """Return a conflict's table, and our version as the cells of a file: of `record_id` where which one was asked; {} if gone."""
    catalog = read_catalog(db)
    spec = spec_of(catalog, conflict)
    ident = record_id or conflict.record_id
    return spec, cells_here(db, catalog, spec, [ident]).get(ident, {}) if ident is not None else {}


def spec_of(catalog: Catalog, conflict: Conflict) -> TableSpec:
    """Return a conflict's table; SettingsError when the application does not have it any more."""
    spec = catalog.by_name.get(conflict.table)
    if spec is None or spec.id_column is None:
        raise SettingsError(f"there is no table {conflict.table} any more", hint="The conflict can only be kept as it is.")
    return spec


def cells_here(db: Any, catalog: Catalog, spec: TableSpec, ids: Iterable[int | None]) -> dict[int, dict[str, str]]:
    """Return records as the cells of a file, by id."""
    wanted = ", ".join(str(int(i)) for i in ids if i is not None) or "0"
    source = f"(SELECT t.* FROM {spec.sql_name} t WHERE t.{spec.id_column} IN ({wanted}))"
    names = header_of(spec, catalog.by_name)
    with open_store(db).snapshot() as snapshot:
        batches = list(snapshot.read(replace(spec, source=source), catalog.by_name))
    return {int(str(row[0])): dict(zip(names, map(str, row), strict=True)) for batch in batches for row in batch}


def _pair(db: Any, field: FieldSpec, ours: Mapping[str, str], theirs: Mapping[str, str]) -> Pair:
    companion = field.name + COMPANION
    name = companion if companion in theirs else field.name  # ids differ from office to office
    here, there = _present(ours.get(name, NULL)), _present(theirs.get(name, NULL))
    return Pair(field, here, there, _shown(db, field, here), _shown(db, field, there))


def _present(cell: str) -> str | None:
    return None if cell == NULL else cell


def _shown(db: Any, field: FieldSpec, cell: str | None) -> str | None:
    """Return a cell as people read it: a text without its escape, the name of the record that a reference points to."""
    if cell is None:
        return None
    if field.target is None:
        return unescape(cell)
    table = db[field.target]
    keys = [part for part in cell.split("|") if part]
    names = [_name_of(table, key) for key in keys]
    return ", ".join(names) or None


def _name_of(table: Any, key: str) -> str:
    row = table._db(table.uuid == key, ignore_common_filters=True).select().first() if "uuid" in table.fields else None
    return key if row is None else record_name(table, row, key)


def record_name(table: Any, row: Any, otherwise: str) -> str:
    """Return what people call a record, as the host has it, else `otherwise`."""
    form = table._format
    return str(form(row) if callable(form) else form % row.as_dict() if form else otherwise)
