"""A connection of one's own to the database of another: for work that outlives its request, such as a download.

web2py commits and gives back a request's connection before a generator that it returned runs. One that reads through
that connection would open it again and leave it inside a transaction, so it reads through a twin.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_COPIED = ("_singular", "_plural", "_format")


@contextmanager
def own_connection(db: Any) -> Iterator[Any]:
    """Give a new, unpooled connection with the same tables as `db`; it is rolled back and closed at the end.

    Nothing is migrated. Common filters and callbacks of the tables are not copied.
    """
    adapter = db._adapter
    twin = type(db)(
        db._uri,
        pool_size=0,
        folder=adapter.folder,
        migrate_enabled=False,
        check_reserved=None,
        bigint_id=db._bigint_id,
        driver_args=dict(adapter.driver_args),
        adapter_args=dict(adapter.adapter_args),
    )
    try:
        for name in db.tables:
            _define_like(twin, db[name])
        yield twin
    finally:
        twin.rollback()
        twin.close()


def side_connection(db: Any) -> Any:
    """Return a new connection of the driver to the database of `db`, which commits each statement; the caller closes it."""
    connection = db._adapter.connector()
    if callable(connection.autocommit):  # a method of the MySQL drivers, an attribute of psycopg2
        connection.autocommit(True)
    else:
        connection.autocommit = True
    return connection


def _define_like(twin: Any, table: Any) -> None:
    """Define a table on `twin` with the same names, columns and types."""
    options = {"primarykey": list(table._primarykey)} if getattr(table, "_primarykey", None) else {}
    fields = [table[name].clone() for name in table.fields]
    copy = twin.define_table(table._tablename, *fields, rname=table._rname, **options)
    for attribute in _COPIED:
        setattr(copy, attribute, getattr(table, attribute, None))
