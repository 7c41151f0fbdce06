"""Undoing an import: what it made is removed, what it changed is as it was; records that were edited since stay.

A record was edited since when it is not what the import left (`Kept`). A new record that others now point to stays too.
All or nothing, as an import.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from . import callbacks
from .errors import SettingsError
from .formats.csv import CsvReader, CsvWriter
from .importer import Merge, reconciled, run_import
from .intake import ImportOptions
from .keeping import AFTER, ALIASES_MADE, BEFORE, NEW, Kept
from .policies import Policy
from .records import MAX_PROBLEMS, KeptRecord, UndoneTable, UndoReport
from .settings import Duplicates, Settings
from .stores import removing
from .stores.registry import open_store
from .stores.staging import ALIASES, Work

EDITED, GONE, POINTED, REFUSED = "edited since", "deleted since", "others point to it", "refused by the application"
CHUNK = 500  # ids at once


def undo_import(db: Any, kept: Kept, settings: Settings | None = None, *, dry_run: bool = False, **hooks: Any) -> UndoReport:
    """Undo the import that left `kept`; return what was removed and restored, and every record that stays.

    `hooks` are `ImportOptions` of a caller who wants to hear of progress. Neither commits nor rolls back the caller's
    transaction; raises SyncError, and then has changed nothing. SettingsError when nothing was kept.
    """
    if not kept.can_undo:
        raise SettingsError("what this import changed is not kept any more", hint="It can no longer be undone.")
    started = time.monotonic()
    plain = replace(settings or Settings(), table_policies={}, match={}, duplicates=Duplicates.CREATE)
    options = ImportOptions(policy=Policy.THEIRS, strict=False, settings=plain, same_instance=True, exact=True, **hooks)
    undo = _Undo(db, kept, options)
    with open_store(db).transaction(keep=not dry_run):
        undo.restore()
        undo.remove(dry_run)
        undo.forget_aliases()
    return UndoReport(
        dry_run=dry_run,
        tables=tuple(UndoneTable(name, *counts) for name, counts in undo.counts.items()),
        kept=tuple(undo.stays[:MAX_PROBLEMS]),
        kept_total=len(undo.stays),
        seconds=time.monotonic() - started,
    )


class _Undo:
    """The steps of one undo, and what they found."""

    def __init__(self, db: Any, kept: Kept, options: ImportOptions) -> None:
        self.db, self.kept, self.options = db, kept, options
        self.counts: dict[str, list[int]] = {}  # removed, restored
        self.stays: list[KeptRecord] = []

    def restore(self) -> None:
        """Give the changed records back what they were, but for those that were edited since."""
        with self._merged(AFTER) as merge:
            untouched = {s.spec.name: set(removing.untouched(merge.work, s)) for s in merge.work.staged}
        with tempfile.TemporaryFile() as former:
            for table, ident, key in _copy_rows(self.kept.path(BEFORE), former, untouched):
                self.stays.append(KeptRecord(table, key, EDITED if self._is_here(table, ident) else GONE))
            former.seek(0)
            report = run_import(self.db, former, self.options)
        for done in report.tables:
            self._count(done.table)[1] += done.counts.changed
        for problem in report.problems:
            self.stays.append(KeptRecord(problem.table or "", f"line {problem.line}", problem.message))

    def remove(self, dry_run: bool) -> None:
        """Delete the new records, but for those that were edited since or that others point to; or find out which."""
        with self._merged(NEW) as merge:
            work = merge.work
            pointers = list(_pointers(self.db, merge))
            stay = removing.choose(work, pointers)
            refused = {s.spec.name: self._ask_host(merge, s) for s in work.staged}
            for staged in work.staged:
                if refused[staged.spec.name]:
                    removing.keep(work, staged, refused[staged.spec.name])
            removed = {s.spec.name: set(removing.chosen(work, s)) for s in work.staged}
            for name, ids in removed.items():
                self._count(name)[0] += len(ids)
            if not dry_run:
                self._delete(work, pointers, removed)
        for table, ident, key in _copy_rows(self.kept.path(NEW), None, removed):
            reason = POINTED if ident in stay.get(table, ()) else REFUSED if ident in refused.get(table, ()) else None
            if reason is None and self._is_here(table, ident):
                reason = EDITED
            if reason is not None:  # one that was deleted since is as undone as can be
                self.stays.append(KeptRecord(table, key, reason))

    def _delete(self, work: Work, pointers: list[removing.Pointer], removed: Mapping[str, set[int]]) -> None:
        with removing.indexed(work, pointers):
            for staged in reversed(work.staged):
                removing.remove(work, staged)
        for staged in reversed(work.staged):
            callbacks.call_after_delete(self.db[staged.spec.name], sorted(removed[staged.spec.name]))

    def forget_aliases(self) -> None:
        """Forget the uuids that the import linked to records here."""
        made: Mapping[str, list[str]] = json.loads(self.kept.path(ALIASES_MADE).read_text(encoding="ascii"))
        for table, keys in made.items() if ALIASES in self.db.tables else ():
            aliases = self.db[ALIASES]
            for start in range(0, len(keys), CHUNK):
                part = keys[start : start + CHUNK]
                self.db((aliases.table_name == table) & aliases.alias.belongs(part)).delete()

    @contextmanager
    def _merged(self, name: str) -> Iterator[Merge]:
        with self.kept.path(name).open("rb") as file, reconciled(self.db, file, self.options) as merge:
            yield merge

    def _count(self, table: str) -> list[int]:
        return self.counts.setdefault(table, [0, 0])

    def _is_here(self, table: str, ident: int) -> bool:
        rows = self.db[table]
        return not self.db(rows._id == ident, ignore_common_filters=True).isempty()

    def _ask_host(self, merge: Merge, staged: Any) -> set[int]:
        return callbacks.call_before_delete(self.db[staged.spec.name], removing.chosen(merge.work, staged))


def _copy_rows(source: Path, target: BinaryIO | None, wanted: Mapping[str, set[int]]) -> Iterator[tuple[str, int, str]]:
    """Copy the rows whose ids are wanted, by table; yield table, id and uuid of each other one."""
    writer = CsvWriter()
    with source.open("rb") as file:
        for section in CsvReader(file).sections():
            ids = wanted.get(section.table, set())
            names = [cell.split(".", 1)[1] for cell in section.header]
            pieces = [writer.begin(section.table, section.header)]
            for batch in section.batches:
                pieces.append(writer.rows([row for row in batch.rows if int(row[0]) in ids]))
                yield from ((section.table, int(row[0]), _key(names, row)) for row in batch.rows if int(row[0]) not in ids)
                if target is not None:
                    target.writelines(pieces)
                pieces = []
            if target is not None:
                target.write(writer.end_table())
    if target is not None:
        target.write(writer.close())


def _key(names: list[str], row: list[str]) -> str:
    """How a record is named: by its uuid, the column after the id, or by its id."""
    return row[1] if len(names) > 1 and names[1].lower() == "uuid" else f"id {row[0]}"


def _pointers(db: Any, merge: Merge) -> Iterator[removing.Pointer]:
    """Yield every column of the database that points to a table of the merge."""
    for staged in merge.work.staged:
        for field in db[staged.spec.name]._referenced_by:
            table = field.table
            yield removing.Pointer(
                table._tablename, table._rname, table._id._rname, field._rname, staged.spec.name, is_list=False
            )
    for spec in merge.work.specs.values():
        for field in spec.references:
            if field.is_list_reference and spec.id_column is not None and field.target:
                yield removing.Pointer(spec.name, spec.sql_name, spec.id_column, field.column, field.target, is_list=True)
