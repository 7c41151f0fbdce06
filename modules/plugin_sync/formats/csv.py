"""pyDAL's CSV of many tables, read and written as a stream.

`TABLE name`, a header, rows, blank lines, `END`; after it the footer. A file of one table (a header and rows only, as
appadmin exports) is read too. Cells stay text here: what they mean is the business of values.py.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NoReturn

from ..errors import FileEncodingError, FileFormatError, FileIncomplete, SyncError
from ..records import Origin
from .blocks import RawRows
from .contract import Batch, Dialect, Name, Reading, Section
from .footer import Footer, footer_line, parse_footer
from .source import CHOOSE, ByteSource

BATCH = 2000  # rows
MAX_CELL = 1 << 26  # characters
QUALIFIED = re.compile(r"""["`]?(\w+)["`]?[.]["`]?\w""")  # table.column
COPY_AGAIN = "Copy it again from the USB stick."

csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL))  # the default, 131,072, cannot read back what pyDAL writes


@dataclass
class CsvReader:
    """Reads a file once, from start to end; `footer` is known after `sections` is exhausted.

    `raw` gives the rows of the section at hand as bytes instead, None where the file does not allow it.
    """

    fileobj: Any
    reading: Reading = field(default_factory=Reading)
    footer: Footer | None = None
    raw: RawRows | None = None
    attachments: ClassVar[None] = None
    source: ByteSource = field(init=False)
    dialect: Dialect = field(init=False)
    _pending: list[list[str]] = field(default_factory=list)
    _line: int = 0  # lines before _pending
    _consecutive: bool = True  # no row of _pending has a line end in a cell
    _failure: SyncError | None = None
    _first: list[str] | None = None
    _anchor: tuple[int, int] = (0, 0)  # a byte of the file and how many lines are before it
    _base: int = 0  # lines before those that _rows counts

    def __post_init__(self) -> None:
        self.dialect = self.reading.dialect
        self.source = ByteSource(self.fileobj, self.dialect.encoding)
        self._begin()

    def _begin(self) -> None:
        self._text = self.source.lines()
        self._rows = csv.reader(
            self._text,
            delimiter=self.dialect.delimiter,
            quotechar=self.dialect.quotechar,
            quoting=csv.QUOTE_NONE if self.dialect.quoting == csv.QUOTE_NONE else csv.QUOTE_MINIMAL,
            strict=True,
        )

    @property
    def sha256(self) -> str:
        """The hash of all bytes read."""
        return self.source.digest

    @property
    def size_bytes(self) -> int:
        """How many bytes were read."""
        return self.source.size_bytes

    def sections(self) -> Iterator[Section]:
        """Yield the tables in file order; each one's batches must be read before the next is asked for.

        Raises FileIncomplete, FileAltered, FileFormatError or FileEncodingError, at the latest at the end.
        """
        first = self._next_row()
        if first is None:
            raise FileFormatError("the file is empty")
        self._first = first[0]
        if not _is_marker(first[0]) and not self._refuse_early(first):
            yield self._single_table(*first)
            self._check_footer(ended=False)
            return
        ended = False
        row: tuple[list[str], int] | None = first
        while row is not None and not ended:
            if row[0] == ["END"]:
                ended = True
            else:
                yield self._section(*row)
                row = self._next_row()
        if not ended and self.dialect.require_end:
            raise FileIncomplete("the file is incomplete: its END is missing", hint=COPY_AGAIN)
        self._check_footer(ended)

    def only_table(self) -> Iterator[Section]:
        """Yield the table of a file that is known to hold nothing but a header and rows."""
        first = self._next_row()
        if first is None:
            raise FileFormatError("the file is empty")
        yield self._single_table(*first)
        self._check_footer(ended=False)

    def _section(self, row: list[str], line: int) -> Section:
        if len(row) != 1 and row[0].startswith("TABLE ") and not "".join(row[1:]).strip():
            raise FileFormatError(
                "a spreadsheet has padded the rows of this file",
                line=line,
                hint="Import the file as it was exported, or save each table as a CSV of its own.",
            )
        if len(row) != 1 or not row[0].startswith("TABLE "):
            self._refuse_row(row, line)
        name = row[0][len("TABLE ") :].strip()
        header = self._take(1)
        if not header.rows or not header.rows[0]:  # stock pyDAL writes no header when there are no rows
            return Section(name, (), line, iter(()))
        cells = tuple(header.rows[0])
        _refuse_other_delimiter(cells, header.lines[0], self.dialect)
        self.raw = self._raw(len(cells))
        return Section(name, cells, header.lines[0], self._batches(len(cells)))

    def _refuse_row(self, row: list[str], line: int) -> NoReturn:
        """Say why a row cannot be where a table or END should begin."""
        if self._at_end() and len(row) == 1 and ("END".startswith(row[0]) or "TABLE ".startswith(row[0][:6])):
            raise FileIncomplete(f"the file is incomplete: it ends with {row[0][:60]!r}", line=line, hint=COPY_AGAIN)
        if self._first is row:
            raise FileFormatError(f"this is no exported file: it begins with {row[0][:60]!r}", line=line, hint=CHOOSE)
        raise FileFormatError(f"a line TABLE name or END is expected, not {row[0][:60]!r}", line=line, hint=COPY_AGAIN)

    def _single_table(self, header: list[str], line: int) -> Section:
        _refuse_other_delimiter(tuple(header), line, self.dialect)
        tables = {match[1] for match in map(QUALIFIED.match, map(str.strip, header)) if match}
        name = self.dialect.table or (tables.pop() if len(tables) == 1 else None)
        if name is None:
            raise FileFormatError(
                "the file begins neither with a line TABLE name nor with a header table.column,...",
                line=line,
                hint=CHOOSE,
            )
        self.raw = self._raw(len(header), single=True)
        return Section(name, tuple(header), line, self._batches(len(header), single=True))

    def _raw(self, width: int, single: bool = False) -> RawRows | None:
        plain = Dialect(table=self.dialect.table, require_end=self.dialect.require_end, encoding=self.dialect.encoding)
        usual = self.source.can_rewind and self.dialect == plain and width > 1
        return RawRows(self, width, single) if usual else None

    def _batches(self, width: int, single: bool = False) -> Iterator[Batch]:
        """Yield rows up to the blank line that ends a table; a blank line before a row of the same width ends none."""
        while True:
            batch = self._take(BATCH)
            if not batch.rows:
                return
            if batch.rows[-1]:
                yield batch
                continue
            if len(batch.rows) > 1:
                yield Batch(batch.rows[:-1], batch.lines[:-1])
            if not self._goes_on(width, single):
                return

    def _goes_on(self, width: int, single: bool) -> bool:
        following = self._next_row()
        if following is None:
            return False
        row, line = following
        self._pending.insert(0, row)
        self._line, self._consecutive = line - 1, False
        return single or (len(row) == width and not (width == 1 and _is_marker(row)))

    # ---- rows and their lines

    def _take(self, count: int) -> Batch:
        """Return up to `count` rows, the last of which is the first blank one, if there is one among them."""
        if not self._pending:
            self._fill()
        rows = self._pending[:count]
        with contextlib.suppress(ValueError):
            rows = rows[: rows.index([]) + 1]
        self._pending = self._pending[len(rows) :]
        lines = self._lines_of(rows)
        self._line = lines[-1] - 1 + _height(rows[-1]) if rows else self._line
        return Batch(rows, lines)

    def _lines_of(self, rows: list[list[str]]) -> Sequence[int]:
        start = self._line + 1
        if self._consecutive or not rows:
            return range(start, start + len(rows))
        return list(itertools.accumulate(_heights(rows[:-1]), initial=start))

    def _next_row(self) -> tuple[list[str], int] | None:
        """Return the next row that is not blank and its line; None at the end."""
        while True:
            batch = self._take(1)
            if not batch.rows:
                return None
            if batch.rows[0]:
                return batch.rows[0], batch.lines[0]

    def _at_end(self) -> bool:
        if not self._pending:
            self._fill()
        return not any(self._pending)

    def _fill(self) -> None:
        """Read the next rows. An error is kept until the rows before it are used: the footer after END is no CSV."""
        if self._failure is not None:
            raise self._failure
        before = self._rows.line_num
        try:
            self._pending.extend(itertools.islice(self._rows, BATCH))  # keeps what came before an error
        except csv.Error as exc:
            self._failure = self._translated(exc)
            self._failure.__cause__ = exc
        except UnicodeDecodeError as exc:
            self._failure = FileEncodingError(
                "the file is not text in UTF-8",
                line=self._base + self._rows.line_num + 1,
                hint="Save it as 'CSV UTF-8' and import that.",
            )
            self._failure.__cause__ = exc
        self._consecutive = self._rows.line_num - before == len(self._pending)
        if self._failure is not None and not self._pending:
            raise self._failure

    def _translated(self, exc: csv.Error) -> SyncError:
        text, line = str(exc), self._base + self._rows.line_num
        if "unexpected end of data" in text:
            return FileIncomplete("the file is incomplete: it ends inside a cell", line=line, hint=COPY_AGAIN)
        if "field larger" in text:
            return FileFormatError(f"a cell is longer than {MAX_CELL:,} characters", line=line)
        return FileFormatError(
            "the quotes of this line do not match", line=line, hint="A quote inside a quoted cell is written twice."
        )

    # ---- the same rows as bytes

    def go_to(self, offset: int, lines: int) -> None:
        """Read on from a byte of the file, before which there are so many lines."""
        self.source.rewind(offset)
        self._text.detach()  # else it would close the source
        self._pending, self._failure, self._consecutive = [], None, True
        self._anchor, self._line, self._base = (offset, lines), lines, lines
        self._begin()

    def here(self) -> tuple[int, int] | None:
        """Return where the next row begins: its byte and how many lines are before; None where it cannot be told."""
        offset, lines = self._anchor
        before, wanted = self.source.offset, self._line
        self.source.rewind(offset)
        while lines < wanted:
            chunk = self.source.read1()
            chunk += self.source.read1(1) if chunk.endswith(b"\r") else b""
            if not chunk or chunk.count(b"\r") != chunk.count(b"\r\n"):
                self.source.rewind(before)
                return None
            count = chunk.count(b"\n")
            if lines + count >= wanted:
                chunk = b"\n".join(chunk.split(b"\n", wanted - lines)[:-1]) + b"\n"
                count = wanted - lines
            offset, lines = offset + len(chunk), lines + count
        return offset, lines

    def ends(self, width: int, single: bool) -> bool:
        """Whether no more rows of the table come."""
        return next(self._batches(width, single), None) is None

    # ---- beginning and end

    def _refuse_early(self, first: tuple[list[str], int]) -> bool:
        """Return whether the first row can only be the start of a damaged table file."""
        row, _ = first
        if "\0" in "".join(row):
            raise FileFormatError("the selected file must be a CSV, XML or ZIP", hint=CHOOSE)
        return len(row) == 1 and self._at_end()

    def _check_footer(self, ended: bool) -> None:
        left = any(self._pending) or self._failure is not None
        while rest := self._text.read(1 << 20):  # to the end, for the hash
            left = left or bool(rest.strip())
        found = self.source.footer() if ended and left else None  # before END it would be a line of some cell
        if found is None and ended and left:
            raise FileIncomplete("the file does not end after its line END", hint=COPY_AGAIN)
        self.footer = parse_footer(*found) if found else None


def _is_marker(row: list[str]) -> bool:
    return row == ["END"] or row[0].startswith("TABLE ")


def _heights(rows: Sequence[list[str]]) -> Sequence[int]:
    """Return how many lines each row is high; a column at a time, since few columns have cells with line breaks."""
    if len(set(map(len, rows))) != 1:
        return list(map(_height, rows))
    heights = [1] * len(rows)
    for column in zip(*rows, strict=True):
        text = "".join(column)
        if "\n" in text or "\r" in text:
            heights = [height + _height([cell]) - 1 for height, cell in zip(heights, column, strict=True)]
    return heights


def _height(row: list[str]) -> int:
    text = "\0".join(row)  # no line end can come of two cells that meet
    if "\n" not in text and "\r" not in text:
        return 1
    return 1 + text.count("\n") + text.count("\r") - text.count("\r\n")


def _refuse_other_delimiter(header: tuple[str, ...], line: int, dialect: Dialect) -> None:
    """A header in one cell that another delimiter would part is a file saved by a spreadsheet elsewhere."""
    if len(header) > 1:
        return
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars"), (",", "commas")):
        if mark != dialect.delimiter and mark in header[0]:
            raise FileFormatError(
                f"the columns are separated by {name}", line=line, hint="Save the file with commas between the columns."
            )


# ---- writing


class CsvWriter:
    """Turns rows of text into the bytes of a file, batch by batch, and hashes what it made."""

    takes_lines = True
    missing_files: Sequence[Name] = ()

    def __init__(self, origin: Origin = Origin()) -> None:  # noqa: B008  # frozen
        self._origin = origin
        self._buffer = io.StringIO(newline="")
        self._writer = csv.writer(self._buffer)
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def begin(self, table: str, header: Sequence[str]) -> bytes:
        """Return the lines that begin a table."""
        self._buffer.write(f"TABLE {table}\r\n")
        self._writer.writerow(header)
        return self._taken()

    def rows(self, rows: Sequence[Sequence[object]]) -> bytes:
        """Return the lines of some rows; None is not allowed, NULL is text already."""
        self._writer.writerows(rows)
        return self._taken()

    def raw(self, data: bytes) -> bytes:
        """Take lines that the database made, and return them."""
        self._hash.update(data)
        self.size_bytes += len(data)
        return data

    def end_table(self) -> bytes:
        """Return the blank lines that end a table."""
        self._buffer.write("\r\n\r\n")
        return self._taken()

    def close(self) -> bytes:
        """Return END; the file then says neither who made it nor what it holds."""
        self._buffer.write("END\r\n")
        return self._taken()

    def end(self, rows: Mapping[str, int]) -> Iterator[bytes]:
        """Yield END and the footer."""
        yield self.close()
        footer = footer_line(Footer(self._origin, rows, self.sha256)).encode("utf-8")
        self.size_bytes += len(footer)
        yield footer

    @property
    def sha256(self) -> str:
        """The hash of all bytes made so far."""
        return self._hash.hexdigest()

    def _taken(self) -> bytes:
        data = self._buffer.getvalue().encode("utf-8")
        self._buffer.seek(0)
        self._buffer.truncate()
        self._hash.update(data)
        self.size_bytes += len(data)
        return data
