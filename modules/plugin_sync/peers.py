"""What two instances know of each other to call each other: tokens given and kept, policies, runs that are counted.

A token that was given away is kept as its hash, and the key of its signatures encrypted; one that was received is kept
encrypted. These functions do not commit. Needs the plugin's tables to be defined.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .errors import PeerError, SettingsError
from .instances import Standing
from .policies import policy_of
from .register import Peer, peer_by_id
from .schema import INSTANCE
from .tokens import hash_token, is_token, key_of, new_token, same_text
from .vault import Vault


@dataclass(frozen=True, slots=True)
class Access:
    """Whose token a call names, and the key that signs its calls, encrypted."""

    peer: Peer
    locked_key: str


def give_access(db: Any, peer: Peer, vault: Vault, now: datetime) -> str:
    """Let an instance call here and return its token, which cannot be shown again; an earlier one ends."""
    _require_other(peer)
    token = new_token()
    values = {"access_hash": hash_token(token), "access_key": vault.lock(key_of(token)), "access_on": now}
    db(db[INSTANCE].id == peer.id).update(**values)
    return token


def end_access(db: Any, peer: Peer) -> None:
    """Let an instance call here no more."""
    db(db[INSTANCE].id == peer.id).update(access_hash=None, access_key=None, access_on=None)


def keep_token(db: Any, peer: Peer, token: str, vault: Vault) -> bool:
    """Keep the token that an instance gave us; False, and nothing is kept, when a text cannot be one."""
    _require_other(peer)
    bare = "".join(token.split())
    if not is_token(bare):
        return False
    db(db[INSTANCE].id == peer.id).update(token=vault.lock(bare))
    return True


def forget_token(db: Any, peer: Peer) -> None:
    """Forget the token that an instance gave us."""
    db(db[INSTANCE].id == peer.id).update(token=None)


def token_of(db: Any, peer: Peer, vault: Vault) -> str:
    """Return the token that an instance gave us; SettingsError when there is none."""
    row = db[INSTANCE](peer.id)
    if row is None or not row.token:
        raise SettingsError(
            "no token of this office is kept here", hint="Enter the one that it shows on its page of this office."
        )
    return vault.unlock(row.token)


def find_by_token(db: Any, token: str) -> Peer | None:
    """Return the instance that a token was given to."""
    wanted = hash_token(token)
    row = db(db[INSTANCE].access_hash == wanted).select().first()
    return peer_by_id(db, row.id) if row is not None and same_text(row.access_hash, wanted) else None


def find_by_key(db: Any, key_id: str) -> Access | None:
    """Return whose token's hash begins with `key_id`."""
    row = db(db[INSTANCE].access_hash.startswith(key_id)).select().first()
    peer = peer_by_id(db, row.id) if row is not None else None
    return Access(peer, row.access_key) if peer is not None else None


def set_policy(db: Any, peer: Peer, policy: str) -> None:
    """Set what happens to records that an instance sends and that are already here; empty: what the settings say."""
    db(db[INSTANCE].id == peer.id).update(policy=policy_of(policy).value if policy else None)


def count_run(db: Any, peer: Peer, run: str, now: datetime) -> None:
    """Count a synchronisation with an instance, once however often it is told."""
    table = db[INSTANCE]
    fresh = (table.id == peer.id) & ((table.last_run == None) | (table.last_run != run))  # noqa: E711
    db(fresh).update(last_run=run, last_update=now, sync_count=table.sync_count.coalesce(0) + 1)


def require_identity(db: Any, peer: Peer, base_uuid: str, uuid: str) -> None:
    """Raise PeerError unless an instance says of itself what is registered of it; its uuid is taken over where it lacks."""
    known = peer.facts.uuid
    if base_uuid != peer.base_uuid or (known and uuid != known):
        hint = "Look at its web address and its code: they belong to two offices."
        raise PeerError("another office answers at this address", hint=hint)
    if not known:
        db((db[INSTANCE].id == peer.id) & (db[INSTANCE].uuid == None)).update(uuid=uuid)  # noqa: E711


def require_active(peer: Peer) -> None:
    """Raise SettingsError for an instance with which nothing is to be exchanged now."""
    if peer.is_self:
        raise SettingsError("an office cannot synchronise with itself", hint="Choose one from the page Instances.")
    if peer.state is Standing.PAUSED:
        raise SettingsError("this office is paused", hint="Let it go on, on its page, then try again.")
    if peer.state is Standing.CLASH:
        raise SettingsError("files of another office carry the code of this one", hint="One of the two has to be set up anew.")


def _require_other(peer: Peer) -> None:
    if peer.is_self:
        raise SettingsError("an office cannot synchronise with itself", hint="Choose one from the page Instances.")
