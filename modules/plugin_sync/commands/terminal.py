"""How commands speak: a line of progress on a terminal, tables, JSON. Knows streams, no database."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

EVERY_S = 0.2
ERASE = "\r\x1b[K"


class Line:
    """One line of a terminal that is written anew, a few times a second at most; on anything else nothing is written."""

    def __init__(self, stream: TextIO, wanted: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self.is_shown = wanted and stream.isatty()
        self._last: float | None = None

    def show(self, text: str) -> None:
        """Show a text instead of the last one, unless that is too fresh."""
        now = self._clock()
        if self.is_shown and (self._last is None or now - self._last >= EVERY_S):
            self._last = now
            self._stream.write(ERASE + text[: self._width() - 1])
            self._stream.flush()

    def clear(self) -> None:
        """Leave an empty line behind."""
        if self._last is not None:
            self._stream.write(ERASE)
            self._stream.flush()
            self._last = None

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80


def table_text(head: Sequence[str], rows: Sequence[Sequence[object]], numbers: Sequence[int] = ()) -> str:
    """Return rows as text in columns; the columns at the places `numbers` stand to the right."""
    texts = [list(head), *([_plain(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]

    def aligned(place: int, cell: str) -> str:
        return cell.rjust(widths[place]) if place in numbers else cell.ljust(widths[place])

    return "".join("  ".join(aligned(*cell) for cell in enumerate(row)).rstrip() + "\n" for row in texts)


def _plain(cell: object) -> str:
    """A cell in one line; control characters, by which data could command the terminal, are shown as what they are."""
    text = f"{cell:,}" if isinstance(cell, int) else str(cell)
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def printable(text: str) -> str:
    """Return a message without control characters but the ends of lines."""
    return "\n".join(map(_plain, text.split("\n")))


def json_text(value: Any) -> str:
    """Return plain values as JSON with an end of line; times as ISO texts."""
    return json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n"
