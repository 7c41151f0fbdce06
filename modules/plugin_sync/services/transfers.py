"""Data that come and go in pieces: files of a caller in a folder of the plugin's own, thrown away when they grow old.

A piece that is sent or asked for again does no harm, so that a transfer that broke off goes on where it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
import uuid as uuids
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import CallRefused, FileAltered, FileIncomplete, TooLarge
from ..jobs.files import CHUNK_BYTES
from .limits import Limits

OLD_S = 2 * 86_400
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


@dataclass(frozen=True, slots=True)
class Transfers:
    """The folder: NAME.json says whose a transfer is and what of, NAME.data holds its bytes."""

    folder: Path
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], float] = time.time

    def begin(self, owner: str, facts: Mapping[str, Any]) -> str:
        """Return the name of a new transfer; the oldest of its owner's that are open are thrown away for it.

        They were mostly broken off: to refuse a new one would keep out whoever has a bad network.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        opened = self._open(owner)
        for old, found in opened[: max(0, len(opened) + 1 - self.limits.open_transfers)]:
            self.end(old, found)
        name = str(uuids.uuid4())
        self.note(name, {**facts, "owner": owner})
        return name

    def note(self, name: str, facts: Mapping[str, Any]) -> None:
        """Write down what a transfer is, whole or not at all."""
        part = self._path(name, "part")
        part.write_text(json.dumps(facts), encoding="ascii")
        part.replace(self._path(name, "json"))

    def find(self, name: Any, owner: str, kind: str) -> dict[str, Any]:
        """Return what a transfer of an owner is; CallRefused when he has none of the kind by this name."""
        path = self._path(name, "json") if isinstance(name, str) and _UUID.match(name) else None
        try:
            facts: dict[str, Any] = json.loads(path.read_text(encoding="ascii")) if path else {}
        except FileNotFoundError:
            facts = {}
        if facts.get("owner") != owner or facts.get("kind") != kind:
            raise CallRefused("there is no such transfer", hint="Begin a new one.")
        return facts

    def data(self, name: str) -> Path:
        """Return the path of the bytes of a transfer that `find` has found."""
        return self._path(name, "data")

    def read(self, name: str, offset: int, size_bytes: int) -> bytes:
        """Return a piece of a transfer's bytes; none at its end."""
        with self.data(name).open("rb") as file:
            file.seek(max(0, offset))
            return file.read(min(size_bytes, self.limits.piece_bytes))

    def write(self, name: str, facts: Mapping[str, Any], offset: int, data: bytes) -> int:
        """Add a piece and return how many bytes have come; one that has come before is written again.

        Raises CallRefused where pieces before it are missing, TooLarge beyond the announced size.
        """
        if len(data) > self.limits.piece_bytes:
            raise TooLarge("a piece is too large", hint=f"Send {self.limits.piece_bytes:,} bytes at most.")
        path = self.data(name)
        have = path.stat().st_size if path.exists() else 0
        if not 0 <= offset <= have:
            raise CallRefused("a piece is missing before this one", hint=f"Go on at {have}.")
        if offset + len(data) > facts["size"]:
            raise TooLarge("more was sent than was announced", hint="Begin a new transfer.")
        with path.open("r+b" if have else "wb") as file:
            file.seek(offset)
            file.write(data)
        return max(have, offset + len(data))

    def require_whole(self, name: str, facts: Mapping[str, Any]) -> Path:
        """Return the path of bytes that are those announced; FileIncomplete or FileAltered for others."""
        path = self.data(name)
        have = path.stat().st_size if path.exists() else 0
        if have != facts["size"]:
            raise FileIncomplete(f"{have:,} of {facts['size']:,} bytes have come", hint="Send what is missing.")
        with path.open("rb") as file:
            if _digest(file) != facts["sha256"]:
                raise FileAltered("what has come is not what was announced", hint="Begin a new transfer.")
        return path

    def end(self, name: str, facts: Mapping[str, Any]) -> None:
        """Throw away a transfer's bytes; that it was is remembered for a while, so that its end can be told twice."""
        self.note(name, {**facts, "ended": True})
        for kind in ("data", "checkpoint"):
            self._path(name, kind).unlink(missing_ok=True)

    def _open(self, owner: str) -> list[tuple[str, dict[str, Any]]]:
        """The transfers of an owner that have not ended, those that rested longest first."""
        found = []
        for path in self.folder.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):
                facts = json.loads(path.read_text(encoding="ascii"))
                data = self.data(path.stem)
                if facts["owner"] == owner and not facts.get("ended"):
                    found.append(((data if data.exists() else path).stat().st_mtime, path.stem, facts))
        return [(name, facts) for _, name, facts in sorted(found, key=lambda entry: entry[:2])]

    def _sweep(self) -> None:
        for path in self.folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process sweeps too
                if self.clock() - path.stat().st_mtime > OLD_S:
                    path.unlink()

    def _path(self, name: str, kind: str) -> Path:
        return self.folder / f"{name}.{kind}"


def _digest(file: Any) -> str:
    digest = hashlib.sha256()
    while data := file.read(CHUNK_BYTES):
        digest.update(data)
    return digest.hexdigest()
