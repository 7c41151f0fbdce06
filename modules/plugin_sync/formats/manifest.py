"""What a bundle says of itself: who made it, its tables with their columns and counts, its files, the sha256 of each.

JSON, of one version. Read strictly: what is not just as written here is refused before anything else of the bundle is looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import FileFormatError
from ..records import Origin
from ..values.texts import UPLOAD_NAME
from .archive import COPY_AGAIN, MEMBER
from .footer import UPDATE_HINT

FORMAT, VERSION = "plugin_sync bundle", 1
MAX_MANIFEST = 64 << 20  # bytes
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TableMember:
    """One table: the member that holds its CSV, its columns with their types, and its rows."""

    name: str
    member: str
    rows: int
    size: int
    sha256: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FileMember:
    """One uploaded file: the member that holds it, and the field and stored name by which records of the bundle know it."""

    member: str
    table: str
    field: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A file that records name and that was not there when the bundle was made."""

    table: str
    field: str
    name: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that a bundle says of itself."""

    origin: Origin
    tables: tuple[TableMember, ...] = ()
    files: tuple[FileMember, ...] = ()
    missing: tuple[Missing, ...] = ()
    rows: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", {table.name: table.rows for table in self.tables})

    @property
    def members(self) -> dict[str, int]:
        """The size of each member that the bundle holds beside this."""
        return {m.member: m.size for m in self.tables} | {m.member: m.size for m in self.files}

    def dump(self) -> bytes:
        """Return it as JSON."""
        origin = {**asdict(self.origin), "version": VERSION}
        tables, files, missing = list(map(asdict, self.tables)), list(map(asdict, self.files)), list(map(asdict, self.missing))
        values = {"format": FORMAT, **origin, "tables": tables, "files": files, "missing": missing}
        return json.dumps(values, separators=(",", ":")).encode("ascii") + b"\n"


def load_manifest(data: bytes) -> Manifest:
    """Return what `dump` wrote; raises FileFormatError for anything else."""
    try:
        values = json.loads(data)
        if values["format"] == FORMAT and values["version"] != VERSION:
            raise FileFormatError(f"the file is of version {values['version']}, this program knows {VERSION}", hint=UPDATE_HINT)
        manifest = Manifest(
            Origin(**{k: _text(values[k], 300) for k in ("base_uuid", "instance", "name", "made_utc")}, version=VERSION),
            tuple(_table(**told) for told in values["tables"]),
            tuple(_file(**told) for told in values["files"]),
            tuple(_missing(**told) for told in values["missing"]),
        )
        _require(values["format"] == FORMAT and _all_differ(manifest))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise FileFormatError("the bundle's manifest is damaged", hint=COPY_AGAIN) from exc
    return manifest


def _table(name: str, member: str, rows: int, size: int, sha256: str, columns: list[Any]) -> TableMember:
    found = tuple((_name(column), _name(kind)) for column, kind in columns)
    _require(member == f"tables/{_name(name)}.csv" and MEMBER.fullmatch(member) is not None)
    return TableMember(name, member, _count(rows), _count(size), _hash(sha256), found)


def _file(member: str, table: str, field: str, name: str, size: int, sha256: str) -> FileMember:
    _require(member.startswith("uploads/") and MEMBER.fullmatch(member) is not None)
    _require(UPLOAD_NAME.match(name) is not None and len(name) <= 1024)
    return FileMember(member, _name(table), _name(field), name, _count(size), _hash(sha256))


def _missing(table: str, field: str, name: str) -> Missing:
    return Missing(_name(table), _name(field), _text(name, 1024) or "")


def _hash(value: str) -> str:
    _require(_SHA256.fullmatch(value) is not None)
    return value


def _count(value: Any) -> int:
    _require(type(value) is int and value >= 0)
    return int(value)


def _name(value: Any) -> str:
    _require(isinstance(value, str) and 0 < len(value) <= 300)
    return str(value)


def _text(value: Any, length: int) -> str | None:
    _require(value is None or (isinstance(value, str) and len(value) <= length))
    return None if value is None else str(value)


def _all_differ(manifest: Manifest) -> bool:
    """Whether no member, no table and no file of a field is named twice."""
    tables = {table.name.lower() for table in manifest.tables}
    files = {(file.table, file.field, file.name) for file in manifest.files}
    given = len(manifest.tables), len(manifest.files)
    return (len(tables), len(files)) == given and len(manifest.members) == sum(given)


def _require(right: bool) -> None:
    if not right:
        raise ValueError
