"""Writing what was decided: new records, changed ones, aliases; set-based, or row by row where the host listens.

Values are bound or come from staging; `update=` defaults and pyDAL's own upload handling never fire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import StoreError, SyncError
from ..policies import Policy
from ..records import FieldSpec, Identity, TableSpec
from ..values import Stored
from .deciding import CHANGED, compared, is_blank
from .matching import BY_MATCH_KEY
from .session import ROW_NUMBER, as_columns
from .staging import ALIASES, Staged, Work, uuid_column

MANY = 8  # a table is read whole to change every eighth of its records, or more


@contextmanager
def named(staged: Staged) -> Iterator[None]:
    """Say which table was being written when the database refused a statement."""
    try:
        yield
    except StoreError as exc:
        exc.table = exc.table or staged.spec.name
        raise


def give_uuids(work: Work, staged: Staged, new_uuid: Callable[[], str]) -> int:
    """Give new rows that came without one a uuid of this instance; return how many."""
    position = staged.position(staged.spec.uuid_name or "")
    if staged.spec.identity is not Identity.UUID or position is None:
        return 0
    rows = work.session.rows(
        f"SELECT s.n FROM {staged.m} m JOIN {staged.s} s ON s.n = m.n WHERE m.fresh = 1 AND m.k IS NULL ORDER BY s.n"
    )
    values = as_columns([(number, new_uuid()) for (number,) in rows], 2)
    with work.listed(values, (ROW_NUMBER, f"v {work.session.key_type(staged.spec)}")) as given:
        work.session.run(
            work.session.dialect.update_from.format(
                table=staged.s, sets=work.session.dialect.assign(f"v{position}", "g.v"), source=f"{given} g", on="g.n = t.n"
            )
        )
    return len(rows)


def insert_new(work: Work, staged: Staged) -> int:
    """Insert the new records of one table, references to what comes later left NULL; return how many."""
    spec, mark = staged.spec, work.session.dialect.mark
    if not work.session.rows(f"SELECT 1 FROM {staged.m} WHERE fresh = 1 LIMIT 1"):
        return 0  # strict MariaDB refuses an INSERT without a column that must have a value even when it brings no row
    late = {position: condition for position, _, condition in _late(work, staged)}
    columns = [f.column for f in staged.fields]
    values = [
        f"CASE WHEN {late[i]} THEN NULL ELSE {staged.value(i)} END" if i in late else staged.value(i)
        for i in range(len(staged.fields))
    ]
    if spec.id_column is not None:
        columns.insert(0, spec.id_column)
        values.insert(0, "m.id")
    params: list[Stored] = []
    for name, value in work.defaults.get(spec.name, {}).items():
        field = spec.field(name)
        if field is not None:
            columns.append(field.column)
            values.append(mark)
            params.append(value)
    inserted = work.session.run(
        f"INSERT INTO {spec.sql_name} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {staged.joined} "
        f"WHERE m.fresh = 1 ORDER BY {'m.n' if staged.rounds <= 1 else 'm.id'}",  # by n needs no sort
        params,
    )
    if spec.id_column is not None and inserted:
        work.session.used_ids(spec, staged.next_id - 1)
    return inserted


def _late(work: Work, staged: Staged) -> Iterator[tuple[int, FieldSpec, str]]:
    """Yield the references of new rows to records that are inserted after them, with the SQL condition for such rows.

    A forward reference would count as a violation until its record comes, and SQLite then searches the whole table for
    children at each row: 200,000 rows with one took over ten minutes.
    """
    order = [s.spec.name for s in work.staged]
    here = order.index(staged.spec.name)
    for position, field in staged.references:
        parent = work.of(field.target)
        if not field.is_reference or field.notnull or parent is None or staged.spec.id_column is None:
            continue
        if parent is staged and not work.session.dialect.self_references_at_once:
            yield position, field, f"r.r{position} > m.id"
        elif order.index(parent.spec.name) > here and parent.first_id is not None:
            yield position, field, f"r.r{position} >= {parent.first_id}"


def set_late_references(work: Work, staged: Staged) -> None:
    """Set the references that `insert_new` left NULL; all new records of all tables are there now."""
    spec = staged.spec
    for position, field, condition in _late(work, staged):
        work.session.run(
            work.session.dialect.update_from.format(
                table=spec.sql_name,
                sets=work.session.dialect.assign(field.column, f"r.r{position}"),
                source=f"{staged.m} m, {staged.r} r",
                on=f"m.fresh = 1 AND r.n = m.n AND {condition} AND t.{spec.id_column} = m.id",
            )
        )


def update_changed(work: Work, staged: Staged) -> None:
    """Update the changed records of one table.

    Where the dialect says so, columns that point to the own table are set on their own, and only where they differ.
    """
    own = {p for p, f in staged.references if f.is_reference and f.target == staged.spec.name}
    apart = own if work.session.dialect.self_references_apart else set()
    positions = [p for p in compared(staged) if p not in apart]
    if positions:
        _update(work, staged, positions)
    for position in sorted(apart.intersection(compared(staged))):
        column = f"t.{staged.fields[position].column}"
        value = written_value(work, staged, position)
        differ = work.session.dialect.equal(column, value, staged.fields[position].type)
        _update(work, staged, [position], f" AND NOT ({differ})")


def _update(work: Work, staged: Staged, positions: list[int], condition: str = "") -> None:
    spec = staged.spec
    sets = [work.session.dialect.assign(staged.fields[p].column, written_value(work, staged, p)) for p in positions]
    source = [f"{staged.o} o", f"{staged.s} s", *([f"{staged.r} r"] if staged.references else [])]
    joined = "s.n = o.n" + (" AND r.n = o.n" if staged.references else "")
    local = f"t.{spec.id_column} = o.id" if spec.id_column is not None else staged.on_local
    dialect, comma = work.session.dialect, ", "
    many = dialect.update_many if _many_change(work, staged) else ""
    work.session.run(
        (many or dialect.update_from).format(
            table=spec.sql_name,
            sets=comma.join(sets),
            source=" STRAIGHT_JOIN ".join(source) if many else comma.join(source),
            on=f"o.o = {CHANGED} AND {joined} AND {local}{condition}",
        )
    )


def _many_change(work: Work, staged: Staged) -> bool:
    """Whether so much of the table changes that all of it may be read for that."""
    if not work.session.dialect.update_many or staged.spec.id_column is None:
        return False
    [(changed,)] = work.session.rows(f"SELECT count(*) FROM {staged.o} WHERE o = {CHANGED}")
    more = f"SELECT 1 FROM {staged.spec.sql_name} LIMIT {int(changed) * MANY}, 1"  # reads no more than it must to know
    return not work.session.rows(more)


def written_value(work: Work, staged: Staged, position: int) -> str:
    """SQL, with t for the local record, for what a changed record's column becomes.

    Under `fill` only what is empty here is taken; and the name of an uploaded file that did not come is only taken where
    there is none, since the one that is here must not be lost.
    """
    value, spec, field = staged.value(position), staged.spec, staged.fields[position]
    fill = work.policies[spec.name] is Policy.FILL
    ours = f"t.{field.column}"
    if fill and field.name == spec.modified_name:
        return work.session.dialect.max_modified.format(a=ours, b=value)
    if work.exact or (not fill and field.type != "upload"):
        return value
    came = "" if fill else f"WHEN {staged.came(position)} THEN {value} "
    return f"CASE {came}WHEN {is_blank(ours, field.type)} THEN COALESCE({value}, {ours}) ELSE {ours} END"


def keep_aliases(work: Work, staged: Staged) -> int:
    """Remember the uuids that were linked to local records by a match key; return how many."""
    if not work.aliases or staged.spec.identity is not Identity.UUID:
        return 0
    mark = work.session.dialect.mark
    return work.session.run(
        f"INSERT INTO {ALIASES} (table_name, alias, uuid) SELECT {mark}, m.k, t.{uuid_column(staged.spec)} "
        f"FROM {staged.m} m JOIN {staged.s} s ON s.n = m.n JOIN {staged.spec.sql_name} t ON t.{staged.spec.id_column} = m.id "
        f"WHERE m.how = {BY_MATCH_KEY} AND m.k IS NOT NULL",
        (staged.spec.name,),
    )


def delete_absent(work: Work, staged: Staged) -> int:
    """Delete the local records that the file does not hold (`restore`); return how many.

    Raises SyncError when a record that stays points to one of them: the database would delete it too, or refuse.
    """
    spec = staged.spec
    if spec.id_column is None:
        here = " AND ".join(f"s.v{p} = {spec.sql_name}.{staged.fields[p].column}" for p in staged.key_positions)
        return work.session.run(f"DELETE FROM {spec.sql_name} WHERE NOT EXISTS (SELECT 1 FROM {staged.s} s WHERE {here})")
    kept = f"(SELECT id FROM {staged.m} WHERE id IS NOT NULL)"
    for child in work.specs.values():
        for field in child.references:
            if field.target == spec.name and field.is_reference and child.id_column is not None:
                _refuse_orphans(work, child, field, f"{field.column} NOT IN {kept}")
    return work.session.run(f"DELETE FROM {spec.sql_name} WHERE {spec.id_column} NOT IN {kept}")


def _refuse_orphans(work: Work, child: TableSpec, field: FieldSpec, gone: str) -> None:
    staged = work.of(child.name)
    stays = f" AND {child.id_column} IN (SELECT id FROM {staged.m})" if staged is not None else ""
    if work.session.rows(f"SELECT 1 FROM {child.sql_name} WHERE {field.column} IS NOT NULL AND {gone}{stays} LIMIT 1"):
        raise SyncError(
            f"restoring would delete records of {field.target} that {child.name} still points to",
            table=child.name,
            column=field.name,
            hint=f"Restore {child.name} from the same file, or import without restoring.",
        )
