"""JSON-RPC 2.0, one call a request: bytes are base64 texts, times end in Z."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

from .contract import Call, Protocol, malformed, plain

_NUMBERS = {"call": -32600, "sync_error": -32603}
_OURS = -32000  # the standard's number for errors of the server's own


def _read(data: bytes) -> Call:
    try:
        told = json.loads(data.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as exc:
        raise malformed() from exc
    if not isinstance(told, dict) or told.get("jsonrpc", "2.0") != "2.0" or not isinstance(told.get("method"), str):
        raise malformed()
    params, number = told.get("params", []), told.get("id")
    if "id" not in told or isinstance(number, (dict, list)):  # a notification would leave its caller without a word
        raise malformed()
    if isinstance(params, dict):
        return Call(told["method"], names=params, number=number)
    if not isinstance(params, list):
        raise malformed()
    return Call(told["method"], tuple(params), number=number)


def _answer(call: Call, value: Any) -> bytes:
    return _written({"result": plain(value), "id": call.number})


def _fault(call: Call | None, fault: Mapping[str, Any]) -> bytes:
    number = _NUMBERS.get(str(fault.get("error")), _OURS)
    error = {"code": number, "message": plain(fault.get("reason")), "data": plain(fault)}
    return _written({"error": error, "id": call.number if call else None})


def _written(value: Mapping[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **value}, default=_text, ensure_ascii=True).encode("ascii") + b"\n"


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return value.isoformat() + ("Z" if value.tzinfo is None else "")
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


JSON_RPC = Protocol("jsonrpc", "application/json", _read, _answer, _fault)
