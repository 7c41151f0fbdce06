"""Writing to a database through pyDAL, row by row: new records, then references to what came later, changes, aliases.

New rows get their ids from the database; until a row is inserted it has a provisional id, in the staging tables and in
whatever points to it. Each row is read back: what the database would keep in another form is a problem of that row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import StoreBusy, StoreError, SyncError
from ..records import FieldSpec, Identity, Problem, TableSpec
from ..values import Stored
from . import writing
from .deciding import CHANGED, compared
from .matching import BY_MATCH_KEY
from .portable_host import PAGE, Host, Place
from .portable_values import same
from .session import ROW_NUMBER, as_columns
from .staging import ALIASES, Staged, Work, uuid_column

PROVISIONAL = 1 << 62  # and above are the ids of rows that are not written yet
SHOWN = 200  # characters of a value in a problem

Row = tuple[Any, ...]
Written = list[tuple[int, int, Place, dict[str, Stored]]]  # row number, line, where, and what of each row


class Writer:
    """One attempt to write all that was decided; afterwards the staging tables hold the real ids."""

    def __init__(self, work: Work, host: Host) -> None:
        self.work, self.host, self.session = work, host, work.session
        self.problems: list[tuple[Staged, list[tuple[int, Problem]]]] = []
        self.session.create("ps_given", ("id INTEGER PRIMARY KEY", "given INTEGER NOT NULL"))
        self.session.create("ps_late", ("i INTEGER", "n INTEGER", "p INTEGER"))

    def write(self, restore: bool) -> None:
        """Write everything, parents before children; rows that the database would change are in `problems`."""
        self._insert_all()
        for staged in self.work.staged:
            self._settle(staged)
        for staged in self.work.staged:
            with writing.named(staged):
                self._set_late(staged)
                self._update(staged)
                self._keep_aliases(staged)
        if restore and not self.problems:
            self._delete_absent()

    # ---- new rows

    def _insert_all(self) -> None:
        for staged in self.work.staged:
            self.session.create(_waiting(staged), (ROW_NUMBER,))
            self.session.run(f"INSERT INTO {_waiting(staged)} SELECT n FROM {staged.m} WHERE fresh = 1")
        waiting = list(self.work.staged)
        while waiting:  # again for rows that must point to one that had no id yet
            inserted = 0
            for staged in waiting:
                with writing.named(staged):
                    inserted += self._insert(staged)
            waiting = [s for s in waiting if self._first_waiting(s)]
            if waiting and not inserted:
                staged = waiting[0]
                raise SyncError(
                    "points to a record that is new as well and points back, and both must: this database gives the ids",
                    table=staged.spec.name,
                    line=self._first_waiting(staged)[0][0],
                    hint="Let one of the columns be empty.",
                )

    def _first_waiting(self, staged: Staged) -> list[Row]:
        waiting = f"{_waiting(staged)} w JOIN {staged.s} s ON s.n = w.n"
        return self.session.rows(f"SELECT s.line FROM {waiting} ORDER BY w.n LIMIT 1")

    def _insert(self, staged: Staged) -> int:
        """Insert the rows of a table whose mandatory references have ids; return how many."""
        values = ", ".join(["m.n", "s.line", "m.id", *(staged.value(p) for p in range(len(staged.fields)))])
        source = f"{_waiting(staged)} w JOIN {staged.m} m ON m.n = w.n JOIN {staged.s} s ON s.n = w.n"
        source += f" JOIN {staged.r} r ON r.n = w.n" if staged.references else ""
        count = 0
        for page in self._pages(f"SELECT {values} FROM {source} WHERE w.n > {{after}} ORDER BY w.n"):
            written = self._insert_page(staged, page)
            self._check(staged, written)
            count += len(written)
        return count

    def _insert_page(self, staged: Staged, page: Sequence[Row]) -> Written:
        given = self._given({i for row in page for p, _ in staged.references for i in _provisional(row[3 + p])})
        defaults = self.work.defaults.get(staged.spec.name, {})
        written: Written = []
        late: list[tuple[int, int, int]] = []
        new: list[tuple[int, Stored]] = []
        for number, line, ident, *cells in page:
            later = [p for p, _ in staged.references if any(i not in given for i in _provisional(cells[p]))]
            if any(staged.fields[p].notnull and staged.fields[p].is_reference for p in later):
                continue
            values = dict(defaults)
            for position, field in enumerate(staged.fields):
                cell = cells[position] if field.target is None else _real(cells[position], given)
                values[field.name] = _empty(field) if position in later else cell
            place = self.host.insert(staged.spec, values)
            written.append((number, line, place, values))
            late += [(staged.index, number, p) for p in later]
            if staged.spec.id_name is not None:
                given[ident] = int(str(place[0]))
                new.append((ident, given[ident]))
        self.session.load("ps_given", ("id", "given"), as_columns(new, 2))
        self.session.load("ps_late", ("i", "n", "p"), as_columns(late, 3))
        numbers = ", ".join(str(number) for number, *_ in written)
        self.session.run(f"DELETE FROM {_waiting(staged)} WHERE n IN ({numbers})")
        return written

    def _given(self, provisional: set[int]) -> dict[int, int]:
        """Return the ids that the database gave for provisional ones, as far as it did."""
        numbers = ", ".join(map(str, sorted(provisional)))
        return dict(self.session.rows(f"SELECT id, given FROM ps_given WHERE id IN ({numbers})")) if provisional else {}

    def _settle(self, staged: Staged) -> None:
        """Put the ids that the database gave into the place of provisional ones."""
        places = [(staged.m, "id")] if staged.spec.id_name else []
        places += [(staged.r, f"r{p}") for p, f in staged.references if f.is_reference]
        for table, column in places:
            self.session.run(
                f"UPDATE {table} SET {column} = (SELECT g.given FROM ps_given g WHERE g.id = {table}.{column}) "
                f"WHERE {column} IN (SELECT id FROM ps_given)"
            )
        for position in (p for p, f in staged.references if f.is_list_reference):
            query = f"SELECT n, r{position} FROM {staged.r} WHERE r{position} IS NOT NULL AND n > {{after}} ORDER BY n"
            for page in self._pages(query):
                given = self._given({i for _, cell in page for i in _provisional(cell)})
                for number, cell in page:
                    if _provisional(cell):
                        self.session.run(f"UPDATE {staged.r} SET r{position} = ? WHERE n = ?", (_real(cell, given), number))

    def _set_late(self, staged: Staged) -> None:
        """Set the references that were left out when their rows were inserted."""
        names = [f"r.r{p}" for p, _ in staged.references]
        query = (
            f"SELECT m.n, s.line, m.id, group_concat(l.p), {', '.join(names)} FROM ps_late l JOIN {staged.m} m ON m.n = l.n "
            f"JOIN {staged.s} s ON s.n = l.n JOIN {staged.r} r ON r.n = l.n WHERE l.i = {staged.index} AND m.n > {{after}} "
            "GROUP BY m.n ORDER BY m.n"
        )
        for page in self._pages(query) if names else ():
            written: Written = []
            for number, line, ident, positions, *cells in page:
                late = set(map(int, positions.split(",")))
                values = {f.name: cell for (p, f), cell in zip(staged.references, cells, strict=True) if p in late}
                written.append((number, line, (ident,), values))
            self._change(staged, written)

    # ---- changed rows

    def _update(self, staged: Staged) -> None:
        """Update the rows that differ, in the columns that do, if they still are as they were when it was decided."""
        positions = compared(staged)
        keys = [f"s.v{p}" for p in staged.key_positions] if staged.spec.id_name is None else ["o.id"]
        values = [writing.written_value(self.work, staged, p) for p in positions]
        columns = [*keys, *values, *(f"t.{staged.fields[p].column}" for p in positions)]
        refs = f" JOIN {staged.r} r ON r.n = o.n" if staged.references else ""
        query = (
            f"SELECT o.n, s.line, {', '.join(columns)} FROM {staged.o} o JOIN {staged.m} m ON m.n = o.n "
            f"JOIN {staged.s} s ON s.n = o.n{refs} JOIN {staged.spec.sql_name} t ON {staged.on_local} "
            f"WHERE o.o = {CHANGED} AND o.n > {{after}} ORDER BY o.n"
        )
        fields = [staged.fields[p] for p in positions]
        for page in self._pages(query) if positions else ():
            held = self.host.held(staged.spec, [tuple(row[2 : 2 + len(keys)]) for row in page], fields)
            written: Written = []
            for number, line, *cells in page:
                place, new, old = _parts(cells, len(keys), len(fields))
                now = held.get(place)
                if now is None or not all(map(same, fields, now, old)):
                    raise StoreBusy("a record was changed meanwhile", line=line, hint="Try again in a minute.")
                changed = {f.name: a for f, a, b in zip(fields, new, old, strict=True) if not same(f, a, b)}
                if changed:
                    written.append((number, line, place, changed))
            self._change(staged, written)

    def _change(self, staged: Staged, written: Written) -> None:
        for _, _, place, values in written:
            self.host.update(staged.spec, place, values)
        self._check(staged, written)

    def _check(self, staged: Staged, written: Written) -> None:
        """Read rows back, and note those of which the database made something else."""
        names = {name for *_, values in written for name in values}
        fields = [f for f in staged.spec.fields if f.name in names]
        found = self.host.read(staged.spec, [place for _, _, place, _ in written], fields)
        problems = []
        for number, line, place, values in written:
            if place not in found:
                raise StoreError("a row that was written is not there: the database gave another id than it said", line=line)
            kept = dict(zip((f.name for f in fields), found[place], strict=True))
            wrong = next((f for f in fields if f.name in values and not same(f, kept[f.name], values[f.name])), None)
            if wrong is not None:
                problems.append((number, _unfit(staged.spec, line, wrong, values[wrong.name], kept[wrong.name])))
        if problems:
            self.problems.append((staged, problems))

    # ---- aliases, and what is to go

    def _keep_aliases(self, staged: Staged) -> None:
        """Remember the uuids that were linked to local records by a match key."""
        spec = staged.spec
        if not self.work.aliases or spec.identity is not Identity.UUID:
            return
        for key, uuid in self.session.rows(
            f"SELECT m.k, t.{uuid_column(spec)} FROM {staged.m} m JOIN {spec.sql_name} t ON t.{spec.id_column} = m.id "
            f"WHERE m.how = {BY_MATCH_KEY} AND m.k IS NOT NULL"
        ):
            self.host.insert(self.work.specs[ALIASES], {"table_name": spec.name, "alias": key, "uuid": uuid})

    def _delete_absent(self) -> None:
        """Delete the local records that the file does not hold; whether any may go shows on the copies, which are put back."""
        self.session.run("SAVEPOINT deleting")
        work = dataclasses.replace(self.work, defaults={})
        for staged in work.staged:
            writing.insert_new(work, staged)
        for staged in work.staged:
            writing.update_changed(work, staged)
        for staged in reversed(work.staged):
            with writing.named(staged):
                before = self._places(staged)
                writing.delete_absent(work, staged)
                gone = sorted(before - self._places(staged), reverse=True)
                for start in range(0, len(gone), PAGE):
                    self.host.delete(staged.spec, gone[start : start + PAGE])
        self.session.run("ROLLBACK TO deleting")

    def _places(self, staged: Staged) -> set[Place]:
        spec = staged.spec
        columns = [spec.id_column] if spec.id_column else [staged.fields[p].column for p in staged.key_positions]
        return set(self.session.rows(f"SELECT {', '.join(filter(None, columns))} FROM {spec.sql_name}"))

    def _pages(self, query: str) -> Iterator[list[Row]]:
        """Yield the rows of a query in pages; its first column is n, and it begins after {after}."""
        after = 0
        while page := self.session.rows(f"{query.format(after=after)} LIMIT {PAGE}"):
            yield page
            after = page[-1][0]


def _waiting(staged: Staged) -> str:
    return f"ps_w{staged.index}"


def _provisional(cell: Stored) -> list[int]:
    """Return the provisional ids in a reference or a list of references."""
    ids = [cell] if isinstance(cell, int) else [int(i) for i in str(cell or "").split("|") if i.isdecimal()]
    return [i for i in ids if i >= PROVISIONAL]


def _real(cell: Stored, given: Mapping[int, int]) -> Stored:
    """Return a reference or a list of references with the ids that the database gave."""
    if not _provisional(cell):
        return cell
    if isinstance(cell, int):
        return given.get(cell, cell)
    return "|".join(str(given.get(int(i), i)) if i.isdecimal() else i for i in str(cell).split("|"))


def _empty(field: FieldSpec) -> Stored:
    return "" if field.notnull else None


def _parts(cells: Sequence[Stored], keys: int, fields: int) -> tuple[Place, Sequence[Stored], Sequence[Stored]]:
    return tuple(cells[:keys]), cells[keys : keys + fields], cells[keys + fields :]


def _unfit(spec: TableSpec, line: int, field: FieldSpec, wanted: Stored, kept: Stored) -> Problem:
    reason = f"the database would keep {str(kept)[:SHOWN]!r} instead" if kept is not None else "the database would keep nothing"
    return Problem("unfit", reason, spec.name, line, field.name, str(wanted)[:SHOWN])
