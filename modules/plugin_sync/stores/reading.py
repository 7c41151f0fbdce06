"""Reading tables for an export: the text of each cell is made in SQL, uuids of references beside it.

The header: id and uuid first, the other columns, then a companion `column.uuid` for each reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..records import FieldSpec, TableSpec
from ..values import NULL
from .session import Session
from .staging import uuid_column

Rows = list[Sequence[Any]]
ToText = Callable[[FieldSpec, str], str]
ListToUuids = Callable[[str, TableSpec], str]
LOOKUP = 500  # ids a statement


def header_of(spec: TableSpec, specs: Mapping[str, TableSpec]) -> list[str]:
    """Return the column names of an exported table."""
    names = [spec.id_name] if spec.id_name else []
    names += [f.name for f in ordered(spec)]
    return names + [f"{f.name}.uuid" for f in companions(spec, specs)]


def ordered(spec: TableSpec) -> list[FieldSpec]:
    """Return the data columns, uuid first."""
    return sorted(spec.fields, key=lambda f: f.name != spec.uuid_name)


def companions(spec: TableSpec, specs: Mapping[str, TableSpec]) -> list[FieldSpec]:
    """Return the references whose target has uuids."""
    return [f for f in spec.references if f.target and specs[f.target].uuid_name]


def query(spec: TableSpec, specs: Mapping[str, TableSpec], to_text: ToText, uuids_of_list: ListToUuids | None = None) -> str:
    """Return the SELECT whose rows are the cells of a table.

    With `uuids_of_list` the database makes whole lines, NULL stays NULL; without it cells are made, and the companions of
    list:references hold their ids, for `with_lists`.
    """

    def companion(field: FieldSpec, column: str) -> str:
        """SQL for the cell of a companion."""
        if field.is_list_reference:
            return uuids_of_list(column, specs[field.target or ""]) if uuids_of_list else column
        return column if uuids_of_list else f"COALESCE({column}, '{NULL}')"

    columns, source = selection(spec, specs, to_text, companion)
    return f"SELECT {', '.join(columns)} {source}"


def selection(spec: TableSpec, specs: Mapping[str, TableSpec], cell: ToText, companion: ToText) -> tuple[list[str], str]:
    """Return the columns of a table's SELECT, and the rest of it.

    `cell` makes SQL for the cell of a field from its column, `companion` for a companion from the target's uuid, or from
    the ids of a list:reference.
    """
    columns = [f"t.{spec.id_column}"] if spec.id_column else []
    columns += [cell(f, f"t.{f.column}") for f in ordered(spec)]
    joins = []
    for number, field in enumerate(companions(spec, specs)):
        if field.is_list_reference:
            columns.append(companion(field, f"t.{field.column}"))
            continue
        target = specs[field.target or ""]
        joins.append(f"LEFT JOIN {target.sql_name} p{number} ON p{number}.{target.id_column} = t.{field.column}")
        columns.append(companion(field, f"p{number}.{uuid_column(target)}"))
    key = spec.id_column or ", t.".join(f.column for f in spec.fields if f.name in spec.primary_key)
    return columns, f"FROM {spec.source or spec.sql_name} t {' '.join(joins)} ORDER BY t.{key}"


def with_lists(session: Session, spec: TableSpec, specs: Mapping[str, TableSpec], batches: Iterable[Rows]) -> Iterator[Rows]:
    """Yield the batches with the uuids of list:reference items in the companions' place."""
    width = len(header_of(spec, specs))
    found = companions(spec, specs)
    places = [(width - len(found) + i, specs[f.target or ""]) for i, f in enumerate(found) if f.is_list_reference]
    for batch in batches:
        yield _filled(session, batch, places) if places else batch


def _filled(session: Session, batch: Rows, places: Sequence[tuple[int, TableSpec]]) -> Rows:
    rows = [list(row) for row in batch]
    for place, target in places:
        wanted = {int(i) for row in rows for i in _ids(row[place])}
        uuids = _uuids(session, target, sorted(wanted))
        for row in rows:
            items = [uuids.get(int(i), "").replace("|", "||") or NULL for i in _ids(row[place])]  # an empty item reads as a bar
            row[place] = NULL if row[place] is None else f"|{'|'.join(items)}|"
    return list(rows)


def _ids(cell: str | None) -> list[str]:
    return [i for i in (cell or "").split("|") if i.strip().isdecimal()]


def _uuids(session: Session, target: TableSpec, ids: Sequence[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for start in range(0, len(ids), LOOKUP):
        part = ids[start : start + LOOKUP]
        marks = ", ".join([session.dialect.mark] * len(part))
        found |= dict(
            session.rows(
                f"SELECT {target.id_column}, {uuid_column(target)} FROM {target.sql_name} WHERE {target.id_column} IN ({marks})",
                part,
            )
        )
    return {ident: uuid or "" for ident, uuid in found.items()}
