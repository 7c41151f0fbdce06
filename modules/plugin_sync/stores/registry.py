"""Which store serves which database engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .contract import Store
from .mysql import MysqlStore
from .portable import PortableStore
from .postgres import PostgresStore
from .sqlite import SqliteStore

STORES: dict[str, Callable[[Any], Store]] = {"sqlite": SqliteStore, "postgres": PostgresStore, "mysql": MysqlStore}


def open_store(db: Any) -> Store:
    """Return the store for a pydal.DAL: that of its engine, or the portable one; SettingsError when none can serve it."""
    return STORES.get(db._adapter.dbengine, PortableStore)(db)
