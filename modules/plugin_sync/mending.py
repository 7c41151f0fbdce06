"""The rows of a file that were rejected, as a file of their own: each with its reasons, to be mended and imported."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .formats.contract import Reading, Section
from .formats.csv import CsvWriter
from .formats.registry import open_reader
from .planning import REASON
from .records import Problem
from .texts import IN_ENGLISH, Texts

Reasons = dict[tuple[str, int], list[str]]  # by table and line


def dump_problem(problem: Problem) -> str:
    """Return a problem as a line."""
    return json.dumps(asdict(problem), ensure_ascii=True) + "\n"


def load_problems(path: Path) -> Iterator[Problem]:
    """Yield the problems that stand in a file, a line each."""
    with path.open(encoding="ascii") as file:
        for line in file:
            yield Problem(**json.loads(line))


def rejected_rows(
    fileobj: Any,
    problems: Iterable[Problem],
    texts: Texts = IN_ENGLISH,
    reading: Reading = Reading(),  # noqa: B008
) -> Iterator[bytes]:
    """Yield, as a file that can be imported, the rows of `fileobj` that have a problem.

    Its first column says why, in the language of `texts`; an import passes it over. Problems of whole
    tables and columns are left out.
    """
    reasons: Reasons = {}
    for problem in problems:
        if problem.line is not None:
            reasons.setdefault(((problem.table or "").lower(), problem.line), []).append(_reason(problem, texts))
    writer = CsvWriter()
    for section in open_reader(fileobj, reading).sections():
        yield from _section(writer, section, reasons)
    yield writer.close()


def _reason(problem: Problem, texts: Texts) -> str:
    text = texts.sentence(problem.message, problem.hint)
    return f"{problem.column} {text[:1].lower()}{text[1:]}" if problem.column else text


def _section(writer: CsvWriter, section: Section, reasons: Reasons) -> Iterator[bytes]:
    """Yield one table, nothing when none of its rows was rejected."""
    begun = False
    for batch in section.batches:
        places = ((row, (section.table.lower(), line)) for row, line in zip(batch.rows, batch.lines, strict=True))
        found = [["; ".join(reasons[place]), *row] for row, place in places if place in reasons]
        if found and not begun:
            yield writer.begin(section.table, [f"{section.table}.{REASON}", *section.header])
            begun = True
        if found:
            yield writer.rows(found)
    if begun:
        yield writer.end_table()
