"""Frozen values that every other module speaks of: table specifications, outcomes, problems, reports.

Pure: no database, no file, no clock. A bad row is a value here (`Problem`), never an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum

MAX_PROBLEMS = 1000  # problems kept with their place; beyond it they are only counted
MAX_LINES = 20  # line numbers kept in a group of problems


class Identity(StrEnum):
    """By what a table's records are recognised in another database."""

    UUID = "uuid"
    PRIMARY_KEY = "primary_key"
    CONTENT = "content"  # no uuid: a row is all its values, and equal rows are counted


class Outcome(StrEnum):
    """What an import does with a record of the file."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    OLDER = "older"  # the local record stands: it is newer, or the policy keeps ours
    CONFLICT = "conflict"  # somebody has to decide; the local record stands until then
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One column that travels.

    `type` is the pyDAL type without its arguments ("string", "decimal", "reference", "list:reference" ...), `target`
    the table a reference points to, `length` in characters (None: unlimited), `precision` and `scale` of a decimal.
    """

    name: str
    column: str  # SQL-ready, quoted for the database at hand
    type: str
    target: str | None = None
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    notnull: bool = False
    unique: bool = False
    label: str = ""

    @property
    def is_reference(self) -> bool:
        """Whether cells hold the id of one record of `target`."""
        return self.type == "reference"

    @property
    def is_list_reference(self) -> bool:
        """Whether cells hold a bar-encoded list of ids of `target`."""
        return self.type == "list:reference"


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table as the catalog sees it; `reason` says why it is left out, empty when it is included.

    `fields` are the data columns that travel, without the id; `withheld` the names of those that never do (passwords,
    tokens). `id_column` is None in tables with a primary key of their own.
    """

    name: str
    sql_name: str
    module: str
    fields: tuple[FieldSpec, ...]
    identity: Identity
    id_name: str | None = "id"
    id_column: str | None = None
    primary_key: tuple[str, ...] = ()
    uuid_name: str | None = None
    modified_name: str | None = None
    withheld: tuple[str, ...] = ()
    reason: str = ""
    label: str = ""
    source: str = ""  # SQL to read the records from, instead of all of the table

    @property
    def included(self) -> bool:
        """Whether the table travels."""
        return not self.reason

    def field(self, name: str) -> FieldSpec | None:
        """Return the field called `name`, or None."""
        return next((f for f in self.fields if f.name == name), None)

    @property
    def references(self) -> tuple[FieldSpec, ...]:
        """The fields that point to records, single and lists."""
        return tuple(f for f in self.fields if f.target is not None)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many records had each outcome."""

    new: int = 0
    changed: int = 0
    same: int = 0
    older: int = 0
    conflict: int = 0
    rejected: int = 0

    @property
    def total(self) -> int:
        """All records of the file."""
        return sum(getattr(self, f.name) for f in fields(self))

    @property
    def written(self) -> int:
        """Records that the import writes."""
        return self.new + self.changed

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row, a column or a table of the file cannot be taken, and where it is."""

    code: str
    message: str
    table: str | None = None
    line: int | None = None
    column: str | None = None
    value: str | None = None
    hint: str = ""

    def __str__(self) -> str:
        places = (("table", self.table), ("line", self.line), ("column", self.column))
        where = ", ".join(f"{name} {value}" for name, value in places if value is not None)
        return f"{where}: {self.message}" if where else self.message


@dataclass(frozen=True, slots=True)
class ProblemGroup:
    """Problems of one cause: code, table and column, how many, the first message and the first lines."""

    code: str
    table: str | None
    column: str | None
    count: int
    message: str
    hint: str
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a sample: the text before and after, None for NULL."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Sample:
    """One record that an import changes or meets in conflict, field by field."""

    key: str
    line: int
    outcome: Outcome
    changes: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class TableReport:
    """What an import does, or did, with one table of the file."""

    table: str
    counts: Counts
    ignored_columns: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Who made a file, as its footer says; all None for a file of stock pyDAL or a spreadsheet."""

    base_uuid: str | None = None
    instance: str | None = None
    name: str | None = None
    made_utc: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The whole of an import or of a dry run; the same value feeds page, log and test.

    `problems` holds at most MAX_PROBLEMS of `problems_total`; `groups` counts all of them by cause.
    `lock_s` is how long other writers were kept waiting.
    """

    dry_run: bool
    policy: str
    tables: tuple[TableReport, ...]
    problems: tuple[Problem, ...] = ()
    problems_total: int = 0
    groups: tuple[ProblemGroup, ...] = ()
    warnings: tuple[Problem, ...] = ()
    ignored_tables: tuple[str, ...] = ()
    origin: Origin = Origin()
    sha256: str = ""
    size_bytes: int = 0
    seconds: float = 0.0
    lock_s: float = 0.0

    @property
    def counts(self) -> Counts:
        """Counts over all tables."""
        return sum((t.counts for t in self.tables), Counts())

    def table(self, name: str) -> TableReport:
        """Return the report of one table; KeyError when the file did not hold it."""
        for report in self.tables:
            if report.table == name:
                return report
        raise KeyError(name)

    def to_dict(self) -> dict[str, object]:
        """Return plain values, fit for JSON."""
        return {**asdict(self), "counts": asdict(self.counts)}


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A record that an undo leaves as it is, named by its uuid, and why."""

    table: str
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class UndoneTable:
    """How many records of a table an undo removed and restored."""

    table: str
    removed: int = 0
    restored: int = 0


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What undoing an import did, or would do; `kept` holds at most MAX_PROBLEMS of `kept_total`."""

    dry_run: bool
    tables: tuple[UndoneTable, ...]
    kept: tuple[KeptRecord, ...] = ()
    kept_total: int = 0
    seconds: float = 0.0

    @property
    def removed(self) -> int:
        """Records removed, over all tables."""
        return sum(t.removed for t in self.tables)

    @property
    def restored(self) -> int:
        """Records restored, over all tables."""
        return sum(t.restored for t in self.tables)

    def to_dict(self) -> dict[str, object]:
        """Return plain values, fit for JSON."""
        return {**asdict(self), "removed": self.removed, "restored": self.restored}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote: rows a table, bytes and the sha256 that its footer carries.

    `missing_files` holds at most MAX_PROBLEMS of `missing_total` uploaded files that records name and that were not there.
    """

    rows: Mapping[str, int]
    size_bytes: int = 0
    sha256: str = ""
    seconds: float = 0.0
    left_out: Mapping[str, str] = field(default_factory=dict)
    missing_files: tuple[str, ...] = ()
    missing_total: int = 0

    @property
    def total(self) -> int:
        """Rows over all tables."""
        return sum(self.rows.values())

    def to_dict(self) -> dict[str, object]:
        """Return plain values, fit for JSON."""
        return {**asdict(self), "total": self.total}


