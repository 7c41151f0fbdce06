"""What every file format has: a reader that yields tables and rows, a writer that makes bytes of them.

Cells are the text of the CSV form (docs/file-format.md) whatever the format: a reader turns its own notation into it, a
writer turns it into its own. What a cell means is the business of values/.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..records import Origin, Problem, TableSpec
from ..signing import Signer, Trust
from ..uploads import Uploads
from .footer import Footer

if TYPE_CHECKING:
    from .blocks import RawRows


NOTHING: Mapping[int, Any] = MappingProxyType({})
Name = tuple[str, str, str]  # of an uploaded file: table, field, stored name


class Batch(NamedTuple):
    """Some rows of one table and the line each of them begins at.

    By the number of the row in the batch: `absent` are the cells that its record does not mention (they read NULL and
    mean: as it is here, or the default), `refused` why it cannot be taken. Most formats have neither.
    """

    rows: list[list[str]]
    lines: Sequence[int]
    absent: Mapping[int, tuple[int, ...]] = NOTHING
    refused: Mapping[int, Problem] = NOTHING


def part_of(batch: Batch, kept: Sequence[int]) -> Batch:
    """Return some rows of a batch, by their numbers."""
    places = {old: new for new, old in enumerate(kept)}
    return Batch(
        [batch.rows[i] for i in kept],
        [batch.lines[i] for i in kept],
        {places[i]: columns for i, columns in batch.absent.items() if i in places},
        {places[i]: problem for i, problem in batch.refused.items() if i in places},
    )


class Section(NamedTuple):
    """One table of the file: its name, header cells, the header's line, and its rows, to be read before the next."""

    table: str
    header: tuple[str, ...]
    line: int
    batches: Iterator[Batch]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells are parted, as pyDAL's import takes it; `table` names the table of a file that has no TABLE line."""

    delimiter: str = ","
    quotechar: str = '"'
    quoting: int = csv.QUOTE_MINIMAL
    encoding: str = "utf-8"
    table: str | None = None
    require_end: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader may have to know: how a CSV is laid out, the tables that are here, by the names that the file has, and
    whose keys are known.

    `domain` is the one that Eden knows this installation by. A reader that goes through the file before it gives the
    first row tells `progress` how many records it has met, with no table.
    """

    dialect: Dialect = Dialect()
    specs: Mapping[str, TableSpec] = field(default_factory=dict)
    trust: Trust = field(default_factory=Trust)
    domain: str = ""
    progress: Callable[[str, int], None] | None = None


@dataclass(frozen=True, slots=True)
class Writing:
    """What a writer may have to know: who makes the file, the tables that are here, by name, their files, and the own key.

    `domain` is the one that Eden knows this installation by.
    """

    origin: Origin = field(default_factory=Origin)
    specs: Mapping[str, TableSpec] = field(default_factory=dict)
    uploads: Uploads = field(default_factory=Uploads)
    signer: Signer | None = None
    domain: str = ""


class Attachment(NamedTuple):
    """An uploaded file that a file of records brings: the field and stored name that its records have, size and sha256."""

    table: str
    field: str
    name: str
    size_bytes: int
    sha256: str


class Attachments(Protocol):
    """The uploaded files that a file of records brings."""

    @property
    def files(self) -> Sequence[Attachment]:
        """All of them."""

    @property
    def missing(self) -> Sequence[Attachment]:
        """Those that were not there when the file was made; their size and hash are not known."""

    def pieces(self, file: Attachment) -> Iterator[bytes]:
        """Yield the bytes of one. Raises FileAltered when they are not those of its hash."""


class Reader(Protocol):
    """Reads a file once, from start to end. `footer`, `sha256` and `size_bytes` are known when `sections` is exhausted."""

    footer: Footer | None  # who made the file and how many rows it holds, None when it does not say
    raw: RawRows | None  # the rows of the section at hand as bytes of CSV, None where they are not to be had

    @property
    def attachments(self) -> Attachments | None:
        """The uploaded files that it brings, None when the format has none."""

    def sections(self) -> Iterator[Section]:
        """Yield the tables; each one's batches must be read before the next is asked for. Raises FileProblem."""

    @property
    def sha256(self) -> str:
        """The hash of the whole file."""

    @property
    def size_bytes(self) -> int:
        """How large it is."""


class Writer(Protocol):
    """Turns rows of text into the bytes of a file, in the order of its methods; what they return is written at once."""

    takes_lines: bool  # whether `raw` may be called: with lines of CSV that the database made

    def begin(self, table: str, header: Sequence[str]) -> bytes:
        """Begin a table whose columns are called table.column."""

    def rows(self, rows: Sequence[Sequence[object]]) -> bytes:
        """Add some rows; None is not allowed, NULL is text already."""

    def raw(self, data: bytes) -> bytes:
        """Add lines of CSV."""

    def end_table(self) -> bytes:
        """End the table."""

    def end(self, rows: Mapping[str, int]) -> Iterator[bytes]:
        """End the file; `rows` counts those of each table."""

    @property
    def missing_files(self) -> Sequence[Name]:
        """Uploaded files that records name and that were not there; complete at the end of the file."""

    @property
    def sha256(self) -> str:
        """The hash of what was made, as far as the file itself carries it."""

    @property
    def size_bytes(self) -> int:
        """How much was made."""
