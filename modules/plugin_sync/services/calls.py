"""The methods of the services: each a function of the office, the caller and plain values, that returns plain values.

`METHODS` is the table of them; their parameters are checked by their annotations before they are called.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ..catalog import read_catalog
from ..errors import AccessRefused, CallRefused, TooLarge
from ..instances import Instance, utc_now
from ..jobs import Arrival, Imports, Job, State, Step, find_job
from ..jobs.downloads import Made
from ..jobs.outgoing import Choice, Outgoing, Sender
from ..jobs.rows import state_of
from ..peers import count_run
from ..records import TableSpec
from ..sent import Sent, Since
from ..settings import Settings
from ..sizes import count_rows
from ..texts import IN_ENGLISH
from ..wishes import Extent
from .access import Caller
from .transfers import Transfers

PROTOCOL = 1
PAUSE_S = 0.05
SHORT_S = 2.0
READ_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_ENDED = (State.DONE, State.FAILED, State.CANCELLED, State.CHECKED, State.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Office:
    """This instance, as callers meet it. `start` lets a job that waits begin, somewhere; `policy` is the settings' own."""

    db: Any
    imports: Imports
    settings: Settings
    instance: Instance
    policy: str
    transfers: Transfers
    sent: Sent
    start: Callable[[str], object]

    def sender(self, caller: Caller) -> Sender:
        """Return who makes files for a caller."""
        imports = self.imports
        return Sender(
            self.settings, self.instance, self.sent, caller.peer, caller.asked_by, uploads=imports.uploads, signer=imports.signer
        )

    def policy_for(self, caller: Caller, asked: str) -> str:
        """Return the policy that a caller's data are taken with; AccessRefused when an instance asks for another."""
        if caller.peer is None:
            return asked or self.policy
        own = caller.peer.policy or self.policy
        if asked not in ("", own):
            raise AccessRefused("the policy is this office's to choose", hint="Leave it empty.")
        return own


def info(office: Office, caller: Caller) -> dict[str, Any]:
    """Who this instance is, what time it has, which tables and columns travel, and how large pieces may be."""
    tables = read_catalog(office.db, office.settings).included
    return {
        "protocol": PROTOCOL,
        "base_uuid": office.instance.base_uuid,
        "uuid": office.instance.uuid,
        "name": office.instance.name,
        "time": datetime.now(UTC).replace(tzinfo=None, microsecond=0),
        "tables": {spec.name: {field.name: field.type for field in spec.fields} for spec in tables},
        "piece_bytes": office.transfers.limits.piece_bytes,
        "policy": office.policy_for(caller, ""),
    }


def tables(office: Office, caller: Caller) -> list[dict[str, Any]]:
    """Each table of the application: its module and rows, or why it stays home."""
    return [_table(office, spec) for spec in read_catalog(office.db, office.settings).tables]


def _table(office: Office, spec: TableSpec) -> dict[str, Any]:
    found = {"name": spec.name, "module": spec.module, "label": spec.label, "included": spec.included, "reason": spec.reason}
    return found | {"rows": count_rows(office.db, spec) if spec.included else None}


def export(  # what is sent, by place
    office: Office, caller: Caller, module: str = "", tables: list[str] | None = None, since: str = "all"
) -> dict[str, Any]:
    """A file of everything, one module or some tables, in one answer; TooLarge when it needs a transfer."""
    begun = export_begin(office, caller, module, tables, since)
    if begun["size"] > office.transfers.limits.data_bytes:
        export_end(office, caller, begun["transfer"], taken=False)
        raise TooLarge("the file is too large for one answer", hint="Use export_begin, export_read and export_end.")
    data = office.transfers.data(begun["transfer"]).read_bytes()
    if since == Extent.ALL:  # nothing waits to be confirmed
        export_end(office, caller, begun["transfer"], taken=caller.peer is None)
    return {**begun, "data": data}


