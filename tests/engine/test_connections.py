"""A connection of one's own: same tables, other transaction, closed at the end."""

import sqlite3

import pytest
from pydal import DAL, Field

from plugin_sync.connections import own_connection


@pytest.fixture
def db(tmp_path):
    db = DAL("sqlite://storage.db", folder=str(tmp_path), pool_size=0)
    db.define_table("org_office", Field("name", rname='"Office Name"'), rname='"Offices"', plural="All offices")
    db.define_table("org_staff", Field("office_id", "reference org_office"), Field("boss", "reference org_staff"))
    db.define_table("keyed", Field("code"), Field("text", "text"), primarykey=["code"])
    db.commit()
    yield db
    db.close()


def test_it_has_the_same_tables(db):
    with own_connection(db) as own:
        assert own.tables == db.tables
        for name in db.tables:
            assert own[name]._rname == db[name]._rname
            assert [(f.name, f.type, f._rname) for f in own[name]] == [(f.name, f.type, f._rname) for f in db[name]]
        assert own.keyed._primarykey == ["code"]
        assert own.org_office._plural == "All offices"


def test_it_sees_what_is_committed_only(db):
    db.org_office.insert(name="committed")
    db.commit()
    db.org_office.insert(name="pending")
    with own_connection(db) as own:
        assert [row.name for row in own(own.org_office).select()] == ["committed"]
    assert db(db.org_office).count() == 2


def test_it_is_closed_and_undone_when_the_work_is_dropped(db):
    def rows():
        with own_connection(db) as own:
            own.org_office.insert(name="lost")
            yield own._adapter.connection

    generator = rows()
    connection = next(generator)
    generator.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
    assert db(db.org_office).count() == 0


def test_lazy_tables_are_copied(tmp_path):
    db = DAL("sqlite://lazy.db", folder=str(tmp_path), pool_size=0, lazy_tables=True)
    db.define_table("org_office", Field("name"))
    with own_connection(db) as own:
        assert own.org_office.fields == ["id", "name"]
    db.close()
