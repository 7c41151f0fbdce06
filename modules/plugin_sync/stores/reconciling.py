"""The merge, step by step: from staged rows to a decision for each, all in SQL.

match -> give ids -> refuse repeated keys -> match rows without key by content -> resolve references -> reject what points
nowhere, and what points to that -> fill what rows lack -> decide -> unique constraints.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..records import FieldSpec, Identity, Problem
from . import absences, deciding, matching, references
from .session import ROW_NUMBER, as_columns
from .staging import Staged, Work, joined_columns


def reconcile(work: Work) -> None:
    """Decide on every staged row; afterwards `staged.m`, `.r` and `.o` say what to write. Problems are in `work`."""
    for staged in work.staged:
        work.session.settle(work, staged)
    if work.arrivals is not None:
        work.arrivals.before_matching(work)
    for staged in work.staged:
        work.session.analyze(staged.s, joined_columns(staged))
        _refuse_unfit(work, staged)
        matching.match_keys(work, staged)
    for staged in work.staged:
        matching.match_duplicates(work, staged)
    for staged in work.staged:
        if staged.spec.identity is not Identity.CONTENT:
            matching.give_ids(work, staged, f"{staged.key} IS NOT NULL" if staged.keyless else "1 = 1")
        by_src = references.needs_src(work, staged.spec.name) and staged.has_src
        matching.index_keys(work, staged)
        matching.refuse_repeated(work, staged, by_src)
        if by_src:
            matching.index_sources(work, staged)
    _match_keyless(work)
    for staged in work.staged:
        references.drop(work, staged)
        references.resolve(work, staged)
    reject_with_children(work, ((s, list(references.missing(work, s))) for s in work.staged))
    if work.arrivals is not None:
        work.arrivals.before_deciding(work)
    for staged in work.staged:
        absences.give_defaults(work, staged)
        absences.take_over(work, staged)
        deciding.decide_all(work, staged)
    for staged in work.staged:
        reject_with_children(work, [(staged, list(deciding.unique_violations(work, staged)))])
        absent = [f.name for f in _absent_notnull(work, staged)]
        reject_with_children(work, [(staged, list(deciding.missing_columns(work, staged, absent)))])
        reject_with_children(work, [(staged, list(absences.without_value(work, staged)))])


def _refuse_unfit(work: Work, staged: Staged) -> None:
    """Reject rows with a value that its column would change silently."""
    for position, field in enumerate(staged.fields):
        found = work.session.unfit(staged.spec, field, staged.s, f"v{position}")
        if found is None:
            continue
        condition, reason = found
        rows = work.session.rows(f"SELECT n, line, v{position} FROM {staged.s} WHERE {condition} ORDER BY n")
        name = staged.spec.name
        work.reject(staged, ((n, Problem("unfit", reason, name, line, field.name, str(value)[:200])) for n, line, value in rows))


def _absent_notnull(work: Work, staged: Staged) -> Iterator[FieldSpec]:
    given = {f.name for f in staged.fields} | set(work.defaults.get(staged.spec.name, {}))
    return (f for f in staged.spec.fields if f.notnull and f.name not in given)


def _match_keyless(work: Work) -> None:
    """Match rows without a key by their values, parents before children, as long as more of them can be resolved."""
    waiting = [s for s in work.staged if s.keyless]
    progress = bool(waiting)
    while progress:
        progress = False
        for staged in waiting:
            references.drop(work, staged)
            references.resolve(work, staged)
            absences.give_defaults(work, staged)
            found = sum(matching.match_contents(work, staged, *group) for group in absences.alike(work, staged)) > 0
            fresh = matching.give_ids(work, staged, resolved_only=True)
            progress = progress or ((found or fresh > 0) and _waits_for(waiting))
    for staged in waiting:
        matching.give_ids(work, staged)


def _waits_for(waiting: list[Staged]) -> bool:
    """Whether any of the tables points to one of them, so that another round may resolve more."""
    names = {s.spec.name for s in waiting}
    return any(field.target in names for s in waiting for _, field in s.references)


def reject_with_children(work: Work, found: Iterable[tuple[Staged, list[tuple[int, Problem]]]]) -> int:
    """Reject rows, then the rows that point to records which these would have made, and so on; return how many."""
    total = 0
    pending = [(staged, problems) for staged, problems in found if problems]
    while pending:
        touched: set[str] = set()
        for staged, problems in pending:
            touched |= _forget(work, staged, problems)
            total += len({n for n, _ in problems})
        children = [s for s in work.staged if any(f.target in touched for _, f in s.references)]
        pending = [(s, problems) for s in children if (problems := list(references.missing(work, s)))]
    return total


def _forget(work: Work, staged: Staged, problems: list[tuple[int, Problem]]) -> set[str]:
    """Take rejected rows out, and unset what was resolved to the records they would have made."""
    session, gone = work.session, f"ps_g{staged.index}"
    session.create(gone, (f"id {session.dialect.id_type}",))
    with work.listed(as_columns([(n,) for n in sorted({n for n, _ in problems})], 1), (ROW_NUMBER,)) as numbers:
        session.run(f"INSERT INTO {gone} SELECT id FROM {staged.m} WHERE fresh = 1 AND n IN (SELECT n FROM {numbers})")
    for child in work.staged:
        for position, field in child.references:
            if field.target == staged.spec.name:
                table, column = (child.items(position), "id") if field.is_list_reference else (child.r, f"r{position}")
                session.run(f"UPDATE {table} SET {column} = NULL WHERE {column} IN (SELECT id FROM {gone})")
    session.drop(gone)
    others = [staged.m] + ([staged.r] if staged.references else []) + ([staged.o] if staged.decided else [])
    work.reject(staged, problems, *others)
    return {staged.spec.name}
