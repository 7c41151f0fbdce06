"""What an import and an export ask of a database: the ports that each store implements.

A store serves one connection inside the caller's transaction, and neither commits nor rolls back what the caller has pending.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..records import Problem, TableSpec
from .session import Session
from .staging import Staged, Work

Refused = Sequence[tuple[Staged, list[tuple[int, Problem]]]]  # row numbers and what is wrong with them


class Snapshot(Protocol):
    """Tables as the cells of an export, as of one moment where the database can."""

    def lines(self, spec: TableSpec, specs: Mapping[str, TableSpec]) -> Iterator[tuple[bytes, int]] | None:
        """Return a table as lines of CSV, in pieces, and how many records each holds; None where only cells can be had."""

    def read(self, spec: TableSpec, specs: Mapping[str, TableSpec]) -> Iterator[list[Sequence[Any]]]:
        """Yield the rows of a table as cells, in batches."""


class Store(Protocol):
    """One database, while a file is brought in or an export is made."""

    works_on_copies: bool  # the merge works on copies of the tables, and what it wrote there is then written row by row

    def transaction(self, keep: bool) -> AbstractContextManager[Session]:
        """Open a savepoint; on leaving keep its work (`keep`) or undo it. An exception always undoes it."""

    def lock(self, tables: Sequence[TableSpec]) -> None:
        """Wait for other imports and for writers of these tables, who then wait for this one; raises StoreBusy."""

    def gather(self, work: Work, restore: bool) -> None:
        """Copy what the merge has to know of the tables; afterwards the specifications in `work` are of the copies."""

    def write(self, work: Work, restore: bool) -> Refused:
        """Write from the copies what was decided; return rows that the database would not keep: nothing is written then."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Read all tables as of one moment."""


class MergesInPlace:
    """A store whose database does the whole merge itself."""

    works_on_copies = False

    def gather(self, work: Work, restore: bool) -> None:
        """Nothing to copy."""

    def write(self, work: Work, restore: bool) -> Refused:
        """Nothing to write: what was decided is written set by set (`writing`)."""
        return ()
