"""Records that look like those before: the regular expression that takes one apart at a time. Pure.

It is matched against the text that lxml makes of a parsed element, which has one form whatever the document's was: no
comment, no CDATA, double quotes, `<` only where a tag is. A call for each child costs three times as much. What does not
match is read child by child, in rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from ...values import NULL, Fault
from .cells import READ, Read
from .shapes import ATTRIBUTES, Shape
from .spool import Refusal, Spooled

Groups = Sequence[str | None]
Cells = list[str | None]
T = TypeVar("T")

ESCAPE = re.compile("&[^;]*;")
MEANING = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#9;": "\t", "&#10;": "\n", "&#13;": "\r"}
NOTHING = ' null="true"'
DATA = r'<data field="{}"( value="[^"]++"| null="true"(?=/>)|>[^<]++)(?:/>|(?:>[^<]*+)?</data>)'
REFERENCE = r'<reference field="{}" resource="{}"( uuid="[^"]++"| null="true"(?=/>))(?:/>|>[^<]*+</reference>)'
SAID, ANY = '"([^"]++)"', '"([^"]*+)"'
BOOLEANS = {' value="true"': "True", ' value="false"': "False", NOTHING: NULL}
MAX_LEARNED = 20  # patterns of a table; each is compiled


class Names(Protocol):
    """What knows how records are called."""

    def uids(self, uids: list[str | None]) -> list[str | None]:
        """Return uids without this installation's own domain."""

    def number(self, tuid: str | None) -> str:
        """Return the id that stands for a tuid."""


class Child(NamedTuple):
    """What a record holds: `resource` is "" for data."""

    field: str
    resource: str


@dataclass(slots=True)
class Pattern:
    """What the records of a table were seen to say, in which order, all of it optional; `matches` is None when nothing
    can be taken at once.
    """

    shape: Shape
    attributes: list[str] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)
    matches: Callable[[str], re.Match[str] | None] | None = None
    learned: int = 0

    def groups(self, text: str) -> Groups | None:
        """Return what a record says, piece by piece; None when it has to be read child by child."""
        match = self.matches(text) if self.matches is not None else None
        if match is None or ("&" in text and not MEANING.keys() >= set(ESCAPE.findall(text))):
            return None
        return match.groups()

    def learn(self, element: Any) -> None:
        """Take note of the form of a record that did not match."""
        attributes = [name for name in element.keys() if name != "name"]  # noqa: SIM118  # lxml's, no dictionary
        children = [Child(child.get("field") or "", child.get("resource") or "") for child in element]
        known = all((c.resource == "" and c.field in self.shape.values) or c in self.shape.pointers for c in children)
        usual = known and children and all(map(str.isidentifier, (self.shape.name, *attributes)))
        if not usual or self.learned >= MAX_LEARNED:
            return
        form = merged(self.attributes, attributes), merged(self.children, children)
        if form != (self.attributes, self.children):
            self.attributes, self.children = form
            self.learned += 1
            self.matches = re.compile(self._expression()).fullmatch

    def _expression(self) -> str:
        attributes = (f"(?: {name}={SAID if name in ATTRIBUTES else ANY})?" for name in map(re.escape, self.attributes))
        forms = ((REFERENCE if c.resource else DATA).format(*map(re.escape, c)) for c in self.children)
        start = f'<resource name="{re.escape(self.shape.name)}"{"".join(attributes)}>'
        return f"{start}{''.join(f'(?:[^<]*+{form})?+' for form in forms)}[^<]*+</resource>"

    def rows(self, lines: Sequence[int], taken: Sequence[Groups], names: Names) -> list[Spooled]:
        """Return records as rows to put aside, as `Row` makes them; the first fault of each is kept."""
        shape, count = self.shape, len(taken)
        columns: list[Cells] = [[NULL if at < shape.first else None] * count for at in range(len(shape.columns))]
        refusals: dict[int, Refusal] = {}
        pieces = iter(zip(*taken, strict=True))
        for name, said in zip(self.attributes, pieces, strict=False):
            self._put_attribute(columns, name, said, names, refusals)
        for child, said in zip(self.children, pieces, strict=True):
            if child.resource:
                at = shape.pointers[child]
                _over(columns, at, [s and NULL for s in said])
                _over(columns, at + 1, names.uids([s and (NULL if s == NOTHING else plain(s[7:-1])) for s in said]))
            else:
                at, read = shape.values[child.field]
                _over(columns, at, column_of(child.field, read, said, refusals))
        cells = map(list, zip(*columns, strict=True))
        return [(line, row, refusals.get(index)) for index, (line, row) in enumerate(zip(lines, cells, strict=True))]

    def _put_attribute(self, columns: list[Cells], name: str, said: Groups, names: Names, refusals: dict[int, Refusal]) -> None:
        shape, spec = self.shape, self.shape.spec
        if spec is None:
            return
        if name == "uuid" and spec.uuid_name:
            _over(columns, shape.columns[spec.uuid_name], names.uids([plain(s) if s and s.strip() else None for s in said]))
        elif name == "tuid" and spec.id_name:
            _over(columns, shape.columns[spec.id_name], [None if s is None else names.number(plain(s)) for s in said])
        elif name in ATTRIBUTES:
            found, column = shape.field(name)
            if found is not None and found.target is None:
                pieces = [s and f' value="{s}"' for s in said]
                _over(columns, shape.at(column), column_of(name, READ[found.type], pieces, refusals))


