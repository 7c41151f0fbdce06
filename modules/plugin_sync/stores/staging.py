"""Where the rows of a file wait beside the tables: one staging table a table of the file, and how it is named.

A staging table `ps_sI` holds: n (row number), line, src (the file's id), k (the text of a primary key, in tables that have
one), v0.. (stored values of the file's columns) and r0.. (folded uuid of the record that a reference column points to).
Items of list:reference columns wait in `ps_lI_J` (n, pos, src, k). Beside them the merge builds, narrow and by n,
`ps_mI` (the local id that a row is or will be, and its key k, the folded uuid), `ps_rI` (references as local ids) and
`ps_oI` (rows that differ). `ps_xI` and `ps_yI` are there where rows lack columns (`absences`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from ..policies import Policy
from ..records import FieldSpec, Identity, Problem, Problems, TableSpec
from ..settings import Duplicates
from ..values import Stored
from .session import ROW_NUMBER, Session, as_columns

ALIASES = "plugin_sync_alias"


class Layout(Protocol):
    """Where the file's columns go: see `planning.Plan`."""

    @property
    def fields(self) -> Sequence[int]:
        """Position in the file's rows of each staged column, -1 when the file lacks it."""

    @property
    def companions(self) -> Mapping[int, int]:
        """Position in the file's rows by that of the staged column."""

    @property
    def src(self) -> int | None:
        """Position in the file's rows of the ids."""

    @property
    def width(self) -> int:
        """How many cells a row has."""


class Arrivals(Protocol):
    """The uploaded files that come with the rows: see `attaching.Attaching`."""

    def before_matching(self, work: Work) -> None:
        """Give the files of rows without a key their names here."""

    def before_deciding(self, work: Work) -> None:
        """Give the files of all other rows theirs."""

    def brings(self, table: str) -> bool:
        """Whether any come for records of a table."""


