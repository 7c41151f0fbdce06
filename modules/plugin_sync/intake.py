"""How a file is taken in: what a caller of an import wants of it. Values only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .formats.contract import Dialect
from .planning import Transform
from .records import Problem
from .settings import Settings
from .signing import Trust
from .stores.staging import Work
from .uploads import Placing
from .values import NULL

Progress = Callable[[str, int], None]
OnPhase = Callable[[str, str, int, int], None]  # phase, table, rows done, rows in all


class Keeper(Protocol):
    """Who keeps what an import overwrites and makes."""

    def before(self, work: Work) -> None:
        """Keep records as they are before anything is written."""

    def after(self, work: Work) -> None:
        """Keep records as they have become."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How a file is taken. See `import_csv` for what each means."""

    policy: str = "newer"
    strict: bool = True
    dry_run: bool = False
    settings: Settings = field(default_factory=Settings)
    instance: Any = None
    new_uuid: Callable[[], str] | None = None
    progress: Progress | None = None
    on_phase: OnPhase | None = None
    transform: Transform | None = None
    validate: bool = False
    restore: bool = False
    map_tablenames: Mapping[str, str | None] = field(default_factory=dict)
    ignore_missing_tables: bool = False
    null: str = NULL
    dialect: Dialect = field(default_factory=Dialect)
    on_decided: Callable[[Iterator[str]], None] | None = None  # what was decided on each row, before it is written
    on_problem: Callable[[Problem], None] | None = None  # every one, also those that the report only counts
    keep: Keeper | None = None
    same_instance: bool = False  # whatever the footer says, the file's ids are ours
    exact: bool = False  # values that were ours before: names of uploads are taken too
    files_here: bool = False  # names of uploads are taken under which a file lies here already
    uploads: Path | None = None  # the application's folder of uploaded files; None is what pyDAL takes
    trust: Trust = field(default_factory=Trust)
    placing: Placing = field(default_factory=Placing)  # what a caller whose commit fails has to withdraw

    def enter(self, phase: str, table: str = "", rows: int = 0, total: int = 0) -> None:
        """Say that a phase after reading begins, or its next table; may raise Cancelled, as `progress` may."""
        if self.on_phase is not None:
            self.on_phase(phase, table, rows, total)
