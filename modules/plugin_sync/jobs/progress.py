"""How far a running job is, as a value: what the boards keep and the pages show. Pure but for the clock it is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from .rows import Step

SURE_AFTER_S = 2.0
SURE_ABOVE = 50  # per mille; before, the time that is left is anybody's guess


class Phase(StrEnum):
    """What a job is busy with; `importer` names those of an import."""

    READING = "reading"
    WAITING = "waiting"
    COMPARING = "comparing"
    WRITING = "writing"
    FINISHING = "finishing"
    ASKING = "asking"  # and these of a synchronisation
    RECEIVING = "receiving"
    SENDING = "sending"
    TAKING = "taking"


# Where a phase begins and ends, per mille of the whole, as measured with new rows on the three databases.
SPANS: Mapping[Step, Mapping[Phase, tuple[int, int]]] = {
    Step.CHECK: {Phase.READING: (0, 600), Phase.COMPARING: (600, 1000)},
    Step.APPLY: {
        Phase.READING: (0, 480),
        Phase.WAITING: (480, 480),
        Phase.COMPARING: (480, 820),
        Phase.WRITING: (820, 950),
        Phase.FINISHING: (950, 1000),
    },
    Step.UNDO: {
        Phase.READING: (0, 600),
        Phase.WAITING: (600, 600),
        Phase.COMPARING: (600, 800),
        Phase.WRITING: (800, 900),
        Phase.FINISHING: (900, 1000),
    },
    Step.SYNC: {
        Phase.ASKING: (0, 20),
        Phase.RECEIVING: (20, 300),
        Phase.SENDING: (550, 800),
        Phase.TAKING: (800, 1000),
    },
}
BROUGHT_IN = (300, 550)  # the import of what a synchronisation received


@dataclass(frozen=True, slots=True)
class Progress:
    """Phase, table, rows done of rows in all (0 when that is unknown), the whole per mille, and seconds left if known."""

    phase: str
    table: str = ""
    rows: int = 0
    total: int = 0
    permille: int = 0
    left_s: int | None = None

    def dump(self) -> str:
        """Return it as one line of ASCII."""
        return json.dumps(asdict(self), ensure_ascii=True, separators=(",", ":"))


def load_progress(text: str | None) -> Progress | None:
    """Return what `dump` wrote; None for nothing."""
    return Progress(**json.loads(text)) if text else None


@dataclass(slots=True)
class Meter:
    """Turns what a step reports into Progress that never goes back. `rows` is how many its file holds, 0 if unknown."""

    step: Step
    rows: int
    clock: Callable[[], float]
    started: float = field(init=False)
    _before: int = 0
    _table: str = ""
    _latest: int = 0
    _highest: int = 0

    def __post_init__(self) -> None:
        self.started = self.clock()

    def read(self, table: str, rows: int, part: float) -> Progress:
        """Note the rows read of a table, and the part of the file's bytes, which counts where its rows are unknown."""
        if table != self._table:
            self._before, self._table = self._before + self._latest, table
        self._latest = rows
        done = self._before + rows
        return self._progress(Phase.READING, table, done, self.rows, min(done / self.rows, 1.0) if self.rows else part)

    def entered(self, phase: str, table: str, rows: int, total: int) -> Progress:
        """Note that a later phase, or its next table, begins after `rows` of `total`."""
        return self._progress(Phase(phase), table, rows, total, rows / total if total else 0.0)

    def _progress(self, phase: Phase, table: str, rows: int, total: int, part: float) -> Progress:
        start, end = SPANS[self.step].get(phase, (0, 0))
        self._highest = max(self._highest, int(start + (end - start) * part))
        return Progress(phase, table, rows, total, self._highest, self._left())

    def _left(self) -> int | None:
        elapsed = self.clock() - self.started
        if elapsed < SURE_AFTER_S or self._highest < SURE_ABOVE:
            return None
        return round(elapsed * (1000 - self._highest) / self._highest)