def export_begin(  # what is sent, by place
    office: Office, caller: Caller, module: str = "", tables: list[str] | None = None, since: str = "all"
) -> dict[str, Any]:
    """Make a file, to be read in pieces; `since` is all, or changes: what an instance has not confirmed yet."""
    if since not in tuple(Extent) or (since == Extent.CHANGES and caller.peer is None):
        hint = "Use all. With changes an instance asks for what it has not taken yet."
        raise CallRefused("there is no such extent", hint=hint)
    choice = Choice(tuple(tables) if tables else None, Extent(since), module or None)
    name = office.transfers.begin(caller.name, {"kind": "export"})
    try:
        outgoing = office.sender(caller).make(office.db, choice, office.transfers.data(name))
    except BaseException:
        office.transfers.end(name, {"owner": caller.name, "kind": "export"})
        raise
    facts: dict[str, Any] = {
        "module": module,
        "tables": tables,
        "since": outgoing.since,
        "started": outgoing.started_on.isoformat(),
    }
    facts |= {"owner": caller.name, "kind": "export", "extent": since, "made": asdict(outgoing.made)}
    office.transfers.note(name, facts)
    made = outgoing.made
    return {"transfer": name, "size": made.size_bytes, "sha256": made.sha256, "rows": made.rows}


def export_read(office: Office, caller: Caller, transfer: str, offset: int, size: int = READ_BYTES) -> bytes:
    """A piece of a file; nothing at its end."""
    facts = office.transfers.find(transfer, caller.name, "export")
    if facts.get("ended"):
        raise CallRefused("there is no such transfer", hint="Begin a new one.")
    return office.transfers.read(transfer, offset, size)


def export_end(office: Office, caller: Caller, transfer: str, taken: bool = False) -> dict[str, Any]:
    """End a transfer; `taken` says that the caller has all of it for good, so that it need not be sent again."""
    facts = office.transfers.find(transfer, caller.name, "export")
    if not facts.get("ended"):
        if taken:
            sender = office.sender(caller)
            name = IN_ENGLISH.file_name(office.instance.label, "all", utc_now(), sender.form.suffix)
            sender.confirm(office.db, _outgoing(office, transfer, facts), name)
        office.transfers.end(transfer, facts | {"taken": taken})
    return {"taken": bool(facts.get("taken", taken))}


def _outgoing(office: Office, name: str, facts: dict[str, Any]) -> Outgoing:
    path = office.transfers.data(name)
    choice = Choice(tuple(facts["tables"]) if facts["tables"] else None, Extent(facts["extent"]), facts["module"] or None)
    started = datetime.fromisoformat(facts["started"])
    return Outgoing(path, path.with_suffix(".checkpoint"), choice, Since(facts["since"]), Made(**facts["made"]), started)


def import_(office: Office, caller: Caller, data: bytes, policy: str = "", dry_run: bool = False) -> dict[str, Any]:
    """Bring a file in, or with `dry_run` say what that would do; what became of it, as `job` tells."""
    if len(data) > office.transfers.limits.data_bytes:
        raise TooLarge("the file is too large for one call", hint="Use import_begin, import_write and import_run.")
    arrival = _arrival(office, caller, policy, dry_run)
    return _brought_in(office, office.imports.accept(io.BytesIO(data), arrival), office.transfers.limits.wait_s)


def import_begin(office: Office, caller: Caller, size: int, sha256: str) -> dict[str, Any]:
    """Announce a file that will come in pieces."""
    if not 0 < size <= office.transfers.limits.transfer_bytes:
        raise TooLarge("the file is empty or too large", hint=f"Send {office.transfers.limits.transfer_bytes:,} bytes at most.")
    if not _SHA256.match(sha256):
        raise CallRefused("the sha256 of the file is not one", hint="Send it as 64 hexadecimal digits.")
    name = office.transfers.begin(caller.name, {"kind": "import", "size": size, "sha256": sha256})
    return {"transfer": name, "piece_bytes": office.transfers.limits.piece_bytes}


