"""Two offices that call each other without a network: the real services behind the real protocol, in one process.

`Lines` may break off, answer garbage or swallow an answer on the way. Not collected.
"""

import datetime
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydal import DAL, Field

from plugin_sync.errors import PeerSilent
from plugin_sync.instances import Instance, ensure_self
from plugin_sync.jobs import Imports
from plugin_sync.peers import give_access, keep_token
from plugin_sync.register import Facts, Peer, add_peer, edit_peer, find_peer
from plugin_sync.schema import define_tables
from plugin_sync.sent import Sent
from plugin_sync.services import Gate, Limits, Nonces, Office, Request, Transfers, answer
from plugin_sync.settings import Settings
from plugin_sync.syncs import Syncs
from plugin_sync.transports import XmlRpc
from plugin_sync.transports.http import Reply
from plugin_sync.vault import Vault

SETTINGS = Settings(uuid_only=True)
PATH = "/plugin_sync/call/xmlrpc"
PASSWORDS = {("ada", "correct: horse"): 7}


def define(db: DAL) -> None:
    """The application of both offices."""
    db.define_table("org_office", *_stamp(), Field("name"), Field("born", "date"))
    db.define_table("pr_person", *_stamp(), Field("name"), Field("org_id", "reference org_office"))


def _stamp() -> tuple[Field, Field]:
    return Field("uuid", length=64), Field("modified_on", "datetime")


@dataclass
class Side:
    """One office: its database, its folders, its services, and those that it calls."""

    db: DAL
    folder: Path
    settings: Settings = SETTINGS
    limits: Limits = field(default_factory=Limits)
    lines: dict[str, "Lines"] = field(default_factory=dict)
    clock: Any = time.time

    @property
    def own(self) -> Instance:
        return ensure_self(self.db)

    @property
    def vault(self) -> Vault:
        return Vault(self.folder / "key")

    @property
    def sent(self) -> Sent:
        return Sent(self.folder / "synced")

    @property
    def imports(self) -> Imports:
        new_uuid = iter(f"{self.own.base_uuid}-{n}" for n in range(10**6)).__next__
        return Imports(self.db, self.folder / "imports", self.settings, self.own, new_uuid, synced=self.sent)

    @property
    def syncs(self) -> Syncs:
        folder, sleep = self.folder / "syncs", lambda seconds: None
        return Syncs(self.db, self.imports, self.sent, self.vault, folder, lambda: lambda url, _: self.lines[url], sleep=sleep)

    def gate(self) -> Gate:
        nonces = Nonces(self.folder / "nonces")
        return Gate(self.db, self.vault, nonces, lambda name, password: PASSWORDS.get((name, password)), self.clock)

    def office(self) -> Office:
        transfers = Transfers(self.folder / "transfers", self.limits)
        return Office(
            self.db, self.imports, self.settings, self.own, "newer", transfers, self.sent, lambda job: self.imports.run(job)
        )

    def answer(self, body: bytes, authorization: str, protocol: str = "xmlrpc", **changes: Any):
        told = {"method": "POST", "length": len(body), "read": lambda: body, "path": f"/plugin_sync/call/{protocol}"} | changes
        request = Request(protocol=protocol, authorization=authorization, sender="10.0.0.9", **told)
        return answer(request, self.gate(), self.office, self.limits)

    def peer(self, other: "Side") -> Peer:
        return find_peer(self.db, other.own.base_uuid)

    def put(self, table: str, uuid: str, **values: Any) -> None:
        row = self.db[table]
        values = {"modified_on": datetime.datetime(2026, 1, 1)} | values
        if not self.db(row.uuid == uuid).update(**values):
            row.insert(uuid=uuid, **values)
        self.db.commit()

    def names(self, table: str = "org_office") -> dict[str, str]:
        self.db.rollback()
        return {row.uuid: row.name for row in self.db(self.db[table]).select()}

    def state(self) -> tuple[Any, ...]:
        """All that a synchronisation must not change when it fails: records, conflicts, counts, checkpoints."""
        self.db.rollback()
        tables = ("org_office", "pr_person", "plugin_sync_conflict", "plugin_sync_alias")
        rows = tuple(json.dumps(self.db(self.db[name]).select().as_list(), default=str) for name in tables)
        counts = [(row.base_uuid, row.sync_count, str(row.last_update)) for row in self.db(self.db.sync_instance).select()]
        folder = self.folder / "synced"
        marks = {p.name: p.read_bytes() for p in folder.iterdir()} if folder.is_dir() else {}
        return rows, counts, marks


@dataclass
class Lines:
    """A network between two offices, with `fault` in it: a function of the method and the reply that may change or raise."""

    to: Side
    fault: Any = None
    calls: list[str] = field(default_factory=list)

    def post(self, path: str, body: bytes, headers: dict[str, str], timeout_s: float | None = None) -> Reply:
        assert path == PATH
        method = body.split(b"<methodName>", 1)[1].split(b"<", 1)[0].decode()
        self.calls.append(method)
        found = self.to.answer(body, headers["Authorization"])
        reply = Reply(found.status, found.body)
        return self.fault(method, reply) if self.fault else reply


def side(folder: Path, name: str, uri: str = "sqlite://storage.db") -> Side:
    folder.mkdir(parents=True, exist_ok=True)
    options = {"driver_args": {"timeout": 30}} if uri.startswith("sqlite") else {}
    db = DAL(uri, folder=str(folder), pool_size=0, **options)
    define(db)
    define_tables(db)
    ensure_self(db, name=name)
    db.commit()
    return Side(db, folder)


def pair(one: Side, other: Side) -> None:
    """Let each call the other."""
    now = datetime.datetime(2026, 1, 1)
    for here, there in ((one, other), (other, one)):
        facts = Facts(there.own.base_uuid, there.own.name, uuid=there.own.uuid)
        assert add_peer(here.db, facts, now) == []
        assert edit_peer(here.db, here.peer(there), Facts(name=there.own.name, url=f"https://{there.own.name}.example")) == []
    for here, there in ((one, other), (other, one)):
        token = give_access(there.db, there.peer(here), there.vault, now)
        assert keep_token(here.db, here.peer(there), token, here.vault)
        lines = Lines(there)
        transport = XmlRpc(lines, token, clock=here.clock)
        here.lines[f"https://{there.own.name}.example"] = transport
    one.db.commit()
    other.db.commit()


def lines_of(here: Side, there: Side) -> Lines:
    return here.lines[f"https://{there.own.name}.example"].http


def swallow(wanted: str, times: int = 10**6):
    """A fault: the answer to a method is lost, so many times; the call itself has been made."""
    left = [times]

    def fault(method: str, reply: Reply) -> Reply:
        if method == wanted and left[0]:
            left[0] -= 1
            raise PeerSilent("the connection to it broke off", hint="Try again when the network is better.")
        return reply

    return fault
