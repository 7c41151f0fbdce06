"""Writing a bundle: a zip with a CSV a table, the uploaded files that its records name, a manifest of hashes, a signature.

A stream: what zipfile writes is handed on at once. The files come after the tables, when the database is not read any more;
the manifest, which holds the hash of everything, comes last but for its signature.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, cast

from ..errors import FileFormatError
from ..uploads import read_pieces
from ..values.texts import UPLOAD_NAME
from .archive import MANIFEST, MAX_MEMBERS, SIGNATURE
from .contract import Name, Writing
from .manifest import FileMember, Manifest, Missing, TableMember

LEVEL = 3  # of deflate: twice as fast as the usual 6, and 4 % larger
UNKNOWN = "unknown"  # the type of a column that no table here has


class BundleWriter:
    """Turns rows of text into the bytes of a bundle."""

    takes_lines = True

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(cast(IO[bytes], self._sink), "w")
        self._hash = hashlib.sha256()
        self._table: _Table | None = None
        self._tables: list[_Table] = []
        self._names: dict[Name, None] = {}
        self.missing_files: list[Name] = []
        self.size_bytes = 0

    def begin(self, table: str, header: Sequence[str]) -> bytes:
        """Begin a member for the table, with its header."""
        self._table = _Table(table, header, self._writing, self._zip)
        self._tables.append(self._table)
        self._table.write_rows([header])
        return self._taken()

    def rows(self, rows: Sequence[Sequence[object]]) -> bytes:
        """Add some rows, and take note of the files that they name."""
        if self._table is not None:
            self._note(self._table, rows)
            self._table.write_rows(rows)
        return self._taken()

    def raw(self, data: bytes) -> bytes:
        """Add lines of CSV; they are parted into cells only where a column may name files."""
        if self._table is not None:
            if self._table.uploads:
                self._note(self._table, csv.reader(io.StringIO(data.decode("utf-8"), newline="")))
            self._table.write(data)
        return self._taken()

    def end_table(self) -> bytes:
        """End the table's member."""
        if self._table is not None:
            self._table.close()
        self._table = None
        return self._taken()

    def end(self, rows: Mapping[str, int]) -> Iterator[bytes]:
        """Yield the files, the manifest, its signature and the zip's directory."""
        files: list[FileMember] = []
        for name in self._names:
            yield from self._file(name, files)
        tables = tuple(table.member(rows.get(table.name, 0)) for table in self._tables)
        missing = tuple(Missing(*name) for name in self.missing_files)
        manifest = Manifest(self._writing.origin, tables, tuple(files), missing).dump()
        self._zip.writestr(_info(MANIFEST), manifest)
        if self._writing.signer is not None:
            self._zip.writestr(_info(SIGNATURE, zipfile.ZIP_STORED), self._writing.signer.sign(manifest))
        self._zip.close()
        yield self._taken()

    def _file(self, name: Name, files: list[FileMember]) -> Iterator[bytes]:
        """Yield one file; one that is not there, or is not in its folder, is noted as missing."""
        path = self._writing.uploads.file(*name)
        pieces = read_pieces(path) if path is not None else iter(())
        try:
            first = next(pieces, b"") if path is not None else None
        except OSError:
            first = None
        if first is None:
            self.missing_files.append(name)
            return
        member, digest, size = f"uploads/{len(files) + 1:06}", hashlib.sha256(), 0
        with self._zip.open(_info(member, zipfile.ZIP_STORED), "w", force_zip64=True) as target:
            for piece in itertools.chain([first], pieces):
                digest.update(piece)
                size += len(piece)
                target.write(piece)
                yield self._taken()
        files.append(FileMember(member, *name, size, digest.hexdigest()))

    def _note(self, table: _Table, rows: Iterable[Sequence[object]]) -> None:
        for row in rows:
            for position, field in table.uploads:
                name = str(row[position])
                if UPLOAD_NAME.match(name):
                    self._names[table.name, field, name] = None
        if len(self._names) + len(self._tables) + 2 > MAX_MEMBERS:
            raise FileFormatError(f"the bundle holds more than {MAX_MEMBERS:,} files", hint="Export one module at a time.")

    @property
    def sha256(self) -> str:
        """The hash of all bytes made so far."""
        return self._hash.hexdigest()

    def _taken(self) -> bytes:
        data = self._sink.taken()
        self._hash.update(data)
        self.size_bytes += len(data)
        return data


class _Table:
    """A table whose member is being written."""

    def __init__(self, name: str, header: Sequence[str], writing: Writing, archive: zipfile.ZipFile) -> None:
        self.name = name
        self._member = f"tables/{name}.csv"
        self._columns = tuple((column, _type(name, column, writing)) for column in (cell.split(".", 1)[1] for cell in header))
        found = ((i, column) for i, (column, kind) in enumerate(self._columns) if kind == "upload")
        self.uploads = [(i, column) for i, column in found if writing.uploads.shelf(name, column) is not None]
        self._file: IO[bytes] = archive.open(_info(self._member), "w", force_zip64=True)
        self._hash, self._size = hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        """Write lines."""
        self._hash.update(data)
        self._size += len(data)
        self._file.write(data)

    def write_rows(self, rows: Sequence[Sequence[object]]) -> None:
        """Write rows as lines."""
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        self.write(text.getvalue().encode("utf-8"))

    def close(self) -> None:
        """End the member."""
        self._file.close()

    def member(self, rows: int) -> TableMember:
        """Return what the manifest says of it."""
        return TableMember(self.name, self._member, rows, self._size, self._hash.hexdigest(), self._columns)


class _Sink:
    """What zipfile writes into; without `tell` it knows that it cannot go back."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep some bytes until they are taken."""
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: bytes are taken when they are wanted."""

    def taken(self) -> bytes:
        """Return what was written since."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


def _type(table: str, column: str, writing: Writing) -> str:
    spec = writing.specs.get(table)
    found = spec.field(column) if spec is not None else None
    if found is not None:
        return found.type
    return "id" if spec is not None and column == spec.id_name else "uuid" if column.endswith(".uuid") else UNKNOWN


def _info(name: str, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    """Return a member's entry, the same for the same bytes whenever it is made."""
    info = zipfile.ZipInfo(name)
    info.compress_type, info.external_attr = method, 0o100600 << 16
    info._compresslevel = LEVEL  # type: ignore[attr-defined]
    return info
