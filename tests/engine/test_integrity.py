"""Uuid indexes, missing uuids and uuids that stand twice, on each database."""

import itertools
import uuid

import pytest
from pydal import Field

from plugin_sync.errors import SettingsError, StoreError
from plugin_sync.integrity import (
    UuidState,
    create_unique_index,
    create_uuid_index,
    give_missing_uuids,
    has_unique_index,
    has_uuid_index,
    renew_duplicate_uuids,
    uuid_state,
)
from plugin_sync.records import FieldSpec, Identity, TableSpec

from .databases import ENGINES, database


@pytest.fixture(params=ENGINES)
def db(request):
    with database(request.param) as db:
        yield db


def define(db, name="org_office", *, rname=None, **options):
    """Define a table with uuid and name, and return its specification as the catalog gives it."""
    extra = {"rname": db._adapter.dialect.quote(rname)} if rname else {}
    table = db.define_table(name, Field("uuid", length=128, **options), Field("name"), migrate=True, **extra)
    fields = tuple(FieldSpec(n, table[n]._rname, "string") for n in ("uuid", "name"))
    return TableSpec(name, table._rname, "org", fields, Identity.UUID, id_column=table._id._rname, uuid_name="uuid")


def fill(db, *uuids, table="org_office"):
    return [db[table].insert(uuid=value, name=str(place)) for place, value in enumerate(uuids)]


def uuids(db, table="org_office"):
    return [row.uuid for row in db(db[table]).select(orderby=db[table].id)]


def fresh():
    numbers = itertools.count(1)
    return lambda: f"fresh-{next(numbers)}"


def test_a_new_table_lacks_the_index_only(db):
    spec = define(db)
    assert uuid_state(db, spec) == UuidState(index=False, missing=0, duplicates=0)


def test_missing_and_duplicate_uuids_are_counted(db):
    spec = define(db)
    fill(db, "a", "A", "a", "b", "B", "c", None, "")
    state = uuid_state(db, spec)
    assert (state.index, state.missing, state.duplicates) == (False, 2, 3)
    assert [example.lower() for example in state.examples] == ["a", "b"]


def test_examples_are_few(db):
    spec = define(db)
    fill(db, *[f"u{n:02}" for n in range(20)] * 2)
    state = uuid_state(db, spec)
    assert (state.duplicates, state.examples) == (20, ("u00", "u01", "u02", "u03", "u04"))


@pytest.mark.parametrize("rname", [None, "Office Of 100", "office"])
def test_the_index_is_made_once_and_holds(db, rname):
    spec = define(db, rname=rname)
    fill(db, "a", "b", None, None)
    assert create_uuid_index(db, spec) is True
    assert create_uuid_index(db, spec) is False
    assert uuid_state(db, spec).index
    db.commit()
    with pytest.raises(db._adapter.driver.IntegrityError):
        db.org_office.insert(uuid="a")


def test_a_unique_field_needs_no_second_index(db):
    spec = define(db, unique=True)
    assert has_uuid_index(db, spec)
    assert create_uuid_index(db, spec) is False


def test_other_indexes_do_not_count(db):
    spec = define(db)
    uuid_column, name_column = (f.column for f in spec.fields)
    quote = db._adapter.dialect.quote
    db.executesql(f"CREATE INDEX {quote('plain')} ON {spec.sql_name} ({uuid_column})")
    create_unique_index(db, spec.sql_name, (uuid_column, name_column))
    create_unique_index(db, spec.sql_name, (name_column,))
    assert not has_uuid_index(db, spec)
    assert has_unique_index(db, spec.sql_name, (name_column, uuid_column))


def test_part_of_a_table_does_not_count():
    for engine in ("sqlite", "postgres"):
        with database(engine) as db:
            spec = define(db)
            db.executesql(f"CREATE UNIQUE INDEX part ON {spec.sql_name} ({spec.fields[0].column}) WHERE name = 'x'")
            db.executesql(f"CREATE UNIQUE INDEX expr ON {spec.sql_name} (lower({spec.fields[0].column}))")
            assert not has_uuid_index(db, spec)


@pytest.mark.parametrize("values", [("a", "a"), ("a", "A"), ("", "")])
def test_the_index_is_refused_while_uuids_stand_twice(db, values):
    spec = define(db)
    fill(db, *values)
    with pytest.raises(StoreError) as caught:
        create_uuid_index(db, spec)
    assert (caught.value.table, caught.value.column) == ("org_office", "uuid")
    assert caught.value.hint
    assert not has_uuid_index(db, spec)


def test_a_refusal_of_the_database_is_translated(db):
    spec = define(db)
    fill(db, "a", "a")
    db.commit()
    with pytest.raises(StoreError):
        create_unique_index(db, spec.sql_name, (spec.fields[0].column,))


def test_long_names_make_an_index(db):
    spec = define(db, "org_" + "x" * 55)
    assert create_uuid_index(db, spec)
    assert has_uuid_index(db, spec)


def test_missing_uuids_are_given(db):
    spec = define(db)
    fill(db, "a", None, "", "b")
    assert give_missing_uuids(db, spec, fresh()) == 2
    assert uuids(db) == ["a", "fresh-1", "fresh-2", "b"]
    assert give_missing_uuids(db, spec, fresh()) == 0


def test_the_oldest_keeps_a_uuid_that_stands_twice(db):
    spec = define(db)
    fill(db, "A", "a", "b", "a", None)
    assert renew_duplicate_uuids(db, spec, fresh()) == 2
    assert uuids(db) == ["A", "fresh-1", "b", "fresh-2", None]
    assert renew_duplicate_uuids(db, spec, fresh()) == 0


def test_mended_tables_take_the_index(db):
    spec = define(db)
    fill(db, "a", "A", None, "", "b")
    give_missing_uuids(db, spec, lambda: str(uuid.uuid4()))
    renew_duplicate_uuids(db, spec, lambda: str(uuid.uuid4()))
    create_uuid_index(db, spec)
    assert uuid_state(db, spec).sound
    assert len(set(uuids(db))) == 5


def test_many_records_are_mended(db):
    spec = define(db)
    mark = "?" if db._adapter.dbengine == "sqlite" else "%s"
    insert = f"INSERT INTO {spec.sql_name} ({spec.fields[1].column}) VALUES ({mark})"
    db._adapter.cursor.executemany(insert, [(str(n),) for n in range(12_000)])
    assert give_missing_uuids(db, spec, lambda: str(uuid.uuid4())) == 12_000
    assert uuid_state(db, spec) == UuidState(False, 0, 0)


def test_quotes_in_a_uuid_do_no_harm(db):
    spec = define(db)
    evil = "x'; DROP TABLE org_office; --"
    fill(db, evil, evil, None)
    renew_duplicate_uuids(db, spec, lambda: evil + "2")
    give_missing_uuids(db, spec, lambda: evil + "3")
    assert uuids(db) == [evil, evil + "2", evil + "3"]


def test_a_table_without_uuid_or_id_is_refused(db):
    spec = TableSpec("t", "t", "t", (), Identity.CONTENT)
    with pytest.raises(SettingsError):
        uuid_state(db, spec)
    keyed = TableSpec("t", "t", "t", (FieldSpec("uuid", "uuid", "string"),), Identity.UUID, uuid_name="uuid")
    with pytest.raises(SettingsError):
        renew_duplicate_uuids(db, keyed, fresh())
