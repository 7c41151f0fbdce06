"""What a protocol of calls is: it reads a call and writes its answer. Values in between are plain ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Any

from ..errors import CallRefused

MAX_DEPTH = 32
# What XML cannot hold; such characters, in what a file held, must not break an answer or a log.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Call:
    """A method's name and its parameters, by place or by name; `number` is given back with the answer."""

    method: str
    places: tuple[Any, ...] = ()
    names: Mapping[str, Any] = field(default_factory=dict)
    number: Any = None


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way of calling: how calls are read (CallRefused for what is none), answers and faults written.

    A fault is a SyncError's to_dict().
    """

    name: str
    content_type: str
    read: Callable[[bytes], Call]
    answer: Callable[[Call, Any], bytes]
    fault: Callable[[Call | None, Mapping[str, Any]], bytes]


def find_protocol(protocols: Mapping[str, Protocol], name: str) -> Protocol:
    """Return a protocol by its name; CallRefused when there is none."""
    try:
        return protocols[name]
    except KeyError as exc:
        hint = f"Use one of: {', '.join(protocols)}."
        raise CallRefused("there is no service at this address", hint=hint) from exc


def malformed() -> CallRefused:
    """The error for what is no call; what exactly is wrong with it stands in the log."""
    return CallRefused("the call cannot be read", hint="Its form is described in docs/services.md.")


def plain(value: Any) -> Any:
    """Return a value made of what every protocol has: days become texts, controls in texts become spaces."""
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    return value


def clean(text: str) -> str:
    """Return a text without control characters."""
    return _CONTROL.sub(" ", text)
