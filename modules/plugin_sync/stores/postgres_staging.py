"""Staging on PostgreSQL straight from the file: COPY of its bytes into a table of texts, checks and conversion in SQL.

Under the lock the rows that are just the same here are told apart first; only the others go on to the staging table.
A section with anything unusual is given back, and the caller stages it cell by cell.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ..formats.blocks import Block, RawRows, Unusual
from ..records import FieldSpec, Identity
from ..values import NULL
from .postgres_texts import KEY, SOURCE, Rule, rule_of
from .staging import Layout, Staged, Work, load_columns
from .unchanged import Comparison

if TYPE_CHECKING:
    from .postgres import PostgresSession

BLOCKS = 16  # of a file a COPY; between two the caller is told how far it is
MAX_WIDTH = 500
Told = Callable[[int], None]


class TextStage(Comparison):
    """The texts of one staged table: `t` with its columns c0.. and the row number n, and `h`, the line breaks in cells."""

    session: PostgresSession
    worth = 0.05  # what is left has to be converted in any case

    def __init__(self, session: PostgresSession, staged: Staged, layout: Layout, rules: Sequence[Rule]) -> None:
        super().__init__(session, staged)
        self._layout, self._rules = layout, rules
        self.t, self.h = (f"ps_{letter}{staged.index}" for letter in "th")
        self.v = staged.s  # the staging table itself, where `s` is a view
        self._first_line = 0
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
        self.session.create(self.t, (number, *(f"c{i} text" for i in range(self._layout.width))))
        copy = f"COPY {self.t} ({cells}) FROM STDIN WITH (FORMAT csv, NULL '{NULL}', FORCE_NULL ({cells}), ENCODING 'UTF8')"
        rows, waiting = 0, iter(blocks)
        breaks = Breaks()
        while True:
            feed = Feed(itertools.islice(waiting, BLOCKS))
            copied = self.session.copy(copy, feed)
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
        session, staged = self.session, self.staged
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
        staged, layout = self.staged, self._layout
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
        [(usual, keys, ids, *pointing)] = self.session.rows(f"SELECT {', '.join(counted)} FROM {self.t}")
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
        staged = self.staged
        staged.rows, staged.distinct = self._rows, self._distinct
        staged.pointing |= self._pointing
        staged.by_src |= self._by_src

    def _usual(self) -> Iterator[str]:
        """Yield an SQL condition for each column: true for a usual cell, and for NULL where that is allowed."""
        staged, layout = self.staged, self._layout
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
        staged, session = self.staged, self.session
        others = ""
        if self.leaves_out(work):
            joins, same = self.sameness(work)
            others = f"LEFT JOIN {staged.spec.sql_name} t ON {self.on_local} {joins} WHERE {self.different(same)}"
        columns = load_columns(staged)
        taken = session.run(
            f"INSERT INTO {self.v} ({', '.join(columns)}) SELECT {', '.join(self._values())} FROM {self.rows} {others}"
        )
        staged.same = staged.rows - taken
        staged.apart = self.apart()

    def _values(self) -> Iterator[str]:
        """Yield SQL for the columns of the staging table, in the order in which they are loaded."""
        staged = self.staged
        yield "a.n"
        yield f"a.n + {self._first_line - 1}"
        yield self.src or "NULL"
        for position in range(len(staged.fields)):
            yield self.value(position) or "NULL"
        for position, field in staged.references:
            if field.is_reference:
                yield self.companion(position) or "NULL"

    # ---- what `unchanged` asks of the texts

    @property
    def rows(self) -> str:
        """The table of texts."""
        return f"{self.t} a"

    @property
    def key(self) -> str:
        """The cell of the uuid; `text_stage` has seen that there is one."""
        return f"a.c{self._layout.fields[self.staged.position(self.staged.spec.uuid_name or '') or 0]}"

    @property
    def src(self) -> str | None:
        """The cell of the id, as a number."""
        return f"CAST(a.c{self._layout.src} AS bigint)" if self._layout.src is not None else None

    def value(self, position: int) -> str | None:
        """The cell of a column, converted."""
        at = self._layout.fields[position]
        return self._rules[position].value.format(a=f"a.c{at}") if at >= 0 else None

    def companion(self, position: int) -> str | None:
        """The cell of a companion."""
        return f"a.c{self._layout.companions[position]}" if position in self._layout.companions else None

    def same_value(self, position: int, field: FieldSpec) -> str:
        """Condition that a usual cell has the value that is here."""
        at = self._layout.fields[position]
        if at >= 0 and self._rules[position].canonical:
            return self.session.dialect.equal(f"a.c{at}", f"CAST(t.{field.column} AS text)", "text")
        return super().same_value(position, field)

    def home_of(self, work: Work, table: str) -> str | None:
        """Ask the texts of that table."""
        stage = self.session.texts.get(table)
        return stage.home(work) if stage is not None else None

    @property
    def is_distinct(self) -> bool:
        """What `_check` has counted."""
        return self.staged.distinct

    def make_home(self) -> None:
        """By a join of both tables, which hashes one."""
        spec = self.staged.spec
        local = f"{spec.sql_name} t ON {self.on_local} AND t.{spec.id_column} = {self.src}"
        self.session.create_as(self.e, f"SELECT t.{spec.id_column} AS id FROM {self.rows} JOIN {local}")
        self.session.analyze(self.e, ("id",))


def text_stage(session: PostgresSession, staged: Staged, layout: Layout) -> TextStage | None:
    """Return the stage for a table of the file, or None where its columns are not all of the types that SQL checks."""
    spec, kinds = staged.spec, session.types(staged.spec)
    position = staged.position(spec.uuid_name or "")
    if spec.identity is not Identity.UUID or spec.id_column is None or position is None or layout.fields[position] < 0:
        return None
    if layout.width > MAX_WIDTH or not session.is_utf8:
        return None
    rules = [rule_of(field, kinds[field.column]) for field in staged.fields]
    known = [rule for rule in rules if rule is not None]
    return TextStage(session, staged, layout, known) if len(known) == len(rules) else None


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