def import_write(office: Office, caller: Caller, transfer: str, offset: int, data: bytes) -> int:
    """Take a piece of a file; how many bytes have come."""
    facts = office.transfers.find(transfer, caller.name, "import")
    if facts.get("ended"):
        raise CallRefused("there is no such transfer", hint="Begin a new one.")
    return office.transfers.write(transfer, facts, offset, data)


def import_run(office: Office, caller: Caller, transfer: str, policy: str = "", dry_run: bool = False) -> dict[str, Any]:
    """Bring in a file that has come in pieces, once however often it is asked for; the job has the transfer's name."""
    facts = office.transfers.find(transfer, caller.name, "import")
    if not facts.get("ended"):
        path = office.transfers.require_whole(transfer, facts)
        arrival = replace(_arrival(office, caller, policy, dry_run), job_uuid=transfer)
        with path.open("rb") as file:
            office.imports.accept(file, arrival)
        office.transfers.end(transfer, facts)
    return _brought_in(office, transfer, SHORT_S)


def job(office: Office, caller: Caller, job: str) -> dict[str, Any]:
    """How far an import of the caller is, and its report once it has ended."""
    return _told(office, _own_job(office, caller, job).uuid)


def job_cancel(office: Office, caller: Caller, job: str) -> dict[str, Any]:
    """Ask an import of the caller to stop; one that has ended stays as it is."""
    office.imports.cancel(_own_job(office, caller, job).uuid)
    return _told(office, job)


def synchronised(office: Office, caller: Caller, run: str) -> bool:
    """Count a synchronisation of an instance, once however often it is told."""
    if caller.peer is None:
        raise AccessRefused("only an instance can say that it has synchronised", hint="Call with the token of an instance.")
    count_run(office.db, caller.peer, run[:36], utc_now())
    office.db.commit()
    return True


def _arrival(office: Office, caller: Caller, policy: str, dry_run: bool) -> Arrival:
    sender, suffix = caller.peer.label if caller.peer else "service", office.sender(caller).form.suffix
    name = IN_ENGLISH.file_name(sender, "received", utc_now(), suffix)
    step = Step.CHECK if dry_run else Step.APPLY
    return Arrival(name, office.policy_for(caller, policy), caller.asked_by, caller.peer, step)


def _brought_in(office: Office, job_uuid: str, wait_s: float) -> dict[str, Any]:
    """Let an import begin, wait for it a while, and tell what became of it."""
    if state_of(office.db, job_uuid) is State.QUEUED:
        office.start(job_uuid)
    until = time.monotonic() + wait_s
    while office.imports.look(job_uuid).state not in _ENDED and time.monotonic() < until:
        time.sleep(PAUSE_S)
        office.db.commit()
    return _told(office, job_uuid)


def _told(office: Office, job_uuid: str) -> dict[str, Any]:
    """What a caller hears of a job. One that was only to be checked is thrown away once that is told."""
    office.db.commit()
    found = office.imports.look(job_uuid)
    report = found.result or (found.check if found.step is Step.CHECK else None)
    progress = office.imports.progress(job_uuid) if found.state is State.RUNNING else None
    if found.state is State.CHECKED:
        office.imports.cancel(job_uuid)
    return {
        "job": job_uuid,
        "state": State.CHECKED if found.step is Step.CHECK and report else found.state,
        "permille": progress.permille if progress else 0,
        "report": report.to_dict() if report else None,
        "error": found.error,
    }


def _own_job(office: Office, caller: Caller, job_uuid: str) -> Job:
    found = find_job(office.db, job_uuid)
    own = found.wish.get("from") == caller.peer.base_uuid if caller.peer else found.user_id == caller.user_id
    if found.kind != "import" or not own:
        raise CallRefused("there is no such import", hint="Ask for one of your own.")
    return found


METHODS: dict[str, Callable[..., Any]] = {
    "info": info,
    "tables": tables,
    "export": export,
    "export_begin": export_begin,
    "export_read": export_read,
    "export_end": export_end,
    "import": import_,
    "import_begin": import_begin,
    "import_write": import_write,
    "import_run": import_run,
    "job": job,
    "job_cancel": job_cancel,
    "synchronised": synchronised,
}
