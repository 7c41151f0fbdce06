"""What an import leaves behind, so that it can be undone, and so that its conflicts can be decided later.

Files in the package's own CSV form, written inside the import's transaction and whole before it commits: the changed
records as they were (`before`) and as they became (`after`), the new ones (`new`), and what the file says of records in
conflict (`theirs`, with the ids of the records here). Beside them, the aliases that were made and what a check decided.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from .errors import CheckOutdated
from .exporter import lines_of_table
from .formats.csv import CsvWriter
from .stores.deciding import CHANGED, CONFLICT
from .stores.matching import BY_MATCH_KEY, TO_ASK
from .stores.reading import header_of
from .stores.staging import Staged, Work

DECIDED, ALIASES_MADE = "decided.txt", "aliases.json"
BEFORE, AFTER, NEW, THEIRS = "before.csv", "after.csv", "new.csv", "theirs.csv"


@dataclass(frozen=True, slots=True)
class Kept:
    """The folder of one import."""

    folder: Path

    def path(self, name: str) -> Path:
        """Return the path of one of the files."""
        return self.folder / name

    @property
    def can_undo(self) -> bool:
        """Whether all is there that undoing needs."""
        return all(self.path(name).is_file() for name in (BEFORE, AFTER, NEW, ALIASES_MADE))

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- while the import runs

    def before(self, work: Work) -> None:
        """Keep the records that are about to be changed, and what the file says of those in conflict."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write(BEFORE, work, _changed)
        self._write(THEIRS, work, _theirs)

    def after(self, work: Work) -> None:
        """Keep the changed and new records as they are now, and the aliases that were made."""
        self._write(AFTER, work, _changed)
        self._write(NEW, work, _new)
        query = f"SELECT k FROM {{}} WHERE how = {BY_MATCH_KEY}"
        made = {s.spec.name: [k for (k,) in work.session.rows(query.format(s.m))] for s in work.staged} if work.aliases else {}
        with self.path(ALIASES_MADE).open("w", encoding="ascii") as file:
            json.dump({table: keys for table, keys in made.items() if keys}, file)

    def _write(self, name: str, work: Work, source: Callable[[Staged], str]) -> None:
        writer, rows, reader = CsvWriter(), {}, work.session.reader()
        with self.path(name).open("wb") as file:
            for staged in work.staged:
                spec = staged.spec
                if spec.id_column is None or not work.session.rows(f"SELECT 1 FROM ({source(staged)}) x LIMIT 1"):
                    continue
                file.write(writer.begin(spec.name, [f"{spec.name}.{column}" for column in header_of(spec, work.specs)]))
                rows[spec.name] = 0
                for data, count in lines_of_table(reader, writer, replace(spec, source=f"({source(staged)})"), work.specs):
                    file.write(data)
                    rows[spec.name] += count
                file.write(writer.end_table())
            file.writelines(writer.end(rows))
            file.flush()
            os.fsync(file.fileno())

    # ---- between a check and its import

    def note_decisions(self, lines: Iterator[str]) -> None:
        """Keep what a check decided on each row."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.path(DECIDED).open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)

    def require_decisions(self, lines: Iterator[str]) -> None:
        """Raise CheckOutdated when an import decides otherwise than the check that somebody saw."""
        alone: set[str] = set()  # lines that came on one side only so far; small, for both sides are in one order
        with self.path(DECIDED).open(encoding="utf-8") as file:
            for seen, line in itertools.zip_longest(map(str.rstrip, file), lines, fillvalue=""):
                if seen != line:
                    alone ^= {seen}
                    alone ^= {line}
        edited = {tuple(line.split(" ", 2)[:2]) for line in alone if line}
        if edited:
            raise CheckOutdated(len(edited))


def _changed(staged: Staged) -> str:
    """SQL for the records that an import changes."""
    spec = staged.spec
    return f"SELECT t.* FROM {spec.sql_name} t JOIN {staged.o} o ON o.id = t.{spec.id_column} WHERE o.o = {CHANGED}"


def _new(staged: Staged) -> str:
    """SQL for the records that an import made."""
    spec = staged.spec
    return f"SELECT t.* FROM {spec.sql_name} t JOIN {staged.m} m ON m.id = t.{spec.id_column} WHERE m.fresh = 1"


def _theirs(staged: Staged) -> str:
    """SQL for the file's side of conflicts, as a record of ours would look; the id is negative where it is to be asked."""
    spec = staged.spec
    values = {f.name: staged.value(p) for p, f in enumerate(staged.fields)}
    columns = ", ".join(f"{values.get(f.name, f't.{f.column}')} AS {f.column}" for f in spec.fields)
    ident = f"CASE WHEN m.how = {TO_ASK} THEN -m.n ELSE m.id END AS {spec.id_column}"
    return (
        f"SELECT {ident}, {columns} FROM {staged.joined} LEFT JOIN {staged.o} o ON o.n = m.n "
        f"LEFT JOIN {spec.sql_name} t ON t.{spec.id_column} = m.id AND m.fresh = 0 WHERE o.o = {CONFLICT} OR m.how = {TO_ASK}"
    )