@dataclass
class Staged:
    """One staged table: its specification, the file's columns in order, and what the merge needs to know of them."""

    spec: TableSpec
    fields: tuple[FieldSpec, ...]
    index: int
    companions: frozenset[str] = frozenset()  # reference columns whose uuid the file gives
    has_src: bool = False  # the file gives ids
    rows: int = 0
    pointing: dict[int, int] = dataclasses.field(default_factory=dict)  # rows that point somewhere, by reference column
    keyless: int = 0  # rows without uuid
    folded: bool = True  # whether all uuids are in lower case
    by_src: set[str] = dataclasses.field(default_factory=set)  # reference columns with a row that has an id and no uuid
    decided: bool = False  # whether `o` was made
    first_id: int | None = None  # the lowest id given to a new row
    next_id: int = 1  # above every id given to a new row
    shift: int | None = None  # every row in `s` is new, and its id its row number plus this
    rounds: int = 0  # in which ids were given; within one they ascend with n
    distinct: bool = False  # it is known that no uuid and no id stands in the file twice
    same: int = 0  # rows that are just the same here, and left out of `s`
    apart: str = ""  # SQL for (src, id) of these
    attached: dict[int, str] = dataclasses.field(default_factory=dict)  # upload columns: tables (n) of rows whose file came
    gaps: dict[tuple[int, ...], int] = dataclasses.field(default_factory=dict)  # sets of columns that rows lack, by number
    fallbacks: dict[int, Stored] = dataclasses.field(default_factory=dict)  # defaults of these columns
    resolved: bool = False  # whether `r` was made
    s: str = ""  # name of the staging table

    def __post_init__(self) -> None:
        """Name the staging table."""
        self.s = self.s or f"ps_s{self.index}"

    @property
    def b(self) -> str:
        """Name of the table of local ids (or row numbers) by the file's ids; made only where references go by them."""
        return f"ps_b{self.index}"

    @property
    def m(self) -> str:
        """Name of the table of local ids."""
        return f"ps_m{self.index}"

    @property
    def r(self) -> str:
        """Name of the table of resolved references."""
        return f"ps_r{self.index}"

    @property
    def o(self) -> str:
        """Name of the table of rows that differ."""
        return f"ps_o{self.index}"

    @property
    def x(self) -> str:
        """Name of the table of rows that lack columns."""
        return f"ps_x{self.index}"

    @property
    def y(self) -> str:
        """Name of the table of the columns that they lack."""
        return f"ps_y{self.index}"

    @property
    def gapped(self) -> tuple[int, ...]:
        """Positions of the columns that any row lacks."""
        return tuple(sorted({position for columns in self.gaps for position in columns}))

    def items(self, position: int) -> str:
        """Name of the table of items of the list:reference at `position`."""
        return f"ps_l{self.index}_{position}"

    def position(self, name: str) -> int | None:
        """Return the position of a column of the file, or None."""
        return next((i for i, f in enumerate(self.fields) if f.name == name), None)

    @property
    def key(self) -> str:
        """SQL on s for the text by which a row is recognised: NULL for a row that is all its values."""
        position = self.position(self.spec.uuid_name or "")
        if self.spec.identity is Identity.PRIMARY_KEY:
            return "s.k"
        if position is None:
            return "NULL"
        return f"s.v{position}" if self.folded else f"lower(s.v{position})"

    @property
    def references(self) -> tuple[tuple[int, FieldSpec], ...]:
        """Positions and specifications of the columns that point to records."""
        return tuple((i, f) for i, f in enumerate(self.fields) if f.target is not None)

    def came(self, position: int) -> str:
        """SQL condition on s: the uploaded file that the row names in this column came with it."""
        return f"s.n IN (SELECT n FROM {self.attached[position]})" if position in self.attached else "1 = 0"

    def value(self, position: int) -> str:
        """SQL for a column's final value: resolved for references, else as staged."""
        return f"r.r{position}" if self.fields[position].target is not None else f"s.v{position}"

    @property
    def joined(self) -> str:
        """SQL for the staged rows with their local ids and resolved references: aliases s, m, r."""
        refs = f" JOIN {self.r} r ON r.n = m.n" if self.references else ""
        return f"{self.m} m JOIN {self.s} s ON s.n = m.n{refs}"

    @property
    def on_local(self) -> str:
        """SQL condition that joins m and s to their local record t."""
        if self.spec.id_column is not None:
            return f"t.{self.spec.id_column} = m.id"
        return " AND ".join(f"t.{self.fields[p].column} = s.v{p}" for p in self.key_positions)

    @property
    def key_positions(self) -> tuple[int, ...]:
        """Positions of the columns of a primary key."""
        return tuple(i for i, f in enumerate(self.fields) if f.name in self.spec.primary_key)


@dataclass
class Work:
    """One import while it is merged: the session, what is staged, and the rules."""

    session: Session
    specs: Mapping[str, TableSpec]  # all tables of the database
    problems: Problems
    policies: Mapping[str, Policy]  # by table
    match: Mapping[str, tuple[str, ...]]
    duplicates: Duplicates = Duplicates.LINK
    aliases: bool = False  # there is a table of aliases
    leave_out_same: bool = True  # a store may leave rows that are just the same here out of the merge
    same_instance: bool = False  # the file was made by this very instance: its ids are ours
    exact: bool = False  # names of uploads are taken as they come
    arrivals: Arrivals | None = None  # uploaded files that came too
    defaults: Mapping[str, Mapping[str, Stored]] = dataclasses.field(default_factory=dict)  # by table: columns the file lacks
    staged: list[Staged] = dataclasses.field(default_factory=list)
    folded: dict[str, bool] = dataclasses.field(default_factory=dict)  # whether all local uuids are in lower case
    folds: dict[str, str] = dataclasses.field(default_factory=dict)  # tables of folded local uuids that were made

    def of(self, table: str | None) -> Staged | None:
        """Return the staged table called `table`, or None."""
        return next((s for s in self.staged if s.spec.name == table), None)

    def reject(self, staged: Staged, found: Iterable[tuple[int, Problem]], *tables: str) -> int:
        """Note a problem for each row number, take the rows out of staging and the given tables; return how many."""
        numbers = set()
        for number, problem in found:
            self.problems.add(problem)
            numbers.add(number)
        if numbers:
            with self.listed(as_columns([(n,) for n in sorted(numbers)], 1), (ROW_NUMBER,)) as gone:
                for table in (staged.s, *tables):
                    self.session.run(f"DELETE FROM {table} WHERE n IN (SELECT n FROM {gone})")
        staged.rows -= len(numbers)
        return len(numbers)

    @contextmanager
    def listed(self, values: Sequence[Sequence[Stored]], columns: Sequence[str]) -> Iterator[str]:
        """Give the name of a temporary table of these values, `columns` with their types; it is dropped afterwards."""
        name = "ps_list"
        self.session.create(name, columns)
        self.session.load(name, [c.split(" ", 1)[0] for c in columns], values)
        yield name
        self.session.drop(name)

    def are_folded(self, spec: TableSpec) -> bool:
        """Whether every uuid of a local table is in lower case, so that an index can find it."""
        if spec.name not in self.folded:
            column = uuid_column(spec)
            found = self.session.rows(f"SELECT 1 FROM {spec.sql_name} WHERE {column} <> lower({column}) LIMIT 1")
            self.folded[spec.name] = not found
        return self.folded[spec.name]

    def folded_uuids(self, spec: TableSpec) -> str:
        """Return the name of an indexed table (f, id, copies) of a local table's uuids in lower case."""
        if spec.name not in self.folds:
            name = f"ps_f{len(self.folds)}"
            folded = f"lower({uuid_column(spec)})"
            select = (
                f"SELECT {folded} AS f, min({spec.id_column}) AS id, count(*) AS copies FROM {spec.sql_name} GROUP BY {folded}"
            )
            self.session.create_as(name, select, ("f",))
            self.folds[spec.name] = name
        return self.folds[spec.name]


