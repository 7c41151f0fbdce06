"""The plugin's own tables: the blueprint's columns, made on demand, apart from the host's common fields."""

import pytest
from pydal import DAL, Field

from plugin_sync.schema import ALIAS, CONFLICT, INSTANCE, JOB, SETTING, TALLY, define_tables


@pytest.fixture
def db(tmp_path):
    db = DAL("sqlite:memory", pool_size=0, folder=str(tmp_path))
    yield db
    db.close()


def columns(db, table):
    return {row[1]: row[2] for row in db.executesql(f"PRAGMA table_info({table})")}


def test_instances_have_the_blueprints_columns(db):
    define_tables(db)
    found = columns(db, INSTANCE)
    assert found["base_uuid"] == "CHAR(4)"
    assert found["owner"] == "CHAR(100)"
    assert {"contact", "url", "last_update", "sync_count"} <= set(found)
    assert db[INSTANCE].base_uuid.unique and db[INSTANCE].base_uuid.notnull
    assert db[INSTANCE].last_update.notnull
    assert db[INSTANCE].sync_count.default == 0


def test_only_the_tables_asked_for_are_defined(db):
    define_tables(db, JOB)
    assert db.tables == [JOB]
    define_tables(db)
    assert sorted(db.tables) == sorted([JOB, INSTANCE, ALIAS, TALLY, SETTING, CONFLICT])


def test_defining_twice_changes_nothing(db):
    define_tables(db)
    table = db[JOB]
    define_tables(db)
    assert db[JOB] is table


def test_the_hosts_common_fields_stay_out(db):
    db._common_fields.append(Field("tenant", "integer"))
    define_tables(db)
    assert "tenant" not in db[JOB].fields
    assert [field.name for field in db._common_fields] == ["tenant"]


def test_migrate_false_makes_no_table(db):
    define_tables(db, migrate=False)
    assert columns(db, JOB) == {}
