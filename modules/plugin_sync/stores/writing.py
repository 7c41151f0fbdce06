"""Writing what was decided: new records, changed ones, aliases; set-based, or row by row where the host listens.

Values are bound or come from staging; `update=` defaults and pyDAL's own upload handling never fire.
"""

from __future__ import annotations

from collections.abc import Callable

from ..identity import fold
from ..policies import Policy
from ..records import Identity
from ..values import Stored
from .deciding import CHANGED, compared
from .matching import BY_MATCH_KEY
from .staging import ALIASES, Staged, Work, uuid_column


def give_uuids(work: Work, staged: Staged, new_uuid: Callable[[], str]) -> int:
    """Give new rows that came without one a uuid of this instance; return how many."""
    position = staged.position(staged.spec.uuid_name or "")
    if staged.spec.identity is not Identity.UUID or position is None:
        return 0
    rows = work.session.rows(
        f"SELECT s.n FROM {staged.m} m JOIN {staged.s} s ON s.n = m.n WHERE m.fresh = 1 AND s.k IS NULL ORDER BY s.n"
    )
    mark = work.session.dialect.mark
    values = []
    for (number,) in rows:
        uuid = new_uuid()
        values.append((uuid, fold(uuid), number))
    work.session.many(f"UPDATE {staged.s} SET v{position} = {mark}, k = {mark} WHERE n = {mark}", values)
    return len(rows)


def insert_new(work: Work, staged: Staged) -> int:
    """Insert the new records of one table; return how many."""
    spec, mark = staged.spec, work.session.dialect.mark
    columns = [f.column for f in staged.fields]
    values = [staged.value(i) for i in range(len(staged.fields))]
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
    return work.session.run(
        f"INSERT INTO {spec.sql_name} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {staged.joined} "
        "WHERE m.fresh = 1 ORDER BY m.n",
        params,
    )


def update_changed(work: Work, staged: Staged) -> int:
    """Update the changed records of one table; return how many."""
    spec = staged.spec
    sets = [f"{staged.fields[p].column} = {written_value(work, staged, p)}" for p in compared(staged)]
    if not sets:
        return 0
    source = f"{staged.o} o, {staged.m} m, {staged.s} s" + (f", {staged.r} r" if staged.references else "")
    joined = "m.n = o.n AND s.n = o.n" + (" AND r.n = o.n" if staged.references else "")
    local = staged.on_local.replace("t.", f"{spec.sql_name}.", 1) if spec.id_column else _on_key(staged)
    on = f"o.o = {CHANGED} AND {joined} AND {local}"
    return work.session.run(
        work.session.dialect.update_from.format(table=spec.sql_name, sets=", ".join(sets), source=source, on=on)
    )


def _on_key(staged: Staged) -> str:
    table = staged.spec.sql_name
    return " AND ".join(f"{table}.{staged.fields[p].column} = s.v{p}" for p in staged.key_positions)


def written_value(work: Work, staged: Staged, position: int, local: str | None = None) -> str:
    """SQL for what a changed record's column becomes; under `fill` only what is empty here is taken."""
    value, spec = staged.value(position), staged.spec
    if work.policies[spec.name] is not Policy.FILL:
        return value
    field = staged.fields[position]
    ours = f"{local or spec.sql_name}.{field.column}"
    if field.name == spec.modified_name:
        return work.session.dialect.max_modified.format(a=ours, b=value)
    blank = f"{ours} IS NULL OR {ours} = ''" if field.type in ("string", "text", "upload") else f"{ours} IS NULL"
    return f"CASE WHEN {blank} THEN COALESCE({value}, {ours}) ELSE {ours} END"


def keep_aliases(work: Work, staged: Staged) -> int:
    """Remember the uuids that were linked to local records by a match key; return how many."""
    if not work.aliases or staged.spec.identity is not Identity.UUID:
        return 0
    mark = work.session.dialect.mark
    return work.session.run(
        f"INSERT INTO {ALIASES} (table_name, alias, uuid) SELECT {mark}, s.k, t.{uuid_column(staged.spec)} "
        f"FROM {staged.m} m JOIN {staged.s} s ON s.n = m.n JOIN {staged.spec.sql_name} t ON t.{staged.spec.id_column} = m.id "
        f"WHERE m.how = {BY_MATCH_KEY}",
        (staged.spec.name,),
    )


def delete_absent(work: Work, staged: Staged) -> int:
    """Delete the local records that the file does not hold (`restore`); return how many."""
    spec = staged.spec
    if spec.id_column is None:
        here = " AND ".join(f"s.v{p} = {spec.sql_name}.{staged.fields[p].column}" for p in staged.key_positions)
        return work.session.run(f"DELETE FROM {spec.sql_name} WHERE NOT EXISTS (SELECT 1 FROM {staged.s} s WHERE {here})")
    return work.session.run(
        f"DELETE FROM {spec.sql_name} WHERE {spec.id_column} NOT IN (SELECT id FROM {staged.m} WHERE id IS NOT NULL)"
    )
