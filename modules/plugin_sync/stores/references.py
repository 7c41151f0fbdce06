"""From what the file says of a record to the local id: by companion uuid, else by id within the file, else by id when
the file is of this very instance. What cannot be found is a problem, never a stranger.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..records import FieldSpec, Problem
from .staging import ALIASES, Staged, Work, uuid_column


@dataclass(frozen=True, slots=True)
class Route:
    """SQL that finds the record a column points to: joins and, in the order of trust, expressions for its id."""

    joins: tuple[str, ...]
    ids: tuple[str, ...]

    @property
    def id(self) -> str:
        """SQL for the first id that is found."""
        return self.ids[0] if len(self.ids) == 1 else f"COALESCE({', '.join(self.ids)})" if self.ids else "NULL"


def needs_src(work: Work, target: str) -> bool:
    """Whether any staged reference to `target` has to go by ids within the file."""
    return any(field.target == target and field.name in staged.by_src for staged in work.staged for _, field in staged.references)


def route(work: Work, staged: Staged, field: FieldSpec, tag: str, key: str | None, src: str) -> Route:
    """Return how to find the records of `field` whose folded uuid is SQL `key` and whose id in the file is `src`."""
    target = work.specs[field.target or ""]
    parent = work.of(field.target)
    joins: list[str] = []
    ids: list[str] = []
    if parent is not None and key is not None:
        joins.append(f"LEFT JOIN {parent.m} a{tag} ON a{tag}.k = {key}")
        ids.append(f"a{tag}.id")
    if key is not None and target.uuid_name is not None:
        _join_local(work, joins, ids, field, tag, key)
    by_src = field.name in staged.by_src
    absent = f" AND {key} IS NULL" if key is not None else ""
    if parent is not None and by_src:
        joins.append(f"LEFT JOIN {parent.s} c{tag} ON c{tag}.src = {src}{absent}")
        joins.append(f"LEFT JOIN {parent.m} d{tag} ON d{tag}.n = c{tag}.n")
        ids.append(f"d{tag}.id")
    if by_src and work.same_instance and target.id_column is not None:
        joins.append(f"LEFT JOIN {target.sql_name} i{tag} ON i{tag}.{target.id_column} = {src}{absent}")
        ids.append(f"i{tag}.{target.id_column}")
    return Route(tuple(joins), tuple(ids))


def _join_local(work: Work, joins: list[str], ids: list[str], field: FieldSpec, tag: str, key: str) -> None:
    target = work.specs[field.target or ""]
    column, ident = uuid_column(target), target.id_column
    if work.are_folded(target):
        joins.append(f"LEFT JOIN {target.sql_name} l{tag} ON l{tag}.{column} = {key}")
        ids.append(f"l{tag}.{ident}")
    else:
        folded = work.folded_uuids(target)
        joins.append(f"LEFT JOIN (SELECT min(id) AS id, f FROM {folded} GROUP BY f) l{tag} ON l{tag}.f = {key}")
        ids.append(f"l{tag}.id")
    if work.aliases:
        name = target.name.replace("'", "''")
        joins.append(f"LEFT JOIN {ALIASES} x{tag} ON x{tag}.table_name = '{name}' AND x{tag}.alias = {key}")
        joins.append(f"LEFT JOIN {target.sql_name} y{tag} ON y{tag}.{column} = x{tag}.uuid")
        ids.append(f"y{tag}.{ident}")


def resolve(work: Work, staged: Staged) -> None:
    """Make the table of resolved references of a staged table; rows that point nowhere keep NULL there."""
    if not staged.references:
        return
    session = work.session
    joins: list[str] = []
    values: list[str] = []
    for position, field in staged.references:
        if field.is_list_reference:
            values.append(f"s.v{position}")
            continue
        key = f"s.r{position}" if field.name in staged.companions else None
        found = route(work, staged, field, str(position), key, f"s.v{position}")
        joins.extend(found.joins)
        values.append(found.id)
    types = session.dialect.staged_types
    columns = ", ".join(f"r{p} {types['list:reference' if f.is_list_reference else 'reference']}" for p, f in staged.references)
    session.run(f"CREATE TEMPORARY TABLE {staged.r} (n INTEGER PRIMARY KEY, {columns})")
    session.run(f"INSERT INTO {staged.r} SELECT s.n, {', '.join(values)} FROM {staged.s} s {' '.join(joins)}")
    for position, field in staged.references:
        if field.is_list_reference:
            _resolve_list(work, staged, position, field)


def _resolve_list(work: Work, staged: Staged, position: int, field: FieldSpec) -> None:
    session, items = work.session, staged.items(position)
    key = "q.k" if field.name in staged.companions else None
    found = route(work, staged, field, f"{position}l", key, "q.src")
    resolved = f"{items}r"
    session.run(f"CREATE TEMPORARY TABLE {resolved} (n INTEGER, pos INTEGER, id BIGINT)")
    session.run(f"INSERT INTO {resolved} SELECT q.n, q.pos, {found.id} FROM {items} q {' '.join(found.joins)}")
    joined = session.dialect.concat_items.format(id="x.id", pos="x.pos")
    session.run(f"CREATE TEMPORARY TABLE {items}j (n INTEGER PRIMARY KEY, v {session.dialect.staged_types['text']})")
    session.run(
        f"INSERT INTO {items}j SELECT x.n, {joined} FROM (SELECT n, pos, id FROM {resolved} ORDER BY n, pos) x GROUP BY x.n"
    )
    session.run(
        session.dialect.update_from.format(table=staged.r, sets=f"r{position} = j.v", source=f"{items}j j", on="j.n = t.n")
    )


def drop(work: Work, staged: Staged) -> None:
    """Drop the resolved references, so that they can be made again."""
    if not staged.references:
        return
    work.session.run(f"DROP TABLE IF EXISTS {staged.r}")
    for position, field in staged.references:
        if field.is_list_reference:
            for suffix in "rj":
                work.session.run(f"DROP TABLE IF EXISTS {staged.items(position)}{suffix}")


def missing(work: Work, staged: Staged) -> Iterator[tuple[int, Problem]]:
    """Yield rows that point to a record that is neither here nor in the file, each with its problem."""
    for position, field in staged.references:
        rows = _missing_items(work, staged, position) if field.is_list_reference else _missing_one(work, staged, position, field)
        for number, line, key, src in rows:
            shown = key if key is not None else f"id {src}"
            yield (
                number,
                Problem(
                    "missing_parent",
                    f"points to a record of {field.target} that is neither here nor in the file: {shown}",
                    staged.spec.name,
                    line,
                    field.name,
                    str(shown),
                    f"Import {field.target} first, then this file again.",
                ),
            )


def _missing_one(work: Work, staged: Staged, position: int, field: FieldSpec) -> list[tuple[int, int, str | None, int]]:
    key = f"s.r{position}" if field.name in staged.companions else "NULL"
    set_here = f"(s.v{position} IS NOT NULL OR {key} IS NOT NULL)" if key != "NULL" else f"s.v{position} IS NOT NULL"
    return work.session.rows(
        f"SELECT s.n, s.line, {key}, s.v{position} FROM {staged.s} s JOIN {staged.r} r ON r.n = s.n "
        f"WHERE r.r{position} IS NULL AND {set_here} ORDER BY s.n"
    )


def _missing_items(work: Work, staged: Staged, position: int) -> list[tuple[int, int, str | None, int]]:
    items = staged.items(position)
    return work.session.rows(
        f"SELECT s.n, s.line, q.k, q.src FROM {items}r x JOIN {items} q ON q.n = x.n AND q.pos = x.pos "
        f"JOIN {staged.s} s ON s.n = x.n WHERE x.id IS NULL ORDER BY s.n"
    )
