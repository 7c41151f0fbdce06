"""Staging on PostgreSQL straight from the file: COPY of its bytes into a table of texts, checks and conversion in SQL.

Under the lock the rows that are just the same here are told apart first; only the others go on to the staging table.
A section with anything unusual is given back, and the caller stages it cell by cell.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..formats.blocks import Block, RawRows, Unusual
from ..records import FieldSpec, Identity
from ..values import NULL
from .deciding import compared
from .postgres_texts import KEY, SOURCE, Rule, rule_of
from .staging import ALIASES, Layout, Staged, Work, load_columns, uuid_column

if TYPE_CHECKING:
    from .postgres import PostgresSession

BLOCKS = 16  # of a file a COPY; between two the caller is told how far it is
MAX_WIDTH = 500
SAMPLE = 200  # rows
Told = Callable[[int], None]


class TextStage:
    """The texts of one staged table: `t` with its columns c0.. and the row number n, and `h`, the line breaks in cells."""

    def __init__(self, session: PostgresSession, staged: Staged, layout: Layout, rules: dict[int, Rule]) -> None:
        self._session, self._staged, self._layout, self._rules = session, staged, layout, rules
        self.t, self.h, self.e = (f"ps_{letter}{staged.index}" for letter in "the")
        self.v = staged.s  # the staging table itself, where `s` is a view
        self._first_line = 0
        self._has_home = False
        self._rows, self._distinct = 0, False
        self._pointing: dict[int, int] = {}
        self._by_src: set[str] = set()

    # ---- filling

    def load(self, raw: RawRows, told: Told) -> bool:
        """Fill the table of texts and check it; return False when any row is unusual."""
        blocks = raw.blocks()
        if blocks is None:
            return False
        self._first_line = raw.line
        cells = ", ".join(f"c{i}" for i in range(self._layout.width))
        number = "n integer GENERATED ALWAYS AS IDENTITY (CACHE 1000)"
        self._session.create(self.t, (number, *(f"c{i} text" for i in range(self._layout.width))))
        copy = f"COPY {self.t} ({cells}) FROM STDIN WITH (FORMAT csv, NULL '{NULL}', FORCE_NULL ({cells}), ENCODING 'UTF8')"
        rows, waiting = 0, iter(blocks)
        breaks = Breaks()
        while True:
            feed = Feed(itertools.islice(waiting, BLOCKS))
            copied = self._session.copy(copy, feed)
            if feed.failure is not None:
                raise feed.failure
            if feed.unusual or copied != feed.rows:
                return False
            breaks.add(rows, feed.breaks)
            rows += feed.rows
            if feed.rows:
                told(rows)
            else:
                break
        self._note_breaks(breaks)
        return self._check(rows)

    def _note_breaks(self, breaks: Breaks) -> None:
        """Make `s` a view that counts line breaks in cells only for the rows whose line is asked for: seven times as fast."""
        if not breaks.rows:
            return
        session, staged = self._session, self._staged
        session.create(self.h, ("n integer", "total integer"))
        session.load(self.h, ("n", "total"), (breaks.rows, breaks.totals))
        session.index(self.h, "n, total")
        self.v = f"ps_v{staged.index}"
        before = f"(SELECT h.total FROM {self.h} h WHERE h.n < v.n ORDER BY h.n DESC LIMIT 1)"
        others = ", ".join(c for c in load_columns(staged) if c != "line")
        session.run(f"ALTER TABLE {staged.s} RENAME TO {self.v}")
        session.run(f"CREATE TEMPORARY VIEW {staged.s} AS SELECT {others}, line + COALESCE({before}, 0) AS line FROM {self.v} v")
        session.views[staged.s] = self.v

    def _check(self, rows: int) -> bool:
        """Return whether every cell is usual; find out what the merge must know of keys and references."""
        staged, layout = self._staged, self._layout
        key = layout.fields[staged.position(staged.spec.uuid_name or "") or 0]
        singles = [(p, f) for p, f in staged.references if f.is_reference]
        counted = [f"count(*) FILTER (WHERE {' AND '.join(self._usual())})"]
        counted.append(f'count(DISTINCT hashtextextended(c{key} COLLATE "C", 0))')  # half the time of the texts
        counted.append(f"count(DISTINCT CAST(c{layout.src} AS bigint))" if layout.src is not None else "count(*)")
        for position, _ in singles:
            at, companion = layout.fields[position], layout.companions.get(position)
            by_src = f"c{at} IS NOT NULL" if at >= 0 else "false"
            if companion is not None:
                by_src += f" AND c{companion} IS NULL"
            counted.append(f"count(c{at if companion is None else companion}), count(*) FILTER (WHERE {by_src})")
        [(usual, keys, ids, *pointing)] = self._session.rows(f"SELECT {', '.join(counted)} FROM {self.t}")
        if usual != rows:
            return False
        self._rows, self._distinct = rows, keys == rows and ids == rows
        for (position, field), count, by_src in zip(singles, pointing[0::2], pointing[1::2], strict=True):
            self._pointing[position] = count
            if layout.fields[position] >= 0 and (by_src or field.name not in staged.companions):
                self._by_src.add(field.name)
        return True

    def take(self) -> None:
        """Tell the staged table what was found out: no more of its rows come."""
        staged = self._staged
        staged.rows, staged.distinct, staged.waiting = self._rows, self._distinct, self.settle
        staged.pointing |= self._pointing
        staged.by_src |= self._by_src

    def _usual(self) -> Iterator[str]:
        """Yield an SQL condition for each column: true for a usual cell, and for NULL where that is allowed."""
        staged, layout = self._staged, self._layout
        if layout.src is not None:
            yield f"({SOURCE.format(a=f'c{layout.src}')}) IS NOT FALSE"
        for at in layout.companions.values():
            yield f"({KEY.format(a=f'c{at}')}) IS NOT FALSE"
        for position, field in enumerate(staged.fields):
            at, companion = layout.fields[position], layout.companions.get(position)
            key = field.name == staged.spec.uuid_name
            if at >= 0:
                guard = self._rules[position].guard.format(a=f"c{at}") + (f" AND {KEY.format(a=f'c{at}')}" if key else "")
                yield f"({guard}) IS {'TRUE' if key or (field.notnull and companion is None) else 'NOT FALSE'}"
            if field.notnull and companion is not None:
                yield f"COALESCE({f'c{at}, ' if at >= 0 else ''}c{companion}) IS NOT NULL"

    # ---- under the lock

    def settle(self, work: Work) -> None:
        """Tell apart the rows that are the same here, and fill the staging table with the others."""
        staged, session = self._staged, self._session
        compare = self._may_compare(work) and self._some_are_same(work)
        joins, same = self._sameness(work) if compare else ("", "")
        columns = load_columns(staged)
        select = f"SELECT {', '.join(self._values())} FROM {self.t} a {joins}{f' WHERE ({same}) IS NOT TRUE' if same else ''}"
        taken = session.run(f"INSERT INTO {self.v} ({', '.join(columns)}) {select}")
        staged.same = staged.rows - taken
        if staged.same and self._layout.src is not None:
            key = self._uuid_cell()
            staged.apart = (
                f"SELECT CAST(a.c{self._layout.src} AS bigint) AS src, t.{staged.spec.id_column} AS id FROM {self.t} a "
                f"JOIN {staged.spec.sql_name} t ON t.{uuid_column(staged.spec)} = {key} "
                f"WHERE NOT EXISTS (SELECT 1 FROM {staged.s} s WHERE s.n = a.n)"
            )

    def _values(self) -> Iterator[str]:
        """Yield SQL for the columns of the staging table, in the order in which they are loaded."""
        staged, layout = self._staged, self._layout
        yield "a.n"
        yield f"a.n + {self._first_line - 1}"
        yield f"CAST(a.c{layout.src} AS bigint)" if layout.src is not None else "NULL"
        for position in range(len(staged.fields)):
            yield self._value(position)
        for position, field in staged.references:
            if field.is_reference:
                yield f"a.c{layout.companions[position]}" if position in layout.companions else "NULL"

    def _value(self, position: int) -> str:
        at = self._layout.fields[position]
        return self._rules[position].value.format(a=f"a.c{at}") if at >= 0 else "NULL"

    def _uuid_cell(self) -> str:
        return f"a.c{self._layout.fields[self._staged.position(self._staged.spec.uuid_name or '') or 0]}"

    def _may_compare(self, work: Work) -> bool:
        """Whether a row that is the same here can be left out without another row of the file being decided otherwise."""
        staged, spec = self._staged, self._staged.spec
        known = staged.rows > 0 and staged.distinct and (uuid_column(spec),) in self._session.unique_keys(spec)
        if not known or not work.leave_out_same or work.match.get(spec.name):
            return False
        if work.arrivals is not None and work.arrivals.brings(spec.name):  # names are not what tells these files apart
            return False
        if work.aliases and self._session.rows(f"SELECT 1 FROM {ALIASES} WHERE table_name = %s LIMIT 1", (spec.name,)):
            return False
        return bool(self._session.rows(f"SELECT 1 FROM {spec.sql_name} LIMIT 1"))

    def _some_are_same(self, work: Work) -> bool:
        """Whether comparing seems worth its time: of some rows here and there a twentieth have the columns that are here."""
        staged, spec = self._staged, self._staged.spec
        equal = self._session.dialect.equal
        own = ((p, staged.fields[p]) for p in compared(staged) if not staged.fields[p].is_reference)
        same = " AND ".join(equal(self._value(p), f"t.{f.column}", f.type) for p, f in own) or "1 = 1"
        [(found,)] = self._session.rows(
            f"SELECT count(*) FROM (SELECT * FROM {self.t} WHERE n % {max(staged.rows // SAMPLE, 1)} = 0) a "
            f"JOIN {spec.sql_name} t ON t.{uuid_column(spec)} = {self._uuid_cell()} WHERE {same}"
        )
        return int(found) * 20 >= min(staged.rows, SAMPLE)

    def _sameness(self, work: Work) -> tuple[str, str]:
        """Return SQL joins and the condition under which a row is the same here."""
        staged, spec = self._staged, self._staged.spec
        joins = [f"LEFT JOIN {spec.sql_name} t ON t.{uuid_column(spec)} = {self._uuid_cell()}"]
        same = [f"t.{spec.id_column} IS NOT NULL"]
        for position in compared(staged):
            field = staged.fields[position]
            if field.is_reference:
                found = self._same_reference(work, position, field)
                joins.append(found[0])
                same.append(found[1])
            else:
                same.append(self._same_value(position, field))
        return " ".join(joins), " AND ".join(f"({condition})" for condition in same)

    def _same_value(self, position: int, field: FieldSpec) -> str:
        """SQL condition: a usual cell has the value that is here."""
        at, ours, equal = self._layout.fields[position], f"t.{field.column}", self._session.dialect.equal
        if at >= 0 and self._rules[position].canonical:
            return equal(f"a.c{at}", f"CAST({ours} AS text)", "text")
        return equal(self._value(position), ours, field.type)

    def _same_reference(self, work: Work, position: int, field: FieldSpec) -> tuple[str, str]:
        """Return an SQL join and the condition under which a row points to the record to which it points here."""
        ours, at, companion = f"t.{field.column}", self._layout.fields[position], self._layout.companions.get(position)
        nothing = [f"{ours} IS NULL", *([f"a.c{at} IS NULL"] if at >= 0 else [])]
        target = work.specs[field.target or ""]
        if companion is not None:
            nothing.append(f"a.c{companion} IS NULL")
            if target.uuid_name is None or not work.are_folded(target):
                return "", " AND ".join(nothing)
            join = f"LEFT JOIN {target.sql_name} p{position} ON p{position}.{target.id_column} = {ours}"
            return join, f"p{position}.{uuid_column(target)} = a.c{companion} OR ({' AND '.join(nothing)})"
        home = self._session.home_of(work, target.name)
        if home is None:
            return "", " AND ".join(nothing)
        join = f"LEFT JOIN {home} p{position} ON p{position}.id = {ours}"
        return join, f"p{position}.id = {self._value(position)} OR ({' AND '.join(nothing)})"

    def home(self, work: Work) -> str | None:
        """Return the name of a table of the ids that are the same in the file and here; None where that is not certain."""
        spec = self._staged.spec
        if self._layout.src is None or not self._may_compare(work):
            return None
        if not self._has_home:
            self._session.create_as(
                self.e,
                f"SELECT t.{spec.id_column} AS id FROM {self.t} a JOIN {spec.sql_name} t ON t.{uuid_column(spec)} = "
                f"{self._uuid_cell()} AND t.{spec.id_column} = CAST(a.c{self._layout.src} AS bigint)",
            )
            self._session.analyze(self.e, ("id",))
            self._has_home = True
        return self.e


def text_stage(session: PostgresSession, staged: Staged, layout: Layout) -> TextStage | None:
    """Return the stage for a table of the file, or None where its columns are not all of the types that SQL checks."""
    spec, kinds = staged.spec, session.types(staged.spec)
    position = staged.position(spec.uuid_name or "")
    if spec.identity is not Identity.UUID or spec.id_column is None or position is None or layout.fields[position] < 0:
        return None
    if layout.width > MAX_WIDTH or not session.is_utf8:
        return None
    rules: dict[int, Rule] = {}
    for number, field in enumerate(staged.fields):
        rule = rule_of(field, kinds[field.column])
        if rule is None:
            return None
        rules[number] = rule
    return TextStage(session, staged, layout, rules)


class Breaks:
    """Rows with line breaks in cells, and how many there are up to each; compact, for there may be many."""

    def __init__(self) -> None:
        self.rows, self.totals = array("q"), array("q")

    def add(self, before: int, breaks: list[tuple[int, int]]) -> None:
        """Take those of some more rows, which begin behind `before`."""
        total = self.totals[-1] if self.totals else 0
        for row, count in breaks:
            total += count
            if self.rows and self.rows[-1] == before + row:
                self.totals[-1] = total
            else:
                self.rows.append(before + row)
                self.totals.append(total)


class Feed:
    """A file for the driver to read blocks from; what goes wrong is kept, for the driver would hide it."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self.rows = 0
        self.breaks: list[tuple[int, int]] = []
        self.unusual = False
        self.failure: Exception | None = None

    def read(self, size: int) -> bytes:
        """Return the next block, b"" at the end."""
        try:
            block = next(self._blocks, None)
        except Unusual:
            self.unusual = True
            return b""
        except Exception as exc:  # raised again by whom it concerns
            self.failure = exc
            return b""
        if block is None:
            return b""
        self.breaks += ((self.rows + row, count) for row, count in block.breaks)
        self.rows += block.rows
        return block.data
