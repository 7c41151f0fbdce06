"""XML-RPC: the standard library's values, read by a parser that takes no doctype and bounds the depth."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from xml.parsers import expat
from xmlrpc import client
from xmlrpc.client import Fault as WireFault

from ..errors import PeerError
from .contract import MAX_DEPTH, Call, Protocol, malformed, plain

FAULT_CODE = 1  # the standard wants a number; ours are names and stand in the fault's text
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
_BROKEN = (expat.ExpatError, client.Error, ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError)


class _ForbiddenError(ValueError):
    """A doctype, an entity, or more depth than any call has."""


class _Marshaller(client.Marshaller):
    """Writes whole numbers of any size as <i8>, which the standard library reads; sizes of files need it."""

    dispatch: ClassVar[dict[Any, Any]] = dict(client.Marshaller.dispatch)  # type: ignore[misc]

    def dump_whole(self, value: int, write: Callable[[str], object]) -> None:
        """Write a whole number."""
        kind = "int" if -(2**31) <= value < 2**31 else "i8"
        write(f"<value><{kind}>{value}</{kind}></value>\n")

    dispatch[int] = dump_whole


class _Reader:
    """Feeds the standard library's unmarshaller."""

    def __init__(self) -> None:
        self.target = client.Unmarshaller(use_builtin_types=True)
        self.target.xml(None, None)  # type: ignore[arg-type]  # expat has decoded it
        self.depth = 0
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self.target.data
        parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = _forbid
        self._parser = parser

    def read(self, data: bytes) -> tuple[str | None, tuple[Any, ...]]:
        """Return the method's name, None in an answer, and the values; raises Fault for one."""
        self._parser.Parse(data, True)
        return self.target.getmethodname(), tuple(self.target.close())

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH * 3:  # a value, an array and its data
            raise _ForbiddenError("too deep")
        self.target.start(tag, attributes)

    def _end(self, tag: str) -> None:
        self.depth -= 1
        self.target.end(tag)


def _forbid(*_: object) -> None:
    raise _ForbiddenError("a doctype")


def write_call(method: str, *values: Any) -> bytes:
    """Return a call as bytes."""
    return _enclosed(f"<methodCall>\n<methodName>{method}</methodName>\n", values, "</methodCall>\n")


def read_answer(data: bytes) -> Any:
    """Return the value that a call was answered with; raises xmlrpc.client.Fault for a fault, PeerError for what is neither."""
    try:
        method, values = _Reader().read(data)
    except client.Fault:
        raise
    except _BROKEN as exc:
        raise PeerError("what it answered cannot be read", hint="Is its web address right?") from exc
    if method is not None or len(values) != 1:
        raise PeerError("what it answered cannot be read", hint="Is its web address right?")
    return values[0]


def fault_of(fault: client.Fault) -> dict[str, Any]:
    """Return the error that a fault of ours carries; that of a stranger as a reason alone."""
    try:
        told = json.loads(fault.faultString)
        reason, code = str(told["reason"]), str(told["error"])
    except (ValueError, TypeError, KeyError):
        return {"error": "peer", "reason": str(fault.faultString)[:500], "hint": "", "retryable": False}
    return {**told, "error": code, "reason": reason, "hint": str(told.get("hint") or "")}


def _read_call(data: bytes) -> Call:
    try:
        method, values = _Reader().read(data)
    except _BROKEN as exc:
        raise malformed() from exc
    if method is None:
        raise malformed()
    return Call(method, values)


def _answer(_: Call, value: Any) -> bytes:
    return _enclosed("<methodResponse>\n", (plain(value),), "</methodResponse>\n")


def _fault(_: Call | None, fault: Mapping[str, Any]) -> bytes:
    text = json.dumps(plain(fault), ensure_ascii=True)
    body = _marshalled(WireFault(FAULT_CODE, text))
    return f"{_HEAD}<methodResponse>\n{body}</methodResponse>\n".encode()


def _enclosed(start: str, values: tuple[Any, ...], end: str) -> bytes:
    return f"{_HEAD}{start}{_marshalled(values)}{end}".encode()


def _marshalled(values: tuple[Any, ...] | client.Fault) -> str:
    return _Marshaller("utf-8", allow_none=True).dumps(values)


XML_RPC = Protocol("xmlrpc", "text/xml; charset=utf-8", _read_call, _answer, _fault)
