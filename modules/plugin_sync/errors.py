"""The engine's one error tree.

    SyncError                      anything that stops a use case; the database is untouched
    |-- FileProblem                the file itself cannot be taken
    |   |-- FileIncomplete         cut short: no END, cut in a cell, fewer rows than its footer counts
    |   |-- FileAltered            its bytes are not those its footer was made for
    |   |-- FileFormatError        not a table file at all, wrong delimiter, spreadsheet damage
    |   |-- FileEncodingError      not UTF-8
    |   `-- SignatureRefused       not signed by whom it should be
    |-- RowsRejected               strict import: rows, columns or tables cannot be taken
    |-- CheckOutdated              records were edited between a check and its import
    |-- TableRefused               a table that never travels (credentials, sessions, the plugin's own)
    |-- SettingsError              a policy, table, module or match key that does not exist
    |-- StoreError                 the database refused a statement
    |   `-- StoreBusy              another import or writer holds the database (retryable)
    |-- PeerError                  another instance refused, or what it answered cannot be used
    |   `-- PeerSilent             it did not answer, or not to the end (retryable)
    |-- AddressRefused             an address that this instance must not call
    |-- CallRefused                a call to the services that is not one
    |   |-- AccessRefused          the caller has no right to it
    |   |-- ClockDiffers           the caller's clock differs too much
    |   |-- TooLarge               the call or the answer is too large
    |   `-- TooBusy                too many calls at once (retryable)
    `-- Cancelled                  the caller's progress callback asked to stop

Each error has a stable `code`, says `where` (table, line, column), and gives a `hint`: what the operator does next.
Foreign exceptions are translated once, at the adapter, with `raise ... from exc`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .records import Problem


class SyncError(Exception):
    """Base of all errors. `str(error)` is one sentence with its place, `hint` says what to do."""

    code = "sync_error"
    retryable = False

    def __init__(
        self,
        message: str,
        *,
        table: str | None = None,
        line: int | None = None,
        column: str | None = None,
        hint: str = "",
    ) -> None:
        self.message = message
        self.table = table
        self.line = line
        self.column = column
        self.hint = hint
        super().__init__(message)

    @property
    def where(self) -> str:
        """The place as text, for example `table pr_person, line 12, column dob`; empty when there is none."""
        places = (("table", self.table), ("line", self.line), ("column", self.column))
        return ", ".join(f"{name} {value}" for name, value in places if value is not None)

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text.rstrip('.')}. {self.hint}" if self.hint else text

    def to_dict(self) -> dict[str, object]:
        """Return the error as plain values for a page, an API answer or a log."""
        return {
            "error": self.code,
            "reason": self.message,
            "hint": self.hint,
            "table": self.table,
            "line": self.line,
            "column": self.column,
            "retryable": self.retryable,
        }


class FileProblem(SyncError):
    """The file itself cannot be taken."""

    code = "file"


class FileIncomplete(FileProblem):
    """The file is cut short."""

    code = "file_incomplete"


class FileAltered(FileProblem):
    """The file's bytes are not those that its footer was made for."""

    code = "file_altered"


class FileFormatError(FileProblem):
    """The file is not laid out as table files are."""

    code = "file_format"


class FileEncodingError(FileProblem):
    """The file is not text in UTF-8."""

    code = "file_encoding"


class SignatureRefused(FileProblem):
    """The file is not signed, or not by the office that it says it comes from, or its signature is wrong."""

    code = "signature"


class RowsRejected(SyncError):
    """A strict import met problems; the message names the first and `problems` carries all that were kept."""

    code = "rows_rejected"

    def __init__(self, problems: Sequence[Problem], total: int) -> None:
        first = problems[0]
        more = " (and 1 more problem)" if total == 2 else f" (and {total - 1} more problems)" if total > 1 else ""
        super().__init__(first.message + more, table=first.table, line=first.line, column=first.column, hint=first.hint)
        self.problems = tuple(problems)
        self.total = total


class CheckOutdated(SyncError):
    """Records were edited since the file was checked; `count` of them would now be decided on otherwise."""

    code = "check_outdated"

    def __init__(self, count: int) -> None:
        records = "1 of these records was" if count == 1 else f"{count:,} of these records were"
        super().__init__(f"{records} edited since", hint="Check the file again.")
        self.count = count


class TableRefused(SyncError):
    """The file holds a table that no setting lets in."""

    code = "table_refused"


class SettingsError(SyncError):
    """A policy, table, module or match key that does not exist."""

    code = "settings"


class StoreError(SyncError):
    """The database refused a statement; nothing was written."""

    code = "store"


class StoreBusy(StoreError):
    """Another import or writer holds the database."""

    code = "store_busy"
    retryable = True


class PeerError(SyncError):
    """Another instance refused what it was asked, or its answer cannot be used."""

    code = "peer"


class PeerSilent(PeerError):
    """Another instance did not answer, or its answer broke off."""

    code = "peer_silent"
    retryable = True


class AddressRefused(SyncError):
    """An address that this instance must not call."""

    code = "address"


class CallRefused(SyncError):
    """A call to the services that names no method, or not its parameters."""

    code = "call"


class AccessRefused(CallRefused):
    """The caller has no right to the services, or to what was asked.

    `detail` is for the log, of a caller who is not known: he is told the same whatever it was.
    """

    code = "access"
    detail = ""


class ClockDiffers(CallRefused):
    """The time of a signed call is too far from the time here."""

    code = "clock"


class TooLarge(CallRefused):
    """A call or its answer would be larger than this instance allows."""

    code = "too_large"


class TooBusy(CallRefused):
    """Too many calls are being answered at this moment."""

    code = "too_busy"
    retryable = True


class Cancelled(SyncError):
    """The caller asked to stop; nothing was written."""

    code = "cancelled"
