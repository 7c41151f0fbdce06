"""From a file to staging: which tables and columns are taken, decoding in whole columns, problems as values.

The first half of an import. Nothing here reads or writes the host's tables.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .catalog import Catalog, is_denied
from .errors import FileAltered, FileFormatError, TableRefused
from .formats.blocks import RawRows
from .formats.contract import Batch, Reader, Section, part_of
from .identity import fold
from .intake import ImportOptions
from .objects import to_object
from .planning import Plan, column_name, plan_of, transformed, unused_columns
from .records import Identity, Problem, TableSpec
from .stores import absences
from .stores.session import as_columns
from .stores.staging import Staged, Work, create, load_columns
from .values import NULL, Fault, Limits, Stored, decode_column

BLANKS = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f"


@dataclass(frozen=True, slots=True)
class Column:
    """The cells of one staged column in one batch; `companions` are folded uuids, `absent` the rows that lack the cell."""

    staged: Staged
    position: int
    cells: Sequence[str]
    lines: Sequence[int]
    companions: Sequence[str | None] | None
    absent: Collection[int]


class Loader:
    """Loads one file into the staging tables of a `Work`; keeps what it left out and how many rows it read."""

    def __init__(self, db: Any, options: ImportOptions, catalog: Catalog, work: Work) -> None:
        self.db, self.options, self.catalog, self.work = db, options, catalog, work
        self.limits: Limits = work.session.dialect.limits
        self.problems = work.problems
        self.warnings: list[Problem] = []
        self.ignored_tables: list[str] = []
        self.ignored_columns: dict[str, tuple[str, ...]] = {}
        self.read: dict[str, int] = {}  # rows of each table of the file, by the file's name
        self.sections: dict[str, str] = {}  # what the file calls the tables that were staged

    def load(self, reader: Reader) -> None:
        """Read the whole file into staging tables; raises when the file or one of its tables is refused."""
        for section in reader.sections():
            spec = self._accept(section)
            if spec is None or not section.header:
                self.read[section.table] = sum(len(b.rows) for b in section.batches)
            else:
                self._stage_section(spec, section, reader.raw)
        footer, me = reader.footer, self.options.instance
        self.work.same_instance = self.options.same_instance
        if footer is None:
            return
        for table, rows in footer.rows.items():
            if self.read.get(table, 0) != rows:
                raise FileAltered(f"the file holds {self.read.get(table, 0)} rows, its footer says {rows}", table=table)
        if me is not None and footer.origin.instance == me.uuid:
            self.work.same_instance = True

    def rows_read(self, table: str) -> int:
        """Return how many rows of the file were meant for a table here."""
        names = {name: self.options.map_tablenames.get(name, name) for name in self.read}
        return sum(self.read[name] for name, mapped in names.items() if (mapped or "").lower() == table.lower())

    def _accept(self, section: Section) -> TableSpec | None:
        """Return the table that a section goes to, or None when it is left out, which is noted."""
        renamed = self.options.map_tablenames.get(section.table, section.table)
        if is_denied(section.table) or (renamed is not None and is_denied(renamed)):
            raise TableRefused(
                f"the file holds the table {section.table}, which is never imported",
                table=section.table,
                line=section.line,
                hint="Accounts, memberships and sessions stay as they are here. Export the file again without it.",
            )
        spec = self.catalog.get(renamed) if renamed is not None else None
        if spec is None:
            self.ignored_tables.append(section.table)
            if renamed is not None and not self.options.ignore_missing_tables:
                self.problems.add(
                    Problem(
                        "unknown_table",
                        f"there is no table {renamed} here",
                        section.table,
                        section.line,
                        hint="This application does not have it; its rows stay in the file.",
                    )
                )
            return None
        if not spec.included:
            self.ignored_tables.append(section.table)
            self.warnings.append(Problem("left_out", f"not imported: {spec.reason}", spec.name, section.line))
            return None
        return spec

    def _stage_section(self, spec: TableSpec, section: Section, raw: RawRows | None) -> None:
        transform = self.options.transform
        batches: Iterator[Batch] = section.batches
        names = [column_name(cell, spec) for cell in section.header]
        if transform is not None:
            names, batches = transformed(transform, names, batches, spec.name)
        if self.work.of(spec.name) is not None:
            raise FileFormatError("the file holds this table twice", table=spec.name, line=section.line)
        plan, staged = plan_of(spec, names, section.line, len(self.work.staged))
        problems, warnings = unused_columns(spec, plan, names, section.line)
        self.problems.extend(problems)
        self.warnings.extend(warnings)
        create(self.work, staged)
        self.work.staged.append(staged)
        self.sections[spec.name] = section.table
        self.ignored_columns[spec.name] = plan.ignored
        if self._stage_raw(plan, staged, section.table, raw):
            return
        number = 0
        for batch in batches:
            whole = self._right_width(plan, batch)
            self._stage_batch(plan, staged, whole, number)
            number += len(whole.rows)
            self.read[section.table] = self.read.get(section.table, 0) + len(batch.rows)
            if self.options.progress is not None:
                self.options.progress(spec.name, self.read[section.table])
        self.read.setdefault(section.table, 0)

    def _stage_raw(self, plan: Plan, staged: Staged, table: str, raw: RawRows | None) -> bool:
        """Let the database take the rows as the file has them, where it can; return whether it did."""
        options = self.options
        if raw is None or options.transform or options.validate or options.null != NULL:
            return False

        def told(rows: int) -> None:
            """Say how many rows of the table were read."""
            if options.progress is not None:
                options.progress(staged.spec.name, rows)

        taken = self.work.session.stage_raw(staged, plan, raw, told)
        if taken:
            self.read[table] = staged.rows
        return taken

    def _right_width(self, plan: Plan, batch: Batch) -> Batch:
        if set(map(len, batch.rows)) <= {plan.width}:
            return batch
        kept = []
        for index, (row, line) in enumerate(zip(batch.rows, batch.lines, strict=True)):
            if len(row) == plan.width:
                kept.append(index)
                continue
            message = f"has {len(row)} cells, its header has {plan.width}"
            hint = "A comma inside a text needs quotes around it." if len(row) > plan.width else ""
            self.problems.add(Problem("row_width", message, plan.table, line, hint=hint))
        return part_of(batch, kept)

    def _stage_batch(self, plan: Plan, staged: Staged, batch: Batch, number: int) -> None:
        rows, lines = batch.rows, batch.lines
        if not rows:
            return
        columns = list(zip(*rows, strict=True))
        bad: set[int] = set(batch.refused)
        self.problems.extend(batch.refused[index] for index in sorted(bad))
        absent = _absent_rows(staged, plan, batch)
        references = {i: self._folded(columns[at]) for i, at in plan.companions.items() if staged.fields[i].is_reference}
        values = [
            self._decoded(Column(staged, i, columns[at], lines, references.get(i), absent.get(i, frozenset())), bad)
            if at >= 0
            else self._lacking(staged, plan, i, columns, lines, bad)
            for i, at in enumerate(plan.fields)
        ]
        self._note_references(staged, plan, values, references)
        numbers = range(number + 1, number + len(rows) + 1)
        nothing = (None,) * len(rows)
        loaded: list[Sequence[Any]] = [
            numbers,
            lines,
            self._ids(columns[plan.src]) if plan.src is not None else nothing,
            *self._keys(staged, values, len(rows)),
            *values,
            *(references.get(i, nothing) for i, f in staged.references if f.is_reference),
        ]
        if bad:
            good = [i not in bad for i in range(len(rows))]
            loaded = [list(itertools.compress(column, good)) for column in loaded]
        self.work.session.load(staged.s, load_columns(staged), loaded)
        self._stage_items(staged, plan, columns, values, numbers, bad)
        absences.stage(self.work, staged, absent, numbers, bad)
        staged.rows += len(rows) - len(bad)

    def _decoded(self, column: Column, bad: set[int]) -> Sequence[Stored]:
        staged = column.staged
        spec = staged.fields[column.position]
        values, faults = decode_column(spec, column.cells, self.limits, self.options.null)
        if spec.name == staged.spec.uuid_name:  # a record without uuid gets one
            faults = {i: f for i, f in faults.items() if f.code != "not_null"}
        if faults and column.companions is not None:  # a companion is enough to say which record
            faults = {i: f for i, f in faults.items() if f.code != "not_null" or column.companions[i] is None}
        if self.options.validate and spec.target is None:
            faults = faults | self._invalid(staged, spec.name, values, faults)
        for index, fault in faults.items():
            if index in column.absent:
                continue
            bad.add(index)
            where = (staged.spec.name, column.lines[index], spec.name)
            self.problems.add(Problem(fault.code, str(fault), *where, column.cells[index][:200], fault.hint))
        return values

    def _lacking(
        self,
        staged: Staged,
        plan: Plan,
        position: int,
        columns: Sequence[Sequence[str]],
        lines: Sequence[int],
        bad: set[int],
    ) -> Sequence[Stored]:
        """Return the values of a column that the file lacks: none; for a reference its companion must say more."""
        spec = staged.fields[position]
        if spec.notnull and position in plan.companions:
            for index, key in enumerate(self._folded(columns[plan.companions[position]])):
                if key is None:
                    bad.add(index)
                    message = "is empty, but the column must have a value"
                    self.problems.add(Problem("not_null", message, staged.spec.name, lines[index], spec.name))
        return [None] * len(lines)

    def _invalid(self, staged: Staged, name: str, values: Sequence[Stored], faults: Mapping[int, Fault]) -> dict[int, Fault]:
        """Return faults for values that the host's own validators refuse; those that look up records are left out."""
        requires = self.db[staged.spec.name][name].requires or ()
        validators = [v for v in (requires if isinstance(requires, (list, tuple)) else (requires,)) if _looks_at_value(v)]
        spec = staged.spec.field(name)
        found: dict[int, Fault] = {}
        for index, value in enumerate(values if validators and spec else ()):
            subject = to_object(spec, value) if spec else value
            for validator in validators if index not in faults else ():
                subject, error = validator(subject)
                if error is not None:
                    found[index] = Fault(f"is refused: {error}", code="invalid")
                    break
        return found

    def _keys(self, staged: Staged, values: list[Sequence[Stored]], rows: int) -> Iterator[Sequence[Stored]]:
        """Yield the column of primary keys, if the table has one; note what the merge must know of the uuids."""
        if staged.spec.identity is Identity.PRIMARY_KEY:
            parts = zip(*(values[p] for p in staged.key_positions), strict=True)
            yield ["\x1f".join(map(str, part)) for part in parts]
            return
        position = staged.position(staged.spec.uuid_name or "")
        if position is None:
            staged.keyless += rows
            return
        uuids = _stripped(values[position])
        values[position] = uuids
        staged.keyless += uuids.count(None)
        joined = "".join(filter(None, uuids))
        staged.folded = staged.folded and fold(joined) == joined

    def _folded(self, cells: Sequence[str]) -> Sequence[str | None]:
        """Return the folded uuids of cells, None for NULL and blank ones."""
        null = self.options.null
        found = [None if c in (null, NULL) else c for c in cells] if null in cells or NULL in cells else cells
        uuids = _stripped(found)
        joined = "".join(filter(None, uuids))
        return uuids if fold(joined) == joined else [fold(u) if u else None for u in uuids]

    def _ids(self, cells: Sequence[str]) -> list[int | None]:
        """The file's ids; they only serve to find records within the file, so what is no number is simply none."""
        joined = "".join(cells)
        if joined.isascii() and joined.isdecimal() and "" not in cells and max(map(len, cells)) < 19:
            return list(map(int, cells))
        return [int(c) if c.isascii() and c.isdecimal() and len(c) < 19 else None for c in cells]

    def _note_references(
        self,
        staged: Staged,
        plan: Plan,
        values: Sequence[Sequence[Stored]],
        references: Mapping[int, Sequence[str | None]],
    ) -> None:
        """Remember which reference columns have rows with an id and no uuid (only these need the file's ids), and count
        the rows that point somewhere (when as many are found, none is missing).
        """
        for position, spec in staged.references:
            if spec.is_list_reference:
                continue
            keys = references.get(position)
            pointing = values[position] if keys is None else keys
            staged.pointing[position] = staged.pointing.get(position, 0) + len(pointing) - pointing.count(None)
            if plan.fields[position] < 0 or spec.name in staged.by_src:
                continue
            rows = zip(values[position], keys, strict=True) if keys is not None and None in keys else ()
            if keys is None or any(value is not None and key is None for value, key in rows):
                staged.by_src.add(spec.name)

    def _stage_items(
        self,
        staged: Staged,
        plan: Plan,
        columns: Sequence[Sequence[str]],
        values: Sequence[Sequence[Stored]],
        numbers: Sequence[int],
        bad: set[int],
    ) -> None:
        for position, spec in staged.references:
            if not spec.is_list_reference:
                continue
            keys = columns[plan.companions[position]] if position in plan.companions else None
            rows = [
                (numbers[i], pos, src, key)
                for i, value in enumerate(values[position])
                if i not in bad
                for pos, (src, key) in enumerate(_items(value, keys[i] if keys else None))
            ]
            if any(key is None for _, _, _, key in rows):
                staged.by_src.add(spec.name)
            self.work.session.load(staged.items(position), ("n", "pos", "src", "k"), as_columns(rows, 4))


