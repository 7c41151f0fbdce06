"""Writing the demonstration data into a database, in bulk, in the caller's transaction."""

import io
import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from .files import Upload
from .parts import row, tables_of
from .records import Record, Ref

ORDER = (
    "gis_location", "org_organisation", "pr_person", "org_office", "pr_group", "pr_group_membership", "hrm_skill",
    "hrm_staff", "cr_shelter", "supply_catalog", "supply_item", "doc_document", "doc_image", "gis_layer_openstreetmap",
    "gis_layer_google", "gis_layer_wms", "gis_layer_sos", "gis_layer_shapefile", "gis_config", "gis_apikey",
    "system_config",
)  # fmt: skip
LATER = {"org_organisation": "contact_id"}  # refers to a table that comes after its own
BATCH = 2_000


def load_part(db: Any, part: str, folder: str) -> int:
    """Load the records of the office `part` into empty tables, files into the application `folder`; return their number.

    The caller commits.
    """
    tables = tables_of(part)
    ids = {record.ref: id for rows in tables.values() for id, record in rows}
    uploads = Path(folder, "uploads")
    uploads.mkdir(exist_ok=True)
    for name in ORDER:
        insert(db[name], tables[name], part, ids, uploads)
    for name, field in LATER.items():
        complete(db, name, field, tables[name], ids)
    return len(ids)


def insert(table: Any, records: list[tuple[int, Record]], part: str, ids: dict[Ref, int], uploads: Path) -> None:
    """Insert the records of one table with their row numbers."""
    db = table._db
    fields = ["id", *(field for field in table.fields if field != "id")]
    columns = ", ".join(table[field]._rname for field in fields)

    def rows() -> Iterator[list[Any]]:
        for id, record in records:
            values = row(record, part, ids) | {"id": id, LATER.get(table._tablename): None}
            yield [stored(table[field], values[field], uploads) for field in fields]

    write_rows(db, f"INSERT INTO {table._rname} ({columns})", len(fields), rows())
    if db._dbname == "postgres":
        db.executesql(f"SELECT setval(pg_get_serial_sequence('{table._rname}', 'id'), {records[-1][0]})")


def complete(db: Any, name: str, field: str, records: list[tuple[int, Record]], ids: dict[Ref, int]) -> None:
    """Write the references that had to wait for their table."""
    mark = "?" if db._dbname == "sqlite" else "%s"
    table = db[name]
    pairs = [(ids[record.values[field]], id) for id, record in records if record.values[field]]
    statement = f"UPDATE {table._rname} SET {table[field]._rname} = {mark} WHERE {table['id']._rname} = {mark}"
    db._adapter.cursor.executemany(statement, pairs)


def write_rows(db: Any, insert_into: str, width: int, rows: Iterator[list[Any]]) -> None:
    """Run the statement for all rows, in the fastest way that each driver has."""
    cursor = db._adapter.cursor
    if db._dbname == "postgres":
        from psycopg2.extras import execute_values

        execute_values(cursor, f"{insert_into} VALUES %s", rows, page_size=BATCH)
        return
    mark = "?" if db._dbname == "sqlite" else "%s"
    cursor.executemany(f"{insert_into} VALUES ({', '.join([mark] * width)})", list(rows))


def stored(field: Any, value: Any, uploads: Path) -> Any:
    """The value as pyDAL stores it in the field's column."""
    if value is None:
        return None
    if isinstance(value, Upload):
        return field.store(io.BytesIO(value.content), value.name, str(uploads))
    if field.type == "boolean":
        return "T" if value else "F"
    if field.type == "json":
        return json.dumps(value)
    if field.type.startswith("list:"):
        return f"|{'|'.join(str(item).replace('|', '||') for item in value)}|"
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, date):
        return value.isoformat()
    return value
