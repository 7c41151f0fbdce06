"""The members of a bundle's zip: found, judged and unpacked under limits of our own.

Stricter than zip allows: members stand one behind another from the first byte to the directory, each is told the same in
both places, and only what a bundle may hold has a name. So nothing overlaps, hides between members, or leads out of a
folder. Nothing here writes; what a member means is the business of others.
"""

from __future__ import annotations

import re
import stat
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import FileAltered, FileFormatError, FileIncomplete

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
MEMBER = re.compile(r"manifest\.(json|sig)|tables/\w{1,128}\.csv|uploads/[0-9]{6,9}", re.ASCII)
MAX_MEMBERS = 100_000
MAX_DIRECTORY = 1 << 24  # bytes
MAX_UNPACKED = 64 << 30  # bytes, of all members
MAX_RATIO = 250  # a deflated member may unpack to so many times its size ...
ALWAYS_ALLOWED = 32 << 20  # ... or to so many bytes
CHUNK = 1 << 18
STORED, DEFLATED = 0, 8
COPY_AGAIN = "Copy it again from the USB stick."
OTHER_PROGRAM = "Export it again; a bundle that another program has packed is not taken."

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL = struct.Struct("<4s2B4HL2L2H")
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED, _DESCRIBED, _KNOWN_FLAGS = 0x1, 0x8, 0x80E
_DIRECTORY_BIT = 0x10


