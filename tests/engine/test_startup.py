"""What is made once: the plugin's tables, the own instance, unique uuids."""

import pytest
from pydal import Field

from plugin_sync.catalog import read_catalog
from plugin_sync.integrity import has_unique_index, has_uuid_index
from plugin_sync.schema import ALIAS, INSTANCE, JOB
from plugin_sync.settings import Settings
from plugin_sync.startup import start

from .databases import ENGINES, database

SETTINGS = Settings(uuid_only=True, lookup=frozenset(["gis_layer"]))


@pytest.fixture(params=ENGINES)
def db(request):
    with database(request.param) as db:
        for name in ("org_office", "org_twice", "gis_layer"):
            db.define_table(name, Field("uuid", length=64), Field("name"))
        db.define_table("no_uuid", Field("name"))
        for value in ("a", "a"):
            db.org_twice.insert(uuid=value)
        db.commit()
        yield db


def test_the_first_start_makes_all_that_can_be_made(db):
    instance = start(db, SETTINGS, name="Jacmel")
    db.rollback()
    assert instance.name == "Jacmel"
    assert {INSTANCE, ALIAS, JOB} <= set(db.tables)
    assert [row.base_uuid for row in db(db.sync_instance).select()] == [instance.base_uuid]
    alias = db.plugin_sync_alias
    assert has_unique_index(db, alias._rname, (alias.table_name._rname, alias.alias._rname))
    catalog = read_catalog(db, SETTINGS)
    found = {s.name: has_uuid_index(db, s) for s in catalog.tables if s.uuid_name}
    assert (found["org_office"], found["org_twice"], found["gis_layer"]) == (True, False, False)


def test_the_second_start_changes_nothing(db):
    assert start(db, SETTINGS) == start(db, SETTINGS, name="another")
