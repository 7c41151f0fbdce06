"""From a request to its answer: who calls, how much, what; every error told as far as its caller may know it.

The one place of the services where an exception of any kind ends: in the log, and as general words in the answer.
"""

from __future__ import annotations

import base64
import binascii
import inspect
import json
import logging
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import AccessRefused, CallRefused, ClockDiffers, SyncError, TooBusy, TooLarge
from ..tokens import Signed
from ..wire import JSON_RPC, PROTOCOLS, Call, Protocol, find_protocol
from ..wire.contract import clean
from .access import Caller, Gate, detail_of, is_stranger
from .calls import METHODS, Office
from .limits import Limits, Turnstile

PLACES = 6  # calls at once in this process; pages need threads too
log = logging.getLogger(__name__)
_turnstile = Turnstile(PLACES)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the server has it. `read` gives the body; `path` begins at the plugin's controller."""

    method: str
    path: str
    protocol: str
    authorization: str
    length: int | None
    read: Callable[[], bytes]
    sender: str = ""  # its network address, for the log


def read_request(env: Mapping[str, Any], protocol: str, sender: str, read: Callable[[], bytes]) -> Request:
    """Return a request from what web2py calls `request.env`; a length that is no number is unknown."""
    length = str(env.get("content_length") or "")
    return Request(
        method=env["request_method"],
        path=f"/plugin_sync/call/{protocol}",
        protocol=protocol,
        authorization=env.get("http_authorization") or "",
        length=int(length) if length.isdecimal() else None,
        read=read,
        sender=sender,
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(request: Request, gate: Gate, office: Callable[[], Office], limits: Limits) -> Answer:
    """Answer a request; nothing is raised."""
    if request.method != "POST":  # a link must not be able to call
        error = CallRefused("calls are made by POST", hint="Its form is described in docs/services.md.")
        return _told(405, error, {"Allow": "POST"})
    protocol: Protocol = PROTOCOLS.get(request.protocol, JSON_RPC)
    call: Call | None = None
    try:
        with _turnstile.passing():
            find_protocol(PROTOCOLS, request.protocol)
            body, caller = _entered(request, gate, limits)
            call = protocol.read(body)
            value = _called(call, office(), caller)
            log.info("%s from %s, %s", _line(call.method), caller.name, request.sender)
            return Answer(200, protocol.answer(call, value), protocol.content_type)
    except SyncError as error:
        log.warning("call of %s refused: %s", request.sender, _line(detail_of(error)), exc_info=error.__cause__)
        return _refusal(protocol, call, error)
    except Exception:
        log.exception("call of %s failed: %s", request.sender, _line(call.method) if call else "")
        fault = SyncError("an unexpected fault stopped it", hint="The log of the server has the details.")
        return Answer(200 if call else 500, protocol.fault(call, fault.to_dict()), protocol.content_type)
    finally:
        gate.db.rollback()  # what a call did is committed by then


def _line(text: str) -> str:
    """A text that a caller may have had a hand in, as one line of the log."""
    return " ".join(clean(text).split())[:300]


def _entered(request: Request, gate: Gate, limits: Limits) -> tuple[bytes, Caller]:
    """Return the body of a call and who it is from; nothing of it is read before somebody known is named."""
    claim = gate.claim(request.authorization)
    if request.length is None:
        raise CallRefused("the length of the call is not said", hint="Send the header Content-Length.")
    if request.length > limits.body_bytes:
        raise TooLarge("the call is too large", hint="Send the file in pieces: import_begin, import_write, import_run.")
    body = request.read()
    if len(body) != request.length:
        raise CallRefused("the call was cut off before its end", hint="Send it again.")
    return body, gate.caller(claim, Signed(request.method, request.path, body))


def _called(call: Call, office: Office, caller: Caller) -> Any:
    method = METHODS.get(call.method)
    if method is None:
        raise CallRefused("there is no such method", hint=f"There are: {', '.join(METHODS)}.")
    signature = inspect.signature(method)
    try:
        bound = signature.bind(office, caller, *call.places, **call.names)
    except TypeError as exc:
        raise CallRefused(f"{call.method} does not take these parameters", hint=f"It takes: {_usage(call.method)}.") from exc
    kinds = typing.get_type_hints(method)
    values = {name: _checked(call.method, kinds[name], value) for name, value in list(bound.arguments.items())[2:]}
    return method(office, caller, **values)


def _checked(method: str, kind: Any, value: Any) -> Any:
    """Return a parameter's value when it is of its kind; texts are taken for bytes where JSON has none."""
    if kind is bytes and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error as exc:
            raise CallRefused("the data are not base64", hint=f"It takes: {_usage(method)}.") from exc
    listed = kind not in (str, int, bool, bytes)
    right = (value is None or (isinstance(value, list) and all(type(v) is str for v in value))) if listed else type(value) is kind
    if not right:
        raise CallRefused(f"{method} does not take these parameters", hint=f"It takes: {_usage(method)}.")
    return value


def _usage(method: str) -> str:
    names = list(inspect.signature(METHODS[method]).parameters)[2:]
    return ", ".join(names) or "none"


def _refusal(protocol: Protocol, call: Call | None, error: SyncError) -> Answer:
    """The answer to a call that was refused: once it was understood, as its protocol says; before, with a status of HTTP."""
    if call is not None:
        return Answer(200, protocol.fault(call, error.to_dict()), protocol.content_type)
    if is_stranger(error):
        headers = {"WWW-Authenticate": 'Basic realm="plugin_sync"'}
        return _told(401, error, headers)
    if isinstance(error, ClockDiffers):
        return _told(401, error)
    if isinstance(error, AccessRefused):
        return _told(403, error)
    if isinstance(error, TooLarge):
        return _told(413, error)
    if isinstance(error, TooBusy):
        return _told(429, error, {"Retry-After": "30"})
    return Answer(400, protocol.fault(None, error.to_dict()), protocol.content_type)


def _told(status: int, error: SyncError, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(error.to_dict()).encode("ascii") + b"\n", "application/json", headers or {})
