"""The register of instances: looked up, added, edited, paused, removed, by people; pairing files.

What people type is judged here and comes back as faults, values that a page words; only what is impossible is an error.
These functions do not commit. Needs the plugin's tables to be defined.
"""

from __future__ import annotations

import json
import uuid as uuids
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from .errors import FileProblem, SettingsError
from .identity import BASE_UUID
from .instances import Standing
from .schema import INSTANCE
from .signing import PUBLIC_KEY

PAIRING_BYTES = 16_384
PAIRING_VERSION = 1
PAIRING_HINT = "Choose the file that the other office downloads from its page Instances, called pairing-….json."
LENGTHS = {"name": 100, "owner": 100, "contact": 2000, "url": 255}
MESSAGES = {
    "no_code": "Enter the code of the office, four characters of 0-9 and a-f, for example a1b2",
    "own_code": "The code %(code)s is this office's own. Enter the code that the other office shows on its page Instances",
    "code_taken": "The code %(code)s is already that of %(name)s. If it is the same office, edit that entry. If it is another,"
    " one of the two has to be set up anew, before it makes records, to get a code of its own",
    "uuid_taken": "%(name)s is already here with the code %(code)s. Edit that entry instead",
    "not_web": "The address must begin with http:// or https:// and name a server, for example https://jacmel.example.org",
    "too_long": "This text is too long: use at most %(length)s characters",
    "no_name": "Enter a name, so that people know which office is meant",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What people say of an instance. `uuid` and `public_key` come from a pairing file only."""

    base_uuid: str = ""
    name: str = ""
    owner: str = ""
    contact: str = ""
    url: str = ""
    uuid: str = ""
    public_key: str = ""


@dataclass(frozen=True, slots=True)
class Peer:
    """One row of the register."""

    id: int
    facts: Facts
    state: Standing
    last_update: datetime
    sync_count: int
    policy: str = ""  # of what it sends; the settings' when it is empty
    has_token: bool = False  # one that we may call it with is kept
    access_on: datetime | None = None  # since when it may call here

    @property
    def base_uuid(self) -> str:
        """Its four characters."""
        return self.facts.base_uuid

    @property
    def label(self) -> str:
        """Its name, or its base uuid when it has none."""
        return self.facts.name or self.facts.base_uuid

    @property
    def is_self(self) -> bool:
        """Whether it is this very instance."""
        return self.state is Standing.SELF

    @property
    def key(self) -> str:
        """What its files on disk are called by: its uuid, or, while that is unknown, its base uuid."""
        return self.facts.uuid or self.facts.base_uuid


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a field: a name of MESSAGES and what is filled into it."""

    field: str
    message: str
    values: Mapping[str, object]


def list_peers(db: Any, *, removed: bool = False) -> list[Peer]:
    """Return the own instance first, then the others by name; without those that were removed."""
    peers = [_peer(row) for row in db(db[INSTANCE]).select()]
    kept = [peer for peer in peers if removed or peer.state is not Standing.REMOVED]
    return sorted(kept, key=lambda peer: (not peer.is_self, peer.label.casefold(), peer.id))


def find_peer(db: Any, base_uuid: str) -> Peer:
    """Return the instance with a base uuid; SettingsError when none is known by it."""
    row = db(db[INSTANCE].base_uuid == base_uuid).select().first()
    if row is None or row.state == Standing.REMOVED:
        raise SettingsError("no instance with this code is known here", hint="Choose one from the page Instances.")
    return _peer(row)


def peer_by_id(db: Any, ident: int) -> Peer | None:
    """Return the instance of a row; None when it is not there, or was removed."""
    row = db[INSTANCE](ident)
    return None if row is None or row.state == Standing.REMOVED else _peer(row)


def add_peer(db: Any, facts: Facts, now: datetime) -> list[Fault]:
    """Register an instance, known by its files; return the faults that keep it out, none when it is in.

    One that is in gets the key that its pairing file tells, when that is new.
    """
    facts = tidy(facts)
    if facts.public_key and _take_key(db, facts):
        return []
    faults = [*_code_faults(db, facts), *_faults(facts)]
    if faults:
        return faults
    values = {**_row(facts), "state": Standing.KNOWN.value, "last_update": now}
    table = db[INSTANCE]
    if not db((table.base_uuid == facts.base_uuid) & (table.state == Standing.REMOVED)).update(**values):
        table.insert(**values, sync_count=0, created_on=now)
    return []


def _take_key(db: Any, facts: Facts) -> bool:
    """Note the key of an instance that is in the register by both its ids with another key, or none; return whether it was."""
    table = db[INSTANCE]
    same = (table.uuid == facts.uuid) & (table.base_uuid == facts.base_uuid) & (table.is_self == None)  # noqa: E711
    found = db(same & (table.state != Standing.REMOVED)).select().first()
    if found is None or found.public_key == facts.public_key:
        return False
    return bool(db(table.id == found.id).update(public_key=facts.public_key))


def known_keys(db: Any) -> dict[str, str]:
    """Return the public keys of the instances that are known, with their uuids."""
    return {peer.facts.public_key: peer.facts.uuid for peer in list_peers(db) if peer.facts.public_key and peer.facts.uuid}


def edit_peer(db: Any, peer: Peer, facts: Facts) -> list[Fault]:
    """Change name, owner, contact and address; the ids stay. Return the faults that prevent it."""
    facts = tidy(replace(facts, base_uuid=peer.base_uuid, uuid=peer.facts.uuid, public_key=peer.facts.public_key))
    faults = _faults(facts)
    if not faults:
        changes = {name: value for name, value in _row(facts).items() if name in LENGTHS}
        db(db[INSTANCE].id == peer.id).update(**changes)
    return faults


def set_state(db: Any, peer: Peer, state: Standing) -> None:
    """Pause an instance or let it go on; SettingsError for the own one."""
    if peer.is_self or state not in (Standing.KNOWN, Standing.PAUSED):
        raise SettingsError("this office cannot be paused", hint="Pause the other office instead.")
    db(db[INSTANCE].id == peer.id).update(state=state.value)


def remove_peer(db: Any, peer: Peer) -> None:
    """Take an instance off the register with all that was noted of its people; records and history stay."""
    if peer.is_self:
        raise SettingsError("this office cannot be removed", hint="Edit its name instead.")
    gone = dict.fromkeys(("owner", "contact", "url", "access_hash", "access_key", "access_on", "token"))
    db(db[INSTANCE].id == peer.id).update(state=Standing.REMOVED.value, **gone)


def pairing_file(peer: Peer, public_key: str = "") -> bytes:
    """Return what another office needs to know an instance, as a small file without secrets."""
    told = {"plugin_sync_instance": PAIRING_VERSION, **asdict(replace(peer.facts, public_key=public_key))}
    return json.dumps(told, indent=1, ensure_ascii=True).encode("ascii") + b"\n"


def read_pairing(data: bytes) -> Facts:
    """Return what a pairing file says, not yet judged; FileProblem when it is no such file."""
    try:
        told = json.loads(data.decode("utf-8-sig"))
        version = told["plugin_sync_instance"]
        facts = Facts(**{field.name: told.get(field.name) or "" for field in fields(Facts)})
        identity = str(uuids.UUID(facts.uuid))
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise FileProblem("the selected file is no pairing file", hint=PAIRING_HINT) from exc
    if not PUBLIC_KEY.fullmatch(facts.public_key or "0" * 64):
        raise FileProblem("the selected file is no pairing file", hint=PAIRING_HINT)
    if version != PAIRING_VERSION or not all(isinstance(value, str) for value in asdict(facts).values()):
        raise FileProblem("the pairing file is of another version", hint="Add the office by hand instead.")
    return replace(facts, uuid=identity)


def tidy(facts: Facts) -> Facts:
    """Return the same without the blanks around, codes in lower case."""
    bare = Facts(
        **{name: " ".join(value.split()) if name != "contact" else value.strip() for name, value in asdict(facts).items()}
    )
    return replace(bare, base_uuid=bare.base_uuid.lower())


def _faults(facts: Facts) -> list[Fault]:
    found = [] if facts.name else [Fault("name", "no_name", {})]
    for name, length in LENGTHS.items():
        if len(getattr(facts, name)) > length:
            found.append(Fault(name, "too_long", {"length": length}))
    if facts.url and not _is_web(facts.url):
        found.append(Fault("url", "not_web", {}))
    return found


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and parts.scheme in ("http", "https") and parts.username is None and not any(c.isspace() for c in url)


def _code_faults(db: Any, facts: Facts) -> list[Fault]:
    """Why an instance with these ids cannot be registered."""
    if not BASE_UUID.match(facts.base_uuid):
        return [Fault("base_uuid", "no_code", {})]
    for peer in list_peers(db):
        said = {"code": peer.base_uuid, "name": peer.label}
        if peer.is_self and facts.base_uuid == peer.base_uuid:
            return [Fault("base_uuid", "own_code", said)]
        if facts.uuid and facts.uuid == peer.facts.uuid:
            return [Fault("base_uuid", "uuid_taken", said)]
        if facts.base_uuid == peer.base_uuid:
            return [Fault("base_uuid", "code_taken", said)]
    return []


def _row(facts: Facts) -> dict[str, Any]:
    """The columns of a row; what is not said is NULL, so that many may lack a uuid."""
    return {name: value or None for name, value in asdict(facts).items()}


def _peer(row: Any) -> Peer:
    facts = Facts(**{field.name: row[field.name] or "" for field in fields(Facts)})
    known = row.state in tuple(Standing)
    state = Standing.SELF if row.is_self else Standing(row.state) if known else Standing.KNOWN
    return Peer(
        row.id,
        facts,
        state,
        row.last_update,
        row.sync_count or 0,
        policy=row.policy or "",
        has_token=bool(row.token),
        access_on=row.access_on,
    )
