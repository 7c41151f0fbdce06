"""Removing the records that an import made, but for those that were edited since or that others point to.

Works on a merge of the records as the import left them: a row that is the same here was not touched since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from .matching import TO_ASK
from .session import Session, as_columns
from .staging import Staged, Work

PAGE = 5000  # rows with lists read at once


class Pointer(NamedTuple):
    """A column that points to records of `target`; all SQL-ready but the names of tables."""

    table: str
    sql_name: str
    id_column: str
    column: str
    target: str
    is_list: bool


def candidates_of(staged: Staged) -> str:
    """Name of the table of ids that may be removed."""
    return f"ps_d{staged.index}"


def untouched(work: Work, staged: Staged) -> list[int]:
    """Return the ids of the records that are still what the file says."""
    return [ident for (ident,) in work.session.rows(f"{_untouched(staged)} ORDER BY m.id")]


def _untouched(staged: Staged) -> str:
    return (
        f"SELECT m.id FROM {staged.m} m LEFT JOIN {staged.o} o ON o.n = m.n "
        f"WHERE m.fresh = 0 AND m.how < {TO_ASK} AND m.id IS NOT NULL AND o.n IS NULL"
    )


def choose(work: Work, pointers: Iterable[Pointer]) -> dict[str, set[int]]:
    """Make the tables of ids to remove; return, by table, untouched ids that stay because others point to them."""
    for staged in work.staged:
        work.session.create_as(candidates_of(staged), _untouched(staged), ("id",))
    pointers = [p for p in pointers if work.of(p.target) is not None]
    stay: dict[str, set[int]] = {}
    again = True
    while again:  # what stays may itself point to others
        again = False
        for pointer in pointers:
            found = _pointed(work, pointer)
            stay.setdefault(pointer.target, set()).update(found)
            again = again or bool(found)
    return stay


def _pointed(work: Work, pointer: Pointer) -> list[int]:
    """Take the ids out that records which stay point to; return them."""
    session, target = work.session, work.of(pointer.target)
    if target is None:
        return []
    table = candidates_of(target)
    [(lowest,)] = session.rows(f"SELECT min(id) FROM {table}")
    if lowest is None:
        return []
    if pointer.is_list:
        pointed = sorted({ident for ident in _items(work, pointer) if ident >= lowest})
        with work.listed(as_columns([(ident,) for ident in pointed], 1), (f"id {session.dialect.id_type} PRIMARY KEY",)) as ids:
            return _take_out(session, table, ids)
    select = f"SELECT DISTINCT c.{pointer.column} AS id FROM {_staying(work, pointer)} AND c.{pointer.column} >= {lowest}"
    session.create_as("ps_pointed", select, ("id",))
    found = _take_out(session, table, "ps_pointed")
    session.drop("ps_pointed")
    return found


def _take_out(session: Session, table: str, ids: str) -> list[int]:
    found = [ident for (ident,) in session.rows(f"SELECT d.id FROM {table} d JOIN {ids} p ON p.id = d.id")]
    if found:
        session.run(f"DELETE FROM {table} WHERE id IN (SELECT id FROM {ids})")
    return found


def _staying(work: Work, pointer: Pointer) -> str:
    """SQL for the rows c of a table that point somewhere and are not to be removed."""
    child = work.of(pointer.table)
    filled = f"c.{pointer.column} IS NOT NULL"
    if child is None:
        return f"{pointer.sql_name} c WHERE {filled}"
    return (
        f"{pointer.sql_name} c LEFT JOIN {candidates_of(child)} x ON x.id = c.{pointer.id_column} WHERE x.id IS NULL AND {filled}"
    )


def _items(work: Work, pointer: Pointer) -> Iterator[int]:
    """Yield the ids in a column of lists, row by row."""
    select, after = f"SELECT c.{pointer.id_column}, c.{pointer.column} FROM {_staying(work, pointer)}", 0
    while rows := work.session.rows(f"{select} AND c.{pointer.id_column} > {after} ORDER BY c.{pointer.id_column} LIMIT {PAGE}"):
        after = rows[-1][0]
        for _, items in rows:
            yield from (int(item) for item in str(items).split("|") if item.strip().isdecimal())


def chosen(work: Work, staged: Staged) -> list[int]:
    """Return the ids to remove, in order."""
    return [ident for (ident,) in work.session.rows(f"SELECT id FROM {candidates_of(staged)} ORDER BY id")]


def keep(work: Work, staged: Staged, ids: Iterable[int]) -> None:
    """Take ids out of those to remove."""
    values = as_columns([(ident,) for ident in sorted(ids)], 1)
    with work.listed(values, (f"id {work.session.dialect.id_type} PRIMARY KEY",)) as listed:
        work.session.run(f"DELETE FROM {candidates_of(staged)} WHERE id IN (SELECT id FROM {listed})")


@contextmanager
def indexed(work: Work, pointers: Iterable[Pointer]) -> Iterator[None]:
    """Index, for a while, the columns that point to what is removed.

    At each deleted row the database looks for those that point to it: 60,000 rows without indexes took minutes.
    """
    names = []
    for number, pointer in enumerate(pointers if work.session.dialect.indexes_in_transactions else ()):
        if not pointer.is_list:
            names.append(f"plugin_sync_undo_{number}")
            work.session.run(f"CREATE INDEX {names[-1]} ON {pointer.sql_name} ({pointer.column})")
    yield
    for name in names:
        work.session.run(f"DROP INDEX {name}")


def remove(work: Work, staged: Staged) -> None:
    """Delete the records that are to be removed; the database may delete one with another that it points to."""
    spec = staged.spec
    work.session.run(f"DELETE FROM {spec.sql_name} WHERE {spec.id_column} IN (SELECT id FROM {candidates_of(staged)})")
