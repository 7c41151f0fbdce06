"""Which local record a staged row is: by uuid, alias, match key, primary key or content; and ids for those that are new.

Set-based: every question is one statement over a whole table. Rows that cannot be told apart are rejected.
"""

from __future__ import annotations

from collections.abc import Collection

from ..records import FieldSpec, Identity, Problem
from ..settings import Duplicates
from .session import ROW_NUMBER, as_columns
from .staging import ALIASES, Staged, Work, resolved, uuid_column

BY_KEY, BY_ALIAS, BY_MATCH_KEY, TO_ASK = 0, 1, 2, 3  # how a row was matched
TEXTS = ("string", "text")
MATCHED_KEY = "k, id"  # covers what references look up


def refuse_repeated(work: Work, staged: Staged, by_src: bool) -> None:
    """Reject rows whose key, or id where references go by ids, stands more than once in the file. Needs `staged.m`."""
    spec = staged.spec
    if staged.distinct:
        return
    if spec.identity is Identity.UUID:
        _refuse_repeated(work, staged, "m.k", "uuid", spec.uuid_name)
    elif spec.identity is Identity.PRIMARY_KEY:
        _refuse_repeated(work, staged, "m.k", "primary key", spec.primary_key[0])
    if by_src:
        _refuse_repeated(work, staged, "s.src", "id", spec.id_name)


def _refuse_repeated(work: Work, staged: Staged, by: str, what: str, column: str | None) -> None:
    alias, name = by.split(".")
    table = staged.m if alias == "m" else staged.s
    few = work.session.dialect.fingerprint.format(a=name) if alias == "m" else name
    if few:
        [(rows, different)] = work.session.rows(f"SELECT count({name}), count(DISTINCT {few}) FROM {table}")
        if rows == different:
            return
    again = f"FROM {table} WHERE {name} IS NOT NULL GROUP BY {name} HAVING count(*) > 1"
    joined = f"{staged.s} s JOIN {staged.m} m ON m.n = s.n" if alias == "m" else f"{staged.s} s"
    repeated = work.session.rows(
        f"SELECT s.n, s.line, {by} FROM {joined} JOIN (SELECT {name} AS again {again}) d ON d.again = {by} ORDER BY s.n"
    )
    code, hint, table = f"repeated_{what.replace(' ', '_')}", "Keep one of these rows.", staged.spec.name
    work.reject(
        staged,
        (
            (n, Problem(code, f"the file holds the {what} {key} more than once", table, line, column, str(key), hint))
            for n, line, key in repeated
        ),
        staged.m,
    )


def match_keys(work: Work, staged: Staged) -> None:
    """Make the table of local ids and fill it with the rows that are here by uuid, alias or primary key."""
    session, spec = work.session, staged.spec
    ident, key = session.dialect.id_type, session.key_type(spec)
    columns = (ROW_NUMBER, f"id {ident}", "fresh INTEGER", "how INTEGER", f"k {key}")
    by_key = any(f.target == spec.name and f.name in s.companions for s in work.staged for _, f in s.references)
    session.create(staged.m, columns, (MATCHED_KEY,) if by_key else ())
    if spec.identity is Identity.CONTENT or not session.rows(f"SELECT 1 FROM {spec.sql_name} LIMIT 1{session.dialect.current}"):
        return
    if spec.identity is Identity.PRIMARY_KEY:
        keys = " AND ".join(f"t.{staged.fields[p].column} = s.v{p}" for p in staged.key_positions)
        query = f"SELECT s.n, NULL, 0, {BY_KEY}, s.k FROM {staged.s} s JOIN {spec.sql_name} t ON {keys}"
        session.run(f"INSERT INTO {staged.m} {query}")
        return
    _match_uuids(work, staged)
    if work.aliases:
        _match_aliases(work, staged)


def _match_uuids(work: Work, staged: Staged) -> None:
    spec, position = staged.spec, staged.position(staged.spec.uuid_name or "")
    if position is None or staged.rows == staged.same:
        return
    column, ident = uuid_column(spec), spec.id_column
    equal = work.session.dialect.key_equal.format(a=f"t.{column}", b=f"s.v{position}")
    exact = f"FROM {staged.s} s JOIN {spec.sql_name} t ON {equal}"
    if (column,) not in work.session.unique_keys(spec):
        key = staged.key
        _refuse_ambiguous(work, staged, f"count(*) {exact} GROUP BY s.n, s.line, {key} HAVING count(*) > 1")
    work.session.run(f"INSERT INTO {staged.m} SELECT s.n, t.{ident}, 0, {BY_KEY}, {staged.key} {exact}")
    if work.are_folded(spec) and staged.folded:
        return
    folded = f"FROM {staged.s} s JOIN {work.folded_uuids(spec)} t ON t.f = {staged.key} WHERE {_unmatched(staged)}"
    _refuse_ambiguous(work, staged, f"t.copies {folded} AND t.copies > 1")
    work.session.run(f"INSERT INTO {staged.m} SELECT s.n, t.id, 0, {BY_KEY}, {staged.key} {folded}")


