"""Rows that are the same here, on MariaDB: told apart in the staging table, and only the others are copied to another."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from ..records import Identity
from .staging import Staged, Work
from .unchanged import Comparison

if TYPE_CHECKING:
    from .mysql import MysqlSession


class StagedRows(Comparison):
    """The rows of one staging table beside the records here."""

    session: MysqlSession
    worth = 0.5  # what is left is copied, row by row

    def __init__(self, session: MysqlSession, staged: Staged) -> None:
        super().__init__(session, staged)
        self.loaded = staged.s
        self.z = f"ps_z{staged.index}"

    def settle(self, work: Work) -> None:
        """Let the merge go on with those rows only that are not the same here, where few are expected to be left."""
        staged, session = self.staged, self.session
        if not self.leaves_out(work):
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
    def is_distinct(self) -> bool:
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

    def make_home(self) -> None:
        """By the id, whose index has the records in it and is in the order of most files."""
        spec = self.staged.spec
        self.session.create(self.e, (f"id {self.session.dialect.id_type} PRIMARY KEY",))
        self.session.run(
            f"INSERT INTO {self.e} SELECT STRAIGHT_JOIN t.{spec.id_column} FROM {self.rows} "
            f"JOIN {spec.sql_name} t FORCE INDEX (PRIMARY) ON t.{spec.id_column} = a.src AND {self.on_local}"
        )

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
