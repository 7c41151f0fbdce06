"""From resource elements to rows put aside by table: nested ones, and the names that records have in a document."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...records import TableSpec
from .parser import text_of
from .patterns import Groups, Pattern
from .rows import Link, Row
from .shapes import Shape
from .spool import ROWS, Spool

NOBODY = Link(None, None)
DIGITS = 18  # of an id that the import takes from a file


@dataclass(slots=True)
class Run:
    """Records of one table that came one after the other and are read together."""

    pattern: Pattern
    lines: list[int] = field(default_factory=list)
    taken: list[Groups] = field(default_factory=list)


class Records:
    """Puts each record of a document aside in a `Spool`; `shapes` are the tables that were met."""

    def __init__(self, specs: Mapping[str, TableSpec], domain: str, spool: Spool) -> None:
        self._specs = {name.lower(): spec for name, spec in specs.items()} | dict(specs)
        self._prefix = f"{domain}/" if domain else ""
        self._spool = spool
        self._numbers = itertools.count()
        self._inline: set[bytes] = set()  # records inside references, which many references may repeat
        self.twice_escaped = False
        self.shapes: dict[str, Shape] = {}
        self.count = 0
        self._runs: dict[str, Run] = {}
        self._settled = 0  # what `count` was
        self._last = Run(Pattern(Shape("", None, 1)))

    def add_small(self, elements: Iterable[Any]) -> None:
        """Put resources of the top level aside, at once where they look like those before."""
        run = self._last
        for element in elements:
            text = text_of(element)
            groups = run.pattern.groups(text)
            if groups is None:
                run = self._run(element)
                groups = run.pattern.groups(text)
            if groups is None:
                self.add(element)
                run.pattern.learn(element)
                continue
            run.lines.append(element.sourceline or 1)
            run.taken.append(groups)
            self.count += 1
        self._last = run
        if self.count - self._settled >= ROWS:
            self.settle()

    def settle(self) -> None:
        """Put aside what waits to be read in whole columns."""
        for name in self._runs:
            self._settle(name)
        self._settled = self.count

    def _run(self, element: Any) -> Run:
        shape = self._shape(element)
        if shape.name not in self._runs:
            self._runs[shape.name] = Run(Pattern(shape))
        return self._runs[shape.name]

    def _shape(self, element: Any) -> Shape:
        name = element.get("name") or ""
        if name not in self.shapes:
            self.shapes[name] = Shape(name, self._specs.get(name) or self._specs.get(name.lower()), element.sourceline or 1)
        return self.shapes[name]

    def _settle(self, name: str) -> None:
        run = self._runs.get(name)
        if run is not None and run.taken:
            self._spool.put(name, run.pattern.rows(run.lines, run.taken, self))
            run.lines, run.taken = [], []

    def add(self, element: Any, parent: Row | None = None, inline: bool = False) -> Link:
        """Put a resource and all that it holds aside; return how to point to it."""
        shape = self._shape(element)
        row = Row(self, shape, element)
        row.read()
        link = row.link() if row.components or inline else NOBODY
        if parent is not None:
            row.join(parent)
        if inline and self._is_told(row):
            return link
        self._settle(shape.name)
        self._spool.put(shape.name, [(row.line, row.cells, row.refusal)])
        self.count += 1
        for component in row.components:
            self.add(component, row)
        return link

    def table(self, name: str) -> str:
        """Return the name that a table of the document has here."""
        known = self._specs.get(name) or self._specs.get(name.lower())
        return known.name if known else name

    def uid(self, uid: str) -> str:
        """Return a uid without this installation's own domain, as Eden's import does."""
        if self._prefix and not uid.startswith("urn:") and uid.strip("/").startswith(self._prefix):
            return uid.strip("/")[len(self._prefix) :]
        return uid

    def uids(self, uids: list[str | None]) -> list[str | None]:
        """Return the same of many."""
        return [uid and self.uid(uid) for uid in uids] if self._prefix else uids

    def number(self, tuid: str | None) -> str:
        """Return the id that stands for a tuid, or a new one: itself where it is a plain number, else digits of its hash.

        Two tuids of one table with the same digits would both be rejected as repeated; there are 9 * 10^17.
        """
        if tuid is not None and tuid.isascii() and tuid.isdecimal() and len(tuid) <= DIGITS and str(int(tuid)) == tuid:
            return tuid
        text = f"t{tuid}" if tuid is not None else f"n{next(self._numbers)}"
        digest = int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
        return str(10 ** (DIGITS - 1) + digest % (9 * 10 ** (DIGITS - 1)))

    def _is_told(self, row: Row) -> bool:
        """Whether a record inside a reference says nothing but its name, or was met before just like this."""
        if not row.named:
            return False
        cells = [(name, cell) for name, cell in zip(row.shape.columns, row.cells, strict=False) if cell is not None]
        if row.refusal is None and all(cell is None for cell in row.cells[row.shape.first :]):
            return True
        text = repr((row.shape.name, sorted(cells), row.refusal))
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        known = digest in self._inline
        self._inline.add(digest)
        return known
