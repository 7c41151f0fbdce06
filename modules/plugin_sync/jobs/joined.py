"""Boards of jobs that belong together: a synchronisation, and the import of what it received."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from .boards import Board
from .progress import BROUGHT_IN, Progress
from .watching import Watch


@dataclass(frozen=True, slots=True)
class CalmBoard:
    """The board of a job that waits for others most of the time: none of its statements is broken off, it looks itself."""

    board: Board

    def hold(self) -> bool:
        """See Board."""
        return self.board.hold()

    def show(self, progress: Progress) -> None:
        """See Board."""
        self.board.show(progress)

    def stop_asked(self) -> bool:
        """See Board."""
        return self.board.stop_asked()

    def interrupter(self) -> Callable[[], None]:
        """Return a function that does nothing: the statement that runs may be a part's, whose own board sees to it."""
        return lambda: None

    def close(self) -> None:
        """See Board."""
        self.board.close()

    def is_held(self) -> bool:
        """See Board."""
        return self.board.is_held()

    def read(self) -> Progress | None:
        """See Board."""
        return self.board.read()

    def ask_stop(self) -> None:
        """See Board."""
        self.board.ask_stop()


@dataclass(frozen=True, slots=True)
class PartBoard(CalmBoard):
    """The board of a part: it is stopped with the whole, and shows there too how far it is."""

    watch: Watch

    def show(self, progress: Progress) -> None:
        """Show it on both; of the whole it is a share."""
        self.board.show(progress)
        start, end = BROUGHT_IN
        self.watch.relay(replace(progress, permille=start + (end - start) * progress.permille // 1000, left_s=None))

    def stop_asked(self) -> bool:
        """Whether one of the two shall stop."""
        return self.watch.stopping or self.board.stop_asked()

    def interrupter(self) -> Callable[[], None]:
        """Return the part's own."""
        return self.board.interrupter()
