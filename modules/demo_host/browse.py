"""Read-only pages of the host's records, for people who want to see what is there."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PAGE = 50
LONGEST_TEXT = 60
MODULES = {
    "gis": "Places and maps",
    "org": "Organisations",
    "pr": "People",
    "hrm": "Staff",
    "cr": "Shelters",
    "supply": "Supplies",
    "doc": "Documents",
    "system": "System",
}
LEFT_OUT = ("gis_apikey", "system_config")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a page."""

    name: str
    label: str
    style: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One value as text, and the uploaded file it stands for."""

    text: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a table's records."""

    number: int
    total: int
    columns: list[Column]
    rows: list[list[Cell]]

    @property
    def first(self) -> int:
        """The place of its first record among all."""
        return (self.number - 1) * PAGE + 1

    @property
    def last(self) -> int:
        """The place of its last record among all."""
        return self.first + len(self.rows) - 1


def tables_by_module(db: Any) -> dict[str, list[tuple[str, str, int]]]:
    """The tables that may be browsed, each with its name for people and how many records it has, under modules' names."""
    shown: dict[str, list[tuple[str, str, int]]] = {}
    for name in db.tables:
        module = name.partition("_")[0]
        if module in MODULES and name not in LEFT_OUT:
            shown.setdefault(MODULES[module], []).append((name, str(db[name]._plural), db(db[name]).count()))
    return shown


def may_be_seen(db: Any, name: str | None) -> bool:
    """Whether the name is that of a table which may be browsed."""
    return name in db.tables and str(name).partition("_")[0] in MODULES and name not in LEFT_OUT


def page_of(db: Any, name: str, number: int, shown: Callable[[int], str] = "{:,}".format) -> Page:
    """One page of the table's records, references as the names of what they refer to; `shown` writes numbers."""
    table = db[name]
    fields = [field for field in table if field.readable]
    first = (number - 1) * PAGE
    records = db(table).select(*fields, orderby=table.id, limitby=(first, first + PAGE))
    names = {field.name: referred(db, field, records) for field in fields}
    rows = [[cell(field, record[field.name], names[field.name], shown) for field in fields] for record in records]
    columns = [Column(field.name, str(field.label), style(field)) for field in fields]
    return Page(number, db(table).count(), columns, rows)


def style(field: Any) -> str:
    """The style of the field's cells: numbers are compared digit by digit, moments are not broken across lines."""
    if field.type in ("integer", "bigint", "double", "id") or field.type.startswith("decimal"):
        return "host-number"
    return "host-moment" if field.type in ("date", "time", "datetime") else ""


def referred(db: Any, field: Any, records: Any) -> dict[int, str]:
    """The names of the records that the field refers to, by row number, in one query."""
    kind, _, target = field.type.partition(" ")
    if kind not in ("reference", "list:reference"):
        return {}
    values = [record[field.name] for record in records]
    ids = {int(id) for value in values for id in (value if isinstance(value, list) else [value]) if id}
    table = db[target]
    return {row.id: table._format % row for row in db(table.id.belongs(ids)).select()}


def cell(field: Any, value: Any, names: dict[int, str], shown: Callable[[int], str]) -> Cell:
    """One value as a person reads it."""
    if value is None or value == "":
        return Cell("")
    if field.type == "upload":
        return Cell(field.retrieve_file_properties(value)["filename"], value)
    if isinstance(value, list):
        return Cell(", ".join(names.get(item, str(item)) for item in value))
    if names:
        return Cell(names.get(int(value), str(value)))
    if field.type == "json":
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = shown(value) if field.type in ("bigint", "integer") else str(value)
    return Cell(text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…")
