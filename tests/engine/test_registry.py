"""Which store serves which engine."""

from types import SimpleNamespace

import pytest

from plugin_sync import SettingsError
from plugin_sync.stores.portable import PortableStore
from plugin_sync.stores.registry import STORES, open_store

from . import databases


def test_every_store_is_held_to_the_contract():
    assert set(databases.STORES) >= set(STORES)


@pytest.mark.parametrize("engine", STORES)
def test_each_engine_has_its_store(engine):
    with databases.database(engine) as db:
        assert type(open_store(db)) is STORES[engine]


def test_any_other_engine_has_the_portable_store(monkeypatch):
    with databases.database("sqlite") as db:
        monkeypatch.setattr(db._adapter, "dbengine", "teradata")
        assert isinstance(open_store(db), PortableStore)


def test_a_database_without_transactions():
    db = SimpleNamespace(_adapter=SimpleNamespace(dbengine="mongodb"))
    with pytest.raises(SettingsError, match="no store for mongodb databases: they have no transactions"):
        open_store(db)
