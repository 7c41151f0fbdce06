"""What can be exported, for the page on which it is chosen; and what its form asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .. import sizes
from ..catalog import Catalog, read_catalog
from ..formats.registry import CSV, FORMATS
from ..records import TableSpec
from ..register import Peer, list_peers
from ..sent import Sent, Since
from ..settings import Settings
from ..sizes import Size
from ..texts import Texts
from .forms import Vars, all_of


@dataclass(frozen=True, slots=True)
class Part:
    """What of the data a file is to hold: some tables, one module, or all when neither is named."""

    tables: tuple[str, ...] | None = None
    module: str | None = None

    @property
    def name(self) -> str:
        """What the file's name says of it."""
        return self.module or ("tables" if self.tables else "all")


@dataclass(frozen=True, slots=True)
class Whom:
    """For whom a file is: the other instances, the one that was chosen, its last file, and since when changes are wanted."""

    peers: list[Peer]
    peer: Peer | None
    made_on: datetime | None
    since: Since


@dataclass(frozen=True, slots=True)
class Holdings:
    """What there is: the tables, those that stay home, and how large the others are, alone, by module and together."""

    catalog: Catalog
    left_out: list[TableSpec]
    sizes: Mapping[str, Size]
    module_sizes: Mapping[str, Size]
    total: Size


def read_part(asked: Vars) -> Part:
    """Return what of the data a form asks for; no tables at all when it names none."""
    if asked.get("what") == "tables":
        return Part(tables=all_of(asked, "table"))
    return Part(module=asked.get("module") or "") if asked.get("what") == "module" else Part()


def read_whom(db: Any, sent: Sent, peer: Peer | None, since: Any) -> Whom:
    """Return for whom a file is; everything is taken for an instance that had none yet, changes where nothing else was said."""
    made_on = sent.made_on(peer) if peer else None
    wanted = since if made_on else Since.ALL
    others = [other for other in list_peers(db) if not other.is_self]
    return Whom(others, peer, made_on, Since(wanted) if wanted in tuple(Since) else Since.CHANGES)


def read_holdings(db: Any, settings: Settings) -> Holdings:
    """Return what can be exported."""
    catalog = read_catalog(db, settings)
    found = sizes.table_sizes(db, catalog.included)
    return Holdings(
        catalog=catalog,
        left_out=[spec for spec in catalog.tables if not spec.included],
        sizes=found,
        module_sizes={name: sizes.total(found, specs) for name, specs in catalog.modules.items()},
        total=sizes.total(found, catalog.included),
    )


def form_of(name: Any) -> str:
    """Return the name of the format that an address asks for, CSV's for an unknown one."""
    return str(name) if name in FORMATS else CSV.name


def form_labels(texts: Texts) -> dict[str, object]:
    """Return what people call the formats, by their names, as the translator gives it."""
    T = texts.translate
    labels = {"csv": T("CSV"), "bundle": T("Bundle with uploaded files"), "s3xml": T("XML for Sahana Eden")}
    return {name: labels.get(name, name) for name in FORMATS}
