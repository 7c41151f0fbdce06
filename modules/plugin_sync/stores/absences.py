"""Cells that a record of the file does not mention: they stay as they are here, and new records get the default.

`ps_xI` holds, for each row that lacks any, which set of columns it lacks; `ps_yI` the columns of each set. Nothing of it
is made for a file whose records mention every column.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from ..records import Problem
from .matching import TO_ASK
from .session import ROW_NUMBER, as_columns
from .staging import Staged, Work


def stage(
    work: Work, staged: Staged, absent: Mapping[int, Collection[int]], numbers: Sequence[int], bad: Collection[int]
) -> None:
    """Note which rows lack which columns; `absent` gives rows of the batch by staged position."""
    lacking: dict[int, list[int]] = {}
    for position in sorted(absent):
        for row in absent[position]:
            if row not in bad:
                lacking.setdefault(row, []).append(position)
    if not lacking:
        return
    session = work.session
    if not staged.gaps:
        session.create(staged.x, (ROW_NUMBER, "g INTEGER NOT NULL"))
        session.create(staged.y, ("g INTEGER NOT NULL", "p INTEGER NOT NULL"))
    rows, new = [], []
    for row in sorted(lacking):
        columns = tuple(lacking[row])
        if columns not in staged.gaps:
            staged.gaps[columns] = len(staged.gaps)
            new += [(staged.gaps[columns], position) for position in columns]
        rows.append((numbers[row], staged.gaps[columns]))
    session.load(staged.x, ("n", "g"), as_columns(rows, 2))
    session.load(staged.y, ("g", "p"), as_columns(new, 2))


def _lacks(staged: Staged, position: int) -> tuple[str, str]:
    """SQL tables and condition for the rows t that lack a column."""
    return f"{staged.x} x, {staged.y} y", f"x.n = t.n AND y.g = x.g AND y.p = {position}"


def give_defaults(work: Work, staged: Staged) -> None:
    """Put defaults into the cells that rows lack, of rows that are not matched with a record here."""
    session, dialect = work.session, work.session.dialect
    for position in staged.gapped:
        default = staged.fallbacks.get(position)
        table, column = _cell(staged, position)
        if default is None or (table == staged.r and not staged.resolved):
            continue
        source, lacks = _lacks(staged, position)
        matched = f"EXISTS (SELECT 1 FROM {staged.m} m WHERE m.n = t.n AND m.fresh = 0)"
        sets = dialect.assign(column, dialect.mark)
        session.run(dialect.update_from.format(table=table, sets=sets, source=source, on=f"{lacks} AND NOT {matched}"), [default])


def take_over(work: Work, staged: Staged) -> None:
    """Put what is here into the cells that rows lack, of rows that are matched with a record."""
    dialect, spec = work.session.dialect, staged.spec
    for position in staged.gapped:
        table, column = _cell(staged, position)
        source, lacks = _lacks(staged, position)
        source += f", {staged.m} m, {spec.sql_name} w"
        if spec.id_column is not None:
            local = f"w.{spec.id_column} = m.id"
        else:
            source += f", {staged.s} s" if table == staged.r else ""
            row = "s" if table == staged.r else "t"
            local = " AND ".join(f"w.{staged.fields[p].column} = {row}.v{p}" for p in staged.key_positions)
            local += " AND s.n = m.n" if row == "s" else ""
        on = f"{lacks} AND m.n = t.n AND m.fresh = 0 AND m.how < {TO_ASK} AND {local}"
        sets = dialect.assign(column, f"w.{staged.fields[position].column}")
        work.session.run(dialect.update_from.format(table=table, sets=sets, source=source, on=on))


def _cell(staged: Staged, position: int) -> tuple[str, str]:
    """Return the table and the column of a final value."""
    return (staged.r, f"r{position}") if staged.fields[position].target is not None else (staged.s, f"v{position}")


def without_value(work: Work, staged: Staged) -> Iterator[tuple[int, Problem]]:
    """Yield new rows that lack a column which must have a value and has no default."""
    for position in staged.gapped:
        field = staged.fields[position]
        if not field.notnull or staged.fallbacks.get(position) is not None:
            continue
        source, lacks = _lacks(staged, position)
        tables = f"{staged.s} t, {staged.m} m, {source}"
        for number, line in work.session.rows(
            f"SELECT t.n, t.line FROM {tables} WHERE {lacks} AND m.n = t.n AND m.fresh = 1 ORDER BY t.n"
        ):
            yield number, Problem("not_null", "is empty, but the column must have a value", staged.spec.name, line, field.name)


def alike(work: Work, staged: Staged) -> Iterator[tuple[str, frozenset[int]]]:
    """Yield SQL conditions on s that part rows without a key, each with the columns by which they cannot be recognised:
    those that they lack and whose default is another at each import, or a record.
    """
    unsure = {p for p in staged.gapped if staged.fallbacks.get(p) is not None and _varies(staged, p)}
    groups: dict[frozenset[int], list[int]] = {}
    for columns, number in staged.gaps.items():
        left_out = frozenset(unsure.intersection(columns))
        if left_out:
            groups.setdefault(left_out, []).append(number)
    if not groups:
        yield "1 = 1", frozenset()
        return
    some = ", ".join(str(number) for numbers in groups.values() for number in numbers)
    yield f"s.n NOT IN (SELECT n FROM {staged.x} WHERE g IN ({some}))", frozenset()
    for left_out, numbers in groups.items():
        yield f"s.n IN (SELECT n FROM {staged.x} WHERE g IN ({', '.join(map(str, numbers))}))", left_out


def _varies(staged: Staged, position: int) -> bool:
    field = staged.fields[position]
    return field.target is not None or field.type in ("date", "time", "datetime")
