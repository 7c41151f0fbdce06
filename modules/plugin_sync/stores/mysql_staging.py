"""Staging on MariaDB straight from the file: LOAD DATA of its bytes, each cell checked and converted while it is loaded.

A section with anything unusual is given back, and the caller stages it cell by cell.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..formats.blocks import Block, RawRows, Unusual
from ..records import Identity
from ..values import NULL
from .mysql_loading import Repertoire
from .mysql_texts import KEY, SOURCE, Rule, rule_of
from .raw import BLOCKS, Told, rules_of
from .staging import Layout, Staged, Work
from .unchanged import Comparison

if TYPE_CHECKING:
    from .mysql import MysqlSession

OUTSIDE_BASIC = re.compile(rb"[\xf0-\xf4]")  # UTF-8: the first byte of a character outside Unicode's first 65,536
WORTH = 0.5  # comparing is, where so many rows are expected to be the same


class RowLoader:
    """Loads the rows of one table of the file into its staging table."""

    def __init__(self, session: MysqlSession, staged: Staged, layout: Layout, rules: Sequence[Rule]) -> None:
        self._session, self._staged, self._layout, self._rules = session, staged, layout, rules
        self._repertoire = Repertoire.ASCII
        self._rows = 0

    def load(self, raw: RawRows, told: Told) -> bool:
        """Fill the staging table; return False when any row is unusual."""
        blocks = raw.blocks()
        if blocks is None:
            return False
        # Row numbers and lines are counted by the server, for rows are parted there.
        self._session.run("SET @ps_n = 0, @ps_line = %s, @ps_rise = 0", (raw.line,))
        rows, waiting = 0, iter(blocks)
        try:
            while group := list(itertools.islice(waiting, BLOCKS)):
                if not self._load(group):
                    return False
                rows += sum(block.rows for block in group)
                told(rows)
        except Unusual:
            return False
        self._rows = rows
        return True

    def _load(self, group: list[Block]) -> bool:
        """Load some blocks; return False when anything in them is unusual, which the server says by a warning."""
        data = b"".join(block.data for block in group)
        end = b"\r\n" if b"\r\n" in data else b"\n"
        if not data.endswith(b"\n"):
            data += end
        if b"\0" in data or data.count(b"\r") != (data.count(b"\r\n") if end == b"\r\n" else 0):
            return False
        try:
            data.decode()
        except UnicodeDecodeError:
            return False
        if not data.isascii():
            self._repertoire = max(self._repertoire, Repertoire.ALL if OUTSIDE_BASIC.search(data) else Repertoire.BASIC)
        clauses = self._clauses(end, any(block.breaks for block in group))
        loaded, warning = self._session.load_data(_with_last_cells(data, end), clauses)
        return not warning and loaded == sum(block.rows for block in group)  # else the codecs say what is wrong, and where

    def _clauses(self, end: bytes, breaks: bool) -> str:
        cells = ", ".join(_cell(at) for at in range(self._layout.width))
        sets = ", ".join(f"{column} = {value}" for column, value in self._values(breaks))
        return (
            f"INTO TABLE {self._staged.s} CHARACTER SET utf8mb4 "
            f"FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY 0x{end.hex()} "
            f"({cells}) SET {sets}"
        )

    def _values(self, breaks: bool) -> Iterator[tuple[str, str]]:
        """Yield the columns of the staging table with SQL for what is loaded there. An unusual row has no number."""
        layout = self._layout
        yield "n", f"IF({' AND '.join(self._usual())}, @ps_n := @ps_n + 1, NULL)"
        rise = " + ".join(["1", *(_breaks(at) for at in self._with_breaks())]) if breaks else "1"
        yield "line", f"(@ps_line := @ps_line + @ps_rise) + 0 * (@ps_rise := {rise})"
        if layout.src is not None:
            yield "src", _loaded(layout.src)
        for position, at in enumerate(layout.fields):
            if at >= 0:
                yield f"v{position}", _loaded(at, self._rules[position].value)
        for position, at in layout.companions.items():
            yield f"r{position}", _loaded(at)

    def _with_breaks(self) -> list[int]:
        """Positions in the file's rows where a usual row may have line breaks: texts, and what is not imported."""
        layout = self._layout
        without = {layout.src, *layout.companions.values()}
        without |= {at for position, at in enumerate(layout.fields) if not self._rules[position].breaks}
        return [at for at in range(layout.width) if at not in without]

    def _usual(self) -> Iterator[str]:
        """Yield an SQL condition for each column: true for a usual cell, and for NULL where that is allowed. The word NULL
        without quotes is read as SQL's NULL, for which none is true.
        """
        staged, layout = self._staged, self._layout
        if layout.src is not None:
            yield _guarded(layout.src, SOURCE)
        for at in layout.companions.values():
            yield _guarded(at, KEY)
        for position, field in enumerate(staged.fields):
            at, companion = layout.fields[position], layout.companions.get(position)
            if field.name == staged.spec.uuid_name:
                yield _guarded(at, f"{self._rules[position].guard} AND {KEY}", null=False)
            elif at >= 0:
                yield _guarded(at, self._rules[position].guard, null=not field.notnull or companion is not None)
            if field.notnull and companion is not None:
                cells = [_cell(companion), *([_cell(at)] if at >= 0 else [])]
                yield f"NOT ({' AND '.join(_is_null(cell) for cell in cells)})"

    def take(self) -> None:
        """Tell the staged table what the merge must know of its rows: no more of them come."""
        staged, layout = self._staged, self._layout
        staged.rows = self._rows
        self._session.know(staged.s, (f"v{position}" for position in range(len(staged.fields))), self._repertoire)
        for position, field in staged.references:
            companion = position in layout.companions
            by_src = f"v{position} IS NOT NULL" + (f" AND r{position} IS NULL" if companion else "")
            counted = f"count({'r' if companion else 'v'}{position}), COALESCE(sum({by_src}), 0)"
            [(staged.pointing[position], by_ids)] = self._session.rows(f"SELECT {counted} FROM {staged.s}")
            if layout.fields[position] >= 0 and (by_ids or not companion):
                staged.by_src.add(field.name)


