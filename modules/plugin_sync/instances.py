"""Installations as values: the own instance, made at first start, and those whose files come in.

The own instance needs no table definition: it is read by every request that makes a record.
"""

from __future__ import annotations

import uuid as uuids
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from .errors import SettingsError, StoreError
from .identity import BASE_UUID, new_base_uuid
from .records import Origin
from .schema import INSTANCE

_ATTEMPTS = 20  # a random base_uuid may be a peer's: 1 in 65,536 for each peer
# MariaDB: INSERT IGNORE would share the lock of the row that is there, and of two that then update it one would deadlock.
_INSERT = {
    "sqlite": ("INSERT OR IGNORE INTO", ""),
    "postgres": ("INSERT INTO", " ON CONFLICT DO NOTHING"),
    "mysql": ("INSERT INTO", " ON DUPLICATE KEY UPDATE id = id"),
}


class Standing(StrEnum):
    """What an instance is to this one: the column `state`."""

    SELF = "self"
    KNOWN = "known"
    PAUSED = "paused"  # no files are made for it on schedule
    CLASH = "clash"  # files of another instance carry the same base uuid
    REMOVED = "removed"  # out of sight; the history still names it


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
    # MariaDB's snapshot hides a row that another process has just committed; a locking read shows it.
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
        "state": Standing.SELF,
        "is_self": "T",
    }
    _insert_or_ignore(db, values, now)


def _insert_or_ignore(db: Any, values: Mapping[str, str], now: datetime) -> None:
    """Insert a row unless one of its unique values is taken; a transaction goes on in either case."""
    row = {**values, "sync_count": 0, "last_update": str(now), "created_on": str(now)}
    quote = db._adapter.dialect.quote
    verb, tail = _INSERT[db._adapter.dbengine]
    columns = ", ".join(quote(column) for column in row)
    mark = "?" if db._adapter.dbengine == "sqlite" else "%s"
    marks = ", ".join(mark for _ in row)
    db.executesql(f"{verb} {quote(INSTANCE)} ({columns}) VALUES ({marks}){tail}", tuple(map(_plain, row.values())))


def _plain(value: object) -> object:
    return str(value) if isinstance(value, str) else value


def note_origin(db: Any, origin: Origin, when: datetime, *, counted: bool = True) -> int | None:
    """Note that a file of an instance was imported, and return the id of its row; the caller commits.

    With `counted` it is one exchange more; a synchronisation counts as one by itself. An instance that is not known yet is
    registered. None when the file does not say where it comes from, or when its base uuid is already another instance's,
    whose row then says so. The own row is returned as it is.
    Needs the table to be defined.
    """
    table, uuid = db[INSTANCE], _uuid_of(origin)
    if uuid is None or origin.base_uuid is None:
        return None
    mysql = db._adapter.dbengine == "mysql"
    if mysql:  # one after the other: of two that get to a row by different indexes, which are locked too, one would deadlock
        own = db(table.is_self == True).select(table.id).first()  # noqa: E712
        db(table.id == (own.id if own else 0)).select(table.id, for_update=True)  # by this index alone
    row = _row_with(db, uuid)
    if row is None:
        unnamed = (table.base_uuid == origin.base_uuid) & (table.uuid == None) & (table.is_self == None)  # noqa: E711
        if db(unnamed).isempty() or not db(unnamed).update(uuid=uuid):
            values = {"base_uuid": origin.base_uuid, "uuid": uuid, "name": (origin.name or "")[:100], "state": Standing.KNOWN}
            _insert_or_ignore(db, values, when)
        # MariaDB's snapshot hides a row that another process has just committed; a locking read shows it.
        row = _row_with(db, uuid, for_update=mysql)
    if row is None:
        clash = (table.base_uuid == origin.base_uuid) & (table.is_self == None)  # noqa: E711
        db(clash).update(state=Standing.CLASH)
        return None
    if not row.is_self:
        _touch(db, int(row.id), origin, when, counted)
    return int(row.id)


def _row_with(db: Any, uuid: str, **how: bool) -> Any:
    table = db[INSTANCE]
    return db(table.uuid == uuid).select(table.id, table.is_self, **how).first()


def _touch(db: Any, ident: int, origin: Origin, when: datetime, counted: bool) -> None:
    """Note an exchange with the instance of a row."""
    table = db[INSTANCE]
    this = table.id == ident
    db(this).update(last_update=when, sync_count=table.sync_count.coalesce(0) + (1 if counted else 0))
    db(this & table.state.belongs((Standing.REMOVED, Standing.CLASH))).update(state=Standing.KNOWN)
    if origin.name:
        db(this & ((table.name == None) | (table.name == ""))).update(name=origin.name[:100])  # noqa: E711


def _uuid_of(origin: Origin) -> str | None:
    """The uuid of an origin in its usual form; None when it is none, or has no base uuid beside it."""
    if not origin.instance or not BASE_UUID.match(origin.base_uuid or ""):
        return None
    try:
        return str(uuids.UUID(origin.instance))
    except ValueError:
        return None
