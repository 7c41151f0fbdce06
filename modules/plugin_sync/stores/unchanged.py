"""Rows of a file that are just the same here, told apart under the lock before anything else is asked of them.

Most rows of a daily import change nothing. Found by one comparison of whole rows, they need neither a local id nor
resolved references nor a decision of their own. What is left to the merge is decided as it would be with them.
"""

from __future__ import annotations

import abc

from ..records import FieldSpec
from .deciding import compared
from .session import Session
from .staging import ALIASES, Staged, Work, uuid_column

SAMPLE = 200  # rows


class Comparison(abc.ABC):
    """The rows of one table of the file beside the records here: what a store has to say of them is SQL on `a`."""

    worth: float  # comparing is, where so many rows, from 0 to 1, are expected to be the same

    def __init__(self, session: Session, staged: Staged) -> None:
        self.session, self.staged = session, staged
        self.e = f"ps_e{staged.index}"  # ids that are the same in the file and here, once `home` has made it
        self._has_home = False

    @property
    @abc.abstractmethod
    def rows(self) -> str:
        """The table of the file's rows, with a row number n."""

    @property
    @abc.abstractmethod
    def key(self) -> str:
        """The uuid of a row."""

    @property
    @abc.abstractmethod
    def src(self) -> str | None:
        """The file's id of a row; None when the file has none."""

    @abc.abstractmethod
    def value(self, position: int) -> str | None:
        """The value of a column; None when the file has none."""

    @abc.abstractmethod
    def companion(self, position: int) -> str | None:
        """The uuid of the record that a reference column points to; None when the file has none."""

    @property
    @abc.abstractmethod
    def is_distinct(self) -> bool:
        """Whether no uuid and no id stands in the file twice."""

    @abc.abstractmethod
    def make_home(self) -> None:
        """Make the table `e` of the ids that are the same in the file and here."""

    @abc.abstractmethod
    def home_of(self, work: Work, table: str) -> str | None:
        """Return the name of a table of the ids that a table's records have both in the file and here, if that is certain."""

    def same_value(self, position: int, field: FieldSpec) -> str:
        """Condition that a column has the value that is here."""
        return self.session.dialect.equal(self.value(position) or "NULL", f"t.{field.column}", field.type)

    # ---- what follows from it

    @property
    def on_local(self) -> str:
        """Condition that joins the record t with the uuid of a row."""
        return self.session.dialect.key_equal.format(a=f"t.{uuid_column(self.staged.spec)}", b=self.key)

    def may_leave_out(self, work: Work) -> bool:
        """Whether a row that is the same here can be left out without another row of the file being decided otherwise, as
        far as no uuid and no id stands in the file twice.
        """
        staged, spec = self.staged, self.staged.spec
        if not work.leave_out_same or not staged.rows or work.match.get(spec.name):
            return False
        if (uuid_column(spec),) not in self.session.unique_keys(spec):
            return False
        if work.arrivals is not None and work.arrivals.brings(spec.name):  # names are not what tells these files apart
            return False
        alias = f"SELECT 1 FROM {ALIASES} WHERE table_name = %s LIMIT 1{self.session.dialect.current}"
        if work.aliases and self.session.rows(alias, (spec.name,)):
            return False
        return bool(self.session.rows(f"SELECT 1 FROM {spec.sql_name} LIMIT 1"))

    def leaves_out(self, work: Work) -> bool:
        """Whether rows that are the same here shall be left out."""
        return self.may_leave_out(work) and self.share_of_same() >= self.worth and self.is_distinct

    def home(self, work: Work) -> str | None:
        """Return the name of a table of the ids that are the same in the file and here; None where that is not certain."""
        if not self._has_home:
            if self.src is None or not self.may_leave_out(work) or not self.is_distinct:
                return None
            self.make_home()
            self._has_home = True
        return self.e

    def share_of_same(self) -> float:
        """Return how many rows, from 0 to 1, seem to be the same, by the values of some here and there."""
        staged, fields = self.staged, self.staged.fields
        own = ((p, fields[p]) for p in compared(staged) if fields[p].target is None)
        same = " AND ".join(self.same_value(p, f) for p, f in own) or "1 = 1"
        some = ", ".join(map(str, range(1, staged.rows + 1, max(staged.rows // SAMPLE, 1))))
        [(found,)] = self.session.rows(
            f"SELECT {self.session.dialect.as_named}count(*) FROM {self.rows} JOIN {staged.spec.sql_name} t ON {self.on_local} "
            f"WHERE a.n IN ({some}) AND {same}"
        )
        return float(found / (some.count(",") + 1))

    def sameness(self, work: Work) -> tuple[str, str]:
        """Return joins, after that of the record t, and the condition under which a row is the same here."""
        joins, same = [], ["1 = 1"]
        for position in compared(self.staged):
            field = self.staged.fields[position]
            if field.is_reference:
                join, condition = self._same_reference(work, position, field)
                joins.append(join)
                same.append(f"({condition})")
            else:
                same.append(f"({self.same_value(position, field)})")
        return " ".join(joins), " AND ".join(same)

    def _same_reference(self, work: Work, position: int, field: FieldSpec) -> tuple[str, str]:
        """Return a join and the condition under which a row points to the record to which it points here."""
        ours, ident, key = f"t.{field.column}", self.value(position), self.companion(position)
        nothing = " AND ".join(f"{value} IS NULL" for value in (ours, ident, key) if value is not None)
        target, p = work.specs[field.target or ""], f"p{position}"
        if key is not None:
            if target.uuid_name is None or not work.are_folded(target):
                return "", nothing
            found = self.session.dialect.key_equal.format(a=f"{p}.{uuid_column(target)}", b=key)
            return f"LEFT JOIN {target.sql_name} {p} ON {p}.{target.id_column} = {ours}", f"{found} OR ({nothing})"
        home = self.home_of(work, target.name)
        if home is None:
            return "", nothing
        return f"LEFT JOIN {home} {p} ON {p}.id = {ours}", f"{p}.id = {ident} OR ({nothing})"

    def different(self, same: str) -> str:
        """Condition that a row is not the same here, where t was joined by LEFT JOIN."""
        return f"(t.{self.staged.spec.id_column} IS NOT NULL AND {same}) IS NOT TRUE"

    def apart(self) -> str:
        """Query for the ids, in the file and here, of the rows that were left out of the staging table; "" without ids."""
        spec = self.staged.spec
        if not self.staged.same or self.src is None:
            return ""
        return (
            f"SELECT {self.src} AS src, t.{spec.id_column} AS id FROM {self.rows} JOIN {spec.sql_name} t ON {self.on_local} "
            f"WHERE NOT EXISTS (SELECT 1 FROM {self.staged.s} s WHERE s.n = a.n)"
        )
