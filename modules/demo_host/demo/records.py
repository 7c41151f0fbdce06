"""Records before they have row numbers: known by table and key, referring to each other by the same."""

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

OFFICES = {"main": "1a0e", "jacmel": "7ac3"}
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://www.sahanafoundation.org/")
BEGIN = datetime(2023, 1, 9, 8)
SPAN_MINUTES = 3 * 365 * 24 * 60


class Ref(NamedTuple):
    """A reference to the record `key` of `table`."""

    table: str
    key: str


@dataclass(slots=True)
class Record:
    """One record; `older` holds the values that its author has since revised."""

    ref: Ref
    author: str
    values: dict[str, Any]
    regional: bool = False
    older: dict[str, Any] | None = None

    @property
    def uuid(self) -> str:
        """A valid UUID, always the same, that begins with its author's four digits."""
        return OFFICES[self.author] + str(uuid.uuid5(NAMESPACE, "/".join(self.ref)))[4:]

    @property
    def created_on(self) -> datetime:
        """When its author made it: any minute of three years, always the same."""
        return BEGIN + timedelta(minutes=number(self.ref, SPAN_MINUTES))

    @property
    def modified_on(self) -> datetime:
        """When its author last changed it."""
        days = 30 + number(self.ref, 90) if self.older is not None else 0
        return self.created_on + timedelta(days=days)

    def refs(self) -> Iterator[Ref]:
        """Every record it refers to."""
        for value in self.values.values():
            if isinstance(value, Ref):
                yield value
            elif isinstance(value, list):
                yield from (item for item in value if isinstance(item, Ref))


def number(ref: Ref, limit: int) -> int:
    """A number below `limit` that belongs to the record, the same in every process."""
    digest = hashlib.blake2s("/".join(ref).encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % limit


@dataclass(slots=True)
class Universe:
    """All records of all offices, in the order they were made; each table draws from its own random numbers."""

    records: dict[Ref, Record] = field(default_factory=dict)

    def add(self, table: str, key: str, author: str = "main", regional: bool = False, **values: Any) -> Record:
        """Make a record."""
        record = Record(Ref(table, key), author, values, regional)
        self.records[record.ref] = record
        return record

    def table(self, name: str) -> list[Record]:
        """All records of a table."""
        return [record for ref, record in self.records.items() if ref.table == name]

    def closed(self, seeds: Iterable[Record]) -> set[Ref]:
        """The seeds and all that they refer to, directly or not."""
        found: set[Ref] = set()
        waiting = [seed.ref for seed in seeds]
        while waiting:
            ref = waiting.pop()
            if ref not in found:
                found.add(ref)
                waiting.extend(self.records[ref].refs())
        return found


def random_for(table: str) -> Random:
    """The random numbers of one table: independent of the others, the same at every start."""
    return Random(f"demo/{table}")


def revise(record: Record, **values: Any) -> None:
    """Let the record's author change it: what it says now is kept as older."""
    record.older = {name: record.values[name] for name in values}
    record.values.update(values)
