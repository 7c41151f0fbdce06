"""What a synchronisation is asked for, and what came of it: frozen values, kept in a job's row as JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from .errors import SettingsError
from .records import Counts


class Direction(StrEnum):
    """Which way data go; `both` receives first, so that what was just received is not sent back."""

    BOTH = "both"
    PULL = "pull"
    PUSH = "push"


class Extent(StrEnum):
    """How much: what changed since the other side is known to have taken something, or all."""

    CHANGES = "changes"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted: which way, how much, and of which modules, all when none is named."""

    direction: Direction = Direction.BOTH
    extent: Extent = Extent.CHANGES
    modules: tuple[str, ...] = ()

    @property
    def pulls(self) -> bool:
        """Whether data are to come."""
        return self.direction is not Direction.PUSH

    @property
    def pushes(self) -> bool:
        """Whether data are to go."""
        return self.direction is not Direction.PULL


@dataclass(frozen=True, slots=True)
class Leg:
    """One way of a synchronisation that is complete: rows of each table in the file, and what the receiver made of them."""

    rows: Mapping[str, int] = field(default_factory=dict)
    size_bytes: int = 0
    counts: Counts = field(default_factory=Counts)
    job_uuid: str = ""  # the import; at the receiver

    @property
    def total(self) -> int:
        """Rows over all tables."""
        return sum(self.rows.values())


@dataclass(frozen=True, slots=True)
class Differences:
    """What the two applications do not share: tables only there, tables only here, and columns, as `table.column`."""

    tables_there: tuple[str, ...] = ()
    tables_here: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a synchronisation did so far; a way that is None was not asked for, or was not done."""

    wish: Wish
    pulled: Leg | None = None
    pushed: Leg | None = None
    differences: Differences = Differences()
    uncertain: bool = False  # the other side may have taken what was sent, but did not say so

    @property
    def changed_here(self) -> int:
        """Records that were written here."""
        return self.pulled.counts.written if self.pulled else 0

    @property
    def changed_there(self) -> int:
        """Records that were written at the other side, as far as it said so."""
        return self.pushed.counts.written if self.pushed else 0

    @property
    def changed_nothing(self) -> bool:
        """Whether it is certain that no record was written on either side."""
        return not (self.changed_here or self.changed_there or self.uncertain)

    def with_pulled(self, leg: Leg) -> SyncReport:
        """Return the same with what has come."""
        return replace(self, pulled=leg)

    def with_pushed(self, leg: Leg) -> SyncReport:
        """Return the same with what has gone."""
        return replace(self, pushed=leg, uncertain=False)

    def dump(self) -> str:
        """Return it as JSON, ASCII only."""
        return json.dumps(asdict(self), ensure_ascii=True, separators=(",", ":"))


def read_wish(direction: str, extent: str, modules: tuple[str, ...] = ()) -> Wish:
    """Return a wish from the words of a form or a command; SettingsError for one that is not known."""
    if direction not in tuple(Direction):
        raise SettingsError(f"unknown direction {direction!r}", hint=f"Use one of: {', '.join(Direction)}.")
    if extent not in tuple(Extent):
        raise SettingsError(f"unknown extent {extent!r}", hint=f"Use one of: {', '.join(Extent)}.")
    return Wish(Direction(direction), Extent(extent), modules)


def dump_wish(wish: Wish) -> str:
    """Return a wish as JSON."""
    return json.dumps(asdict(wish), ensure_ascii=True)


def load_wish(data: Mapping[str, Any]) -> Wish:
    """Return the wish that `dump_wish` wrote, read as JSON."""
    return Wish(Direction(data["direction"]), Extent(data["extent"]), tuple(data["modules"]))


def load_sync_report(text: str) -> SyncReport:
    """Return the report that `SyncReport.dump` wrote."""
    data = json.loads(text)
    told = {name: tuple(found) for name, found in data["differences"].items()}
    pulled, pushed = (_leg(data[name]) for name in ("pulled", "pushed"))
    return SyncReport(load_wish(data["wish"]), pulled, pushed, Differences(**told), data["uncertain"])


def _leg(data: Mapping[str, Any] | None) -> Leg | None:
    return Leg(**{**data, "counts": Counts(**data["counts"])}) if data else None
