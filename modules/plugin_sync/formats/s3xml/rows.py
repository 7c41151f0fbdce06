"""One resource element as a row of cells: its values and its references.

A column that the record does not mention stays None: Eden leaves such a field as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from ...records import FieldSpec, Problem, TableSpec
from ...values import NULL, Fault
from .cells import EMPTY_COUNTS, READ, Read, bars, own_cell, parsed, unquoted
from .shapes import ATTRIBUTES, COMPANION, IGNORED, Shape
from .spool import Refusal


class Link(NamedTuple):
    """How a record is pointed to: by its uuid, else by its number in the document."""

    uuid: str | None
    number: str | None


class Document(Protocol):
    """What a row has to know of the document that it stands in."""

    twice_escaped: bool  # texts are escaped twice, as in 2010

    def add(self, element: Any, parent: Row | None = None, inline: bool = False) -> Link:
        """Take a resource inside a reference; return how to point to it."""

    def table(self, name: str) -> str:
        """Return the name that a table of the document has here."""

    def uid(self, uid: str) -> str:
        """Return a uid without this installation's own domain."""

    def number(self, tuid: str | None) -> str:
        """Return the id that stands for a tuid, or a new one."""


class Row:
    """One record: its cells as far as they are known, and the first reason why it cannot be taken."""

    def __init__(self, document: Document, shape: Shape, element: Any) -> None:
        self._document, self.shape, self._element = document, shape, element
        self.line: int = element.sourceline or 1
        self.cells: list[str | None] = [NULL] * shape.first + [None] * (len(shape.columns) - shape.first)
        self.refusal: Refusal | None = None
        self.named = False
        self.components: list[Any] = []
        self._pointed: set[str] = set()  # references that the record gives

    def read(self) -> None:
        """Take what the element says of the record itself."""
        for name, said in self._element.items():
            if name == "uuid":
                self._name(said)
            elif name == "tuid":
                self._set_id(self._document.number(said))
                self.named = True
            elif name in ATTRIBUTES and self.shape.spec is not None and self.shape.field(name)[0] is not None:
                self._take(name, said, is_value=True)
        if self._document.twice_escaped:
            self._children(self._element)
        else:
            self._usual_children()

    def _children(self, children: Iterable[Any]) -> None:
        for child in children:
            if child.tag == "data":
                self._data(child)
            elif child.tag == "reference":
                self._reference(child)
            elif child.tag == "resource":
                self.components.append(child)

    def _usual_children(self) -> None:
        """Take what the record holds: a value, a text, NULL, a uuid at once, all else as `_children` does.

        Nearly all are such, and a call for each of them would double the time that a document takes.
        """
        cells, values, pointers = self.cells, self.shape.values, self.shape.pointers
        for child in self._element:
            if child.tag == "data":
                known = values.get(child.get("field"))
                said = child.get("value")
                if known is not None and not len(child):
                    at, read = known
                    try:
                        if said:
                            cells[at] = read(said, True)
                            continue
                        text = child.text
                        if said is None and text:
                            cells[at] = read(text, False)
                            continue
                    except Fault:
                        pass
                    if said is None and child.get("null") == "true":
                        cells[at] = NULL
                        continue
            elif child.tag == "reference":
                uid = child.get("uuid")
                name = child.get("field")
                place = pointers.get((name, child.get("resource"))) if uid and not len(child) else None
                if place is not None:
                    cells[place], cells[place + 1] = NULL, self._document.uid(uid)
                    self._pointed.add(name)
                    continue
            self._children((child,))

    def link(self) -> Link:
        """Return how to point to the record; it gets a number when nothing else names it."""
        uuid, number = self._cell(self._uuid_name), self._cell(self._id_name)
        if uuid is None and number is None:
            number = self._document.number(None)
            self._set_id(number)
        return Link(uuid, number)

    def join(self, parent: Row) -> None:
        """Let a component point to the record that it stands in."""
        spec, above = self.shape.spec, parent.shape.spec
        if spec is None or above is None:
            return
        fields = [f for f in spec.references if f.target == above.name and f.is_reference]
        if any(f.name in self._pointed for f in fields):
            return
        chosen = _joining(fields, above, self._element.get("alias"))
        if chosen is not None:
            self._point(chosen, parent.link())
        elif not self._join_by_shared(parent):
            hint = "Give it a reference to the record that it belongs to."
            message = f"stands inside a record of {above.name}, but has no column that points there"
            self._refuse(Problem("not_joined", message, hint=hint))

    def _join_by_shared(self, parent: Row) -> bool:
        """Take over what both records point to, such as Eden's pe_id; return whether there is any such column."""
        above = parent.shape.spec
        for one in self.shape.spec.references if self.shape.spec and above else ():
            other = above.field(one.name) if above else None
            if other is not None and other.target == one.target and one.is_reference:
                if one.name not in self._pointed:
                    for column in (one.name, one.name + COMPANION):
                        self._put(column, parent._cell(column))
                return True
        return False

    # ---- the record's own name

    @property
    def _uuid_name(self) -> str | None:
        return self.shape.spec.uuid_name if self.shape.spec else None

    @property
    def _id_name(self) -> str | None:
        return self.shape.spec.id_name if self.shape.spec else None

    def _name(self, said: str) -> None:
        if self._uuid_name and said.strip():  # Eden passes over the uuid of a table that has none
            self._put(self._uuid_name, self._document.uid(said))
            self.named = True

    def _set_id(self, number: str) -> None:
        if self._id_name:
            self._put(self._id_name, number)

    # ---- values

    def _data(self, child: Any) -> None:
        name, value, text = child.get("field"), child.get("value"), child.text or ""
        if not name or name in IGNORED:
            return
        if len(child):
            self._refuse(Problem("bad_value", "holds elements where a value should be", column=name))
        elif value is not None:
            self._take(name, value, is_value=True)
        elif text:
            self._take(name, text, is_value=False)
        elif child.get("null") == "true":
            self._set(name, NULL)
        elif (own := child.get("cell")) is not None:
            self._guarded(name, own, lambda: own_cell(own))
        elif child.get("url") is not None or child.get("filename") is not None:
            self._upload(name, child)
        else:
            self._take(name, "", is_value=False)

    def _take(self, name: str, said: str, is_value: bool) -> None:
        """Set a field to what an element or an attribute says."""
        spec, _ = self.shape.field(name)
        kind = spec.type if spec is not None else "text"
        said = unquoted(said) if self._document.twice_escaped else said
        if spec is not None and spec.target is not None:
            return  # a bare id of another database means nothing
        if said == "" and kind not in EMPTY_COUNTS:
            return
        read: Read = READ[kind]
        self._guarded(name, said, lambda: read(said, is_value))

    def _guarded(self, name: str, said: str, read: Any) -> None:
        try:
            self._set(name, read())
        except Fault as fault:
            self._refuse(Problem(fault.code, str(fault), column=name, value=said[:200]))

    def _upload(self, name: str, child: Any) -> None:
        """Take the stored name of a file: Eden gives it at the end of the address, and beside it the name it came with."""
        url, filename = child.get("url") or "", child.get("filename")
        stored = url.split("?", 1)[0].rstrip("/").rsplit("/", 1)[-1]
        self._take(name, stored if stored and url != "local" else filename or "", is_value=False)

    def _set(self, name: str, cell: str) -> None:
        self._put(self.shape.field(name)[1], cell)

    # ---- references

    def _reference(self, child: Any) -> None:
        name = child.get("field")
        spec = self.shape.field(name)[0] if name else None
        if not name or name in IGNORED:
            return
        if spec is None or spec.target is None:
            if child.get("uuid") or child.get("tuid"):
                self._set(name, child.get("uuid") or child.get("tuid"))  # an unknown column, or one of another type
            return
        inline = [c for c in child if c.tag == "resource"]
        links = [self._document.add(element, inline=True) for element in inline]
        target = child.get("resource")
        if target and self._document.table(target).lower() != spec.target.lower():
            message = f"points to a record of {target}, the column to one of {spec.target}"
            self._refuse(Problem("bad_value", message, column=spec.name))
            return
        self._pointed.add(spec.name)
        try:
            self._refer(spec, child, links)
        except Fault as fault:
            self._refuse(Problem(fault.code, str(fault), column=spec.name))

    def _refer(self, spec: FieldSpec, child: Any, links: list[Link]) -> None:
        uids, tuids, own = child.get("uuid"), child.get("tuid"), child.get("cell")
        if child.get("null") == "true":
            self._put_pair(spec, NULL, NULL)
        elif own is not None:
            pair = parsed(own)
            if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(cell, str) for cell in pair)):
                raise Fault("has an attribute cell that is no pair of JSON strings")
            self._put_pair(spec, *pair)
        elif spec.is_list_reference:
            if uids or tuids or links:
                self._point_to_all(spec, uids, tuids, links)
        elif uids:
            self._put_pair(spec, NULL, self._document.uid(uids))
        elif tuids:
            self._put_pair(spec, self._document.number(tuids), NULL)
        elif links:
            self._point(spec, links[0])

    def _point_to_all(self, spec: FieldSpec, uids: str | None, tuids: str | None, links: list[Link]) -> None:
        if uids:
            links = [Link(self._document.uid(uid), None) for uid in _uids(uids)]
        elif tuids:
            links = [Link(None, self._document.number(tuid)) for tuid in _uids(tuids)]
        numbers = [link.number or "0" for link in links] if any(not link.uuid for link in links) else []
        self._put_pair(spec, bars(numbers), bars([link.uuid or NULL for link in links]))

    def _point(self, spec: FieldSpec, link: Link) -> None:
        self._put_pair(spec, link.number or NULL if not link.uuid else NULL, link.uuid or NULL)

    def _put_pair(self, spec: FieldSpec, ident: str, key: str) -> None:
        self._put(spec.name, ident)
        self._put(spec.name + COMPANION, key)

    # ---- cells

    def _put(self, column: str, cell: str | None) -> None:
        at = self.shape.at(column)
        if at >= len(self.cells):
            self.cells.extend([None] * (at + 1 - len(self.cells)))
        self.cells[at] = cell

    def _cell(self, column: str | None) -> str | None:
        """Return a cell that is not NULL."""
        at = self.shape.columns.get(column or "", len(self.cells))
        cell = self.cells[at] if at < len(self.cells) else None
        return cell if cell != NULL else None

    def _refuse(self, problem: Problem) -> None:
        """Keep the first reason why the record cannot be taken; the reader adds where it is."""
        self.refusal = self.refusal or (
            problem.code, problem.message, problem.column or "", problem.value or "", problem.hint
        )  # fmt: skip


def _joining(fields: list[FieldSpec], above: TableSpec, alias: str | None) -> FieldSpec | None:
    """Return by which of several columns a component points to its parent: named as the component's alias is, or as Eden
    names such columns (person_id of pr_person), else the first.
    """
    wanted = [name for name in (alias, f"{above.name.split('_', 1)[-1]}_id", f"{above.name}_id") if name]
    named = (f for name in wanted for f in fields if f.name in (name, f"{name}_id"))
    return next(named, fields[0] if fields else None)


def _uids(said: str) -> Iterator[str]:
    """Yield the items of a list of uids: a JSON array, or one alone."""
    found = parsed(said) if said.startswith("[") else said
    for item in found if isinstance(found, list) else [found]:
        if not isinstance(item, str):
            raise Fault("is not a list of uuids")
        yield item
