"""What was last sent to each instance: checkpoints on disk, so that the next file for it holds only what changed since.

The last checkpoint of an instance is KEY, the one before it KEY.previous: a file that was lost on its way is made again
from that. A new one gets a temporary name and takes the place over only when its file was complete.
"""

from __future__ import annotations

import os
import re
import time
import uuid as uuids
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from .checkpoints import note_records
from .errors import SettingsError
from .register import Peer

LEFT_S = 2 * 86_400
_KEY = re.compile(r"[0-9a-f]{4}([0-9a-f]{4}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?\Z")


class Since(StrEnum):
    """What a file for an instance holds."""

    ALL = "all"
    CHANGES = "changes"  # since its last file
    AGAIN = "again"  # its last file was lost: since the one before


@dataclass(frozen=True, slots=True)
class Taking:
    """One file in the making: the checkpoint to start from, where its own is noted, and how it takes over."""

    since: Path | None
    checkpoint: Path
    take_over: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Sent:
    """The folder of checkpoints."""

    folder: Path

    def made_on(self, peer: Peer) -> datetime | None:
        """Return when the last file for an instance was made, in UTC; None when there was none."""
        path = self._last(peer)
        try:
            moment = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except FileNotFoundError:
            return None
        return moment.replace(tzinfo=None, microsecond=0)

    @contextmanager
    def taking(self, peer: Peer, since: Since) -> Iterator[Taking]:
        """Give what an export for an instance needs; what it noted is thrown away unless it took over.

        Raises SettingsError for changes since a file that never was.
        """
        start = self.start(peer, since)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        part = self.folder / f"{uuids.uuid4()}.part"
        try:
            yield Taking(start, part, lambda: self.take_over(peer, part, since))
        finally:
            part.unlink(missing_ok=True)

    def start(self, peer: Peer, since: Since) -> Path | None:
        """Return the checkpoint that a file starts from, None where it holds all; SettingsError as `taking`."""
        last = self._last(peer)
        if since is not Since.ALL and not last.exists():
            raise SettingsError("no file was made for this office yet", hint="Export everything for it first.")
        before = last.with_name(f"{last.name}.previous")
        return {Since.ALL: None, Since.CHANGES: last, Since.AGAIN: before if before.exists() else None}[since]

    def note(self, peer: Peer, files: Mapping[Path, frozenset[str]]) -> None:
        """Note that an instance has records as they are in `files`, which an import from it left behind (`keeping`).

        So they are not sent back; with each file stand tables of which that is not known. It holds whether the import is
        carried out or not: it is they who sent them.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        last, part = self._last(peer), self.folder / f"{uuids.uuid4()}.part"
        try:
            note_records(last if last.exists() else None, part, files)
            part.replace(self._path(peer.key))
        finally:
            part.unlink(missing_ok=True)

    def forget(self, peer: Peer) -> None:
        """Remove the checkpoints of an instance: the next file for it holds everything."""
        for key in {peer.key, peer.base_uuid}:
            for name in (key, f"{key}.previous"):
                self._path(name).unlink(missing_ok=True)

    def take_over(self, peer: Peer, part: Path, since: Since) -> None:
        """Make `part` the last checkpoint; the last one becomes the previous, unless its file was lost."""
        last, target = self._last(peer), self._path(peer.key)
        if last.exists():
            _keep_missing(last, part)
            if since is not Since.AGAIN:
                last.replace(target.with_name(f"{target.name}.previous"))
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.utime(part)
        part.replace(target)

    def _sweep(self) -> None:
        """Remove what processes that were killed have left."""
        for path in self.folder.glob("*.part"):
            if path.stat().st_mtime < time.time() - LEFT_S:
                path.unlink(missing_ok=True)

    def _last(self, peer: Peer) -> Path:
        """The last checkpoint's path: by the base uuid where the uuid was not known when it was made."""
        path, older = self._path(peer.key), self._path(peer.base_uuid)
        return path if path.exists() or not older.exists() else older

    def _path(self, name: str) -> Path:
        if not _KEY.match(name.removesuffix(".previous")):
            raise SettingsError(f"{name!r} is no code of an instance")
        return self.folder / name


def _keep_missing(last: Path, part: Path) -> None:
    """Copy from the last checkpoint what it says of tables that were not asked for this time."""
    with zipfile.ZipFile(last) as old, zipfile.ZipFile(part, "a") as new:
        for name in set(old.namelist()) - set(new.namelist()):
            new.writestr(name, old.read(name))
