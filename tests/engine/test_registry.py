"""Which store serves which engine."""

from types import SimpleNamespace

import pytest

from plugin_sync import SettingsError
from plugin_sync.stores.registry import STORES, open_store

from . import databases


def test_every_store_is_held_to_the_contract():
    assert set(databases.STORES) >= set(STORES)


def test_an_engine_without_a_store():
    db = SimpleNamespace(_adapter=SimpleNamespace(dbengine="teradata"))
    with pytest.raises(SettingsError, match="no store for teradata databases") as caught:
        open_store(db)
    assert all(name in caught.value.hint for name in STORES)
