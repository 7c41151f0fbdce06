"""What the parent asks of a child process, and what the child answers; both travel as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

OPERATIONS = {
    "empty": "import into empty tables",
    "unchanged": "import of unchanged data",
    "newer": "import of newer data",
    "export": "export",
}
EDITION_OF = {"empty": "base", "unchanged": "base", "newer": "newer", "export": "base"}
STATE_OF = {"empty": "empty", "unchanged": "full", "newer": "full", "export": "full"}


@dataclass(frozen=True, slots=True)
class Task:
    """One measurement. `connection` is what the driver's connect() takes, `raw_files` are by table."""

    contender: str
    operation: str
    engine: str
    uri: str
    folder: str
    connection: dict[str, Any]
    driver_args: dict[str, Any]
    stock_file: str
    raw_files: dict[str, str]
    output: str

    def to_json(self) -> str:
        """Return the text that a child is given."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a child measured, or why it could not.

    `start_bytes` of memory is after imports and before connecting; `cpu_s` is this process's, not the server's.
    """

    seconds: float = 0.0
    cpu_s: float = 0.0
    start_bytes: int = 0
    peak_bytes: int = 0
    lock_s: float | None = None
    unavailable: str = ""
    failed: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there is a measurement."""
        return not self.unavailable and not self.failed


class Unavailable(Exception):
    """Raised by a contender that cannot do a task where it runs."""


Outcome = dict[str, Any]  # details a contender reports of its work; "lock_s" is shown in the table
Job = Callable[[], Outcome | None]
Prepare = Callable[[Task], Job]  # connects; the job that it returns is what is timed, commit included
