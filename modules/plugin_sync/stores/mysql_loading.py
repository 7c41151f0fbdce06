"""Rows as the text that LOAD DATA reads, in a file without a name.

LOAD DATA LOCAL turns errors into warnings and keeps what it made of the value: whoever runs it has to look at the warnings.
"""

from __future__ import annotations

import enum
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..values import Stored

FIELD, LINE = "\x1f", "\x1e"  # hardly ever in a text, so that few have to be escaped
NULL = "\\N"
ESCAPES = str.maketrans({"\\": "\\\\", FIELD: "\\" + FIELD, LINE: "\\" + LINE, "\0": "\\0"})
OPEN_FILES = Path("/dev/fd")


def can_name_files() -> bool:
    """Whether a file that has no name can be opened by its number here."""
    return OPEN_FILES.is_dir()


def statement(table: str, columns: Sequence[str], path: str) -> str:
    """SQL that loads the file at `path`, independent of the session's mode and character set."""
    return (
        f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE {table} CHARACTER SET utf8mb4 "
        f"FIELDS TERMINATED BY 0x1F ESCAPED BY 0x5C LINES TERMINATED BY 0x1E ({', '.join(columns)})"
    )


class Repertoire(enum.IntEnum):
    """Sets of characters, each with all of the one before."""

    NONE = 0
    ASCII = 1  # Unicode's first 128
    BASIC = 2  # its first 65,536
    ALL = 3


def repertoire_of(values: Sequence[Stored]) -> Repertoire:
    """Return the smallest repertoire that has all characters of these values."""
    kinds = set(map(type, values)) - {type(None)}
    if str not in kinds:
        return Repertoire.ASCII
    text = "".join(filter(None, values) if kinds == {str} else map(str, values))  # type: ignore[arg-type]
    if text.isascii():
        return Repertoire.ASCII
    return Repertoire.BASIC if len(text.encode("utf-16-le", "surrogatepass")) == 2 * len(text) else Repertoire.ALL


@contextmanager
def file_of(values: Sequence[Sequence[Stored]]) -> Iterator[str]:
    """Give the path of a file with these rows, given column by column.

    It never has a name in a folder: nobody else can open it, and a killed process leaves none behind.
    """
    with tempfile.TemporaryFile() as file:
        file.write(encoded(values))
        file.seek(0)
        yield f"{OPEN_FILES}/{file.fileno()}"


def encoded(values: Sequence[Sequence[Stored]]) -> bytes:
    """Return rows, given column by column, as LOAD DATA reads them."""
    rows = zip(*map(_cells, values), strict=True)
    return "".join(FIELD.join(row) + LINE for row in rows).encode()


def _cells(column: Sequence[Stored]) -> Sequence[str]:
    """Return a column's values as escaped texts."""
    kinds = set(map(type, column))
    if kinds == {str}:
        return _escaped(column)
    if kinds == {type(None)}:
        return [NULL] * len(column)
    if str not in kinds:
        return [NULL if value is None else str(value) for value in column]
    return [NULL if value is None else str(value).translate(ESCAPES) for value in column]


def _escaped(column: Sequence[Any]) -> Sequence[str]:
    joined = "".join(column)
    if any(special in joined for special in ("\\", FIELD, LINE, "\0")):
        return [value.translate(ESCAPES) for value in column]
    return column
