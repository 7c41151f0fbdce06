"""Rows and estimated bytes of tables, on each database."""

import datetime

import pytest
from pydal import Field

from plugin_sync.catalog import read_catalog
from plugin_sync.sizes import Size, count_rows, table_sizes, total

from .databases import ENGINES, database


@pytest.fixture(params=ENGINES)
def db(request):
    with database(request.param) as db:
        db.define_table("org_office", Field("uuid", length=64), Field("name"), Field("opened", "date"))
        db.define_table("org_staff", Field("office_id", "reference org_office"), Field("pay", "double"))
        yield db


def test_an_empty_table_takes_nothing(db):
    assert table_sizes(db, read_catalog(db).included) == {"org_office": Size(), "org_staff": Size()}


def test_sizes_grow_with_rows_and_lengths(db):
    opened = datetime.date(2026, 1, 1)
    office = max(db.org_office.insert(uuid="u" * 36, name="x" * 50, opened=opened) for _ in range(300))
    db.org_staff.insert(office_id=office, pay=1.5)
    specs = read_catalog(db).included
    sizes = table_sizes(db, specs)
    assert sizes["org_office"].rows == 300
    assert 28_000 < sizes["org_office"].size_bytes < 33_000
    assert sizes["org_staff"].size_bytes > 37
    assert total(sizes, specs).rows == 301
    assert count_rows(db, specs[0]) == 300
