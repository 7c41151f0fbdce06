"""What a command's exit code says: a table by kind of error, after the usual sysexits where there is one.

docs/command-line.md has the same table; a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from ..errors import (
    AddressRefused,
    CallRefused,
    Cancelled,
    CheckOutdated,
    FileProblem,
    PeerError,
    PeerSilent,
    RowsRejected,
    SettingsError,
    StoreBusy,
    StoreError,
    SyncError,
    TableRefused,
)


class Exit(IntEnum):
    """The exit codes; argparse itself uses USAGE, Python FAULT."""

    DONE = 0
    FAULT = 1  # unexpected: a traceback is on stderr
    USAGE = 2
    CHANGES = 3  # of a check: importing the file would change something
    REJECTED = 4  # rows cannot be taken: they were left out, or with --strict nothing was imported
    FILE = 65
    UNREADABLE = 66
    DATABASE = 69
    UNWRITABLE = 73
    BUSY = 75  # the same command may succeed in a minute
    PEER = 76
    REFUSED = 77
    SETTINGS = 78
    CANCELLED = 130
    BROKEN_PIPE = 141


# The more special kind stands first.
BY_ERROR: Mapping[type[SyncError], Exit] = {
    FileProblem: Exit.FILE,
    RowsRejected: Exit.REJECTED,
    CheckOutdated: Exit.BUSY,
    TableRefused: Exit.REFUSED,
    SettingsError: Exit.SETTINGS,
    StoreBusy: Exit.BUSY,
    StoreError: Exit.DATABASE,
    PeerSilent: Exit.BUSY,
    PeerError: Exit.PEER,
    CallRefused: Exit.PEER,
    AddressRefused: Exit.REFUSED,
    Cancelled: Exit.CANCELLED,
    SyncError: Exit.FAULT,
}


class Refusal(Exception):
    """What only a command line can get wrong: a file that cannot be opened, an answer that was no."""

    def __init__(self, exit_code: Exit, message: str, hint: str = "") -> None:
        self.exit_code, self.message, self.hint = exit_code, message, hint
        super().__init__(message)

    def to_dict(self) -> dict[str, object]:
        """Return the refusal as plain values, like an error of the engine."""
        return {"error": self.exit_code.name.lower(), "reason": self.message, "hint": self.hint}


def exit_of(error: SyncError) -> Exit:
    """Return the exit code of an error."""
    return next(code for kind, code in BY_ERROR.items() if isinstance(error, kind))


def exit_of_code(code: object) -> Exit:
    """Return the exit code of an error that a job remembers by its `code`."""
    kinds = [SyncError]
    for kind in kinds:
        if kind.code == code:
            return next(found for known, found in BY_ERROR.items() if issubclass(kind, known))
        kinds += kind.__subclasses__()
    return Exit.FAULT
