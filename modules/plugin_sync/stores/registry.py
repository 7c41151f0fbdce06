"""Which store serves which database engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import SettingsError
from .mysql import MysqlStore
from .postgres import PostgresStore
from .sqlite import SqliteStore

STORES: dict[str, Callable[[Any], Any]] = {"sqlite": SqliteStore, "postgres": PostgresStore, "mysql": MysqlStore}


def open_store(db: Any) -> Any:
    """Return the store for a pydal.DAL; SettingsError lists the engines that there are."""
    engine = db._adapter.dbengine
    try:
        return STORES[engine](db)
    except KeyError as exc:
        raise SettingsError(f"no store for {engine} databases", hint=f"There are: {', '.join(STORES)}.") from exc
