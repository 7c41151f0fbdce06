"""The mends of what is broken between this web2py and this pyDAL."""

import io
import sys

import pytest
from pydal import DAL, Field

from demo_host import compat


@pytest.fixture
def db():
    connection = DAL("sqlite:memory")
    connection.define_table("thing", Field("name", requires=lambda value, _: (value, None if value else "empty")), Field("uuid"))
    yield connection
    connection.close()


def test_gluon_calls_filter_fields_by_an_older_name(db):
    assert db.thing._filter_fields({"id": 7, "name": "x", "other": 1}, id=True) == {"id": 7, "name": "x"}
    assert db.thing._filter_fields({"id": 7, "name": "x"}) == {"name": "x"}
    assert db.thing._filter_fields({"id": 7}, allow_id=True) == {"id": 7}


def test_results_of_validating_writes_have_attributes(db):
    assert db.thing.validate_and_insert(name="x").id == 1
    refused = db.thing.validate_and_insert(name="")
    assert refused.errors
    assert refused["id"] is None
    assert db(db.thing.id == 1).validate_and_update(name="y").updated == 1


def test_a_binary_file_can_be_imported(db):
    file = io.BytesIO("\ufeffthing.name,thing.uuid\r\nété,u1\r\n".encode())
    db.thing.import_from_csv_file(file)
    assert db(db.thing).select().first().name == "été"
    assert not file.closed


def test_a_text_file_still_can(db):
    db.thing.import_from_csv_file(io.StringIO("thing.name,thing.uuid\r\nx,u1\r\n", newline=""))
    assert db(db.thing).count() == 1


def test_a_web2py_that_matches_its_pydal_is_known(tmp_path, monkeypatch):
    package = tmp_path / "gluon" / "__init__.py"
    package.parent.mkdir()
    package.write_text('__version__ = "3.3.3"\n', encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "gluon", raising=False)
    assert compat.gluon_version() == "3.3.3"