def resolved(staged: Staged) -> str:
    """SQL condition on s and r: every reference of the row was found."""
    conditions = ["1 = 1"]
    for position, field in staged.references:
        if field.is_list_reference:
            items = staged.items(position)
            conditions.append(f"NOT EXISTS (SELECT 1 FROM {items} z WHERE z.n = s.n AND z.id IS NULL)")
        elif field.name in staged.companions:
            conditions.append(f"(r.r{position} IS NOT NULL OR (s.v{position} IS NULL AND s.r{position} IS NULL))")
        else:
            conditions.append(f"(r.r{position} IS NOT NULL OR s.v{position} IS NULL)")
    return " AND ".join(conditions)


def uuid_column(spec: TableSpec) -> str:
    """Return the SQL-ready uuid column of a table that has one."""
    found = spec.field(spec.uuid_name or "")
    if found is None:
        raise KeyError(f"table {spec.name} has no uuid")
    return found.column


def create(work: Work, staged: Staged) -> None:
    """Create the staging tables of one table of the file."""
    session, ident = work.session, work.session.dialect.id_type
    keys = {i: session.key_type(work.specs[f.target or ""]) for i, f in staged.references}
    columns = [ROW_NUMBER, "line INTEGER NOT NULL", f"src {ident}"]
    columns += [f"k {session.key_type(staged.spec)}"] if staged.spec.identity is Identity.PRIMARY_KEY else []
    columns += [f"v{i} {session.staged_type(staged.spec, f)}" for i, f in enumerate(staged.fields)]
    columns += [f"r{i} {keys[i]}" for i, f in staged.references if f.is_reference]
    session.create(staged.s, columns)
    for i, field in staged.references:
        if field.is_list_reference:
            items = ("n INTEGER NOT NULL", "pos INTEGER NOT NULL", f"src {ident}", f"k {keys[i]}", f"id {ident}")
            session.create(staged.items(i), items, ("n",))


def joined_columns(staged: Staged) -> list[str]:
    """Return the columns of the staging table by which the merge joins."""
    position = staged.position(staged.spec.uuid_name or "")
    columns = ["n", *([f"v{position}"] if position is not None else [])]
    return columns + [f"r{i}" for i, f in staged.references if f.is_reference]


def load_columns(staged: Staged) -> list[str]:
    """Return the columns of the staging table in the order in which rows are loaded."""
    columns = ["n", "line", "src", *(["k"] if staged.spec.identity is Identity.PRIMARY_KEY else [])]
    columns += [f"v{i}" for i in range(len(staged.fields))]
    return columns + [f"r{i}" for i, f in staged.references if f.is_reference]
