"""The files that commands read and write: named ones, and the standard streams as `-`."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .context import Context
from .exits import Exit, Refusal

STREAM = "-"
STDIN_NAME = "stdin"


@contextmanager
def opened(context: Context, name: str) -> Iterator[BinaryIO]:
    """Give a file to read from, or stdin."""
    if name == STREAM:
        yield context.stdin
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115  closed below; its own faults are told apart from those of the block
    except OSError as exc:
        raise Refusal(Exit.UNREADABLE, f"{name} cannot be read: {exc.strerror}", "Check the name and who may read it.") from exc
    with file:
        yield file


@contextmanager
def located(context: Context, name: str) -> Iterator[Path]:
    """Give the path of a file to read; what comes by stdin is kept in a temporary one meanwhile."""
    with opened(context, name) as source:
        if name != STREAM:
            yield Path(name)
            return
        with tempfile.NamedTemporaryFile(prefix="plugin_sync-") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            yield Path(copy.name)


def shown_name(name: str) -> str:
    """Return what a file is called in the history."""
    return STDIN_NAME if name == STREAM else Path(name).name


class Replacement:
    """A file that comes into its place whole or not at all: written under another name beside it, then renamed."""

    def __init__(self, name: str) -> None:
        self.path = Path(name)
        self.part = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.part")
        self.file: BinaryIO

    @contextmanager
    def writing(self) -> Iterator[Replacement]:
        """Open it; what was not put in its place by `keep` is removed at the end. Raises Refusal for faults of the disk."""
        try:
            if self.path.is_dir():
                raise IsADirectoryError(0, "it is a folder")
            self.file = self.part.open("xb")
        except OSError as exc:
            raise self._refused(exc) from exc
        try:
            with self.file:
                yield self
        except OSError as exc:
            raise self._refused(exc) from exc
        finally:
            self.part.unlink(missing_ok=True)

    def _refused(self, exc: OSError) -> Refusal:
        hint = "Check the folder, who may write there, and the space on the disk."
        return Refusal(Exit.UNWRITABLE, f"{self.path} cannot be written: {exc.strerror or exc}", hint)

    def keep(self) -> None:
        """Put the file in its place, on the disk for good."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.part.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_whole(name: str, pieces: Iterable[bytes]) -> int:
    """Write a file whole or not at all; return its size in bytes."""
    size_bytes = 0
    with Replacement(name).writing() as target:
        for piece in pieces:
            target.file.write(piece)
            size_bytes += len(piece)
        target.keep()
    return size_bytes
