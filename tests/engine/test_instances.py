"""The own instance: made once, whoever comes first."""

import threading
import uuid

import pytest

from plugin_sync.errors import SettingsError, StoreError
from plugin_sync.identity import BASE_UUID
from plugin_sync.instances import ensure_self, find_self, own_instance
from plugin_sync.schema import INSTANCE, define_tables

from .databases import ENGINES, connect, database, database_uri

STARTS = 16  # with four, MariaDB's deadlock (error 1213) showed once in many runs only


@pytest.fixture(params=ENGINES)
def db(request):
    with database(request.param) as db:
        define_tables(db, INSTANCE)
        db.commit()
        yield db


def test_the_first_start_makes_the_own_instance(db):
    made = ensure_self(db, name="Port-au-Prince", owner="Red Cross")
    db.commit()
    assert BASE_UUID.match(made.base_uuid)
    assert str(uuid.UUID(made.uuid)) == made.uuid
    assert (made.name, made.owner, made.is_self) == ("Port-au-Prince", "Red Cross", True)
    row = db(db.sync_instance).select().first()
    assert (row.base_uuid, row.sync_count, row.is_self, row.state) == (made.base_uuid, 0, True, "self")
    assert row.last_update is not None


def test_later_starts_find_it(db):
    made = ensure_self(db)
    assert ensure_self(db, name="another") == made
    assert own_instance(db) == made
    assert db(db.sync_instance).count() == 1


def test_it_has_no_name_before_the_first_start(db):
    assert find_self(db) is None
    with pytest.raises(SettingsError) as caught:
        own_instance(db)
    assert caught.value.hint


def test_a_base_uuid_that_a_peer_has_is_not_taken(db):
    peer = uuid.UUID("aaaa0000-0000-4000-8000-000000000000")
    db.sync_instance.insert(base_uuid="aaaa", uuid=str(peer), last_update="2026-01-01 00:00:00")
    sources = iter([peer, uuid.uuid4(), uuid.UUID("bbbb0000-0000-4000-8000-000000000000"), uuid.uuid4()])
    assert ensure_self(db, source=lambda: next(sources)).base_uuid == "bbbb"
    assert db(db.sync_instance.is_self == None).count() == 1  # noqa: E711 - SQL


def test_giving_up_is_an_error(db):
    peer = uuid.UUID("aaaa0000-0000-4000-8000-000000000000")
    db.sync_instance.insert(base_uuid="aaaa", uuid=str(peer), last_update="2026-01-01 00:00:00")
    with pytest.raises(StoreError):
        ensure_self(db, source=lambda: peer)


@pytest.mark.parametrize("engine", ENGINES)
def test_two_first_starts_at_once_make_one_instance(engine, tmp_path):
    with database_uri(engine) as server:
        uri = f"sqlite://{tmp_path}/storage.db" if engine == "sqlite" else server
        first = connect(uri, tmp_path)
        define_tables(first, INSTANCE)
        first.commit()
        barrier, found = threading.Barrier(STARTS), []

        def start():
            db = connect(uri, tmp_path)
            barrier.wait()
            found.append(ensure_self(db))
            db.commit()
            db.close()

        threads = [threading.Thread(target=start) for _ in range(STARTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == STARTS and len(set(found)) == 1
        assert first(first.sync_instance).count() == 1
        first.close()
