"""What becomes of each staged row: policies.decide as set-based SQL, unique constraints, counts and samples.

`policies.decide` is the specification; a property test holds this SQL to it.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..policies import Policy
from ..records import Counts, FieldChange, Outcome, Problem, Sample
from .matching import TO_ASK
from .session import ROW_NUMBER
from .staging import Staged, Work

OUTCOMES = {Outcome.CHANGED: 1, Outcome.OLDER: 2, Outcome.CONFLICT: 3}
CHANGED, OLDER, CONFLICT = OUTCOMES.values()
SAMPLES = 5
DECISIONS = 5000  # rows read at once


def compared(staged: Staged) -> list[int]:
    """Positions of the columns that make a record's content: all of the file's but what identifies it."""
    key = {staged.spec.uuid_name, *staged.spec.primary_key}
    return [i for i, f in enumerate(staged.fields) if f.name not in key]


def decide_all(work: Work, staged: Staged) -> None:
    """Make the table of rows that are here and differ, each with its outcome."""
    session, spec = work.session, staged.spec
    session.create(staged.o, (ROW_NUMBER, f"id {session.dialect.id_type}", "o INTEGER"), ("id",))
    staged.decided = True
    positions = compared(staged)
    if not positions:
        return
    same = " AND ".join(_same(work, staged, p) for p in positions)
    session.run(
        f"INSERT INTO {staged.o} SELECT m.n, m.id, {_outcome(work, staged)} FROM {staged.joined} "
        f"JOIN {spec.sql_name} t ON {staged.on_local} WHERE m.fresh = 0 AND m.how < {TO_ASK} AND NOT ({same})"
    )
    session.analyze(staged.o, ("n", "id", "o"))


def _same(work: Work, staged: Staged, position: int) -> str:
    """SQL condition that a column is as it is here. The name of a file that did not come only counts where there is none:
    see `written_value`.
    """
    field = staged.fields[position]
    ours = f"t.{field.column}"
    equal = work.session.dialect.equal(staged.value(position), ours, field.type)
    if field.type != "upload" or work.exact:
        return equal
    return f"({equal} OR NOT ({is_blank(ours, 'upload')} OR {staged.came(position)}))"


def _outcome(work: Work, staged: Staged) -> str:
    policy = work.policies[staged.spec.name]
    if policy is Policy.THEIRS:
        return str(CHANGED)
    if policy in (Policy.OURS, Policy.ADD):
        return str(OLDER)
    if policy is Policy.ASK:
        return str(CONFLICT)
    if policy is Policy.FILL:
        fills = " OR ".join(
            f"(({is_blank('t.' + f.column, f.type)}) AND NOT ({is_blank(staged.value(p), f.type)}))"
            for p, f in ((p, staged.fields[p]) for p in compared(staged))
        )
        return f"CASE WHEN {fills} THEN {CHANGED} ELSE {OLDER} END"
    return _newer(staged)


def is_blank(value: str, kind: str) -> str:
    """SQL condition that a value of a pyDAL type is NULL or, in text, empty."""
    return f"{value} IS NULL OR {value} = ''" if kind in ("string", "text", "upload", "blob") else f"{value} IS NULL"


def _newer(staged: Staged) -> str:
    name = staged.spec.modified_name
    if name is None:
        return str(CHANGED)
    position = staged.position(name)
    if position is None:
        return str(CONFLICT)  # a file without times cannot say that it is newer
    ours, theirs = f"t.{staged.fields[position].column}", f"s.v{position}"
    return (
        f"CASE WHEN {ours} = {theirs} OR ({ours} IS NULL AND {theirs} IS NULL) THEN {CONFLICT} "
        f"WHEN {theirs} IS NULL OR {theirs} < {ours} THEN {OLDER} ELSE {CHANGED} END"
    )


def decisions(work: Work, staged: Staged) -> Iterator[str]:
    """Yield a line for each row that is not the same here: its table and number, and what it was decided by.

    Two looks at one file yield equal lines for the rows whose local records nobody has touched in between.
    """
    name, spec = staged.spec.name, staged.spec
    modified = next((f.column for f in spec.fields if f.name == spec.modified_name), None)
    seen = f"CASE WHEN 1 = 1 THEN t.{modified} END" if modified else "NULL"  # an expression: no driver makes a date of it
    after = 0
    while rows := work.session.rows(
        f"SELECT m.n, m.fresh, m.how, m.id, o.o, {seen} FROM {staged.m} m LEFT JOIN {staged.o} o ON o.n = m.n "
        f"LEFT JOIN {spec.sql_name} t ON {_local(staged)} WHERE m.n > {after} "
        f"AND (m.fresh = 1 OR m.how = {TO_ASK} OR o.o IS NOT NULL) ORDER BY m.n LIMIT {DECISIONS}"
    ):
        after = rows[-1][0]
        for number, fresh, how, ident, outcome, when in rows:
            yield f"{name} {number} {'new' if fresh else f'{how} {ident} {outcome} {when}'}"


def _local(staged: Staged) -> str:
    """SQL condition that joins t, the local record, to m where s is not there."""
    if staged.spec.id_column is not None:
        return f"t.{staged.spec.id_column} = m.id AND m.fresh = 0"
    return "1 = 0"


def count(work: Work, staged: Staged, rejected: int) -> Counts:
    """Return the counts of one table; `rejected` are the rows that were taken out before."""
    differing = dict(work.session.rows(f"SELECT o, count(*) FROM {staged.o} GROUP BY o"))
    kinds = ("fresh = 1", f"how = {TO_ASK}")
    counted = ", ".join(f"COALESCE(sum(CASE WHEN {kind} THEN 1 ELSE 0 END), 0)" for kind in kinds)  # GROUP BY would sort
    [(total, new, asked)] = work.session.rows(f"SELECT count(*), {counted} FROM {staged.m}")
    here = int(total) - int(new) - int(asked)
    return Counts(
        new=int(new),
        changed=differing.get(CHANGED, 0),
        same=here - sum(differing.values()) + staged.same,
        older=differing.get(OLDER, 0),
        conflict=differing.get(CONFLICT, 0) + int(asked),
        rejected=rejected,
    )


# ---- unique constraints of the host


def unique_violations(work: Work, staged: Staged) -> Iterator[tuple[int, Problem]]:
    """Yield rows to be written whose value of a unique column another record has, here or in the file."""
    by_column = {f.column: i for i, f in enumerate(staged.fields)}
    for columns in work.session.unique_keys(staged.spec):
        positions = [by_column[c] for c in columns if c in by_column]
        key = {staged.spec.uuid_name, *staged.spec.primary_key}
        if len(positions) < len(columns) or {staged.fields[p].name for p in positions} <= key:
            continue
        yield from _violations(work, staged, positions)


def _violations(work: Work, staged: Staged, positions: list[int]) -> Iterator[tuple[int, Problem]]:
    names = ", ".join(staged.fields[p].name for p in positions)
    values = [staged.value(p) for p in positions]
    present = " AND ".join(f"{v} IS NOT NULL" for v in values)
    written = f"LEFT JOIN {staged.o} o ON o.n = m.n WHERE (m.fresh = 1 OR o.o = {CHANGED}) AND {present}"
    on = " AND ".join(f"t.{staged.fields[p].column} = {v}" for p, v in zip(positions, values, strict=True))
    ident = staged.spec.id_column
    taken = work.session.rows(
        f"SELECT s.n, s.line, {values[0]} FROM {staged.joined} JOIN {staged.spec.sql_name} t ON {on} "
        f"{written} AND (m.fresh = 1 OR t.{ident} <> m.id) ORDER BY s.n"
    )
    group = ", ".join(values)
    again = " AND ".join(f"d.u{i} = {v}" for i, v in enumerate(values))
    chosen = ", ".join(f"{v} AS u{i}" for i, v in enumerate(values))
    twice = work.session.rows(
        f"SELECT s.n, s.line, {values[0]} FROM {staged.joined} JOIN (SELECT {chosen} FROM {staged.joined} {written} "
        f"GROUP BY {group} HAVING count(*) > 1) d ON {again} {written} ORDER BY s.n"
    )
    for where, rows in (("another record here has", taken), ("another row of the file has", twice)):
        for number, line, value in rows:
            message = f"must be unique, and {where} the same: {value!r}"
            yield number, Problem("not_unique", message, staged.spec.name, line, names, str(value))


def missing_columns(work: Work, staged: Staged, fields: list[str]) -> Iterator[tuple[int, Problem]]:
    """Yield new rows of a file that lacks columns which must have a value."""
    if not fields:
        return
    message = "must have a value, and the file has no such column"
    for number, line in work.session.rows(
        f"SELECT s.n, s.line FROM {staged.m} m JOIN {staged.s} s ON s.n = m.n WHERE m.fresh = 1 ORDER BY s.n"
    ):
        yield number, Problem("not_null", message, staged.spec.name, line, fields[0])


# ---- samples


def samples(work: Work, staged: Staged) -> tuple[Sample, ...]:
    """Return the first few records that change or are in conflict, field by field, values as the database stores them."""
    found: list[Sample] = []
    positions = compared(staged)
    for outcome in (Outcome.CHANGED, Outcome.CONFLICT):
        # An expression: the driver would make a date of a bare column, and fail on one that is none.
        columns = ", ".join(f"{staged.value(p)}, CASE WHEN 1 = 1 THEN t.{staged.fields[p].column} END" for p in positions)
        first = f"SELECT n FROM {staged.o} WHERE o = {OUTCOMES[outcome]} ORDER BY n LIMIT {SAMPLES}"  # else all would be joined
        rows = work.session.rows(
            f"SELECT m.k, s.line, {columns} FROM {staged.joined} JOIN ({first}) o ON o.n = m.n "
            f"JOIN {staged.spec.sql_name} t ON {staged.on_local} ORDER BY s.n"
            if positions
            else f"SELECT NULL, 0 FROM {staged.o} WHERE 1 = 0"
        )
        found += [_sample(staged, positions, outcome, row) for row in rows]
    return tuple(found)


def _sample(staged: Staged, positions: list[int], outcome: Outcome, row: tuple[object, ...]) -> Sample:
    key, line, *values = row
    pairs = zip(positions, map(_text, values[1::2]), map(_text, values[0::2]), strict=True)  # drivers make dates of some
    changes = tuple(FieldChange(staged.fields[p].name, before, after) for p, before, after in pairs if before != after)
    return Sample(str(key) if key is not None else f"row {line}", int(str(line)), outcome, changes)


def _text(value: object) -> str | None:
    if isinstance(value, memoryview):  # PostgreSQL's driver gives blobs so, and the text of one is where it lies
        value = bytes(value).decode("ascii", "replace")
    return None if value is None else str(value)
