"""A running job's watch: a thread that shows its progress to others and listens whether it shall stop.

The job itself only notes how far it is. A statement that runs long is broken off from the thread.
"""

from __future__ import annotations

import threading

from ..errors import Cancelled, StoreError
from .boards import Board
from .progress import Progress

PERIOD_S = 0.25


class Watch:
    """Watches from its making to `close`. The board must be held."""

    def __init__(self, board: Board) -> None:
        self._board, self._interrupt = board, board.interrupter()
        self._progress: Progress | None = None
        self._ended = threading.Event()
        self._stopping = threading.Event()
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._watch, name="plugin_sync watch", daemon=True)
        self._thread.start()

    @property
    def stopping(self) -> bool:
        """Whether the job was asked to stop."""
        return self._stopping.is_set()

    def note(self, progress: Progress) -> None:
        """Take over how far the job is; raises Cancelled when it shall stop."""
        self._progress = progress
        self.require()

    def relay(self, progress: Progress) -> None:
        """Take over how far a part of the job is, from a thread that is not to be stopped here."""
        self._progress = progress

    def require(self) -> None:
        """Raise Cancelled when the job shall stop, StoreError when its lock may be lost."""
        if self._fault is not None:
            raise StoreError("the connection that holds the job's lock failed", hint="Run it again.") from self._fault
        if self.stopping:
            raise Cancelled("it was cancelled")

    def close(self) -> None:
        """End the thread: from now on nothing is broken off any more."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        shown = None
        try:
            while not self._ended.wait(PERIOD_S):
                progress = self._progress
                if progress is not shown and progress is not None:
                    self._board.show(progress)
                    shown = progress
                if self.stopping or self._board.stop_asked():
                    self._stopping.set()
                    self._interrupt()  # again and again: the first may come between two statements
        except Exception as fault:  # whatever it is, it is raised in the job's own thread
            self._fault = fault