def _unmatched(staged: Staged) -> str:
    return f"NOT EXISTS (SELECT 1 FROM {staged.m} m WHERE m.n = s.n)"


def _refuse_ambiguous(work: Work, staged: Staged, counted: str) -> None:
    """Reject rows whose uuid several local records carry; `counted` is SQL for how many, from where."""
    spec = staged.spec
    hint = "Give these records different uuids first (page Tables)."
    for n, line, uuid, count in work.session.rows(f"SELECT s.n, s.line, {staged.key}, {counted}"):
        message = f"{count} records here have the uuid {uuid}"
        problem = Problem("ambiguous_uuid", message, spec.name, line, spec.uuid_name, uuid, hint)
        work.reject(staged, [(n, problem)])


def _match_aliases(work: Work, staged: Staged) -> None:
    """Match rows by what their uuids were linked to; where another row of the file is that record too, it is a question."""
    spec, mark, key = staged.spec, work.session.dialect.mark, staged.key
    found = work.session.run(
        f"INSERT INTO {staged.m} SELECT s.n, min(t.{spec.id_column}), 0, {BY_ALIAS}, min({key}) FROM {staged.s} s "
        f"JOIN {ALIASES} a ON a.table_name = {mark} AND a.alias = {key} "
        f"JOIN {spec.sql_name} t ON t.{uuid_column(spec)} = a.uuid WHERE {_unmatched(staged)} GROUP BY s.n",
        (spec.name,),
    )
    if found > 0:
        twice = f"SELECT id FROM {staged.m} GROUP BY id HAVING count(*) > 1"
        work.session.create_as("ps_twice", twice)
        work.session.run(f"UPDATE {staged.m} SET how = {TO_ASK} WHERE how = {BY_ALIAS} AND id IN (SELECT id FROM ps_twice)")
        work.session.drop("ps_twice")


# ---- duplicates with different uuids


def match_duplicates(work: Work, staged: Staged) -> None:
    """Match rows that are not here by uuid with local records of the same match key, as the settings say."""
    names = work.match.get(staged.spec.name, ())
    if not names or work.duplicates is Duplicates.CREATE or staged.spec.identity is not Identity.UUID:
        return
    positions = [p for p in map(staged.position, names) if p is not None]
    if len(positions) < len(names):
        return  # a file without the key's columns has nothing to compare
    local = _local_keys(work, staged, positions)
    joins = [j for p in positions for j in _local_parent(work, staged, p)[0]]
    conditions = " AND ".join(f"t.f{p} = {_match_value(work, staged, p)}" for p in positions)
    found = work.session.rows(
        f"SELECT s.n, min(t.id), count(*), min({staged.key}) FROM {staged.s} s {' '.join(joins)} "
        f"JOIN {local} t ON {conditions} WHERE {_unmatched(staged)} GROUP BY s.n ORDER BY s.n"
    )
    taken: set[int] = set()
    rows = []
    for number, ident, hits, key in found:
        certain = work.duplicates is Duplicates.LINK and hits == 1 and ident not in taken
        taken.add(ident)
        rows.append((number, ident, BY_MATCH_KEY, key) if certain else (number, None, TO_ASK, key))
    work.session.load(staged.m, ("n", "id", "fresh", "how", "k"), as_columns([(n, i, 0, h, k) for n, i, h, k in rows], 5))


def _local_keys(work: Work, staged: Staged, positions: list[int]) -> str:
    """Make a table of the match keys of local records that no row is matched with yet; return its name."""
    name, spec = f"ps_k{staged.index}", staged.spec
    fields = [(p, staged.fields[p]) for p in positions]
    values = ", ".join(f"{_comparable(f, f't.{f.column}')} AS f{p}" for p, f in fields)
    select = (
        f"SELECT t.{spec.id_column} AS id, {values} FROM {spec.sql_name} t "
        f"WHERE t.{spec.id_column} NOT IN (SELECT id FROM {staged.m} WHERE id IS NOT NULL)"
    )
    work.session.create_as(name, select, (f"f{positions[0]}",) if fields[0][1].type != "text" else ())
    for position, field in fields:
        if field.type in TEXTS:
            work.session.run(f"DELETE FROM {name} WHERE f{position} = ''")
    return name


def _comparable(field: FieldSpec, value: str) -> str:
    return f"lower(trim({value}))" if field.type in TEXTS else value


def _match_value(work: Work, staged: Staged, position: int) -> str:
    field = staged.fields[position]
    if field.is_reference:
        return _local_parent(work, staged, position)[1]
    return _comparable(field, f"s.v{position}")


