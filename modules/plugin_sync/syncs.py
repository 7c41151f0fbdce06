"""Synchronisations as jobs: asked for, run once, watched, cancelled; the one use case that pages and commands call.

These functions commit. Needs the plugin's tables to be defined.
"""

from __future__ import annotations

import contextlib
import fcntl
import time
import uuid as uuids
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from .addresses import Addresses
from .catalog import read_catalog
from .errors import SettingsError
from .exchange import Exchange, Patient
from .instances import utc_now
from .jobs import End, Imports, Job, Runner, State, Step
from .jobs.joined import CalmBoard
from .jobs.outgoing import Sender
from .jobs.rows import SYNC, change_job
from .jobs.running import patiently, translated
from .jobs.watching import Watch
from .peers import require_active, token_of
from .register import Peer, find_peer, peer_by_id
from .sent import Sent
from .transports import Http, Patience, Transport, XmlRpc
from .vault import Vault
from .wishes import SyncReport, Wish, dump_wish, load_wish

Connect = Callable[[str, str], Transport]  # web address, token -> a transport


@dataclass(frozen=True, slots=True)
class Syncs:
    """Where synchronisations happen. `sent` is what other instances are known to have, `policy` the settings' own.

    `network` is asked when something is to be called, so that the host's settings, when they are wrong, stop that alone.
    """

    db: Any
    imports: Imports
    sent: Sent
    vault: Vault
    folder: Path
    network: Callable[[], Connect]
    policy: str = "newer"
    clock: Callable[[], datetime] = utc_now
    sleep: Callable[[float], None] = time.sleep

    def now(self, base_uuid: str, wish: Wish, user_id: int | None = None) -> Job:
        """Synchronise with a registered instance in this process, and return the job as it ended.

        Raises SettingsError for one that is not known, is paused, or has no address or token, and for settings of the host's.
        """
        return self.run(self.ask(find_peer(self.db, base_uuid), wish, user_id))

    def ask(self, peer: Peer, wish: Wish, user_id: int | None = None) -> str:
        """Let a synchronisation wait to be run, and return its job's uuid; raises as `now`."""
        self._require(peer, wish)
        job_uuid = str(uuids.uuid4())
        with translated(self.db):
            self.db.plugin_sync_job.insert(
                uuid=job_uuid,
                kind=SYNC,
                state=State.QUEUED,
                step=Step.SYNC,
                file_name=peer.label,
                instance_id=peer.id,
                module_name=wish.modules[0][:64] if len(wish.modules) == 1 else None,
                wish=dump_wish(wish),
                user_id=user_id,
                created_on=self.clock(),
            )
            self.db.commit()
        return job_uuid

    def run(self, job_uuid: str) -> Job:
        """Do a synchronisation that waits, unless another process does; the Scheduler's task and the thread."""
        Runner(self.db, lambda name: CalmBoard(self.imports.board(name)), {Step.SYNC: self._sync}, self.clock).run(job_uuid)
        return self.imports.look(job_uuid)

    def last(self, peer: Peer, *states: State) -> Job | None:
        """Return the latest synchronisation with an instance that is in one of `states`, any when none is given."""
        jobs = self.db.plugin_sync_job
        query = (jobs.kind == SYNC) & (jobs.instance_id == peer.id)
        query = query & jobs.state.belongs(states) if states else query
        row = self.db(query).select(jobs.uuid, orderby=~jobs.id, limitby=(0, 1)).first()
        return self.imports.look(row.uuid) if row else None

    def _require(self, peer: Peer, wish: Wish) -> None:
        require_active(peer)
        if not peer.facts.url:
            raise SettingsError("the web address of this office is not known", hint="Enter it on the page of the office.")
        if not peer.has_token:
            hint = "Enter the one that it shows on its page of this office."
            raise SettingsError("no token of this office is kept here", hint=hint)
        self.network()
        for module in wish.modules:
            read_catalog(self.db, self.imports.settings).choose(None, module)

    def _sync(self, job: Job, watch: Watch) -> End:
        peer = peer_by_id(self.db, job.instance_id or 0)
        if peer is None:
            raise SettingsError("no instance with this code is known here", hint="Choose one from the page Instances.")
        wish = load_wish(job.wish)
        self._require(peer, wish)
        transport = self.network()(peer.facts.url, token_of(self.db, peer, self.vault))
        exchange = Exchange(
            db=self.db,
            peer=peer,
            transport=Patient(transport, watch, self.sleep),
            imports=self.imports,
            sender=self._sender(peer, job),
            folder=self.folder,
            run=job.uuid,
            policy=peer.policy or self.policy,
            keep=lambda report: self._keep(job.uuid, report),
            user_id=job.user_id,
        )
        with self._alone(peer):
            report = exchange.synchronise(wish)
        return End(State.DONE, keep=True, changes={"result_report": report.dump(), "finished_on": self.clock()})

    def _sender(self, peer: Peer, job: Job) -> Sender:
        own = self.imports
        return Sender(own.settings, own.instance, self.sent, peer, job.user_id, uploads=own.uploads, signer=own.signer)

    def _keep(self, job_uuid: str, report: SyncReport) -> None:
        """Write down what was done so far: it stays, whatever comes."""
        patiently(self.db, lambda: change_job(self.db, job_uuid, State.RUNNING, changes={"result_report": report.dump()}))

    @contextlib.contextmanager
    def _alone(self, peer: Peer) -> Iterator[None]:
        """Hold the lock of an instance, so that one synchronisation with it runs at a time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{peer.key}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                hint = "Wait until that has ended, then try again."
                raise SettingsError("a synchronisation with this office is under way", hint=hint) from exc
            yield


def connect_by(addresses: Addresses, patience: Patience | None = None) -> Connect:
    """Return how instances are called: XML-RPC over HTTPS, at addresses that are allowed."""

    def connect(url: str, token: str) -> Transport:
        return XmlRpc(Http(addresses.place(url), patience or Patience()), token)

    return connect
