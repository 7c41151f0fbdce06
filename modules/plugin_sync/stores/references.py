"""From what the file says of a record to the local id: by companion uuid, else by id within the file, else by id when
the file is of this very instance. What cannot be found is a problem, never a stranger.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..records import FieldSpec, Problem, TableSpec
from .session import ROW_NUMBER
from .staging import ALIASES, Staged, Work, uuid_column


@dataclass(frozen=True, slots=True)
class Way:
    """One way to find the records that a column points to: tables with alias and condition, the id that the last gives,
    and the SQL condition under which the way is open.
    """

    tables: tuple[tuple[str, str, str], ...]
    id: str
    open: str

    @property
    def joins(self) -> str:
        """The way as joins to what is asked for."""
        return " ".join(f"LEFT JOIN {table} {alias} ON {on}" for table, alias, on in self.tables)

    @property
    def subquery(self) -> str:
        """The way as a subquery for one row."""
        (first, alias, on), *others = self.tables
        return f"(SELECT {self.id} FROM {first} {alias} {' '.join(f'JOIN {t} {a} ON {c}' for t, a, c in others)} WHERE {on})"


def needs_src(work: Work, target: str) -> bool:
    """Whether any staged reference to `target` has to go by ids within the file."""
    pointing = (s for s in work.staged if s.rows > s.same)
    return any(field.target == target and field.name in staged.by_src for staged in pointing for _, field in staged.references)


def ways(work: Work, staged: Staged, position: int, key: str, src: str) -> list[Way]:
    """Return the ways to find the records of a column, the most trusted first.

    `key` is SQL for the folded uuid, `src` for the id in the file.
    """
    field, tag = staged.fields[position], str(position)
    target = work.specs[field.target or ""]
    parent = work.of(field.target)
    found: list[Way] = []
    if field.name in staged.companions:
        by_key = f"{key} IS NOT NULL"
        if parent is not None:
            found.append(Way(((parent.m, f"a{tag}", f"a{tag}.k = {key}"),), f"a{tag}.id", by_key))
        if target.uuid_name is not None:
            found.extend(_local_ways(work, target, tag, key))
    if field.name in staged.by_src:
        by_src = f"{src} IS NOT NULL AND {key} IS NULL" if field.name in staged.companions else f"{src} IS NOT NULL"
        if parent is not None and parent.has_src:
            rows = (parent.b, f"b{tag}", f"b{tag}.src = {src}")
            later = (parent.m, f"c{tag}", f"c{tag}.n = b{tag}.n")
            found.append(Way((rows, later), f"c{tag}.id", by_src) if parent.keyless else Way((rows,), f"b{tag}.id", by_src))
        if work.same_instance and target.id_column is not None:
            ident = f"d{tag}.{target.id_column}"
            found.append(Way(((target.sql_name, f"d{tag}", f"{ident} = {src}"),), ident, by_src))
    return found


def _local_ways(work: Work, target: TableSpec, tag: str, key: str) -> Iterator[Way]:
    column, ident, by_key = uuid_column(target), target.id_column, f"{key} IS NOT NULL"
    if work.are_folded(target):
        yield Way(((target.sql_name, f"e{tag}", f"e{tag}.{column} = {key}"),), f"e{tag}.{ident}", by_key)
    else:
        yield Way(((work.folded_uuids(target), f"e{tag}", f"e{tag}.f = {key}"),), f"e{tag}.id", by_key)
    if work.aliases:
        name = target.name.replace("'", "''")
        alias = (ALIASES, f"f{tag}", f"f{tag}.alias = {key} AND f{tag}.table_name = '{name}'")
        yield Way((alias, (target.sql_name, f"g{tag}", f"g{tag}.{column} = f{tag}.uuid")), f"g{tag}.{ident}", by_key)


def resolve(work: Work, staged: Staged) -> None:
    """Make the table of resolved references of a staged table; rows that point nowhere keep NULL there.

    The most trusted way of each column is followed in one pass over all rows, each other way only by the rows for which
    those before it found nothing.
    """
    if not staged.references:
        return
    session, dialect = work.session, work.session.dialect
    types = [f"r{p} {dialect.list_type if f.is_list_reference else dialect.id_type}" for p, f in staged.references]
    session.create(staged.r, [ROW_NUMBER, *types])
    staged.resolved = True
    if staged.rows == staged.same:
        return  # nothing is left to resolve
    values, joins, later = [], [], []
    for position, field in staged.references:
        found = [] if field.is_list_reference else ways(work, staged, position, f"s.r{position}", f"s.v{position}")
        values.append(f"s.v{position}" if field.is_list_reference else found[0].id if found else "NULL")
        joins += [found[0].joins] if found else []
        later += [(position, way) for way in found[1:]]
    session.run(f"INSERT INTO {staged.r} SELECT s.n, {', '.join(values)} FROM {staged.s} s {' '.join(joins)}")
    session.analyze(staged.r, ("n",))
    for position, way in later:
        row = f"FROM {staged.s} s WHERE s.n = {staged.r}.n"
        session.run(
            f"UPDATE {staged.r} SET r{position} = (SELECT {way.subquery} {row}) "
            f"WHERE r{position} IS NULL AND EXISTS (SELECT 1 {row} AND {way.open})"
        )
    for position, field in staged.references:
        if field.is_list_reference:
            _resolve_list(work, staged, position)


def _resolve_list(work: Work, staged: Staged, position: int) -> None:
    session, items, dialect = work.session, staged.items(position), work.session.dialect
    session.run(f"UPDATE {items} SET id = NULL")
    for way in ways(work, staged, position, f"{items}.k", f"{items}.src"):
        session.run(f"UPDATE {items} SET id = {way.subquery} WHERE id IS NULL AND {way.open}")
    joined = dialect.concat_items.format(id="x.id", pos="x.pos")
    session.create(f"{items}j", (ROW_NUMBER, f"v {dialect.list_type}"))
    session.run(f"INSERT INTO {items}j SELECT x.n, {joined} FROM (SELECT n, pos, id FROM {items} ORDER BY n, pos) x GROUP BY x.n")
    session.run(
        dialect.update_from.format(
            table=staged.r, sets=dialect.assign(f"r{position}", "j.v"), source=f"{items}j j", on="j.n = t.n"
        )
    )


def drop(work: Work, staged: Staged) -> None:
    """Drop the resolved references, so that they can be made again."""
    if not staged.references:
        return
    work.session.drop(staged.r)
    for position, field in staged.references:
        if field.is_list_reference:
            work.session.drop(f"{staged.items(position)}j")


def missing(work: Work, staged: Staged) -> Iterator[tuple[int, Problem]]:
    """Yield rows that point to a record that is neither here nor taken from the file, each with its problem."""
    found = _found(work, staged)
    for position, field in staged.references:
        one_way = field.name not in staged.by_src or field.name not in staged.companions  # by uuid or by id, never both
        sure = field.is_reference and one_way and position not in staged.gapped
        if sure and found[position] == staged.pointing.get(position, 0):
            continue
        rows = _missing_items(work, staged, position) if field.is_list_reference else _missing_one(work, staged, position, field)
        for number, line, key, src in rows:
            shown = key if key is not None else f"id {src}"
            yield (
                number,
                Problem(
                    "missing_parent",
                    f"points to a record of {field.target} that is neither here nor among the rows taken from the file: {shown}",
                    staged.spec.name,
                    line,
                    field.name,
                    str(shown),
                    f"Import {field.target} first and this file again, or both tables in one file.",
                ),
            )


def _found(work: Work, staged: Staged) -> dict[int, int]:
    """Return how many rows of each reference column were resolved, in one pass."""
    positions = [p for p, f in staged.references if f.is_reference]
    if not positions:
        return {}
    [counts] = work.session.rows(f"SELECT {', '.join(f'count(r{p})' for p in positions)} FROM {staged.r}")
    return dict(zip(positions, counts, strict=True))


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
        f"SELECT s.n, s.line, q.k, q.src FROM {items} q JOIN {staged.s} s ON s.n = q.n WHERE q.id IS NULL ORDER BY s.n"
    )
