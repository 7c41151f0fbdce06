"""Which of the records an office has, in which state, and under which row numbers."""

from collections import defaultdict
from typing import Any

from . import people, places, relief
from .records import Record, Ref, Universe, number

FIRST_ID = {"main": 1, "jacmel": 101}  # Jacmel's first rows were deleted long ago
LEVELS = ("W", "L0", "L1", "L2")


def universe() -> Universe:
    """Every record of both offices."""
    made = Universe()
    places.add_places(made)
    places.add_layers(made)
    towns = [record for record in made.table("gis_location") if record.values["level"] == "L2"]
    people.add_organisations(made, towns)
    people.add_offices(made, towns)
    people.add_persons(made, towns)
    people.add_groups(made)
    people.add_staff(made)
    relief.add_shelters(made, towns)
    relief.add_supplies(made)
    relief.add_documents(made, towns)
    places.add_settings(made)
    return made


def tables_of(part: str) -> dict[str, list[tuple[int, Record]]]:
    """The records of an office with their row numbers: by table, each in an order in which parents come first."""
    made = universe()
    wanted = made.closed(record for record in made.records.values() if belongs(record, part))
    tables: dict[str, list[Record]] = defaultdict(list)
    for ref in made.records:
        if ref in wanted:
            tables[ref.table].append(made.records[ref])
    return {table: list(enumerate(ordered(records, part), FIRST_ID[part])) for table, records in tables.items()}


def belongs(record: Record, part: str) -> bool:
    """Whether the office works with the record: its own, and those of the other that concern it.

    The settings of the other office are never among them, for nothing refers to them.
    """
    if record.author == part:
        return True
    if record.ref.table in ("gis_config", "gis_apikey", "system_config"):
        return False
    return record.regional if part == "jacmel" else number(record.ref, 4) == 0


def ordered(records: list[Record], part: str) -> list[Record]:
    """The order of rows: main has its records as they were made, Jacmel the other way round, below their parents."""
    ranked = records if part == "main" else records[::-1]
    return sorted(ranked, key=lambda record: LEVELS.index(record.values["level"]) if "level" in record.values else 0)


def row(record: Record, part: str, ids: dict[Ref, int]) -> dict[str, Any]:
    """The record's own values as the office has them, references as row numbers; Jacmel missed some revisions."""
    values = record.values
    modified_on = record.modified_on
    if part != record.author and record.older is not None and number(record.ref, 3) > 0:
        values = values | record.older
        modified_on = record.created_on
    resolved = {name: _resolved(value, ids) for name, value in values.items()}
    return resolved | {
        "uuid": record.uuid,
        "created_on": record.created_on,
        "modified_on": modified_on,
        "deleted": number(record.ref, 200) == 0 and record.ref.table == "pr_group_membership",
    }


def _resolved(value: Any, ids: dict[Ref, int]) -> Any:
    """References in `value` replaced by row numbers."""
    if isinstance(value, Ref):
        return ids[value]
    if isinstance(value, list):
        return [_resolved(item, ids) for item in value]
    return value