def merged(old: Sequence[T], new: Sequence[T]) -> list[T]:
    """Return both in one order; the new alone where they contradict each other."""
    both, at = list(old), 0
    for item in new:
        if item not in both:
            both.insert(at, item)
        elif both.index(item) < at:
            return list(new)
        at = both.index(item) + 1
    return both


def plain(text: str) -> str:
    """Return what a text of XML says."""
    return ESCAPE.sub(lambda match: MEANING[match[0]], text) if "&" in text else text


def column_of(name: str, read: Read, pieces: Groups, refusals: dict[int, Refusal]) -> Cells:
    """Return the cells of a column; where one cannot be read there is none, and the reason goes to `refusals`."""
    try:
        return QUICK.get(read, _column)(pieces, read)
    except Fault:
        return [_cell_or_refusal(name, read, piece, index, refusals) for index, piece in enumerate(pieces)]


def _cell_or_refusal(name: str, read: Read, piece: str | None, index: int, refusals: dict[int, Refusal]) -> str | None:
    try:
        return _cell(piece, read) if piece else None
    except Fault as fault:
        said = plain(piece[8:-1] if piece and piece[0] == " " else (piece or "")[1:])
        refusals.setdefault(index, (fault.code, str(fault), name, said[:200], ""))
        return None


def _cell(piece: str, read: Read) -> str:
    if piece == NOTHING:
        return NULL
    return read(plain(piece[8:-1]), True) if piece[0] == " " else read(plain(piece[1:]), False)


def _column(pieces: Groups, read: Read) -> Cells:
    return [p and _cell(p, read) for p in pieces]


def _texts(pieces: Groups, read: Read) -> Cells:
    return [p and (p[1:] if p[0] == ">" and "&" not in p else _cell(p, read)) for p in pieces]


def _scalars(pieces: Groups, read: Read) -> Cells:
    said = "".join(filter(None, pieces))
    if "&" in said or ">" in said or '"null"' in said:
        return _column(pieces, read)
    return [p and (NULL if p == NOTHING else p[8:-1]) for p in pieces]


def _booleans(pieces: Groups, read: Read) -> Cells:
    return [p and (BOOLEANS.get(p) or _cell(p, read)) for p in pieces]


def _moments(pieces: Groups, read: Read) -> Cells:
    return [
        p and (f"{p[8:18]} {p[19:-1]}" if p[18:19] == "T" and p[0] == " " and "&" not in p else _cell(p, read)) for p in pieces
    ]


def _over(columns: list[Cells], at: int, cells: Cells) -> None:
    """Put cells into a column; those that are not said leave what is there."""
    before = columns[at]
    columns[at] = [b if c is None else c for b, c in zip(before, cells, strict=True)] if None in cells else cells


QUICK: dict[Read, Callable[[Groups, Read], Cells]] = {
    READ["text"]: _texts,
    READ["integer"]: _scalars,
    READ["boolean"]: _booleans,
    READ["datetime"]: _moments,
}  # how a whole column is read, by how one of its cells is
