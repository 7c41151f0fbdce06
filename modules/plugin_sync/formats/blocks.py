"""The rows of a table as the file's own bytes, in blocks of whole rows, for a database that parts cells itself.

Only what every reader of CSV parts alike is given out: quotes stand around whole cells and nowhere else. All else is
`Unusual`, and the rows are then read cell by cell (formats/csv.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .csv import CsvReader

CHUNK = 1 << 18
MAX_ROW = 1 << 24  # bytes; a longer row is read cell by cell, where cells have a limit
NEWLINE = re.compile(rb"\r\n|\r|\n")
BEFORE_QUOTE = frozenset((b"", b",", b"\n"))  # b"": another quote, which makes both one quote inside a cell
BEHIND_QUOTE = frozenset((b"", b",", b"\r", b"\n"))
BLANK_LINES = (b"\n\r\n", b"\n\n")


class Unusual(Exception):
    """The rows have to be read cell by cell."""


class Block(NamedTuple):
    """Whole rows: their bytes, how many, and the line breaks inside cells by row, counted from 1."""

    data: bytes
    rows: int
    breaks: list[tuple[int, int]]


class Blocks:
    """Iterates once over the rows, up to a blank line or the end; `size_bytes` and `lines` say how far it came."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self.size_bytes = 0
        self.lines = 0

    def __iter__(self) -> Iterator[Block]:
        left, more = b"", True
        while more:
            chunk = self._read(CHUNK)
            data = left + chunk
            if data.startswith((b"\r\n", b"\n")):
                return
            parts, more = _whole_rows(data)
            if not chunk:
                parts, more = data.split(b'"'), False
            data, left = _joined(data, parts)
            if len(left) > MAX_ROW or (not len(parts) % 2 and parts):
                raise Unusual
            if data:
                yield self._block(data, parts)

    def _block(self, data: bytes, parts: list[bytes]) -> Block:
        outside = parts[0::2]
        if not {p[-1:] for p in outside[:-1]} <= BEFORE_QUOTE or not {p[:1] for p in outside[1:]} <= BEHIND_QUOTE:
            raise Unusual
        if data.startswith(b"\\.") or b"\n\\." in data or b"\r\\." in data:  # PostgreSQL would take it for the end
            raise Unusual
        inside = b'"'.join(parts[1::2])
        if b"\n" in inside or b"\r" in inside:
            rows, breaks = _broken(parts)
        else:
            rows, breaks = data.count(b"\n"), []
        rows += not data.endswith(b"\n")
        self.size_bytes += len(data)
        self.lines += rows + sum(count for _, count in breaks)
        return Block(data, rows, breaks)


def _whole_rows(data: bytes) -> tuple[list[bytes], bool]:
    """Return the whole rows at the start of `data`, parted at quotes, and whether rows may follow; every other part is
    inside quotes.
    """
    parts = data.split(b'"')
    if any(blank in data for blank in BLANK_LINES):
        for i in range(0, len(parts), 2):
            found = [at for at in map(parts[i].find, BLANK_LINES) if at >= 0]
            if found:
                return [*parts[:i], parts[i][: min(found) + 1]], False
    last = (len(parts) - 1) // 2 * 2
    while last >= 0 and b"\n" not in parts[last]:
        last -= 2
    return ([*parts[:last], parts[last][: parts[last].rindex(b"\n") + 1]] if last >= 0 else []), True


def _joined(data: bytes, parts: list[bytes]) -> tuple[bytes, bytes]:
    """Return the bytes of the parts at the start of `data`, and what is left of it."""
    size = sum(map(len, parts)) + max(len(parts) - 1, 0)
    return data[:size], data[size:]


def _broken(parts: list[bytes]) -> tuple[int, list[tuple[int, int]]]:
    """Return how many rows there are, and which hold how many line breaks in cells."""
    rows, breaks = 0, []
    for i, part in enumerate(parts):
        if i % 2 == 0:
            rows += part.count(b"\n")
        elif b"\n" in part or b"\r" in part:
            breaks.append((rows + 1, len(NEWLINE.findall(part))))
    return rows, breaks


class RawRows:
    """The rows of a table as bytes. After `blocks` either `end` or `back` has to be called."""

    def __init__(self, reader: CsvReader, width: int, single: bool) -> None:
        self._reader, self._width, self._single = reader, width, single
        self._start = (0, 0)
        self._blocks: Blocks | None = None
        self.line = 0  # of the first row

    def blocks(self) -> Blocks | None:
        """Return the rows, None where it cannot be told at which byte they begin."""
        start = self._reader.here()
        if start is None:
            return None
        self._start, self.line = start, start[1] + 1
        self._reader.source.rewind(start[0])
        self._blocks = Blocks(self._reader.source.read1)
        return self._blocks

    def end(self) -> bool:
        """Let the reader go on behind what `blocks` gave out; return False where more rows of the table follow there."""
        if self._blocks is None:
            return False
        offset, lines = self._start
        self._reader.go_to(offset + self._blocks.size_bytes, lines + self._blocks.lines)
        return self._reader.ends(self._width, self._single)

    def back(self) -> None:
        """Let the reader go on at the first row, as if nothing had been read."""
        if self._blocks is not None:
            self._reader.go_to(*self._start)
