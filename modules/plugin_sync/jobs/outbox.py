"""Files of changes that are made on schedule, one for each active instance, and lie ready to be taken away.

A file stands in the outbox before the checkpoint that it leads to takes over: whatever stops this, no change is lost.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..errors import SettingsError, SyncError
from ..instances import Instance, Standing, utc_now
from ..register import Peer, list_peers
from ..sent import Sent, Since
from ..settings import Settings
from .downloads import Download, Made, Target

_NAME = re.compile(r"([0-9a-f]{4})-(\d{8}T\d{6}Z)\.csv\Z")
_TIME = "%Y%m%dT%H%M%SZ"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A file that lies ready: its name, the instance it is for, when it was made (UTC) and its size."""

    name: str
    base_uuid: str
    made_on: datetime
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Outbox:
    """The folder of files, and what was sent last."""

    folder: Path
    sent: Sent
    clock: Callable[[], datetime] = utc_now

    def fill(self, db: Any, settings: Settings, instance: Instance) -> list[str]:
        """Make a file of changes for each active instance for which there are any; return their names.

        Nothing is done while another process does it. A file that cannot be made is remembered as failed, and the
        others are made; commits.
        """
        made: list[str] = []
        with self._alone() as alone:
            for peer in list_peers(db) if alone else ():
                if peer.state is Standing.KNOWN:
                    made += self._make(db, settings, instance, peer)
        return made

    def _make(self, db: Any, settings: Settings, instance: Instance, peer: Peer) -> list[str]:
        name = f"{peer.base_uuid}-{self.clock():{_TIME}}.csv"
        since = Since.CHANGES if self.sent.made_on(peer) else Since.ALL
        download = Download(settings, instance, file_name=name, target=Target(peer, since, self.sent))
        part = self.folder / f"{name}.part"
        try:
            if self._write(db, download, part):
                return [name]
        except SyncError as error:
            log.warning("no file for %s: %s", peer.base_uuid, error)
            db.rollback()
            download.record_failure(db, error)
        finally:
            part.unlink(missing_ok=True)
        return []

    def _write(self, db: Any, download: Download, part: Path) -> bool:
        """Write a file and put it in its place; whether there was anything to write."""
        with part.open("wb") as file:

            def finish(made: Made) -> bool:
                if not sum(made.rows.values()):
                    return False
                file.flush()
                os.fsync(file.fileno())
                part.replace(self.folder / download.file_name)
                return True

            for chunk in download.write(db, finish):
                file.write(chunk)
        return (self.folder / download.file_name).exists()

    def parcels(self) -> list[Parcel]:
        """Return what lies ready, latest first."""
        found = []
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if match := _NAME.match(path.name):
                made_on = datetime.strptime(match[2], _TIME).replace(tzinfo=UTC).replace(tzinfo=None)
                found.append(Parcel(path.name, match[1], made_on, path.stat().st_size))
        return sorted(found, key=lambda parcel: (parcel.made_on, parcel.name), reverse=True)

    def path(self, name: str) -> Path:
        """Return where a file lies; SettingsError when there is none."""
        path = self.folder / name
        if not _NAME.match(name) or not path.is_file():
            raise SettingsError("there is no such file any more", hint="Look at the page of the office for what lies ready.")
        return path

    def remove_old(self, days: int) -> list[str]:
        """Remove files made more than `days` ago; return their names."""
        before = self.clock() - timedelta(days=days)
        old = [parcel.name for parcel in self.parcels() if parcel.made_on < before]
        for name in old:
            (self.folder / name).unlink(missing_ok=True)
        return old

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Hold the outbox's lock; False when another process has it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