class Problems:
    """A bounded collector: keeps the first MAX_PROBLEMS with their place, groups and counts all; `each` hears of all."""

    def __init__(self, limit: int = MAX_PROBLEMS, each: Callable[[Problem], None] | None = None) -> None:
        self.limit = limit
        self.each = each
        self.total = 0
        self.kept: list[Problem] = []
        self._groups: dict[tuple[str, str | None, str | None], tuple[int, Problem, list[int]]] = {}

    def add(self, problem: Problem, times: int = 1) -> None:
        """Count a problem, and keep it while there is room."""
        self.total += times
        if self.each is not None:
            self.each(problem)
        if len(self.kept) < self.limit:
            self.kept.append(problem)
        key = (problem.code, problem.table, problem.column)
        count, first, lines = self._groups.get(key, (0, problem, []))
        if problem.line is not None and len(lines) < MAX_LINES:
            lines.append(problem.line)
        self._groups[key] = (count + times, first, lines)

    def extend(self, problems: Iterable[Problem]) -> None:
        """Add each of `problems`."""
        for problem in problems:
            self.add(problem)

    def groups(self) -> tuple[ProblemGroup, ...]:
        """Return the problems by cause, most frequent first."""
        groups = (
            ProblemGroup(code, table, column, count, first.message, first.hint, tuple(lines))
            for (code, table, column), (count, first, lines) in self._groups.items()
        )
        return tuple(sorted(groups, key=lambda g: -g.count))

    def __iter__(self) -> Iterator[Problem]:
        return iter(self.kept)

    def __len__(self) -> int:
        return len(self.kept)
