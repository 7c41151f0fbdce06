"""Installations as values: the own instance, made at first start, and those known.

Needs no table definition: the own instance is read by every request that makes a record.
"""

from __future__ import annotations

import uuid as uuids
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .errors import SettingsError, StoreError
from .identity import new_base_uuid
from .schema import INSTANCE

_ATTEMPTS = 20  # a random base_uuid may be a peer's: 1 in 65,536 for each peer
_INSERT = {
    "sqlite": ("INSERT OR IGNORE INTO", ""),
    "postgres": ("INSERT INTO", " ON CONFLICT DO NOTHING"),
    "mysql": ("INSERT IGNORE INTO", ""),
}


@dataclass(frozen=True, slots=True)
class Instance:
    """One installation of the application."""

    base_uuid: str
    uuid: str
    name: str = ""
    owner: str = ""
    url: str = ""
    is_self: bool = False

    @property
    def label(self) -> str:
        """Its name, or its base uuid when it has none."""
        return self.name or self.base_uuid


def utc_now() -> datetime:
    """Return the time in UTC, without zone and microseconds, as the plugin's tables keep it."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def find_self(db: Any) -> Instance | None:
    """Return the own instance, or None before the first start."""
    return _read_self(db)


def _read_self(db: Any, lock: str = "") -> Instance | None:
    quote = db._adapter.dialect.quote
    names = ("base_uuid", "uuid", "name", "owner", "url")
    columns = ", ".join(quote(name) for name in names)
    rows = db.executesql(f"SELECT {columns} FROM {quote(INSTANCE)} WHERE {quote('is_self')} = 'T'{lock}")
    if not rows:
        return None
    base_uuid, uuid, name, owner, url = (value or "" for value in rows[0])
    return Instance(base_uuid, uuid, name, owner, url, is_self=True)


def own_instance(db: Any) -> Instance:
    """Return the own instance; SettingsError when it has not been made yet."""
    instance = find_self(db)
    if instance is None:
        raise SettingsError("this instance has no name of its own yet", hint="Open the plugin's home page once.")
    return instance


def ensure_self(
    db: Any,
    *,
    name: str = "",
    owner: str = "",
    source: Callable[[], uuids.UUID] = uuids.uuid4,
    clock: Callable[[], datetime] = utc_now,
) -> Instance:
    """Return the own instance, making its row when there is none; the caller commits.

    Two processes may do this at once: the unique index on is_self lets one row in, and both return that one.
    Raises StoreError when no free base_uuid is found.
    """
    # MariaDB's snapshot hides a row that another process has just committed; a locking read shows it. The insert that
    # met that row holds a shared lock on it: two that asked for more (FOR UPDATE) would deadlock.
    lock = " LOCK IN SHARE MODE" if db._adapter.dbengine == "mysql" else ""
    instance = find_self(db)
    for _ in range(_ATTEMPTS):
        if instance is not None:
            return instance
        _insert(db, Instance(new_base_uuid(source), str(source()), name[:100], owner[:100], is_self=True), clock())
        instance = _read_self(db, lock)
    raise StoreError("no free base_uuid was found for this instance", hint=f"Look into the table {INSTANCE}.")


def _insert(db: Any, instance: Instance, now: datetime) -> None:
    """Insert the own row unless a row with its base_uuid, or another own row, is there."""
    values = {
        "base_uuid": instance.base_uuid,
        "uuid": instance.uuid,
        "name": instance.name,
        "owner": instance.owner,
        "state": "self",
        "is_self": "T",
        "sync_count": 0,
        "last_update": str(now),
        "created_on": str(now),
    }
    quote = db._adapter.dialect.quote
    verb, tail = _INSERT[db._adapter.dbengine]
    columns = ", ".join(quote(column) for column in values)
    mark = "?" if db._adapter.dbengine == "sqlite" else "%s"
    marks = ", ".join(mark for _ in values)
    db.executesql(f"{verb} {quote(INSTANCE)} ({columns}) VALUES ({marks}){tail}", tuple(values.values()))
