"""Reading a bundle: signature, manifest and list of members first, then a table after the other, each unpacked and hashed.

A table is unpacked into a temporary file, so that its hash is right before its first row is parted, and a database may take
its bytes as it takes those of a CSV. Uploaded files are only handed out; where they go is the business of others.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from ..errors import FileAltered, FileFormatError, SyncError
from .archive import CHUNK, COPY_AGAIN, MANIFEST, OTHER_PROGRAM, SIGNATURE, Archive
from .blocks import RawRows
from .contract import Attachment, Dialect, Reading, Section
from .csv import CsvReader
from .footer import Footer
from .manifest import MAX_MANIFEST, Manifest, load_manifest

MAX_SIGNATURE = 1024  # bytes
STARTS = (b"tables/", b"uploads/", b"manifest.")


def is_bundle(start: bytes) -> bool:
    """Whether a file begins as a zip whose first member is one of a bundle's."""
    return start.startswith(b"PK\3\4") and start[30:].startswith(STARTS)


def told_rows(file: Any) -> int:
    """Return how many rows a bundle says it holds, 0 for one that is not sound; its import will say what is wrong."""
    try:
        data = Archive(file).read(MANIFEST, MAX_MANIFEST)
        return sum(int(table["rows"]) for table in json.loads(data)["tables"])
    except (SyncError, ValueError, KeyError, TypeError, RecursionError):
        return 0


class BundleReader:
    """Reads a bundle once; all of it but tables and files is judged at once, and refused with a FileProblem."""

    def __init__(self, fileobj: Any, reading: Reading = Reading()) -> None:  # noqa: B008  # frozen
        self._file = getattr(fileobj, "buffer", fileobj)
        self._start = self._file.tell()
        self._archive = Archive(self._file)
        if MANIFEST not in self._archive.members:
            raise _lacking(MANIFEST)
        data = self._archive.read(MANIFEST, MAX_MANIFEST)
        signed = SIGNATURE in self._archive.members
        signer = reading.trust.signer_of(data, self._archive.read(SIGNATURE, MAX_SIGNATURE) if signed else None)
        self._manifest = load_manifest(data)
        reading.trust.require_origin(signer, self._manifest.origin)
        _require_members(self._archive, self._manifest)
        self.attachments = BundleFiles(self._archive, self._manifest)
        self.footer: Footer | None = None
        self.raw: RawRows | None = None

    def sections(self) -> Iterator[Section]:
        """Yield the tables; raises FileAltered before the first row of one whose hash is another."""
        for table in self._manifest.tables:
            with self._unpacked(table.member, table.sha256) as file:
                reader = CsvReader(file, Reading(Dialect(table=table.name)))
                for section in reader.only_table():
                    self.raw = reader.raw
                    yield section
        self.footer = Footer(self._manifest.origin, self._manifest.rows)

    @contextmanager
    def _unpacked(self, member: str, sha256: str) -> Iterator[IO[bytes]]:
        with tempfile.TemporaryFile() as file:
            file.writelines(_verified(self._archive, member, sha256))
            file.seek(0)
            yield file

    @property
    def sha256(self) -> str:
        """The hash of the whole file."""
        digest = hashlib.sha256()
        self._file.seek(self._start)
        while data := self._file.read(CHUNK):
            digest.update(data)
        return digest.hexdigest()

    @property
    def size_bytes(self) -> int:
        """How large the file is."""
        return self._archive.size_bytes


class BundleFiles:
    """The uploaded files of a bundle."""

    def __init__(self, archive: Archive, manifest: Manifest) -> None:
        self._archive = archive
        self._members = {(f.table, f.field, f.name): f.member for f in manifest.files}
        self.files = [Attachment(f.table, f.field, f.name, f.size, f.sha256) for f in manifest.files]
        self.missing = [Attachment(m.table, m.field, m.name, 0, "") for m in manifest.missing]

    def pieces(self, file: Attachment) -> Iterator[bytes]:
        """Yield the bytes of a file; raises FileAltered at the end when they are not those of its hash."""
        return _verified(self._archive, self._members[file.table, file.field, file.name], file.sha256)


def _verified(archive: Archive, member: str, sha256: str) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for piece in archive.pieces(member):
        digest.update(piece)
        yield piece
    if digest.hexdigest() != sha256:
        message = f"the bundle's file {member} is not as it was written: it was damaged or edited"
        raise FileAltered(message, hint=COPY_AGAIN)


def _require_members(archive: Archive, manifest: Manifest) -> None:
    """Refuse a bundle that holds other members, or of other sizes, than its manifest lists."""
    listed = manifest.members
    for name, size in listed.items():
        if name not in archive.members:
            raise _lacking(name)
        if archive.members[name].size != size:
            message = f"the bundle's file {name} is not as it was written: it was damaged or edited"
            raise FileAltered(message, hint=COPY_AGAIN)
    for name in archive.members:
        if name not in listed and name not in (MANIFEST, SIGNATURE):
            message = f"the bundle holds a file called {name[:100]!r}, which no bundle has"
            raise FileFormatError(message, hint=OTHER_PROGRAM)


def _lacking(name: str) -> FileAltered:
    return FileAltered(f"the bundle lacks the file {name}", hint=COPY_AGAIN)
