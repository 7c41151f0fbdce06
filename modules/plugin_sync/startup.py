"""What an application needs once before it exchanges data: the plugin's tables, its own name, unique uuids.

A use case: it commits. Running it again finds all there and changes nothing.
"""

from __future__ import annotations

from typing import Any

from .catalog import read_catalog
from .errors import StoreError
from .instances import Instance, ensure_self
from .integrity import create_unique_index, create_uuid_index, has_unique_index
from .records import Identity
from .schema import UNIQUE_TOGETHER, define_tables
from .settings import Settings


def start(db: Any, settings: Settings, *, name: str = "", owner: str = "") -> Instance:
    """Make the plugin's tables, the own instance and the unique indexes that are missing; return the instance.

    A table whose uuids stand twice keeps no index until they are mended: the page of tables shows it.
    """
    define_tables(db)
    db.commit()
    instance = ensure_self(db, name=name, owner=owner)
    db.commit()
    for table_name, names in UNIQUE_TOGETHER.items():
        columns = tuple(db[table_name][name]._rname for name in names)
        if not has_unique_index(db, db[table_name]._rname, columns):
            create_unique_index(db, db[table_name]._rname, columns)
            db.commit()
    for spec in read_catalog(db, settings).included:
        if spec.identity is Identity.UUID:
            try:
                create_uuid_index(db, spec)
                db.commit()
            except StoreError:
                db.rollback()
    return instance
