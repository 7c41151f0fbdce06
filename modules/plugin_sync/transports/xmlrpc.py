"""XML-RPC to another instance's services, each call signed with the token that it gave us."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xmlrpc import client

from ..errors import PeerError, PeerSilent
from ..tokens import Signed, sign
from ..wire import read_answer, write_call
from ..wire.xmlrpc import fault_of
from .http import Http, Reply

PATH = "/plugin_sync/call/xmlrpc"
_BUSY = (429, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class XmlRpc:
    """Calls one instance. `clock` gives seconds since 1970."""

    http: Http
    token: str
    clock: Callable[[], float] = time.time
    nonce: Callable[[], str] = lambda: secrets.token_hex(16)

    def call(self, method: str, *values: Any, timeout_s: float | None = None) -> Any:
        """Call once; see Transport."""
        body = write_call(method, *values)
        signature = sign(Signed("POST", PATH, body), self.token, int(self.clock()), self.nonce())
        headers = {"Content-Type": "text/xml; charset=utf-8", "Authorization": signature.header}
        reply = self.http.post(PATH, body, headers, timeout_s)
        if reply.status != 200:
            raise refusal_of(reply)
        try:
            return read_answer(reply.body)
        except client.Fault as fault:
            raise told(fault_of(fault)) from None


def refusal_of(reply: Reply) -> PeerError:
    """Return the error for an answer that is none."""
    said = _said(reply.body)
    if reply.status in _BUSY:
        return PeerSilent("it is busy", hint="Try again in a minute.")
    if said.get("error") == "clock":
        reason = said["reason"]
        return PeerError(reason, hint="Set the clock of the server that is wrong.")
    if reply.status == 401:
        hint = "Ask the other office for a new token: its page of this office, Give this office access."
        return PeerError("it does not accept the token of this office", hint=hint)
    if reply.status == 403:
        return told(said) if said else PeerError("it refuses this office", hint="Ask the other office why.")
    if 300 <= reply.status < 400:
        return PeerError("it sends elsewhere", hint="Enter the web address that it sends to, if that is the right one.")
    if reply.status == 413:
        return PeerError("what was sent is too large for it", hint="Ask the other office to allow larger calls.")
    return PeerError(f"it answered with the status {reply.status}", hint="Is its web address right?")


def told(fault: dict[str, Any]) -> PeerError:
    """Return the error that another instance reports, as an error of ours; its words are kept."""
    kind = PeerSilent if fault.get("retryable") is True else PeerError
    return kind(str(fault["reason"]), hint=str(fault.get("hint") or ""))


def _said(body: bytes) -> dict[str, Any]:
    """What the body of a refusal says; nothing where it is not ours."""
    try:
        found = json.loads(body)
        return {"error": str(found["error"]), "reason": str(found["reason"]), "hint": str(found.get("hint") or "")}
    except (ValueError, KeyError, TypeError):
        return {}
