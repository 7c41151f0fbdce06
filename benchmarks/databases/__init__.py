"""Databases of the benchmark's own, made and dropped by it: empty tables, or tables that hold a data set.

One module each.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from data import Dataset, Expected

from .mysql import Mysql
from .postgres import Postgres
from .sqlite import Sqlite


class Database(Protocol):
    """What a measurement needs of a database."""

    engine: str
    uri: str  # pyDAL's
    connection: dict[str, Any]  # what the driver's connect() takes
    driver_args: dict[str, Any]  # what pyDAL passes on to it

    def restore(self, state: str, dataset: Dataset) -> None:
        """Bring back a state: "empty", or "full" of the base rows."""

    def holds(self) -> Expected:
        """Return what the people's table holds."""

    def drop(self) -> None:
        """Remove all that was made."""


DATABASES: dict[str, Callable[[Path], Database]] = {"sqlite": Sqlite, "postgres": Postgres, "mysql": Mysql}
