"""The files of upload fields: where the host keeps them, what they may be called, how they are put in place.

No name that a file brings leads out of the folder of its field, and nothing here ever removes or overwrites a file that it has
not made. Fields that keep their files in the database have none here: their columns travel as data.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import uuid as uuids
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import FileAltered, StoreError
from .records import TableSpec
from .values.texts import UPLOAD_NAME

# As pyDAL reads stored names: table.field.TOKEN.NAME.extension
STORED_NAME = re.compile(r"\w+\.\w+\.(?P<token>[\w-]+)(\.(?P<name>\S+))?\.(?P<extension>\w+)\Z", re.ASCII)
EXTENSION = re.compile(r"\.([A-Za-z0-9_]{1,5})\Z")
UNTOLD = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069'\";\s]+")
MAX_NAME = 240  # bytes; file systems take 255
CHUNK = 1 << 18
DISK_HINT = "Look at the free space of the disk and at the rights of the folder."


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the files of one field lie; `separate`: in folders by field and by the first characters of their tokens."""

    folder: Path
    separate: bool
    length: int

    def path(self, name: str) -> Path | None:
        """Return where a file lies or would lie; None for a name that is none, or that leads elsewhere."""
        if not UPLOAD_NAME.match(name) or len(name.encode("utf-8", "replace")) > 255:
            return None
        folder = self.folder
        if self.separate:
            match = STORED_NAME.match(name)
            if match is None:
                return None
            table, column, _ = name.split(".", 2)
            folder = folder / f"{table}.{column}" / match["token"][:2]
        path = folder / name
        return path if path.resolve().parent.is_relative_to(self.folder.resolve()) and not path.is_symlink() else None


@dataclass(frozen=True, slots=True)
class Uploads:
    """The fields of an application that keep their files in folders."""

    shelves: Mapping[tuple[str, str], Shelf] = field(default_factory=dict)

    def shelf(self, table: str, column: str) -> Shelf | None:
        """Return where the files of a field lie; None where they are no files."""
        return self.shelves.get((table, column))

    def file(self, table: str, column: str, name: str) -> Path | None:
        """Return the path of a file that is there."""
        shelf = self.shelf(table, column)
        path = shelf.path(name) if shelf is not None and name else None
        return path if path is not None and path.is_file() else None


def read_uploads(db: Any, specs: Iterable[TableSpec], folder: Path | None = None) -> Uploads:
    """Return where upload fields keep their files; `folder` is the application's, else the one that pyDAL would take."""
    home = db._adapter.folder
    default = folder or (Path(home).parent / "uploads" if home else None)
    shelves = {}
    for spec in specs:
        for column in spec.fields:
            shelf = _shelf(db[spec.name][column.name], default) if column.type == "upload" else None
            if shelf is not None:
                shelves[spec.name, column.name] = shelf
    return Uploads(shelves)


def _shelf(declared: Any, default: Path | None) -> Shelf | None:
    elsewhere = declared.uploadfield is not True or declared.uploadfs or declared.custom_store or declared.custom_retrieve
    folder = Path(declared.uploadfolder) if declared.uploadfolder else default
    return None if elsewhere or folder is None else Shelf(folder, bool(declared.uploadseparate), declared.length)


# ---- names


def arrival_name(table: str, column: str, sent: str, facts: tuple[str, str], length: int = MAX_NAME) -> str:
    """Return the name under which a file is kept here: the same for the same record and content, whenever it comes.

    `sent` is its stored name at the sender, `facts` what tells the record, and the sha256 of the content.
    """
    token = hashlib.sha256("\0".join((table, column, *facts)).encode("utf-8", "replace")).hexdigest()[:16]
    stem, extension = _given_name(sent)
    start = f"{table}.{column}.{token}"
    room = (min(length, MAX_NAME) - len(start) - len(extension) - 2) // 2 - len(extension) - 1
    cut = stem.encode("utf-8", "replace")[: max(room, 0)].decode("utf-8", "ignore")
    told = f"{cut}.{extension}".encode().hex() if cut else ""
    return ".".join(part for part in (start, told, extension) if part)


def _given_name(sent: str) -> tuple[str, str]:
    """Return stem and extension of the name that people gave a file, without what would do harm in a folder or a header."""
    match = STORED_NAME.match(sent)
    given = _decoded(match["name"]) if match is not None and match["name"] else ""
    given = UNTOLD.sub("_", re.split(r"[/\\]", given)[-1]).strip("._")
    found = EXTENSION.search(given) or EXTENSION.search(sent)
    extension = found[1] if found else "txt"
    return given.removesuffix(f".{extension}") or "file", extension


def _decoded(coded: str) -> str:
    """Return a name that pyDAL has written in hexadecimal digits, as it once did, or in base 64."""
    for decode in (bytes.fromhex, base64.urlsafe_b64decode):
        try:
            return decode(coded).decode("utf-8")
        except ValueError:  # binascii.Error is one
            continue
    return ""


# ---- contents


def read_pieces(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file."""
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece


def holds(path: Path, size: int, sha256: str) -> bool:
    """Whether a file has a content."""
    try:
        if path.stat().st_size != size:
            return False
        digest = hashlib.sha256()
        for piece in read_pieces(path):
            digest.update(piece)
    except OSError:
        return False
    return digest.hexdigest() == sha256


class Placing:
    """Files that one import puts in place, so that they can be taken away again when it fails.

    They are written under names of their own first; `settle` puts them in place, each whole.
    """

    def __init__(self) -> None:
        self._parts: list[tuple[Path, Path]] = []
        self._made: list[Path] = []

    def put(self, path: Path, pieces: Iterable[bytes], sha256: str) -> None:
        """Write a file that is to be put in place; raises FileAltered for other bytes than those of the hash."""
        part = path.with_name(f".{uuids.uuid4()}.part")
        digest = hashlib.sha256()
        with _translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._parts.append((part, path))
            with part.open("xb") as file:
                for piece in pieces:
                    digest.update(piece)
                    file.write(piece)
        if digest.hexdigest() != sha256:
            raise FileAltered("an uploaded file is not as it was written: it was damaged or edited")

    def settle(self) -> None:
        """Put the files in place, to stay there also after a power loss.

        Their bytes are flushed together: after the first, the others are mostly written already.
        """
        with _translated():
            for part, _ in self._parts:
                _flush(part)
            while self._parts:
                part, path = self._parts[-1]
                if not path.exists():
                    self._made.append(path)
                part.replace(path)
                self._parts.pop()
            for folder in {path.parent for path in self._made}:
                _flush(folder)

    def withdraw(self) -> None:
        """Take away what was put where nothing was."""
        for part, _ in self._parts:
            part.unlink(missing_ok=True)
        self._parts.clear()
        while self._made:
            self._made.pop().unlink(missing_ok=True)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise StoreError(f"an uploaded file cannot be put in place: {exc.strerror}", hint=DISK_HINT) from exc


def _flush(path: Path) -> None:
    """Let what was written to a file, or the names in a folder, reach the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
