"""What a command is given: the application's objects, and the streams it reads and writes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TextIO

from ..instances import Instance
from ..jobs import Imports, Outbox
from ..options import Options
from ..settings import Settings
from ..syncs import Syncs
from .terminal import json_text, printable

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Whether somebody wants the command to stop. A signal raises KeyboardInterrupt, but inside `deferred`."""

    def __init__(self) -> None:
        self.asked = False
        self._deferred = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear the signals, until the end of the block."""
        before = {number: signal.signal(number, self._hear) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Only note, in `asked`, that a signal came."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def _hear(self, number: int, frame: object) -> None:
        self.asked = True
        if not self._deferred:
            raise KeyboardInterrupt


@dataclass(frozen=True, slots=True)
class Context:
    """What the host's model makes: database, settings in force, use cases; and stdin, stdout (bytes), stderr.

    `start` lets a thread do what a job waits for, in the host's surroundings; `syncs` gives what
    talks to other instances.
    """

    db: Any
    settings: Settings
    options: Options
    instance: Instance
    imports: Imports
    outbox: Outbox
    start: Callable[[str], threading.Thread]
    syncs: Callable[[], Syncs]
    stdin: BinaryIO
    stdout: BinaryIO
    stderr: TextIO
    stopping: Stopping = field(default_factory=Stopping)

    def answer(self, text: str) -> None:
        """Write what was asked for to stdout."""
        self.stdout.write(text.encode("utf-8"))
        self.stdout.flush()

    def answer_json(self, value: Any) -> None:
        """Write plain values to stdout as JSON."""
        self.answer(json_text(value))

    def say(self, text: str) -> None:
        """Write a sentence for people to stderr."""
        self.stderr.write(printable(text) + "\n")
        self.stderr.flush()
