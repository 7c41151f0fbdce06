"""The two tables that are moved: an organisation, and a person with 12 columns, two of them references.

Nothing is imported here, so that a contender that does without pyDAL is not charged for its memory.
"""

from __future__ import annotations

from typing import Any

ORG_TABLE = "bench_org"
PERSON_TABLE = "bench_person"
ORG_TYPES = {"uuid": "string", "modified_on": "datetime", "name": "string"}
PERSON_TYPES = {
    "uuid": "string",
    "modified_on": "datetime",
    "name": "string",
    "notes": "text",
    "number": "integer",
    "weight": "double",
    "price": "decimal(12,2)",
    "active": "boolean",
    "born": "date",
    "seen": "datetime",
    "org_id": f"reference {ORG_TABLE}",
    "parent_id": f"reference {PERSON_TABLE}",
}
COLUMNS = {ORG_TABLE: ("id", *ORG_TYPES), PERSON_TABLE: ("id", *PERSON_TYPES)}
NULLABLE = ("weight", "parent_id")  # the columns in which the rows have NULLs
CHECK = f"SELECT count(*), coalesce(sum(number), 0), coalesce(sum(parent_id), 0) FROM {PERSON_TABLE}"
UNIQUE_INDEXES = [f"CREATE UNIQUE INDEX {table}_uuid ON {table} (uuid)" for table in COLUMNS]


def open_pydal(uri: str, folder: str, driver_args: dict[str, Any], migrate: bool = False) -> Any:
    """Open a database through pyDAL with both tables defined; with `migrate` they are made, and their unique indexes."""
    from pydal import DAL, Field

    db = DAL(uri, folder=folder, pool_size=0, attempts=1, migrate_enabled=migrate, driver_args=driver_args)
    db.define_table(ORG_TABLE, *(Field(name, kind) for name, kind in ORG_TYPES.items()))
    db.define_table(PERSON_TABLE, *(Field(name, kind) for name, kind in PERSON_TYPES.items()))
    if migrate:
        for statement in UNIQUE_INDEXES:
            db.executesql(statement)
        db.commit()
    return db
