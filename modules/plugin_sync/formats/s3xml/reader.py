"""Reading S3XML: the whole document is parsed once, its records are put aside by table and given out table by table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ...records import Problem
from ...values import NULL
from ..blocks import RawRows
from ..contract import Batch, Reading, Section
from ..footer import Footer, parse_footer
from ..source import FOOTER_MARK, XML_FOOTER_END, XML_FOOTER_MARK, ByteSource
from .parser import Parser
from .records import Records
from .shapes import COMPANION, Shape
from .spool import Spool, Spooled

TOLD = 2000  # records between two words of progress
HTML = re.compile(r"<(?:!doctype\s+)?html\b", re.IGNORECASE)
BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def is_start(start: bytes) -> bool:
    """Whether a file that begins so is XML, in an encoding of one or two bytes a character; web pages are none."""
    encoding, text = next(((name, start[len(bom) :]) for bom, name in BOMS if start.startswith(bom)), ("", start))
    if not encoding:
        encoding = "utf-16-le" if text[1:2] == b"\0" else "utf-16-be" if text[:1] == b"\0" else "utf-8"
    words = text.decode(encoding, "replace").lstrip()
    return re.match(r"<[?!A-Za-z_]", words) is not None and HTML.match(words) is None


@dataclass
class S3xmlReader:
    """Reads a document once, from start to end; `footer` is known after `sections` is exhausted."""

    fileobj: Any
    reading: Reading = field(default_factory=Reading)
    footer: Footer | None = None
    raw: RawRows | None = None
    attachments: ClassVar[None] = None

    def __post_init__(self) -> None:
        self._source = ByteSource(self.fileobj)
        self._spool = Spool()
        self._records = Records(self.reading.specs, self.reading.domain, self._spool)

    @property
    def sha256(self) -> str:
        """The hash of all bytes read."""
        return self._source.digest

    @property
    def size_bytes(self) -> int:
        """How many bytes were read."""
        return self._source.size_bytes

    def sections(self) -> Iterator[Section]:
        """Yield the tables in the order in which they are met. Nothing is yielded before all of the file was parsed.

        Raises FileIncomplete, FileAltered or FileFormatError.
        """
        try:
            self._read()
            self.footer = self._footer()
            for shape in self._records.shapes.values():
                header = tuple(f"{shape.name}.{column}" for column in shape.columns)
                yield Section(shape.name, header, shape.line, self._batches(shape))
        finally:
            self._spool.close()

    def _footer(self) -> Footer | None:
        found = self._source.footer(XML_FOOTER_MARK)
        if found is None:
            return None
        line, digest = found
        values = line[len(XML_FOOTER_MARK) :].rstrip().removesuffix(XML_FOOTER_END)
        return parse_footer(FOOTER_MARK + values, digest)

    def _read(self) -> None:
        parser, told = Parser(self._source.read1), 0
        for elements in parser.resources():
            self._records.twice_escaped = parser.root == "s3xrc"
            if parser.are_small and not self._records.twice_escaped:
                self._records.add_small(elements)
            else:
                for element in elements:
                    self._records.add(element)
            if self.reading.progress is not None and self._records.count - told >= TOLD:
                told = self._records.count
                self.reading.progress("", told)
        self._records.settle()

    def _batches(self, shape: Shape) -> Iterator[Batch]:
        for spooled in self._spool.take(shape.name):
            yield _batch(shape, spooled)


def _batch(shape: Shape, spooled: list[Spooled]) -> Batch:
    """Return rows that were put aside, as wide as the table has become."""
    names, width = tuple(shape.columns), len(shape.columns)
    absent: dict[int, tuple[int, ...]] = {}
    refused: dict[int, Problem] = {}
    rows: list[Any] = []  # no None is left in them
    for index, (line, cells, problem) in enumerate(spooled):
        row = cells if len(cells) == width else cells + [None] * (width - len(cells))
        if None in row:
            missing = tuple(i for i in range(shape.first, width) if row[i] is None and not names[i].endswith(COMPANION))
            if missing:
                absent[index] = missing
            row = [NULL if cell is None else cell for cell in row]
        if problem is not None:
            code, message, column, value, hint = problem
            refused[index] = Problem(code, message, shape.name, line, column or None, value or None, hint)
        rows.append(row)
    return Batch(rows, [line for line, _, _ in spooled], absent, refused)
