"""Which local record a staged row is: by uuid, alias, match key, primary key or content; and ids for those that are new.

Set-based: every question is one statement over a whole table. Rows that cannot be told apart are rejected.
"""

from __future__ import annotations

from ..records import Identity, Problem
from ..settings import Duplicates
from .staging import ALIASES, Staged, Work, resolved, uuid_column

BY_KEY, BY_ALIAS, BY_MATCH_KEY, TO_ASK = 0, 1, 2, 3  # how a row was matched
TEXTS = ("string", "text")


def refuse_repeated(work: Work, staged: Staged, by_src: bool) -> None:
    """Reject rows whose key, or id where references go by ids, stands more than once in the file."""
    spec = staged.spec
    if spec.identity is Identity.UUID:
        _refuse_repeated(work, staged, "k", "uuid", spec.uuid_name)
    elif spec.identity is Identity.PRIMARY_KEY:
        _refuse_repeated(work, staged, "k", "primary key", spec.primary_key[0])
    if by_src:
        _refuse_repeated(work, staged, "src", "id", spec.id_name)


def _refuse_repeated(work: Work, staged: Staged, by: str, what: str, column: str | None) -> None:
    repeated = work.session.rows(
        f"SELECT s.n, s.line, s.{by} FROM {staged.s} s JOIN (SELECT {by} FROM {staged.s} WHERE {by} IS NOT NULL "
        f"GROUP BY {by} HAVING count(*) > 1) d ON d.{by} = s.{by} ORDER BY s.n"
    )
    code, hint = f"repeated_{what.replace(' ', '_')}", "Keep one of these rows."
    name = staged.spec.name
    work.reject(
        staged,
        (
            (n, Problem(code, f"the file holds the {what} {key} more than once", name, line, column, str(key), hint))
            for n, line, key in repeated
        ),
    )


def match_keys(work: Work, staged: Staged) -> None:
    """Make the table of local ids and fill it with the rows that are here by uuid, alias or primary key."""
    session, spec = work.session, staged.spec
    session.run(f"CREATE TEMPORARY TABLE {staged.m} (n INTEGER PRIMARY KEY, id BIGINT, fresh INTEGER, how INTEGER)")
    if spec.identity is Identity.CONTENT or not session.rows(f"SELECT 1 FROM {spec.sql_name} LIMIT 1"):
        return
    if spec.identity is Identity.PRIMARY_KEY:
        keys = " AND ".join(f"t.{staged.fields[p].column} = s.v{p}" for p in staged.key_positions)
        query = f"SELECT s.n, NULL, 0, {BY_KEY} FROM {staged.s} s JOIN {spec.sql_name} t ON {keys}"
        session.run(f"INSERT INTO {staged.m} {query}")
        return
    _match_uuids(work, staged)
    if work.aliases:
        _match_aliases(work, staged)


def _match_uuids(work: Work, staged: Staged) -> None:
    spec, position = staged.spec, staged.position(staged.spec.uuid_name or "")
    if position is None:
        return
    column, ident = uuid_column(spec), spec.id_column
    exact = f"FROM {staged.s} s JOIN {spec.sql_name} t ON t.{column} = s.v{position} WHERE s.k IS NOT NULL"
    if (column,) not in work.session.unique_keys(spec):
        _refuse_ambiguous(work, staged, exact)
    work.session.run(f"INSERT INTO {staged.m} SELECT s.n, t.{ident}, 0, {BY_KEY} {exact}")
    altered = work.session.rows(f"SELECT 1 FROM {staged.s} WHERE v{position} <> k LIMIT 1")
    if work.are_folded(spec) and not altered:
        return
    folded = (
        f"FROM {staged.s} s JOIN (SELECT {ident}, lower({column}) AS f FROM {spec.sql_name}) t ON t.f = s.k "
        f"WHERE {_unmatched(staged)}"
    )
    _refuse_ambiguous(work, staged, folded)
    work.session.run(f"INSERT INTO {staged.m} SELECT s.n, t.{ident}, 0, {BY_KEY} {folded}")


def _unmatched(staged: Staged) -> str:
    return f"NOT EXISTS (SELECT 1 FROM {staged.m} m WHERE m.n = s.n)"


def _refuse_ambiguous(work: Work, staged: Staged, joined: str) -> None:
    """Reject rows whose uuid several local records carry."""
    found = work.session.rows(f"SELECT s.n, s.line, s.k, count(*) {joined} GROUP BY s.n, s.line, s.k HAVING count(*) > 1")
    hint = "Give these records different uuids first (page Tables)."
    spec = staged.spec
    for n, line, key, count in found:
        message = f"{count} records here have the uuid {key}"
        problem = Problem("ambiguous_uuid", message, spec.name, line, spec.uuid_name, key, hint)
        work.reject(staged, [(n, problem)])


def _match_aliases(work: Work, staged: Staged) -> None:
    spec, mark = staged.spec, work.session.dialect.mark
    work.session.run(
        f"INSERT INTO {staged.m} SELECT s.n, min(t.{spec.id_column}), 0, {BY_ALIAS} FROM {staged.s} s "
        f"JOIN {ALIASES} a ON a.table_name = {mark} AND a.alias = s.k JOIN {spec.sql_name} t ON t.{uuid_column(spec)} = a.uuid "
        f"WHERE {_unmatched(staged)} GROUP BY s.n",
        (spec.name,),
    )


# ---- duplicates with different uuids


