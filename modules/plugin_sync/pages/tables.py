"""The tables, each with its module, its rows and the state of its uuids; and mending the uuids. Does not commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..catalog import is_denied, read_catalog
from ..integrity import UuidState, create_uuid_index, give_missing_uuids, renew_duplicate_uuids, uuid_state
from ..records import Identity, TableSpec
from ..settings import Settings
from ..sizes import count_rows
from ..texts import Texts

MENDS = ("index", "missing", "duplicates")


@dataclass(frozen=True, slots=True)
class Overview:
    """Tables by module, those that are never exchanged last and without one; by name the state of uuids, and rows."""

    modules: Mapping[str, list[TableSpec]]
    states: Mapping[str, UuidState]
    rows: Mapping[str, int]


def read_tables(db: Any, settings: Settings) -> Overview:
    """Return all tables; modules of which nothing travels come after the others."""
    catalog = read_catalog(db, settings)
    modules: dict[str, list[TableSpec]] = {}
    for spec in sorted(catalog.tables, key=lambda spec: (is_denied(spec.name), spec.module not in catalog.modules, spec.module)):
        modules.setdefault("" if is_denied(spec.name) else spec.module, []).append(spec)
    states = {spec.name: uuid_state(db, spec) for spec in catalog.included if spec.identity is Identity.UUID}
    return Overview(modules, states, {spec.name: count_rows(db, spec) for spec in catalog.tables})


def mendable(db: Any, settings: Settings, name: str, what: str | None) -> TableSpec | None:
    """Return the table that an address wants to have mended, None when there is nothing of the kind."""
    spec = read_catalog(db, settings).get(name)
    return spec if spec is not None and spec.included and what in MENDS else None


def mend(db: Any, spec: TableSpec, what: str, new_uuid: Callable[[], str], texts: Texts) -> str:
    """Do one of MENDS: make the index, give missing uuids, renew duplicates. Return what was done, for people."""
    T = texts.translate
    if what == "index":
        create_uuid_index(db, spec)
        return str(T("%s: the unique index on UUIDs is there.", spec.name))
    give = give_missing_uuids if what == "missing" else renew_duplicate_uuids
    count = give(db, spec, new_uuid)
    if count == 1:
        return str(T("%s: 1 record was given a new UUID.", spec.name))
    return str(T("%(table)s: %(count)s records were given new UUIDs.", {"table": spec.name, "count": texts.number_text(count)}))
