"""What a database holds: byte for byte to see that nothing was written, or by uuid to compare two offices."""

import re
from collections import Counter

NO_ID_GIVEN = re.compile(r"""INSERT INTO "?sqlite_sequence"? VALUES\('[^']*',0\)""")  # an INSERT without rows leaves this


def contents(db) -> object:
    """Return all that the database holds, as the database itself tells it."""
    if db._adapter.dbengine == "sqlite":
        return [line for line in db._adapter.connection.iterdump() if not NO_ID_GIVEN.match(line)]
    return {name: sorted(map(_shown, db.executesql(f"SELECT * FROM {db[name]._rname}"))) for name in db.tables}


def _shown(row) -> str:
    """The values of a row as a text; the bytes of a memoryview, not where it lies."""
    return repr([bytes(value) if isinstance(value, memoryview) else value for value in row])


def records(db, *tables: str) -> dict[str, Counter]:
    """Return the records of tables, each as a text in which references are the records that they point to."""
    found = {name: _rows(db, name) for name in db.tables}
    return {name: Counter(_text(found, db[name], row) for row in found[name].values()) for name in tables or db.tables}


def _rows(db, name):
    table = db[name]
    key = table._id.name if table._id is not None else table._primarykey[0]
    return {row[key]: row for row in db(table, ignore_common_filters=True).select()}


def _text(found, table, row, depth=2):
    values = []
    for name in table.fields:
        if table[name].type == "id":
            continue
        value = row[name]
        target = str(table[name].type).removeprefix("list:").removeprefix("big-").partition("reference ")[2]
        if target in found and value is not None:
            ids = value if isinstance(value, list) else [value]
            value = [_named(found, table._db[target], found[target].get(i), depth) for i in ids]
        values.append(f"{name}={value!r}")
    return " ".join(values)


def _named(found, table, row, depth):
    """A record by its uuid; one that has none by its values, as deep as cycles allow."""
    if row is None:
        return "NOBODY"
    if "uuid" in table.fields and row["uuid"]:
        return row["uuid"].lower()
    return _text(found, table, row, depth - 1) if depth else "..."
