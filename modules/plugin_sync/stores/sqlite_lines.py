"""The lines of an export from SQLite: neighbouring cells that never need quotes come joined.

Numbers, dates and uuids are joined by the database; only other texts come one by one, and are quoted where they must be.
Taking 15 cells a row from it and through csv.writer, which looks at each character, takes twice as long. SQLite keeps
anything in any column, so each batch is looked through, and given up where a joined cell does need quotes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..records import FieldSpec, TableSpec
from ..values import NULL
from . import reading

QUOTE = '"'
SPECIAL = ',"\r\n'
UNSURE = '"\r\n\\'
NEEDS_QUOTES = re.compile(r'[",\r\n]').search
NEEDS_QUOTES_ALONE = re.compile(r'[",\r\n]|^$').search  # nothing alone in its line would be a blank line
JOINED = frozenset(("integer", "bigint", "reference", "decimal", "boolean", "date", "time", "datetime"))


class Part(NamedTuple):
    """One column of the SELECT, and how many cells it joins."""

    sql: str
    cells: int


def parts_of(spec: TableSpec, specs: Mapping[str, TableSpec], to_text: reading.ToText) -> tuple[list[Part], str]:
    """Return the columns of a table without list:references, and the rest of the SELECT."""

    def cell(field: FieldSpec, column: str) -> str:
        """SQL for a cell; of a uuid that is no plain text it makes a backslash, which `lines_of` gives up at."""
        if field.name == spec.uuid_name:
            return f"CASE {column} WHEN '{NULL}' THEN '\\' ELSE COALESCE({column}, '{NULL}') END"
        return to_text(field, column)

    columns, source = reading.selection(spec, specs, cell, lambda _, uuid: f"COALESCE({uuid}, '{NULL}')")
    fields = reading.ordered(spec)
    after = len(reading.companions(spec, specs))
    before = len(columns) - len(fields) - after
    joinable = [True] * before + [f.type in JOINED or f.name == spec.uuid_name for f in fields] + [True] * after
    parts: list[Part] = []
    for joined, run in itertools.groupby(zip(joinable, columns, strict=True), lambda pair: pair[0]):
        found = [column for _, column in run]
        parts += [Part(" || ',' || ".join(found), len(found))] if joined else [Part(column, 1) for column in found]
    return parts, source


def lines_of(batch: Sequence[Sequence[object]], parts: Sequence[Part]) -> bytes | None:
    """Return rows as lines; None where a joined cell may need quotes."""
    columns: list[Sequence[object]] = []
    alone = len(parts) == 1
    for part, column in zip(parts, zip(*batch, strict=True), strict=True):
        texts = column if part.cells > 1 else list(map(str, column))
        whole = "".join(texts)
        if part.cells == 1:
            columns.append(_quoted(texts, alone) if alone or any(mark in whole for mark in SPECIAL) else texts)
        elif whole.count(",") == (part.cells - 1) * len(batch) and not any(mark in whole for mark in UNSURE):
            columns.append(texts)
        else:
            return None
    line = ",".join(["%s"] * len(parts)) + "\r\n"
    return "".join(map(line.__mod__, zip(*columns, strict=True))).encode("utf-8")


def _quoted(texts: Sequence[str], alone: bool) -> list[str]:
    needs_quotes = NEEDS_QUOTES_ALONE if alone else NEEDS_QUOTES
    return [f'"{text.replace(QUOTE, QUOTE * 2)}"' if needs_quotes(text) else text for text in texts]
