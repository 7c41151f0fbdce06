"""The history as its page asks for it and shows it: filters, entries with how they are, where they lead and who made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ..history import KINDS, RESULTS, Entry, Filters
from ..jobs import COMMAND_LINE, OTHER_OFFICE, Imports, State
from ..register import Peer
from ..texts import Texts
from .forms import Errors, Vars, last_of
from .jobs import Place, place_of

NAMES = ("instance", "direction", "result", "table", "from", "to")
DAYS = {"from": "first", "to": "last"}


@dataclass(frozen=True, slots=True)
class Listed:
    """Entries, and by their uuids how they are and which page shows them; by id who made them and with whom it was."""

    entries: list[Entry]
    states: Mapping[str, State]
    places: Mapping[str, Place]
    users: Mapping[int, str]
    names: Mapping[int, Peer]


def read_asked(asked: Vars) -> dict[str, str]:
    """Return what the address asks for, by the names of the form's fields; what is empty is left out."""
    return {name: last_of(asked, name) for name in NAMES if asked.get(name)}


def read_filters(asked: Mapping[str, str], peers: Sequence[Peer], texts: Texts) -> tuple[Filters, Errors]:
    """Return the filters, and what is wrong with the form. An unknown instance has no entries, other unknown words mean all."""
    T = texts.translate
    found: dict[str, Any] = {"table": asked.get("table", "")}
    errors: Errors = []
    if "instance" in asked:
        found["instance"] = {peer.base_uuid: peer.id for peer in peers}.get(asked["instance"], 0)
    for name, values in (("direction", KINDS), ("result", RESULTS)):
        if asked.get(name) in values:
            found[name] = asked[name]
    for name, field in DAYS.items():
        try:
            found[field] = date.fromisoformat(asked[name]) if name in asked else None
        except ValueError:
            errors.append((name, T("Enter a day as year-month-day, for example 2026-05-02")))
    first, last = found.get("first"), found.get("last")
    if first and last and last < first:
        errors.append(("to", T("The last day must not be before the first")))
    return Filters(**found), errors


def list_entries(db: Any, imports: Imports, entries: list[Entry], peers: Sequence[Peer], texts: Texts) -> Listed:
    """Return entries with what a list of them needs; exports have no page of their own."""
    states = {entry.uuid: _state(imports, entry) for entry in entries}
    places = {entry.uuid: place_of(states[entry.uuid], entry.step) for entry in entries if entry.kind != "export"}
    T = texts.translate
    ids = {entry.user_id for entry in entries if entry.user_id and entry.user_id > 0}
    users = {row.id: user_name(row) for row in db(db.auth_user.id.belongs(ids)).select()} if ids else {}
    users |= {COMMAND_LINE: str(T("Command line")), OTHER_OFFICE: str(T("The other office"))}
    return Listed(entries, states, places, users, {peer.id: peer for peer in peers})


def _state(imports: Imports, entry: Entry) -> State:
    """How an entry is: whether a process that runs is still there is known to whoever knows the locks."""
    state = State(entry.state)
    return imports.look(entry.uuid).state if state is State.RUNNING and entry.kind != "export" else state


def user_name(row: Mapping[str, Any]) -> str:
    """Return what somebody is called, whichever of these columns the host's accounts have."""
    names = " ".join(row.get(name) or "" for name in ("first_name", "last_name")).strip()
    return str(names or row.get("username") or row.get("email") or row["id"])
