"""One synchronisation with another instance: ask who it is, receive, send, count. A pipeline over a transport.

Each way is whole or not done. A checkpoint, here and there, moves only once the receiver has committed and said so; an
answer that is lost so leads to something being sent again, never to something that is missed. Which of two versions of
a record wins is decided by imports; nothing here looks into a file.
"""

from __future__ import annotations

import hashlib
import time
import uuid as uuids
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .catalog import read_catalog
from .errors import Cancelled, FileIncomplete, PeerError, PeerSilent, SyncError
from .instances import utc_now
from .jobs import Arrival, Imports, Job, Phase, Progress, State, Step
from .jobs.joined import PartBoard
from .jobs.outgoing import Choice, Outgoing, Sender
from .jobs.progress import SPANS
from .jobs.watching import Watch
from .peers import count_run, require_identity
from .records import Counts, TableSpec
from .register import Peer
from .texts import IN_ENGLISH
from .transports import Transport
from .wishes import Differences, Leg, SyncReport, Wish

PROTOCOL = 1
PIECE_BYTES = 1 << 19
PAUSES_S = (0.5, 2.0, 5.0)  # before the next tries of a call
GIVE_UP_AFTER_S = 30.0  # a call that took so long is not tried again
LONG_S = 900.0  # the other side may make a large file before it answers
POLL_S = (0.1, 2.0)  # between two looks at an import there: at first, at most


@dataclass(frozen=True, slots=True)
class Patient:
    """A transport that tries again, a few times, what may come right; `watch` says when to stop."""

    transport: Transport
    watch: Watch
    sleep: Callable[[float], None] = time.sleep
    pauses_s: tuple[float, ...] = PAUSES_S

    def call(self, method: str, *values: Any, timeout_s: float | None = None) -> Any:
        """Call until it is answered; raises what the last try raised."""
        started = time.monotonic()
        for pause in self.pauses_s:
            self.watch.require()
            try:
                return self.transport.call(method, *values, timeout_s=timeout_s)
            except PeerSilent:
                if time.monotonic() - started + pause > GIVE_UP_AFTER_S or method == "info":
                    raise
            self.sleep(pause)
        self.watch.require()
        return self.transport.call(method, *values, timeout_s=timeout_s)