def _local_parent(work: Work, staged: Staged, position: int) -> tuple[list[str], str]:
    """SQL joins and expression for the local id of the record that a match key's reference points to, if it is here."""
    field = staged.fields[position]
    parent = work.of(field.target)
    if not field.is_reference or field.name not in staged.companions:
        return [], "NULL"
    if parent is not None:
        return [f"JOIN {parent.m} km{position} ON km{position}.k = s.r{position}"], f"km{position}.id"
    target = work.specs[field.target or ""]
    if target.uuid_name is None:
        return [], "NULL"
    joins = [f"JOIN {target.sql_name} kp{position} ON kp{position}.{uuid_column(target)} = s.r{position}"]
    return joins, f"kp{position}.{target.id_column}"


# ---- rows without a key: by all their values


def match_contents(work: Work, staged: Staged, only: str = "1 = 1", left_out: Collection[int] = ()) -> bool:
    """Match rows without a key, whose references are resolved, with local rows of equal values; return whether any was.

    Equal rows are counted: two in the file and one here leave one that is new. Needs `staged.r` for the rows it takes.
    `only` is an SQL condition on s, `left_out` are positions that are not compared.
    """
    session, spec = work.session, staged.spec
    positions = [i for i, f in enumerate(staged.fields) if f.name != spec.uuid_name and i not in left_out]
    kinds = [(p, staged.fields[p].type) for p in positions]
    ours = session.dialect.content_key([(f"t.{staged.fields[p].column}", kind) for p, kind in kinds])
    theirs = session.dialect.content_key([(staged.value(p), kind) for p, kind in kinds])
    refs = f" JOIN {staged.r} r ON r.n = s.n AND {resolved(staged)}" if staged.references else ""
    ident = spec.id_column
    done = session.run(
        f"INSERT INTO {staged.m} SELECT x.n, y.id, 0, {BY_KEY}, NULL FROM "
        f"(SELECT s.n AS n, {theirs} AS c, row_number() OVER (PARTITION BY {theirs} ORDER BY s.n) AS i FROM {staged.s} s{refs} "
        f"WHERE {staged.key} IS NULL AND {_unmatched(staged)} AND {only}) x JOIN "
        f"(SELECT t.{ident} AS id, {ours} AS c, row_number() OVER (PARTITION BY {ours} ORDER BY t.{ident}) AS i "
        f"FROM {spec.sql_name} t WHERE t.{ident} NOT IN (SELECT id FROM {staged.m} WHERE id IS NOT NULL)) y "
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
    [(matched,)] = session.rows(f"SELECT count(*) FROM {staged.m}")
    if matched == staged.rows - staged.same:
        return 0  # every row has its id
    every = matched == 0 and not resolved_only and only == "1 = 1"
    [(count,)] = [(staged.rows - staged.same,)] if every else session.rows(f"SELECT count(*) FROM {staged.s} s WHERE {where}")
    if count == 0:
        return 0
    first = session.next_id(staged.spec) if staged.spec.id_column is not None else 1
    first = max(first, staged.next_id)  # what was given in an earlier round is not in the database yet
    staged.first_id = first if staged.first_id is None else staged.first_id
    staged.next_id, staged.rounds = first + count, staged.rounds + 1
    [(last,)] = session.rows(f"SELECT max(n) FROM {staged.s}") if every else [(None,)]
    staged.shift = first - 1 if last == count else None
    number = "s.n" if last == count else "row_number() OVER (ORDER BY s.n)"
    return session.run(
        f"INSERT INTO {staged.m} SELECT s.n, {first - 1} + {number}, 1, {BY_KEY}, {staged.key} "
        f"FROM {staged.s} s WHERE {'1 = 1' if every else where} ORDER BY s.n"
    )


def index_keys(work: Work, staged: Staged) -> None:
    """Index keys with their local ids, which references look up."""
    if _looked_up(work, staged):
        work.session.index(staged.m, MATCHED_KEY)
    work.session.analyze(staged.m, ("n", "id", "fresh", "k"))


def _looked_up(work: Work, staged: Staged) -> bool:
    """Whether records of the table are looked up one by one: items of lists are everywhere."""
    items = any(f.is_list_reference and f.target == staged.spec.name for s in work.staged for _, f in s.references)
    return items or not work.session.dialect.hash_joins


def index_sources(work: Work, staged: Staged) -> None:
    """Make the table of local ids, or of row numbers where not all have one yet, by the file's ids, which are distinct."""
    found = "n" if staged.keyless else "id"
    keys = (f"src, {found}",) if _looked_up(work, staged) else ()
    if staged.keyless:
        work.session.create_as(staged.b, f"SELECT src, n FROM {staged.s} WHERE src IS NOT NULL", keys, distinct=True)
    else:
        ident, source = "m.id", f"{staged.s} s JOIN {staged.m} m ON m.n = s.n"
        if staged.shift is not None:
            ident, source = f"s.n + {staged.shift} AS id", f"{staged.s} s"
        select = f"SELECT {work.session.dialect.as_named}s.src, {ident} FROM {source} WHERE s.src IS NOT NULL"
        left_out = f" UNION ALL {staged.apart}" if staged.apart else ""
        work.session.create_as(staged.b, select + left_out, keys, distinct=True)
    work.session.analyze(staged.b, ("src", found))
