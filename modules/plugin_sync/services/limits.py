"""How much a caller may ask for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..errors import TooBusy
from ..jobs import MAX_UPLOAD_BYTES


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a call's body, of the data in one call, of a piece of a transfer, of a transfer, of transfers a caller has open."""

    body_bytes: int = 24 << 20
    data_bytes: int = 16 << 20
    piece_bytes: int = 4 << 20
    transfer_bytes: int = MAX_UPLOAD_BYTES
    open_transfers: int = 8
    wait_s: float = 20.0  # how long a call waits for an import


class Turnstile:
    """Lets so many calls in at once, in this process; the others are told to come again."""

    def __init__(self, places: int) -> None:
        self._places = threading.BoundedSemaphore(places)

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Hold a place; TooBusy when there is none."""
        if not self._places.acquire(blocking=False):
            raise TooBusy("too many calls are being answered at this moment", hint="Try again in a minute.")
        try:
            yield
        finally:
            self._places.release()
