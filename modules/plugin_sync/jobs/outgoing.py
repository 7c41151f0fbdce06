"""Files for an instance whose receiver says that he has them: only then the checkpoint moves.

A lost answer so leads to the same being sent again, never to something that is not sent.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..connections import own_connection
from ..exporter import Export
from ..formats.registry import BUNDLE, CSV, Format
from ..instances import Instance, utc_now
from ..register import Peer
from ..sent import Sent, Since
from ..settings import Settings
from ..signing import Signer
from ..wishes import Extent
from .downloads import Download, Made, Target


@dataclass(frozen=True, slots=True)
class Choice:
    """What a file holds: tables by name, all that travel when none is named; what changed, or all."""

    tables: tuple[str, ...] | None = None
    extent: Extent = Extent.ALL
    module: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A file that was made, and the checkpoint that it leads to."""

    path: Path
    checkpoint: Path
    choice: Choice
    since: Since
    made: Made
    started_on: datetime

    def remove(self) -> None:
        """Remove both files."""
        self.path.unlink(missing_ok=True)
        self.checkpoint.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Sender:
    """Makes files for one instance, or for a user when `peer` is None, in a folder; and remembers those that were taken.

    An instance gets bundles, so that uploaded files come along, signed where there is a key; a user gets CSV.
    """

    settings: Settings
    instance: Instance
    sent: Sent
    peer: Peer | None
    user_id: int | None = None
    uploads: Path | None = None
    signer: Callable[[], Signer | None] = lambda: None

    @property
    def form(self) -> Format:
        """The format of its files."""
        return BUNDLE if self.peer else CSV

    def make(self, db: Any, choice: Choice, path: Path, note: Callable[[], object] = lambda: None) -> Outgoing:
        """Write a file, read through a connection of its own; `note` is called on the way, and may raise."""
        since = self._since(choice)
        started_on, checkpoint = utc_now(), path.with_suffix(".checkpoint")
        start = self.sent.start(self.peer, since) if self.peer else None
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with own_connection(db) as own:
                export = Export(
                    own,
                    choice.tables,
                    choice.module,
                    settings=self.settings,
                    instance=self.instance,
                    since=start,
                    checkpoint=checkpoint if self.peer else None,
                    form=self.form,
                    uploads=self.uploads,
                    signer=self.signer() if self.peer else None,
                )
                sha256, size_bytes = _write(export, path, note)
        except BaseException:
            path.unlink(missing_ok=True)
            checkpoint.unlink(missing_ok=True)
            raise
        made = Made(size_bytes, sha256, dict(export.report.rows))
        return Outgoing(path, checkpoint, choice, since, made, started_on)

    def confirm(self, db: Any, outgoing: Outgoing, file_name: str, *, whole: bool = True) -> None:
        """Remember that a file was taken, and commit; the next one starts from it where it was taken as a `whole`."""
        choice = outgoing.choice
        target = Target(self.peer, outgoing.since, self.sent) if self.peer else None
        download = Download(self.settings, self.instance, choice.module, choice.tables, self.user_id, file_name, target)
        download.record(db, outgoing.started_on, outgoing.made)
        db.commit()
        self.take_over(outgoing, whole=whole)

    def take_over(self, outgoing: Outgoing, *, whole: bool = True) -> None:
        """Let the next file start from this one, where it was taken as a `whole`, and remove it."""
        if whole and self.peer is not None:
            self.sent.folder.mkdir(parents=True, exist_ok=True)
            self.sent.take_over(self.peer, outgoing.checkpoint, outgoing.since)
        outgoing.remove()

    def _since(self, choice: Choice) -> Since:
        known = self.peer is not None and self.sent.made_on(self.peer) is not None
        return Since.CHANGES if known and choice.extent is Extent.CHANGES else Since.ALL


def _write(export: Iterable[bytes], path: Path, note: Callable[[], object]) -> tuple[str, int]:
    """Write a file that is whole; return its sha256 and size."""
    digest, size_bytes = hashlib.sha256(), 0
    with path.open("wb") as file:
        for data in export:
            digest.update(data)
            size_bytes += len(data)
            file.write(data)
            note()
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest(), size_bytes
