"""POST over HTTPS to the one address that was judged: verified, no redirects, with limits of time and size.

The one module that opens connections to other instances.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..addresses import Place
from ..errors import PeerError, PeerSilent

PIECE_BYTES = 1 << 16
MAX_ANSWER_BYTES = 24 << 20


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds: for a connection, for each piece of an answer, for all of it."""

    connect_s: float = 10.0
    read_s: float = 20.0
    total_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    status: int
    body: bytes
    date: str = ""


class _Pinned(http.client.HTTPConnection):
    """Connects to an address that was resolved before; the name only serves the Host header and the certificate."""

    def __init__(self, place: Place, patience: Patience, context: ssl.SSLContext | None) -> None:
        super().__init__(place.host, place.port, timeout=patience.connect_s)
        self._place, self._patience, self._context = place, patience, context

    def connect(self) -> None:
        """Connect, and let each read wait as long as it may."""
        self.sock = socket.create_connection((self._place.ip, self._place.port), self._patience.connect_s)
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self._place.host)
        self.sock.settimeout(self._patience.read_s)


@dataclass(frozen=True, slots=True)
class Http:
    """Posts to one place. `context` None: the system's certificates are trusted; there is no way not to verify."""

    place: Place
    patience: Patience = Patience()
    context: ssl.SSLContext | None = field(default=None)

    def post(self, path: str, body: bytes, headers: Mapping[str, str], timeout_s: float | None = None) -> Reply:
        """Send a body and return what was answered, whatever its status.

        `timeout_s` lets the answer begin later than `patience` says. Raises PeerSilent, or PeerError where the
        certificate is not good or the answer is too large.
        """
        patience = self.patience
        if timeout_s is not None:
            patience = Patience(patience.connect_s, timeout_s, max(timeout_s, patience.total_s))
        context = (self.context or ssl.create_default_context()) if self.place.scheme == "https" else None
        connection = _Pinned(self.place, patience, context)
        said = {**headers, "Host": self.place.authority, "Content-Length": str(len(body)), "Connection": "close"}
        started = time.monotonic()
        with contextlib.closing(connection), _translated(patience, started), _ended_after(connection, patience.total_s):
            connection.request("POST", f"{self.place.path}{path}", body, said)
            reply = _read(connection.getresponse())
        if time.monotonic() - started >= patience.total_s:  # the connection was ended, and heads that break off look whole
            raise _silent(time.monotonic() - started)
        return reply


def _read(answer: http.client.HTTPResponse) -> Reply:
    pieces, size = [], 0
    while piece := answer.read(PIECE_BYTES):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            raise PeerError("what it answered is too large", hint="Is its web address right?")
    if answer.length or (size == 0 and answer.length is None):  # fewer bytes came than were announced, or its head broke off
        raise http.client.IncompleteRead(b"", answer.length)
    return Reply(answer.status, b"".join(pieces), answer.headers.get("Date", ""))


@contextlib.contextmanager
def _ended_after(connection: _Pinned, seconds: float) -> Iterator[None]:
    """End a connection when time is up, however it drips: each read alone would be in time."""

    def end() -> None:
        with contextlib.suppress(OSError):
            if connection.sock is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def _translated(patience: Patience, started: float) -> Iterator[None]:
    """Turn what sockets, TLS and HTTP raise into errors of ours."""
    try:
        yield
    except ssl.SSLCertVerificationError as exc:
        hint = "The web address must be the one that the certificate is for, and the certificate be valid."
        raise PeerError("its certificate cannot be trusted", hint=hint) from exc
    except TimeoutError as exc:
        raise _silent(time.monotonic() - started) from exc
    except (OSError, http.client.HTTPException) as exc:
        waited = time.monotonic() - started
        if waited >= patience.total_s:
            raise _silent(waited) from exc
        if isinstance(exc, ConnectionRefusedError):
            raise PeerSilent("nothing answers at its web address", hint="Is its server running?") from exc
        if isinstance(exc, (http.client.BadStatusLine, http.client.LineTooLong)) and not isinstance(exc, ConnectionError):
            raise PeerError("what it answered cannot be read", hint="Is its web address right?") from exc
        raise PeerSilent("the connection to it broke off", hint="Try again when the network is better.") from exc


def _silent(seconds: float) -> PeerSilent:
    return PeerSilent(f"it did not answer ({max(1, round(seconds))} s)", hint="Try again when the network is better.")
