"""The columns of one table of a document, and how each is filled; what is usual is looked up once for all records."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...records import FieldSpec, TableSpec
from .cells import READ, Read

COMPANION = ".uuid"
ATTRIBUTES = ("created_on", "modified_on", "deleted", "mci", "admin")  # fields that Eden writes as attributes
IGNORED = frozenset(("id", "realm_entity", "approved_by", "deleted_fk"))  # fields that Eden's import passes over


@dataclass(slots=True)
class Shape:
    """The columns of one table: all that it has here, then others as they are met."""

    name: str
    spec: TableSpec | None
    line: int
    columns: dict[str, int] = field(default_factory=dict)
    fields: dict[str, tuple[FieldSpec | None, str]] = field(default_factory=dict)  # by the document's names
    first: int = 0  # position of the first column that is data: before it stand id and uuid
    values: dict[str, tuple[int, Read]] = field(default_factory=dict)  # position and codec of the fields that hold values
    pointers: dict[tuple[str, str], int] = field(default_factory=dict)  # position by field and target; its companion is next

    def __post_init__(self) -> None:
        names = (self.spec.id_name, self.spec.uuid_name) if self.spec else ()
        for name in filter(None, names):
            self.at(name)
        self.first = len(self.columns)
        for spec in self.spec.fields if self.spec else ():  # each one: what no record mentions is absent from all
            at = self.at(spec.name)
            if spec.target is not None:
                self.at(spec.name + COMPANION)
            if spec.name in IGNORED or spec.name in names:
                continue
            if spec.target is None and spec.type != "upload":
                self.values[spec.name] = at, READ[spec.type]
            elif spec.target is not None and spec.is_reference:
                self.pointers[spec.name, spec.target] = at

    def at(self, column: str) -> int:
        """Return the position of a column, a new one at the end."""
        return self.columns.setdefault(column, len(self.columns))

    def field(self, name: str) -> tuple[FieldSpec | None, str]:
        """Return the field called `name`, in any case, and its name here."""
        if name not in self.fields:
            found = None
            for spec in self.spec.fields if self.spec else ():
                if spec.name.lower() == name.lower() and (found is None or spec.name == name):
                    found = spec
            self.fields[name] = (found, found.name if found else name)
        return self.fields[name]
