"""From a header to where its columns go, and what a caller's `transform` makes of the rows before anything looks at them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .catalog import is_secret
from .errors import FileFormatError, SettingsError
from .formats.contract import Batch
from .records import Identity, Problem, TableSpec
from .stores.staging import Staged
from .values import NULL

Transform = Callable[[dict[str, str]], dict[str, str]]
COMPANION = ".uuid"
REASON = "sync_problem"  # the column of a file of rejected rows that says why


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the file's columns go: positions in the file's rows."""

    table: str
    fields: tuple[int, ...]  # of each staged column, -1 when the file lacks it
    companions: Mapping[int, int]  # staged position -> position in the file
    src: int | None
    width: int
    ignored: tuple[str, ...]


def plan_of(spec: TableSpec, names: Sequence[str], line: int, index: int) -> tuple[Plan, Staged]:
    """Return where the columns of a header go, and the staged table that they make.

    Raises FileFormatError for a column that is there twice, or a primary key that is not whole.
    """
    repeated = {n for n in names if names.count(n) > 1}
    if repeated:
        raise FileFormatError(f"the header holds {sorted(repeated)[0]} twice", table=spec.name, line=line)
    at = {name: i for i, name in enumerate(names)}
    fields = tuple(
        f for f in spec.fields if f.name in at or f.name == spec.uuid_name or (f.target and f.name + COMPANION in at)
    )  # new records get their uuid whether the file has the column or not
    companions = {i: at[f.name + COMPANION] for i, f in enumerate(fields) if f.target and f.name + COMPANION in at}
    used = {f.name for f in fields} | {fields[i].name + COMPANION for i in companions} | {spec.id_name or ""}
    ignored = tuple(n for n in names if n not in used)
    staged = Staged(
        spec,
        fields,
        index,
        frozenset(fields[i].name for i in companions),
        has_src=spec.id_name is not None and spec.id_name in at,
    )
    src = at.get(spec.id_name or "")
    if spec.identity is Identity.PRIMARY_KEY and len(staged.key_positions) < len(spec.primary_key):
        raise FileFormatError("the file lacks a column of the primary key", table=spec.name, line=line)
    return Plan(spec.name, tuple(at.get(f.name, -1) for f in fields), companions, src, len(names), ignored), staged


def unused_columns(spec: TableSpec, plan: Plan, names: Sequence[str], line: int) -> tuple[list[Problem], list[Problem]]:
    """Return problems for columns that the table does not have, and warnings for those that are never imported."""
    problems, warnings = [], []
    for name in plan.ignored:
        if name == REASON:
            continue
        base = name.removesuffix(COMPANION)
        if base in spec.withheld or is_secret(base, ""):
            warnings.append(Problem("withheld", "never imported", spec.name, line, name))
        elif base == name or (base not in names and spec.field(base) is None):  # else its column tells already
            hint = "Remove the column from the file, or add the field here."
            problems.append(Problem("unknown_column", "the table here has no such column", spec.name, line, name, hint=hint))
    return problems, warnings


def column_name(cell: str, spec: TableSpec) -> str:
    """Return a header cell as a column name of the table: without the table's name, in the table's own letters."""
    name = cell.strip().replace('"', "").replace("`", "").split(".", 1)[-1]
    base, companion = (name.removesuffix(COMPANION), COMPANION) if name.endswith(COMPANION) else (name, "")
    known = [spec.id_name or "", *(f.name for f in spec.fields), *spec.withheld]
    if base not in known:
        base = next((k for k in known if k.lower() == base.lower()), base)
    return base + companion


def transformed(
    transform: Transform, names: list[str], batches: Iterator[Batch], table: str
) -> tuple[list[str], Iterator[Batch]]:
    """Return the columns and rows that `transform` makes of each row's {column: text}; the first row sets the columns."""
    done = ((batch, [_altered(transform, names, row) for row in batch.rows]) for batch in batches)
    first = next(done, None)
    columns = next((list(row) for row in first[1] if isinstance(row, dict)), names) if first else names

    def as_rows(altered: tuple[Batch, list[Any]]) -> Batch:
        """Return the rows of a batch as cells in the order of the columns."""
        batch, found = altered
        rows, absent = [], {}
        for index, (row, line) in enumerate(zip(found, batch.lines, strict=True)):
            if isinstance(row, dict) and set(row) != set(columns):
                raise SettingsError("transform must return the same columns for every row", table=table, line=line)
            rows.append([row[c] for c in columns] if isinstance(row, dict) else row)
            lacking = [names[at] for at in batch.absent.get(index, ())] if isinstance(row, dict) else []
            absent[index] = tuple(columns.index(name) for name in lacking if name in row and row[name] == NULL)
        return Batch(rows, batch.lines, absent, batch.refused)

    return columns, map(as_rows, itertools.chain([first] if first else [], done))


def _altered(transform: Transform, names: list[str], row: list[str]) -> Any:
    """Return a row's items after `transform`; a row of the wrong width stays as it is, to be reported."""
    return transform(dict(zip(names, row, strict=True))) if len(row) == len(names) else row
