"""The host's own callbacks on a table (`_before_insert`, `_after_update` ...), called for rows that an import really writes.

pyDAL's built-in ones, which store uploads and delete replaced files, are left out: an imported name must never make a
local file disappear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydal.helpers.classes import OpRow

from .errors import SyncError
from .objects import from_object, to_object
from .records import Problem
from .stores.deciding import CHANGED, compared
from .stores.staging import Staged, Work
from .stores.writing import written_value
from .values import Stored

BUILT_IN = "pydal.helpers.methods"
PAGE = 500  # rows


@dataclass
class Change:
    """One row that is about to be written: its number, line, local id and the values as the application sees them."""

    number: int
    line: int
    id: int
    fresh: bool
    row: OpRow
    before: dict[str, Any] = field(default_factory=dict)


def listens(table: Any) -> bool:
    """Whether the host has callbacks of its own for inserts or updates of a table."""
    names = ("_before_insert", "_before_update", "_after_insert", "_after_update")
    return any(_own(getattr(table, name)) for name in names)


def _own(callbacks: list[Callable[..., Any]]) -> list[Callable[..., Any]]:
    return [f for f in callbacks if f.__module__ != BUILT_IN]


def changes(work: Work, staged: Staged, table: Any) -> Iterator[Change]:
    """Yield what is about to be written, new rows first within a page, with memory for a page of them."""
    after = 0
    while page := _page(work, staged, after):
        for number, line, ident, fresh, *values in page:
            positions = range(len(staged.fields)) if fresh else compared(staged)
            row = OpRow(table)
            for position in positions:
                spec = staged.fields[position]
                row.set_value(spec.name, to_object(spec, values[position]), table[spec.name])
            yield Change(number, line, ident, bool(fresh), row, dict(row.items()))
        after = page[-1][0]


def _page(work: Work, staged: Staged, after: int) -> list[tuple[Any, ...]]:
    columns = ", ".join(
        f"CASE WHEN m.fresh = 1 THEN {staged.value(p)} ELSE {written_value(work, staged, p)} END"
        for p in range(len(staged.fields))
    )
    return work.session.rows(
        f"SELECT m.n, s.line, m.id, m.fresh, {columns} FROM {staged.joined} LEFT JOIN {staged.o} o ON o.n = m.n "
        f"LEFT JOIN {staged.spec.sql_name} t ON {staged.on_local} "
        f"WHERE (m.fresh = 1 OR o.o = {CHANGED}) AND m.n > {after} ORDER BY m.n LIMIT {PAGE}"
    )


def call_before(work: Work, staged: Staged, table: Any) -> list[tuple[int, Problem]]:
    """Call the callbacks that come before a write; rows that one refuses are returned, what one alters is staged."""
    refused: list[tuple[int, Problem]] = []
    for change in changes(work, staged, table):
        hooks = _own(table._before_insert if change.fresh else table._before_update)
        arguments = (change.row,) if change.fresh else (_set_of(table, change.id), change.row)
        if any(_called(hook, staged.spec.name, change.line, *arguments) for hook in hooks):
            message = "the application refuses this record"
            refused.append((change.number, Problem("refused_by_host", message, staged.spec.name, change.line)))
        else:
            _stage_alterations(work, staged, change)
    return refused


def call_after(work: Work, staged: Staged, table: Any) -> None:
    """Call the callbacks that come after a write; needs the staging tables as `call_before` left them."""
    if not (_own(table._after_insert) or _own(table._after_update)):
        return
    for change in changes(work, staged, table):
        for hook in _own(table._after_insert if change.fresh else table._after_update):
            arguments = (change.row, change.id) if change.fresh else (_set_of(table, change.id), change.row)
            _called(hook, staged.spec.name, change.line, *arguments)


def call_before_delete(table: Any, ids: Sequence[int]) -> set[int]:
    """Call the callbacks that come before records are deleted; return the ids of those that one refuses to let go."""
    refused: set[int] = set()
    for hook in _own(table._before_delete):
        for ident in ids:
            if ident not in refused and _called(hook, table._tablename, None, _set_of(table, ident)):
                refused.add(ident)
    return refused


def call_after_delete(table: Any, ids: Sequence[int]) -> None:
    """Call the callbacks that come after records were deleted."""
    for hook in _own(table._after_delete):
        for ident in ids:
            _called(hook, table._tablename, None, _set_of(table, ident))


def _set_of(table: Any, ident: int) -> Any:
    return table._db(table._id == ident, ignore_common_filters=True)


def _called(hook: Callable[..., Any], table: str, line: int | None, *arguments: Any) -> Any:
    try:
        return hook(*arguments)
    except Exception as exc:  # the host's code may raise anything; what is going on stops, nothing is written
        name = getattr(hook, "__name__", repr(hook))
        raise SyncError(f"the application's callback {name} failed: {exc}", table=table, line=line) from exc


def _stage_alterations(work: Work, staged: Staged, change: Change) -> None:
    for name, value in change.row.items():
        if name in change.before and change.before[name] == value:
            continue
        position = staged.position(name)
        if position is None:
            raise SyncError(
                f"the application's callback set {name}, which the file does not hold",
                table=staged.spec.name,
                line=change.line,
                hint="Export the file again with all columns.",
            )
        try:
            stored: Stored = from_object(staged.fields[position], value)
        except (ValueError, TypeError) as exc:
            message = f"the application's callback set {name} to what it cannot hold: {value!r}"
            raise SyncError(message, table=staged.spec.name, line=change.line, column=name) from exc
        table, column = staged.value(position).split(".")
        mark = work.session.dialect.mark
        work.session.run(
            f"UPDATE {staged.r if table == 'r' else staged.s} SET {column} = {mark} WHERE n = {mark}", (stored, change.number)
        )