@dataclass
class Exchange:
    """One run. `policy` is that for what comes; `keep` writes down what was done so far, and commits."""

    db: Any
    peer: Peer
    transport: Patient
    imports: Imports
    sender: Sender
    folder: Path
    run: str
    policy: str
    keep: Callable[[SyncReport], None]
    user_id: int | None = None
    report: SyncReport = field(default_factory=lambda: SyncReport(Wish()))

    @property
    def watch(self) -> Watch:
        """The job's watch."""
        return self.transport.watch

    def synchronise(self, wish: Wish) -> SyncReport:
        """Do it all and return what was done; whatever is raised, `keep` has heard of what was done before."""
        self.report = SyncReport(wish)
        self._show(Phase.ASKING, 0, 0)
        tables = self._agree(wish)
        if wish.pulls:
            self._keep(self.report.with_pulled(self._pull(wish, tables)))
        if wish.pushes:
            self._keep(self.report.with_pushed(self._push(wish, tables)))
        self.transport.call("synchronised", self.run)
        count_run(self.db, self.peer, self.run, utc_now())
        return self.report

    def _agree(self, wish: Wish) -> tuple[str, ...]:
        """Make sure who answers, and return the tables that both have."""
        self.db.commit()
        told = _told(self.transport.call("info"), {"protocol": int, "base_uuid": str, "uuid": str, "tables": dict})
        if told["protocol"] != PROTOCOL:
            raise PeerError("it has another version of the synchronisation", hint="Update the older of the two.")
        require_identity(self.db, self.peer, told["base_uuid"], told["uuid"])
        self.db.commit()
        catalog = read_catalog(self.db, self.imports.settings)
        wanted = [spec for spec in catalog.included if not wish.modules or spec.module in wish.modules]
        differences = compare(wanted, told["tables"], everything=not wish.modules)
        shared = tuple(spec.name for spec in wanted if spec.name in told["tables"])
        if not shared:
            raise PeerError("the two offices have no tables in common", hint="Is its web address right?")
        self._keep(SyncReport(wish, differences=differences))
        return shared

    def _pull(self, wish: Wish, tables: tuple[str, ...]) -> Leg:
        """Receive, bring in, and only then let the other side know that it was taken."""
        begun = self.transport.call("export_begin", "", list(tables), wish.extent.value, timeout_s=LONG_S)
        begun = _told(begun, {"transfer": str, "size": int, "sha256": str, "rows": dict})
        rows = {str(name): int(count) for name, count in begun["rows"].items()}
        if not any(rows.values()):
            self.transport.call("export_end", begun["transfer"], False)
            return Leg()
        path = self.folder / f"{self.run}.received"
        try:
            self._receive(begun, path)
            done = self._bring_in(path)
        except SyncError:
            self._let_go(begun["transfer"])
            raise
        finally:
            path.unlink(missing_ok=True)
        counts = done.result.counts if done.result else Counts()
        leg = Leg(rows, begun["size"], counts, done.uuid)
        self._keep(self.report.with_pulled(leg))
        self.transport.call("export_end", begun["transfer"], not counts.rejected)
        return leg

    def _receive(self, begun: Mapping[str, Any], path: Path) -> None:
        """Read the other side's file, piece by piece; one that did not come is asked for again."""
        size, digest, have = begun["size"], hashlib.sha256(), 0
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            while have < size:
                piece = self.transport.call("export_read", begun["transfer"], have, PIECE_BYTES)
                if not isinstance(piece, bytes) or not piece or have + len(piece) > size:
                    raise FileIncomplete("what it sent is not as long as it said", hint="Try again.")
                file.write(piece)
                digest.update(piece)
                have += len(piece)
                self._show(Phase.RECEIVING, have, size)
        if digest.hexdigest() != begun["sha256"]:
            raise FileIncomplete("what it sent has changed on its way", hint="Try again.")

    def _bring_in(self, path: Path) -> Job:
        """Import what was received, as a job of its own that can be undone."""
        name = IN_ENGLISH.file_name(self.peer.label, "received", utc_now(), self.sender.form.suffix)
        number = str(uuids.uuid5(uuids.UUID(self.run), "received"))
        with path.open("rb") as file:
            self.imports.accept(file, Arrival(name, self.policy, self.user_id, self.peer, Step.APPLY, number))
        done = self.imports.run_within(number, lambda board: PartBoard(board, self.watch))
        self.watch.require()
        if done.state is State.CANCELLED:
            raise Cancelled("it was cancelled")
        if done.state is not State.DONE:
            reason, hint = _words(done.error)
            raise PeerError(f"what it sent cannot be taken: {reason}", hint=hint)
        return done

    def _let_go(self, transfer: str) -> None:
        """Tell the other side that its file was not taken; it would find out by itself in some days."""
        try:
            self.transport.transport.call("export_end", transfer, False)
        except SyncError:
            return  # what went wrong before is what is told

    def _push(self, wish: Wish, tables: tuple[str, ...]) -> Leg:
        """Send, wait until the other side has brought it in, and only then note that it has it."""
        self.db.commit()
        self._show(Phase.SENDING, 0, 0)
        path = self.folder / f"{self.run}.sent"
        outgoing = self.sender.make(self.db, Choice(tables, wish.extent), path, self.watch.require)
        try:
            if not any(outgoing.made.rows.values()):
                return Leg()
            told = self._sent(outgoing)
            counts = _counts(told)
            leg = Leg(outgoing.made.rows, outgoing.made.size_bytes, counts, str(told.get("job") or ""))
            self._keep(self.report.with_pushed(leg))
            name = IN_ENGLISH.file_name(self.imports.instance.label, f"for {self.peer.label}", utc_now(), self.sender.form.suffix)
            self.sender.confirm(self.db, outgoing, name, whole=not counts.rejected)
            return leg
        finally:
            outgoing.remove()

    def _sent(self, outgoing: Outgoing) -> Mapping[str, Any]:
        """Hand a file over and return what the other side says of its import once that is done."""
        size = outgoing.made.size_bytes
        begun = _told(self.transport.call("import_begin", size, outgoing.made.sha256), {"transfer": str, "piece_bytes": int})
        piece_bytes, have = max(1, min(PIECE_BYTES, begun["piece_bytes"])), 0
        with outgoing.path.open("rb") as file:
            while have < size:
                file.seek(have)
                piece = file.read(piece_bytes)
                taken = self.transport.call("import_write", begun["transfer"], have, piece)
                if type(taken) is not int or not have < taken <= size:
                    raise PeerError("what it answered cannot be read", hint="Is its web address right?")
                have = taken
                self._show(Phase.SENDING, have, size)
        self._keep(replace(self.report, uncertain=True))
        told = _told(self.transport.call("import_run", begun["transfer"], ""), {"job": str, "state": str})
        told = self._await(told)
        self._keep(replace(self.report, uncertain=told["state"] == State.INTERRUPTED))
        if told["state"] == State.CANCELLED:
            self.watch.require()
            raise PeerError("the other office has cancelled the import", hint="Ask the other office why.")
        if told["state"] == State.INTERRUPTED:
            raise PeerError("its server was stopped in the middle of the import", hint="Try again.")
        if told["state"] != State.DONE:
            reason, hint = _words(told.get("error"))
            raise PeerError(f"it could not take what was sent: {reason}", hint=hint)
        return told

    def _await(self, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """Look at an import there until it has ended; a wish to stop is passed on, and its end waited for."""
        pause, asked = POLL_S[0], False
        while told["state"] in (State.QUEUED, State.RUNNING):
            self._show(Phase.TAKING, int(told.get("permille") or 0), 1000, heeding=False)
            if self.watch.stopping and not asked:
                asked = True
                told = self._state(self.transport.transport.call("job_cancel", told["job"]))
                continue
            self.transport.sleep(pause)
            pause = min(pause * 2, POLL_S[1])
            caller = self.transport.transport if asked else self.transport
            told = self._state(caller.call("job", told["job"]))
        return told

    def _state(self, answer: Any) -> Mapping[str, Any]:
        return _told(answer, {"job": str, "state": str})

    def _keep(self, report: SyncReport) -> None:
        self.report = report
        self.keep(report)

    def _show(self, phase: Phase, done: int, total: int, *, heeding: bool = True) -> None:
        """Let others see how far it is; with `heeding` raise Cancelled when it shall stop."""
        start, end = SPANS[Step.SYNC][phase]
        permille = start + (end - start) * done // total if total else start
        progress = Progress(phase, permille=permille)
        if heeding:
            self.watch.note(progress)
        else:
            self.watch.relay(progress)


def compare(here: Collection[TableSpec], there: Mapping[str, Mapping[str, str]], *, everything: bool) -> Differences:
    """Return what two applications do not share; with `everything` also tables that are only there."""
    names = {spec.name for spec in here}
    columns = []
    for spec in here:
        told, own = there.get(spec.name), {field.name for field in spec.fields}
        if isinstance(told, Mapping):
            columns += [f"{spec.name}.{name}" for name in sorted(own ^ set(map(str, told)))]
    return Differences(
        tables_there=tuple(sorted(map(str, set(there) - names))) if everything else (),
        tables_here=tuple(sorted(names - set(there))),
        columns=tuple(columns),
    )


def _told(answer: Any, kinds: Mapping[str, type]) -> Mapping[str, Any]:
    """Return an answer that holds what it must; PeerError for any other."""
    if not isinstance(answer, Mapping) or any(type(answer.get(name)) is not kind for name, kind in kinds.items()):
        raise PeerError("what it answered cannot be read", hint="Is its web address right?")
    return answer


def _words(fault: Any) -> tuple[str, str]:
    """The reason and hint of an error that was told as plain values."""
    found = fault if isinstance(fault, Mapping) else {}
    return str(found.get("reason") or ""), str(found.get("hint") or "")


def _counts(told: Mapping[str, Any]) -> Counts:
    """The counts of an import there, as far as they can be read."""
    report = told.get("report")
    found = report.get("counts") if isinstance(report, Mapping) else None
    try:
        return Counts(**{str(name): int(count) for name, count in (found or {}).items()})
    except (TypeError, ValueError) as exc:
        raise PeerError("what it answered cannot be read", hint="Is its web address right?") from exc