def _with_last_cells(data: bytes, end: bytes) -> bytes:
    """Put quotes where the last cell of a row is empty: without them MariaDB does not notice a cell too many there."""
    if b"," + end not in data:
        return data
    parts = data.split(b'"')
    parts[0::2] = [outside.replace(b"," + end, b',""' + end) for outside in parts[0::2]]
    return b'"'.join(parts)


def _cell(at: int) -> str:
    return f"@ps_c{at}"


def _is_null(cell: str) -> str:
    return f"BINARY {cell} = '{NULL}'"


def _loaded(at: int, value: str = "{a}") -> str:
    return f"IF({_is_null(_cell(at))}, NULL, {value.format(a=_cell(at))})"


def _guarded(at: int, guard: str, null: bool = True) -> str:
    usual, is_null = guard.format(a=_cell(at)), _is_null(_cell(at))
    return f"({is_null} OR ({usual}))" if null else f"(NOT {is_null} AND {usual})"


def _breaks(at: int) -> str:
    return f"LENGTH({_cell(at)}) - LENGTH(REPLACE({_cell(at)}, CHAR(10), ''))"


def row_loader(session: MysqlSession, staged: Staged, layout: Layout) -> RowLoader | None:
    """Return what loads a table of the file, or None where its columns are not all of the types that SQL checks."""
    rules = rules_of(staged, layout, lambda field: rule_of(field, session.kind(staged.spec, field)))
    return RowLoader(session, staged, layout, rules) if rules is not None else None


class StagedRows(Comparison):
    """The rows of one staging table beside the records here."""

    session: MysqlSession

    def __init__(self, session: MysqlSession, staged: Staged) -> None:
        super().__init__(session, staged)
        self.loaded = staged.s
        self.e, self.z = (f"ps_{letter}{staged.index}" for letter in "ez")
        self._has_home = False

    def settle(self, work: Work) -> None:
        """Let the merge go on with those rows only that are not the same here, where few are expected to be left."""
        staged, session = self.staged, self.session
        if not self.may_leave_out(work) or self.share_of_same() < WORTH or not self._is_distinct:
            return
        joins, same = self.sameness(work)
        local = f"{staged.spec.sql_name} t ON {self.on_local}"
        session.create_like(self.z, self.loaded)
        left = session.run(
            f"INSERT INTO {self.z} SELECT {session.dialect.as_named}a.* FROM {self.rows} LEFT JOIN {local} {joins} "
            f"WHERE ({self.different(same)})"
        )
        staged.s, staged.same, staged.distinct = self.z, staged.rows - left, True
        staged.apart = self.apart()

    @functools.cached_property
    def _is_distinct(self) -> bool:
        """Whether no uuid and no id stands in the file twice."""
        few = self.session.dialect.fingerprint.format(a=self.key)
        ids = f", count({self.src}), count(DISTINCT {self.src})" if self.src is not None else ""
        [(keys, *found)] = self.session.rows(f"SELECT count(DISTINCT {few}){ids} FROM {self.rows}")
        return keys == self.staged.rows and (not found or found[0] == found[1])

    def may_leave_out(self, work: Work) -> bool:
        """Whether its rows all have a uuid in its usual form and mention every column, and nothing else hinders."""
        staged = self.staged
        usual = staged.spec.identity is Identity.UUID and staged.spec.id_column is not None and not staged.gaps
        lists = any(field.is_list_reference for _, field in staged.references)
        return usual and staged.folded and not staged.keyless and not lists and super().may_leave_out(work)

    def home(self, work: Work) -> str | None:
        """Return the name of a table of the ids that are the same in the file and here; None where that is not certain."""
        if self._has_home:
            return self.e
        if self.src is None or not self.may_leave_out(work) or not self._is_distinct:
            return None
        spec = self.staged.spec
        self.session.create(self.e, (f"id {self.session.dialect.id_type} PRIMARY KEY",))
        self.session.run(  # by the id, whose index has the records in it and is in the order of most files
            f"INSERT INTO {self.e} SELECT STRAIGHT_JOIN t.{spec.id_column} FROM {self.rows} "
            f"JOIN {spec.sql_name} t FORCE INDEX (PRIMARY) ON t.{spec.id_column} = a.src AND {self.on_local}"
        )
        self._has_home = True
        return self.e

    # ---- what `unchanged` asks

    @property
    def rows(self) -> str:
        """The staging table as it was loaded."""
        return f"{self.loaded} a"

    @property
    def key(self) -> str:
        """The column of the uuid."""
        return f"a.v{self.staged.position(self.staged.spec.uuid_name or '')}"

    @property
    def src(self) -> str | None:
        """The column of the file's id."""
        return "a.src" if self.staged.has_src else None

    def value(self, position: int) -> str:
        """A staged value."""
        return f"a.v{position}"

    def companion(self, position: int) -> str | None:
        """The staged uuid of the record that a column points to."""
        return f"a.r{position}" if self.staged.fields[position].name in self.staged.companions else None

    def home_of(self, work: Work, table: str) -> str | None:
        """Ask the rows of that table."""
        staged = work.of(table)
        return self.session.beside(staged).home(work) if staged is not None else None