class Member(NamedTuple):
    """One member: its name, how it is packed, its sizes and checksum, and where its header and its bytes begin."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    header: int
    start: int = 0


class Archive:
    """The members of a zip by name, in the order in which they stand. Raises FileProblem for any that is no bundle's."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._base = file.tell()
        self.size_bytes: int = file.seek(0, 2) - self._base
        start, size, count = self._directory()
        if count > MAX_MEMBERS or size > MAX_DIRECTORY:
            raise FileFormatError(f"the bundle holds more than {MAX_MEMBERS:,} files", hint="Export one module at a time.")
        found = sorted(_members(self._at(start, size), count), key=lambda member: member.header)
        _refuse_sizes(found)
        self.members = {member.name: member for member in self._placed(found, start)}

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a member; raises FileAltered when they are not those that the directory tells of."""
        member = self.members[name]
        unpack = zlib.decompressobj(-zlib.MAX_WBITS) if member.method == DEFLATED else None
        size = crc = 0
        for data in self._packed(member):
            for piece in _unpacked(member, unpack, data):
                size, crc = size + len(piece), zlib.crc32(piece, crc)
                if size > member.size:
                    raise _damaged(name)
                yield piece
        ended = unpack is None or (unpack.eof and not unpack.unused_data)
        if not ended or (size, crc) != (member.size, member.crc):
            raise _damaged(name)

    def read(self, name: str, limit: int) -> bytes:
        """Return all bytes of a member that is not larger than `limit`."""
        if self.members[name].size > limit:
            raise FileFormatError(f"the bundle's file {name} is larger than {limit >> 20:,} MB", hint=OTHER_PROGRAM)
        return b"".join(self.pieces(name))

    def _packed(self, member: Member) -> Iterator[bytes]:
        at, end = member.start, member.start + member.packed
        while at < end:
            data = self._at(at, min(CHUNK, end - at))
            at += len(data)
            yield data

    def _at(self, offset: int, size: int) -> bytes:
        """Return the bytes at a place; raises FileAltered where there are not so many."""
        if 0 <= offset <= self.size_bytes - size:
            self._file.seek(self._base + offset)
            data: bytes = self._file.read(size)
            if len(data) == size:
                return data
        raise FileAltered("the bundle's list of files is damaged", hint=COPY_AGAIN)

    def _directory(self) -> tuple[int, int, int]:
        """Return where the directory begins, its size and how many members it tells of; it ends where the end record begins."""
        at = self.size_bytes - _END.size
        end = _END.unpack(self._at(at, _END.size)) if at >= 0 else ()
        if not end or end[0] != b"PK\5\6" or end[7]:
            raise FileIncomplete("the file is incomplete: the end of the bundle is missing", hint=COPY_AGAIN)
        _, disk, first_disk, here, count, size, start, _ = end
        if _FULL_16 in (here, count) or _FULL_32 in (size, start):
            at, disk, first_disk, here, count, size, start = self._directory_64(at)
        if disk or first_disk or here != count or start + size != at:
            raise FileAltered("the bundle's list of files is damaged", hint=COPY_AGAIN)
        return start, size, count

    def _directory_64(self, end: int) -> tuple[int, ...]:
        """Return the same of a large zip, whose record stands before that of a small one."""
        mark, disk, at, disks = _LOCATOR.unpack(self._at(end - _LOCATOR.size, _LOCATOR.size))
        record = _END_64.unpack(self._at(at, _END_64.size)) if (mark, disk, disks) == (b"PK\6\7", 0, 1) else (b"",)
        if record[0] != b"PK\6\6" or record[1] != _END_64.size - 12 or at + _END_64.size + _LOCATOR.size != end:
            raise FileAltered("the bundle's list of files is damaged", hint=COPY_AGAIN)
        return at, *record[4:]

    def _placed(self, members: list[Member], end: int) -> Iterator[Member]:
        """Yield the members with where their bytes begin; each has to begin where the one before ends, the last ends at `end`."""
        at = 0
        for member in members:
            if member.header != at:
                raise FileAltered("the bundle's list of files is damaged", hint=COPY_AGAIN)
            start, at = self._extent(member)
            yield member._replace(start=start)
        if at != end:
            raise FileAltered("the bundle's list of files is damaged", hint=COPY_AGAIN)

    def _extent(self, member: Member) -> tuple[int, int]:
        """Return where the bytes of a member begin and where it ends, once its header tells the same as the directory."""
        mark, _, _, flags, method, _, _, *facts, name_size, extra_size = _LOCAL.unpack(self._at(member.header, _LOCAL.size))
        after = self._at(member.header + _LOCAL.size, name_size + extra_size)
        told = (mark, flags, method, after[:name_size]) == (b"PK\3\4", member.flags, member.method, member.name.encode())
        large = _large(after[name_size:], member.name)
        start = member.header + _LOCAL.size + len(after)
        end = start + member.packed
        if flags & _DESCRIBED:
            form = "<4sL2Q" if large is not None else "<4s3L"
            facts = list(struct.unpack(form, self._at(end, struct.calcsize(form))))
            told, end = told and facts.pop(0) == b"PK\7\10", end + struct.calcsize(form)
        if not told or facts != [member.crc, member.packed, member.size]:
            raise _damaged(member.name)
        return start, end


def _members(directory: bytes, count: int) -> Iterator[Member]:
    """Yield what the directory tells of, in its order."""
    at, seen = 0, set()
    for _ in range(count):
        if at + _CENTRAL.size > len(directory):
            break
        fields = _CENTRAL.unpack_from(directory, at)
        name_size, extra_size, comment_size = fields[12:15]
        at += _CENTRAL.size
        name = directory[at : at + name_size].decode("utf-8", "replace")
        extra = directory[at + name_size : at + name_size + extra_size]
        at += name_size + extra_size + comment_size
        member = _member(name, extra, fields)
        if name.casefold() in seen:
            raise FileFormatError(f"the bundle holds the file {name} twice", hint=OTHER_PROGRAM)
        seen.add(name.casefold())
        yield member
    if at != len(directory) or len(seen) != count:
        raise FileAltered("the bundle's list of files is damaged", hint=COPY_AGAIN)


def _member(name: str, extra: bytes, fields: tuple[Any, ...]) -> Member:
    """Return one member; raises for what no bundle holds."""
    mark, flags, method, crc, packed, size, comment_size, disk, attributes, header = (
        fields[i] for i in (0, 5, 6, 9, 10, 11, 14, 15, 17, 18)
    )
    if not MEMBER.fullmatch(name):
        raise FileFormatError(f"the bundle holds a file called {name[:100]!r}, which no bundle has", hint=OTHER_PROGRAM)
    if flags & _ENCRYPTED:
        raise FileFormatError(f"the bundle's file {name} is encrypted", hint=OTHER_PROGRAM)
    if stat.S_IFMT(attributes >> 16) not in (0, stat.S_IFREG) or attributes & _DIRECTORY_BIT:
        raise FileFormatError(f"the bundle's file {name} is a link or a folder", hint=OTHER_PROGRAM)
    large = list(_large(extra, name) or ())
    size, packed, header = (large.pop(0) if v == _FULL_32 and large else v for v in (size, packed, header))
    known = method in (STORED, DEFLATED) and not flags & ~_KNOWN_FLAGS and (method == DEFLATED or size == packed)
    if mark != b"PK\1\2" or not known or comment_size or disk or large:
        raise _damaged(name)
    return Member(name, flags, method, crc, packed, size, header)


def _large(extra: bytes, name: str) -> tuple[int, ...] | None:
    """Return the long numbers of an extra field, None where it has none; nothing else may stand there."""
    if not extra:
        return None
    kind, size = struct.unpack_from("<2H", extra) if len(extra) >= 4 else (0, 0)
    if kind != 1 or size != len(extra) - 4 or size % 8 or size > 24:
        raise _damaged(name)
    return struct.unpack_from(f"<{size // 8}Q", extra, 4)


def _refuse_sizes(members: list[Member]) -> None:
    """Refuse what unpacks to more than is sensible."""
    for member in members:
        if member.size > max(ALWAYS_ALLOWED, MAX_RATIO * member.packed):
            raise FileFormatError(f"the bundle's file {member.name} would unpack to far more than it holds", hint=OTHER_PROGRAM)
    if sum(member.size for member in members) > MAX_UNPACKED:
        raise FileFormatError(
            f"the bundle would unpack to more than {MAX_UNPACKED >> 30} GB", hint="Export one module at a time."
        )


def _unpacked(member: Member, unpack: Any, data: bytes) -> Iterator[bytes]:
    """Yield what some packed bytes unpack to, in pieces that fit into memory."""
    if unpack is None:
        yield data
        return
    full = True
    while data or full:
        try:
            piece = unpack.decompress(data, CHUNK)
        except zlib.error as exc:
            raise _damaged(member.name) from exc
        data, full = unpack.unconsumed_tail, len(piece) == CHUNK
        if unpack.unused_data:
            raise _damaged(member.name)
        yield piece


def _damaged(name: str) -> FileAltered:
    return FileAltered(f"the bundle's file {name} is damaged", hint=COPY_AGAIN)
