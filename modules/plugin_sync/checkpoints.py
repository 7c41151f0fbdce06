"""What the last file for somebody held, so that the next one holds only what has changed since.

A checkpoint is a file: for each exported record its id and a digest of its cells. It asks no clock, and sees records
that came by imports with times long past. A zip archive with a member a table, 16 bytes a record in the order of ids.
"""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from .errors import SettingsError
from .formats.csv import CsvReader
from .stores.reading import Rows

ENTRY = struct.Struct("<q8s")  # id, digest
READ_BYTES = ENTRY.size << 12


class Checkpoint:
    """One file's records. Reads `since`, where there is one, and writes `target`, where that is asked for."""

    def __init__(self, since: Path | None = None, target: Path | None = None) -> None:
        self._since = _open(since) if since else None
        self._target = zipfile.ZipFile(target, "w") if target else None

    def changed(self, table: str, batches: Iterable[Rows]) -> Iterator[Rows]:
        """Yield of each batch the rows that are new or have changed; their first cell is the id, in which they ascend."""
        entries = self._entries(table)
        ident, digest = next(entries, (None, b""))
        target = self._target.open(f"{table}", "w", force_zip64=True) if self._target is not None else None
        try:
            for batch in batches:
                kept, written = [], []
                for row in batch:
                    number, now = int(str(row[0])), _digest(row)
                    while ident is not None and ident < number:
                        ident, digest = next(entries, (None, b""))
                    if ident != number or digest != now:
                        kept.append(row)
                    written.append(ENTRY.pack(number, now))
                if target is not None:
                    target.write(b"".join(written))
                yield kept
        finally:
            if target is not None:
                target.close()

    def finish(self) -> None:
        """Take over what the former file held of tables that are not in this one, and close both."""
        if self._since is not None and self._target is not None:
            for name in set(self._since.namelist()) - set(self._target.namelist()):
                self._target.writestr(name, self._since.read(name))
        for archive in (self._since, self._target):
            if archive is not None:
                archive.close()

    def _entries(self, table: str) -> Iterator[tuple[int, bytes]]:
        if self._since is None or table not in self._since.namelist():
            return
        with self._since.open(table) as member:
            while data := member.read(READ_BYTES):
                yield from ENTRY.iter_unpack(data)


def note_records(since: Path | None, target: Path, files: Mapping[Path, frozenset[str]]) -> None:
    """Write a checkpoint that is `since`, with what it says of the records in `files` replaced.

    They are in our CSV form; with each stands which of its tables are passed over.
    """
    base, noted = Checkpoint(since), _noted(files)
    with contextlib.ExitStack() as stack, zipfile.ZipFile(target, "w") as new:
        if base._since is not None:
            stack.enter_context(base._since)
        before = base._since.namelist() if base._since is not None else ()
        for name in dict.fromkeys((*before, *noted)):
            last = None
            with new.open(name, "w", force_zip64=True) as member:
                for number, _, digest in heapq.merge(*_ranked(noted.get(name, ()), base._entries(name))):
                    if number != last:  # of two that say something of one record the one noted comes first
                        member.write(ENTRY.pack(number, digest))
                    last = number


def _noted(files: Mapping[Path, frozenset[str]]) -> dict[str, list[bytes]]:
    """Return by table the entries of the records in each file, in the order of their ids; 16 bytes each."""
    found: dict[str, list[bytes]] = {}
    for path, left_out in files.items():
        with path.open("rb") as file:
            for section in CsvReader(file).sections():
                entries = bytearray()
                for batch in section.batches:
                    entries += b"".join(ENTRY.pack(int(row[0]), _digest(row)) for row in batch.rows)
                if section.table not in left_out:
                    found.setdefault(section.table, []).append(bytes(entries))
    return found


def _ranked(noted: Iterable[bytes], before: Iterable[tuple[int, bytes]]) -> Iterator[Iterator[tuple[int, int, bytes]]]:
    for entries in noted:
        yield ((number, 0, digest) for number, digest in ENTRY.iter_unpack(entries))
    yield ((number, 1, digest) for number, digest in before)


def _digest(row: Sequence[object]) -> bytes:
    return hashlib.blake2b("\x1f".join(map(str, row[1:])).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _open(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as exc:
        raise SettingsError(f"the checkpoint cannot be read: {exc}", hint="Export everything instead.") from exc
