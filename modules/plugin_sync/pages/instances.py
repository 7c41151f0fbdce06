"""What the pages about instances show beside the register: what went to each and came from it, and how calls went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .. import history
from ..catalog import read_catalog
from ..history import Contact
from ..jobs import Job, Outbox, State
from ..register import Peer, peer_by_id
from ..syncs import Syncs
from ..wishes import SyncReport


@dataclass(frozen=True, slots=True)
class Known:
    """Instances; by their ids: contacts, when the last file was made, how many lie ready, a synchronisation that failed.

    What has changed after `waits_since`, of a file or of a synchronisation, waits to be sent; None: everything.
    """

    peers: Sequence[Peer]
    contacts: Mapping[int, Contact]
    sent_on: Mapping[int, datetime | None]
    waits_since: Mapping[int, datetime | None]
    ready: Mapping[int, int]
    failures: Mapping[int, Job]


@dataclass(frozen=True, slots=True)
class Calling:
    """Synchronisation with one instance: the modules there are, the last time, and the last time that it worked."""

    modules: list[str]
    synced: Job | None
    worked: Job | None
    default_policy: str


@dataclass(frozen=True, slots=True)
class Synchronised:
    """What a synchronisation did, with whom (None when it was removed since), and when it last worked."""

    peer: Peer | None
    report: SyncReport | None
    worked: Job | None


def read_known(db: Any, outbox: Outbox, syncs: Syncs, peers: Sequence[Peer]) -> Known:
    """Return what lists of instances need to know of each."""
    ready = [parcel.base_uuid for parcel in outbox.parcels()]
    sent_on = {peer.id: outbox.sent.made_on(peer) for peer in peers}
    return Known(
        peers=peers,
        contacts=history.contacts(db),
        sent_on=sent_on,
        waits_since={peer.id: _later(sent_on[peer.id], syncs.sent.made_on(peer)) for peer in peers},
        ready={peer.id: ready.count(peer.base_uuid) for peer in peers},
        failures=_failures(syncs, peers),
    )


def _later(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)


def _failures(syncs: Syncs, peers: Sequence[Peer]) -> dict[int, Job]:
    """The last synchronisation with each instance with which it did not succeed."""
    last = {peer.id: syncs.last(peer, State.DONE, State.FAILED) for peer in peers if not peer.is_self}
    return {ident: job for ident, job in last.items() if job and job.state is State.FAILED}


def read_calling(syncs: Syncs, peer: Peer) -> Calling:
    """Return what the page of an instance says of synchronisation with it."""
    modules = sorted(read_catalog(syncs.db, syncs.imports.settings).modules)
    return Calling(modules, syncs.last(peer), syncs.last(peer, State.DONE), syncs.policy)


def read_synchronised(syncs: Syncs, job: Job) -> Synchronised:
    """Return what the page of a synchronisation that has ended shows."""
    peer = peer_by_id(syncs.db, job.instance_id or 0)
    return Synchronised(peer, job.synced, syncs.last(peer, State.DONE) if peer else None)
