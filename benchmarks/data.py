"""The rows that every contender reads: made once a size, the same at every run.

Two files of the same rows: `stock`, as pyDAL writes it and the engine reads it; and `raw`, one plain file a table,
cells as the database stores them, '' for NULL. `newer` holds the rows of `base` with every one changed and newer.
Parents come before their children, because stock pyDAL and the raw limits can do no other.
"""

from __future__ import annotations

import csv
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TextIO

from schema import COLUMNS, ORG_TABLE, PERSON_TABLE

ORGS = 200
EDITIONS = ("base", "newer")
FIRST_DAY = datetime(2020, 1, 1)
NAMES = "Ana Boris Chloé Dembélé Émile Fatoumata Günther Hélène Inès João Kofi Łukasz Mariam Nadège O'Brien Pål".split()
NOTES = (
    "reached by radio",
    "two children, one grandmother; asked for water, blankets",
    'says "the bridge is closed"',
    "seen at the clinic\non Tuesday",
    "déplacée de Léogâne",
    "-",
)
Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the database holds once an edition was imported: rows, sum of the numbers, sum of the parents' ids."""

    people: int
    numbers: int
    parents: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """The files of one size. `rows` counts both tables; `expected` is by edition."""

    size: int
    folder: Path
    expected: dict[str, Expected]

    @property
    def rows(self) -> int:
        """Rows of both tables."""
        return self.size + ORGS

    def stock(self, edition: str) -> Path:
        """The file in pyDAL's format."""
        return self.folder / f"{edition}.csv"

    def raw(self, edition: str) -> dict[str, Path]:
        """The plain files, by table, parents first."""
        return {table: self.folder / f"{edition}-{table}.csv" for table in (ORG_TABLE, PERSON_TABLE)}


def make(size: int, folder: Path) -> Dataset:
    """Write the files of `size` people and ORGS organisations."""
    own = folder / f"data-{size}"
    own.mkdir(parents=True)
    dataset = Dataset(size, own, {})
    for newer, edition in enumerate(EDITIONS):
        dataset.expected[edition] = _write(dataset, edition, bool(newer))
    return dataset


def _write(dataset: Dataset, edition: str, newer: bool) -> Expected:
    raw = dataset.raw(edition)
    with dataset.stock(edition).open("w", encoding="utf-8", newline="") as stock:
        _write_table(stock, raw[ORG_TABLE], ORG_TABLE, _orgs(newer))
        totals = _write_table(stock, raw[PERSON_TABLE], PERSON_TABLE, _people(dataset.size, newer))
        stock.write("END")
    return Expected(dataset.size, totals.get("number", 0), totals.get("parent_id", 0))


def _write_table(stock: TextIO, raw_path: Path, table: str, rows: Iterator[Row]) -> dict[str, int]:
    """Write one table to both files; return the sums of its columns of integers."""
    columns = COLUMNS[table]
    totals = dict.fromkeys(("number", "parent_id"), 0)
    summed = [(name, columns.index(name)) for name in totals if name in columns]
    stock.write(f"TABLE {table}\r\n")
    with raw_path.open("w", encoding="utf-8", newline="") as raw:
        write_stock, write_raw = csv.writer(stock).writerow, csv.writer(raw).writerow
        write_stock(f"{table}.{name}" for name in columns)
        write_raw(columns)
        for row in rows:
            write_stock("<NULL>" if cell is None else cell for cell in row)
            write_raw("" if cell is None else "FT"[cell] if isinstance(cell, bool) else cell for cell in row)
            for name, index in summed:
                totals[name] += row[index] or 0  # type: ignore[operator]
    stock.write("\r\n\r\n")
    return totals


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _orgs(newer: bool) -> Iterator[Row]:
    rng = random.Random(ORGS)
    for number in range(1, ORGS + 1):
        yield number, _uuid(rng), FIRST_DAY + timedelta(days=number, hours=newer), f"Organisation {number}{' (moved)' * newer}"


def _people(size: int, newer: bool) -> Iterator[Row]:
    rng = random.Random(size)
    for number in range(1, size + 1):
        modified = FIRST_DAY + timedelta(seconds=rng.randrange(10**8))
        yield (
            number,
            _uuid(rng),
            modified + timedelta(days=newer),
            f"{rng.choice(NAMES)} {rng.choice(NAMES)} {number}",
            rng.choice(NOTES) + " (visited again)" * newer,
            rng.randrange(10**6) + newer,
            None if rng.random() < 0.05 else rng.random() * 1000,
            f"{rng.randrange(10**7) / 100:.2f}",
            rng.random() < 0.5,
            date(1930, 1, 1) + timedelta(days=rng.randrange(30000)),
            modified - timedelta(seconds=rng.randrange(10**6)),
            rng.randint(1, ORGS),
            None if number == 1 or rng.random() < 0.2 else rng.randint(max(1, number - 5000), number - 1),
        )
