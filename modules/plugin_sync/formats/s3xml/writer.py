"""Writing S3XML: rows of cells as resources, table after table; the text is made here, without lxml.

lxml's xmlfile costs a call an element, half the speed (docs/decisions.md); tests parse what is made here with lxml.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import NoReturn

from ...errors import SettingsError
from ...records import FieldSpec, TableSpec
from ...values import NULL
from ..contract import Name, Writing
from ..footer import VERSION
from ..source import XML_FOOTER_END, XML_FOOTER_MARK
from .cells import bars, listed
from .elements import ILLEGAL, NOT_BARE, Column, data_element, data_maker, quoted, reference_element

COMPANION = ".uuid"
TIMES = ("created_on", "modified_on")  # attributes of a resource, as Eden has them

Columns = Sequence[Column]
Part = Callable[[Columns, int], Sequence[str]]


class S3xmlWriter:
    """Turns rows of text into the bytes of an S3XML document, and hashes what it made."""

    takes_lines = False
    missing_files: Sequence[Name] = ()

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._hash = hashlib.sha256()
        self.size_bytes = 0
        self._parts: list[Part] = []
        self._begun = False

    def begin(self, table: str, header: Sequence[str]) -> bytes:
        """Take note of a table's columns."""
        spec = self._writing.specs.get(table)
        if spec is None:
            raise SettingsError(f"there is no table {table} here", table=table)
        names = [cell.split(".", 1)[1] for cell in header]
        self._parts = list(_parts(spec, {name: i for i, name in enumerate(names)}, self._writing.domain))
        return self._opening()

    def rows(self, rows: Sequence[Sequence[object]]) -> bytes:
        """Return some rows as resources, a line each as far as their texts have no line ends."""
        if not rows:
            return b""
        columns = [list(map(str, column)) for column in zip(*rows, strict=True)]
        parts = [part(columns, len(rows)) for part in self._parts]
        return self._taken("".join(map("".join, zip(*parts, strict=True))))

    def raw(self, data: bytes) -> NoReturn:
        """Refuse lines of CSV: `takes_lines` is false."""
        raise NotImplementedError("S3XML takes no lines of CSV")

    def end_table(self) -> bytes:
        """End the table: nothing marks it."""
        return b""

    def end(self, rows: Mapping[str, int]) -> Iterator[bytes]:
        """Yield the end of the document and, behind it, the footer as a processing instruction."""
        yield self._opening() + self._taken("</s3xml>\n")
        values = {**asdict(self._writing.origin), "version": VERSION, "rows": dict(rows), "sha256": self.sha256}
        text = json.dumps(values, separators=(",", ":")).replace(">", "\\u003e")  # "?>" would end the instruction
        footer = XML_FOOTER_MARK + text.encode("ascii") + XML_FOOTER_END + b"\n"
        self.size_bytes += len(footer)
        yield footer

    @property
    def sha256(self) -> str:
        """The hash of all bytes made so far."""
        return self._hash.hexdigest()

    def _opening(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        domain = f" domain={quoted(self._writing.domain)}" if self._writing.domain else ""
        return self._taken(f'<?xml version="1.0" encoding="UTF-8"?>\n<s3xml success="true"{domain}>\n')

    def _taken(self, text: str) -> bytes:
        data = text.encode("utf-8")
        self._hash.update(data)
        self.size_bytes += len(data)
        return data


def _parts(spec: TableSpec, at: Mapping[str, int], domain: str) -> Iterator[Part]:
    """Yield what makes the pieces of a resource, in their order; `at` says where each column stands in a row."""
    yield _constant(f"<resource name={quoted(spec.name)}")
    key, ident = at.get(spec.uuid_name or ""), at.get(spec.id_name or "")
    if key is not None:
        yield _column(key, lambda cells: [f" uuid={quoted(exported_uid(c, domain))}" if _names(c) else "" for c in cells])
    if ident is not None:
        keyed = key if key is not None else None
        yield lambda columns, rows: _tuids(columns[ident], columns[keyed] if keyed is not None else (NULL,) * rows)
    fields = [f for f in spec.fields if f.name in at and f.name != spec.uuid_name]
    as_attributes = {f.name: f for f in fields if _is_attribute(f)}
    for name, field in as_attributes.items():
        yield _column(at[name], _attribute(field))
    yield _constant(">")
    if key is not None:
        yield _column(key, lambda cells: ["" if _names(c) or c == NULL else _odd_uuid(spec, c) for c in cells])
    for name, field in as_attributes.items():
        yield _column(at[name], _left_over(field))
    for field in fields:
        if field.target is not None:
            yield _reference(field, at[field.name], at.get(field.name + COMPANION), domain)
        elif field.name not in as_attributes:
            yield _column(at[field.name], data_maker(field.name, field.type))
    yield _constant("</resource>\n")


def _constant(text: str) -> Part:
    return lambda columns, rows: [text] * rows


def _column(at: int, make: Callable[[Column], Sequence[str]]) -> Part:
    return lambda columns, rows: make(columns[at])


def _names(uuid: str) -> bool:
    """Whether a cell is a uuid that an attribute can hold."""
    return bool(uuid.strip()) and uuid != NULL and not ILLEGAL.search(uuid)


def _odd_uuid(spec: TableSpec, cell: str) -> str:
    return data_element(spec.uuid_name or "", "string", cell) if cell.strip() else ""


def _tuids(ids: Column, uuids: Column) -> list[str]:
    """Return the ids of records that have no uuid: within the document references go by them."""
    return [f' tuid="{i}"' if u == NULL or not u.strip() else "" for i, u in zip(ids, uuids, strict=True)]


def exported_uid(uid: str, domain: str) -> str:
    """Return a uid with the domain before it, as Eden's export does: not before a URN, nor where one is already."""
    if not domain or uid.startswith("urn:") or "/" in uid[1:-1]:
        return uid
    return f"{domain}/{uid.strip('/')}"


# ---- what Eden keeps in attributes


def _is_attribute(field: FieldSpec) -> bool:
    return (field.name in TIMES and field.type == "datetime") or (field.name == "deleted" and field.type == "boolean")


def _fits(field: FieldSpec, cell: str) -> bool:
    """Whether the attribute can say it: a time, or that the record is deleted."""
    if field.type == "boolean":
        return cell == "True"
    return cell[10:11] == " " and not NOT_BARE.search(cell, 11) and not NOT_BARE.search(cell[:10])


def _attribute(field: FieldSpec) -> Callable[[Column], Sequence[str]]:
    if field.type == "boolean":
        return lambda cells: [' deleted="True"' if c == "True" else "" for c in cells]
    return lambda cells: [f' {field.name}="{c[:10]}T{c[11:]}"' if _fits(field, c) else "" for c in cells]


def _left_over(field: FieldSpec) -> Callable[[Column], Sequence[str]]:
    """Make the elements for what the attribute cannot say."""
    return lambda cells: ["" if _fits(field, c) else data_element(field.name, field.type, c) for c in cells]


def _reference(field: FieldSpec, at: int, companion: int | None, domain: str) -> Part:
    many, target = field.is_list_reference, field.target or ""
    start = f"<reference field={quoted(field.name)} resource={quoted(target)} uuid="
    odd = NOT_BARE.search

    def make(columns: Columns, rows: int) -> Sequence[str]:
        """Return the elements of the column."""
        keys = columns[companion] if companion is not None else itertools.repeat(NULL, rows)
        return [
            f'{start}"{k}"/>' if k and not odd(k) and not many and not domain
            else reference_element(field.name, target, i, _exported(k, many, domain), many)
            for i, k in zip(columns[at], keys, strict=True)
        ]  # fmt: skip

    return make


def _exported(key: str, many: bool, domain: str) -> str:
    """Return a companion's cell with the domain before each uid."""
    if not domain or key == NULL:
        return key
    if not many:
        return exported_uid(key, domain)
    items = listed(key)
    return key if items is None else bars([item if item == NULL else exported_uid(item, domain) for item in items])