def match_duplicates(work: Work, staged: Staged) -> None:
    """Match rows that are not here by uuid with local records of the same match key, as the settings say."""
    names = work.match.get(staged.spec.name, ())
    if not names or work.duplicates is Duplicates.CREATE or staged.spec.identity is not Identity.UUID:
        return
    positions = [staged.position(name) for name in names]
    if None in positions:
        return  # a file without the key's columns has nothing to compare
    conditions = [c for p in positions if p is not None for c in _key_conditions(work, staged, p)]
    joins = [j for p in positions if p is not None for j in _local_parent(work, staged, p)[0]]
    found = work.session.rows(
        f"SELECT s.n, min(t.{staged.spec.id_column}), count(*) FROM {staged.s} s {' '.join(joins)} "
        f"JOIN {staged.spec.sql_name} t ON {' AND '.join(conditions)} WHERE {_unmatched(staged)} "
        f"AND NOT EXISTS (SELECT 1 FROM {staged.m} x WHERE x.id = t.{staged.spec.id_column}) GROUP BY s.n"
    )
    taken: set[int] = set()
    rows = []
    for number, ident, hits in found:
        certain = work.duplicates is Duplicates.LINK and hits == 1 and ident not in taken
        taken.add(ident)
        rows.append((number, ident, BY_MATCH_KEY) if certain else (number, None, TO_ASK))
    mark = work.session.dialect.mark
    work.session.many(f"INSERT INTO {staged.m} (n, id, fresh, how) VALUES ({mark}, {mark}, 0, {mark})", rows)


def _key_conditions(work: Work, staged: Staged, position: int) -> list[str]:
    field = staged.fields[position]
    if field.is_reference:
        return [f"t.{field.column} = {_local_parent(work, staged, position)[1]}"]
    if field.type in TEXTS:
        return [f"lower(trim(t.{field.column})) = lower(trim(s.v{position}))", f"trim(s.v{position}) <> ''"]
    return [f"t.{field.column} = s.v{position}"]


def _local_parent(work: Work, staged: Staged, position: int) -> tuple[list[str], str]:
    """SQL joins and expression for the local id of the record that a match key's reference points to, if it is here."""
    field = staged.fields[position]
    parent = work.of(field.target)
    if not field.is_reference or field.name not in staged.companions:
        return [], "NULL"
    if parent is not None:
        joins = [
            f"JOIN {parent.s} ks{position} ON ks{position}.k = s.r{position}",
            f"JOIN {parent.m} km{position} ON km{position}.n = ks{position}.n",
        ]
        return joins, f"km{position}.id"
    target = work.specs[field.target or ""]
    if target.uuid_name is None:
        return [], "NULL"
    return [f"JOIN {target.sql_name} kp{position} ON kp{position}.{uuid_column(target)} = s.r{position}"], (
        f"kp{position}.{target.id_column}"
    )


# ---- rows without a key: by all their values


def match_contents(work: Work, staged: Staged) -> bool:
    """Match rows without a key, whose references are resolved, with local rows of equal values; return whether any was.

    Equal rows are counted: two in the file and one here leave one that is new. Needs `staged.r` for the rows it takes.
    """
    session, spec = work.session, staged.spec
    positions = [i for i, f in enumerate(staged.fields) if f.name != spec.uuid_name]
    ours = session.dialect.content_key([f"t.{staged.fields[p].column}" for p in positions])
    theirs = session.dialect.content_key([staged.value(p) for p in positions])
    refs = f" JOIN {staged.r} r ON r.n = s.n AND {resolved(staged)}" if staged.references else ""
    ident = spec.id_column
    done = session.run(
        f"INSERT INTO {staged.m} SELECT x.n, y.id, 0, {BY_KEY} FROM "
        f"(SELECT s.n AS n, {theirs} AS c, row_number() OVER (PARTITION BY {theirs} ORDER BY s.n) AS i FROM {staged.s} s{refs} "
        f"WHERE s.k IS NULL AND {_unmatched(staged)}) x JOIN "
        f"(SELECT t.{ident} AS id, {ours} AS c, row_number() OVER (PARTITION BY {ours} ORDER BY t.{ident}) AS i "
        f"FROM {spec.sql_name} t WHERE NOT EXISTS (SELECT 1 FROM {staged.m} m WHERE m.id = t.{ident})) y "
        "ON y.c = x.c AND y.i = x.i"
    )
    return done > 0


# ---- ids for what is new


def give_ids(work: Work, staged: Staged, only: str = "1 = 1", resolved_only: bool = False) -> int:
    """Give every staged row that is not here the id it will have, in file order; return how many there are.

    `only` is an SQL condition on s that limits which rows; with `resolved_only` those whose references were all found.
    """
    session = work.session
    where = f"{_unmatched(staged)} AND {only}"
    if resolved_only and staged.references:
        where += f" AND EXISTS (SELECT 1 FROM {staged.r} r WHERE r.n = s.n AND {resolved(staged)})"
    [(count,)] = session.rows(f"SELECT count(*) FROM {staged.s} s WHERE {where}")
    if count == 0:
        return 0
    first = session.next_id(staged.spec, count) if staged.spec.id_column is not None else 0
    return session.run(
        f"INSERT INTO {staged.m} SELECT s.n, {first - 1} + row_number() OVER (ORDER BY s.n), 1, {BY_KEY} "
        f"FROM {staged.s} s WHERE {where} ORDER BY s.n"
    )