def _absent_rows(staged: Staged, plan: Plan, batch: Batch) -> dict[int, set[int]]:
    """Return the rows of a batch whose record does not mention a column, by the column's staged position."""
    columns = {at: i for i, at in enumerate(plan.fields) if at >= 0 and i not in staged.key_positions}
    found: dict[int, set[int]] = {}
    for row, places in batch.absent.items():
        for at in places:
            if at in columns:
                found.setdefault(columns[at], set()).add(row)
    return found


def _stripped(cells: Sequence[Any]) -> list[str | None]:
    """Return uuids without blanks around them; None for blank ones."""
    joined = "".join(filter(None, cells))
    if "" not in cells and joined.isascii() and not any(map(joined.__contains__, BLANKS)):
        return list(cells)
    return [c.strip() or None if c else None for c in cells]


def _items(value: Stored, keys: str | None) -> Iterator[tuple[int | None, str | None]]:
    """Yield (id, folded uuid) of the items of a list:reference cell; the companion's items stand in the same order."""
    ids = [int(x) for x in str(value or "").split("|") if x]
    names = ["" if k == NULL else fold(k) for k in _bar_items(keys)] if keys and keys != NULL else []
    for i in range(max(len(ids), len(names))):
        yield (ids[i] if i < len(ids) else None), (names[i] or None if i < len(names) else None)


def _bar_items(cell: str) -> list[str]:
    return [item.replace("\x1f", "|") for item in cell.strip("|").replace("||", "\x1f").split("|")] if cell.strip("|") else []


def _looks_at_value(validator: Any) -> bool:
    """Whether a validator judges the value alone: those that look up records would refuse what the same file brings."""
    return callable(validator) and not hasattr(validator, "set_self_id") and not hasattr(validator, "dbset")
