"""The pages of records with two versions: their list, two versions side by side, and what forms decide.

What decides does not commit, and leaves it to its caller to undo what was refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .. import conflicts
from ..conflicts import NEWEST, OTHER, OURS, THEIRS, Conflict, Pair, Pick
from ..errors import SyncError
from ..instances import Instance, own_instance
from ..settings import Settings
from ..texts import Texts
from .forms import Errors, Vars, page_number

SHOWN = 50  # conflicts a page
AT_ONCE = (OURS, THEIRS, NEWEST)
ONE_FIELD = (OURS, THEIRS, OTHER)


@dataclass(frozen=True, slots=True)
class OpenConflicts:
    """One page of the conflicts of a table or an instance; `groups` are those of all, as `conflicts.open_by` counts them."""

    table: str
    instance: str
    page: int
    found: list[Conflict]
    total: int
    groups: list[tuple[str, str, str, int]]
    shown: int = SHOWN


@dataclass(frozen=True, slots=True)
class Comparison:
    """One conflict: both versions and when they were changed; the records here that it may be, if that is asked, by their ids.

    `chosen` is the one among them that is looked at, `following` the next conflict, and `waiting` says how many are open.
    """

    conflict: Conflict
    which: Mapping[int, str]
    chosen: int | None
    pairs: list[Pair]
    times: tuple[str | None, str | None]
    following: str | None
    waiting: int
    own: Instance


def list_conflicts(db: Any, asked: Vars) -> OpenConflicts:
    """Return the conflicts that the address of a page asks for."""
    table, instance, page = asked.get("table") or "", asked.get("instance") or "", page_number(asked.get("page"))
    found = conflicts.list_open(db, table, instance, (page - 1) * SHOWN, SHOWN)
    total = conflicts.count_filtered(db, table, instance)
    return OpenConflicts(table, instance, page, found, total, conflicts.open_by(db))


def decide_all(db: Any, table: str, instance: str, side: str, now: datetime, texts: Texts) -> str:
    """Decide all conflicts of a table or an instance; return what was done, for people."""
    T = texts.translate
    found = conflicts.list_open(db, table, instance, 0, conflicts.count_filtered(db, table, instance))
    count = conflicts.decide_all(db, found, side, now)
    left = len(found) - count
    said = T("1 record was decided.") if count == 1 else T("%s records were decided.", texts.number_text(count))
    if not left:
        return str(said)
    one_by_one = T("%s have to be looked at one by one.", texts.number_text(left))
    return f"{said} {T('1 has to be looked at by itself.') if left == 1 else one_by_one}"


def candidates(db: Any, conflict: Conflict, settings: Settings) -> dict[int, str]:
    """Return the records here that a conflict may be about, with what people call them; none when that is known."""
    ids = conflicts.candidates(db, conflict, settings) if conflict.asks_which else []
    return {ident: conflicts.record_name(db[conflict.table], db[conflict.table](ident), str(ident)) for ident in ids}


def compare(db: Any, conflict: Conflict, which: Mapping[int, str], asked: Vars) -> Comparison:
    """Return both versions; of a record that it may be, where the form or the address has chosen one."""
    chosen = next((ident for ident in which if str(ident) == str(asked.get("record"))), None)
    return Comparison(
        conflict=conflict,
        which=which,
        chosen=chosen,
        pairs=conflicts.sides(db, conflict, chosen),
        times=conflicts.times(db, conflict, chosen),
        following=conflicts.next_open(db, conflict),
        waiting=conflicts.count_open(db),
        own=own_instance(db),
    )


def decide(db: Any, post: Vars, comparison: Comparison, now: datetime, texts: Texts) -> Errors:
    """Write what a form picked; return what is wrong with it, and with what was to be written, if anything is."""
    picks, errors = read_picks(post, comparison, texts)
    if not errors:
        try:
            conflicts.decide_one(db, comparison.conflict, picks, now, comparison.chosen)
        except SyncError as error:
            errors.append((f"pick_{error.column}" if error.column else "title", texts.sentence(error.message, error.hint)))
    return errors


def read_picks(post: Vars, comparison: Comparison, texts: Texts) -> tuple[dict[str, Pick], Errors]:
    """Return what a form picks of each field, and what it has left open."""
    T = texts.translate
    asks, errors = comparison.conflict.asks_which, Errors()
    picks: dict[str, Pick] = {}
    for pair in comparison.pairs:
        name = pair.field.name
        side = post.get(f"pick_{name}")
        if side in ONE_FIELD:
            picks[name] = Pick(side, post.get(f"other_{name}") or "")
        elif pair.differs and not (asks and comparison.chosen is None):
            errors.append((f"pick_{name}", T("Choose a version of %s", pair.field.label or name)))
    if asks and post.get("record") is None:
        errors.insert(0, ("record", T("Choose which record this is")))
    return picks, errors
