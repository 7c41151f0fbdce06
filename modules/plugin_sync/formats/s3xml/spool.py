"""Rows put aside by table while a document is read, since Eden mixes tables and the import wants one after the other.

One temporary file without a name; in memory only where the pieces of each table are.
"""

from __future__ import annotations

import marshal
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import SyncError

FORM = 2  # of marshal: later ones look up every text among those before it
ROWS = 2000  # in memory, of all tables

Refusal = tuple[str, str, str, str, str]  # code, message, column, value and hint of a problem
Spooled = tuple[int, list[str | None], Refusal | None]  # line, cells, why the row cannot be taken


@dataclass(slots=True)
class Pieces:
    """The rows of one table: those in memory, and where the others are."""

    rows: list[Spooled] = field(default_factory=list)  # line, cells, problem
    places: list[tuple[int, int]] = field(default_factory=list)


class Spool:
    """Takes rows in any order of tables and gives them back table by table."""

    def __init__(self) -> None:
        self._file: Any = None
        self._tables: dict[str, Pieces] = {}
        self._waiting = 0

    def put(self, table: str, rows: Sequence[Spooled]) -> None:
        """Put rows aside; cells that are None were not mentioned."""
        self._tables.setdefault(table, Pieces()).rows.extend(rows)
        self._waiting += len(rows)
        if self._waiting >= ROWS:
            self.flush()

    def flush(self) -> None:
        """Empty the memory."""
        try:
            self._file = self._file or tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
            for pieces in self._tables.values():
                if pieces.rows:
                    data = marshal.dumps(pieces.rows, FORM)
                    pieces.places.append((self._file.tell(), len(data)))
                    self._file.write(data)
                    pieces.rows = []
        except OSError as exc:
            hint = "Make room in the folder for temporary files."
            raise SyncError(f"the file cannot be put aside: {exc.strerror}", hint=hint) from exc
        self._waiting = 0

    def take(self, table: str) -> Iterator[list[Spooled]]:
        """Yield the rows of a table in the order in which they came."""
        self.flush()
        for offset, size_bytes in self._tables[table].places:
            self._file.seek(offset)
            yield marshal.loads(self._file.read(size_bytes))  # noqa: S302  # what this very process wrote

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()
