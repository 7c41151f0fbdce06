"""The register of instances: faults named, ids kept, files of unknown instances noted, pairing files."""

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime

import pytest

from plugin_sync import register
from plugin_sync.errors import FileProblem, SettingsError
from plugin_sync.instances import Standing, ensure_self, note_origin
from plugin_sync.records import Origin
from plugin_sync.register import Facts, add_peer, edit_peer, find_peer, list_peers, remove_peer, set_state
from plugin_sync.schema import define_tables

from .databases import connect, database_uri

NOW = datetime(2026, 5, 2, 9, 12)
LATER = datetime(2026, 5, 3)
UUID = "c3d40000-0000-4000-8000-000000000000"
JACMEL = Facts("c3d4", "Jacmel", "Red Cross", "Ann\n+509 1", "https://jacmel.example.org", UUID)


@pytest.fixture
def db(new_db):
    db = new_db(define_tables)
    ensure_self(db, name="Main", source=lambda: uuid.UUID("a1b2" + "0" * 28))
    db.commit()
    return db


def faults(found):
    return [(fault.field, fault.message) for fault in found]


def test_an_instance_is_added_and_edited(db):
    assert add_peer(db, Facts(" C3D4 ", "  Jacmel ", contact=" Ann\n+509 1 "), NOW) == []
    own, peer = list_peers(db)
    assert (own.is_self, own.label, own.state) == (True, "Main", Standing.SELF)
    assert (peer.facts, peer.state) == (Facts("c3d4", "Jacmel", contact="Ann\n+509 1"), Standing.KNOWN)
    assert (peer.last_update, peer.sync_count, peer.key) == (NOW, 0, "c3d4")
    assert edit_peer(db, peer, Facts("ffff", "J", "O", "C", "http://x", UUID)) == []
    assert find_peer(db, "c3d4").facts == Facts("c3d4", "J", "O", "C", "http://x")
    assert edit_peer(db, own, Facts(name="Head office", url="https://main.example.org")) == []
    assert (list_peers(db)[0].facts.name, list_peers(db)[0].facts.base_uuid) == ("Head office", own.base_uuid)


def test_two_may_lack_a_uuid(db):
    assert add_peer(db, Facts("c3d4", "One"), NOW) == add_peer(db, Facts("d4e5", "Two"), NOW) == []
    assert [peer.label for peer in list_peers(db)] == ["Main", "One", "Two"]


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        (Facts("", "x"), [("base_uuid", "no_code")]),
        (Facts("xyz1", "x"), [("base_uuid", "no_code")]),
        (Facts("c3d4e", "x"), [("base_uuid", "no_code")]),
        (Facts("a1b2", "x"), [("base_uuid", "own_code")]),
        (Facts("c3d4", "x"), [("base_uuid", "code_taken")]),
        (Facts("c3d5", "x", uuid=UUID), [("base_uuid", "uuid_taken")]),
        (Facts("d4e5", " "), [("name", "no_name")]),
        (Facts("d4e5", "x" * 101, "x" * 101), [("name", "too_long"), ("owner", "too_long")]),
        (Facts("d4e5", "x", url="javascript:alert(1)"), [("url", "not_web")]),
        (Facts("d4e5", "x", url="ftp://x"), [("url", "not_web")]),
        (Facts("d4e5", "x", url="https://"), [("url", "not_web")]),
        (Facts("d4e5", "x", url="https://name:secret@x"), [("url", "not_web")]),
        (Facts("d4e5", "x", url="http://[x"), [("url", "not_web")]),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(db, facts, wanted):
    add_peer(db, JACMEL, NOW)
    before = list_peers(db)
    found = add_peer(db, facts, NOW)
    assert faults(found) == wanted
    assert all(register.MESSAGES[fault.message] % dict(fault.values) for fault in found)
    assert list_peers(db) == before


def test_a_wrong_edit_changes_nothing(db):
    add_peer(db, JACMEL, NOW)
    peer = find_peer(db, "c3d4")
    assert faults(edit_peer(db, peer, Facts(name="", url="x"))) == [("name", "no_name"), ("url", "not_web")]
    assert find_peer(db, "c3d4") == peer


def test_pausing_and_removing(db):
    add_peer(db, JACMEL, NOW)
    peer = find_peer(db, "c3d4")
    set_state(db, peer, Standing.PAUSED)
    assert find_peer(db, "c3d4").state is Standing.PAUSED
    set_state(db, peer, Standing.KNOWN)
    assert find_peer(db, "c3d4") == peer
    remove_peer(db, peer)
    assert [p.label for p in list_peers(db)] == ["Main"]
    (gone,) = list_peers(db, removed=True)[1:]
    assert (gone.id, gone.label, gone.facts.owner, gone.facts.contact, gone.facts.url) == (peer.id, "Jacmel", "", "", "")
    with pytest.raises(SettingsError):
        find_peer(db, "c3d4")
    assert add_peer(db, Facts("c3d4", "Back"), LATER) == []
    assert (find_peer(db, "c3d4").id, find_peer(db, "c3d4").label) == (peer.id, "Back")


@pytest.mark.parametrize("change", [remove_peer, lambda db, peer: set_state(db, peer, Standing.PAUSED)])
def test_the_own_instance_stays(db, change):
    with pytest.raises(SettingsError):
        change(db, list_peers(db)[0])


def test_a_pairing_file_says_all_and_no_more(db):
    add_peer(db, JACMEL, NOW)
    data = register.pairing_file(find_peer(db, "c3d4"))
    assert register.read_pairing(data) == JACMEL
    told = {"plugin_sync_instance", "base_uuid", "uuid", "name", "owner", "contact", "url", "public_key"}
    assert set(json.loads(data)) == told


def test_a_pairing_file_brings_a_key_also_later(db):
    """An office that is known by its files alone, or has a new key, gets it from its pairing file; its other facts stay."""
    add_peer(db, JACMEL, NOW)
    peer = find_peer(db, "c3d4")
    assert register.known_keys(db) == {}
    for key in ("a1" * 32, "b2" * 32):
        told = register.read_pairing(register.pairing_file(peer, key))
        assert told.public_key == key
        assert add_peer(db, replace(told, name="Another name"), NOW) == []
        assert register.known_keys(db) == {key: UUID}
        assert find_peer(db, "c3d4").facts == replace(JACMEL, public_key=key)
    assert [f.message for f in add_peer(db, told, NOW)] == ["uuid_taken"]
    assert register.edit_peer(db, find_peer(db, "c3d4"), replace(JACMEL, name="Renamed")) == []
    assert find_peer(db, "c3d4").facts == replace(JACMEL, name="Renamed", public_key=key)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"plugin_sync_instance": 1, "uuid": "../../etc/passwd"}',
        b'{"plugin_sync_instance": 1, "uuid": 5}',
        json.dumps({"plugin_sync_instance": 1, "uuid": UUID, "name": ["x"]}).encode(),
        json.dumps({"plugin_sync_instance": 2, "uuid": UUID}).encode(),
        json.dumps({"plugin_sync_instance": 1, "uuid": UUID, "public_key": "../../etc/passwd"}).encode(),
    ],
)
def test_another_file_is_no_pairing_file(data):
    with pytest.raises(FileProblem) as caught:
        register.read_pairing(data)
    assert caught.value.hint


def test_the_origin_of_a_file_is_registered_once_and_counted(db):
    origin = Origin("c3d4", UUID, "Jacmel", "2026-05-02T09:00:00Z", 1)
    first = note_origin(db, origin, NOW)
    assert note_origin(db, Origin("c3d4", UUID.upper(), "Renamed"), LATER) == first
    peer = find_peer(db, "c3d4")
    assert (peer.id, peer.label, peer.facts.uuid, peer.state) == (first, "Jacmel", UUID, Standing.KNOWN)
    assert (peer.sync_count, peer.last_update) == (2, LATER)


def test_an_instance_added_by_hand_gets_its_uuid_from_its_first_file(db):
    add_peer(db, Facts("c3d4", "By hand"), NOW)
    assert note_origin(db, Origin("c3d4", UUID, "Jacmel"), LATER) == find_peer(db, "c3d4").id
    peer = find_peer(db, "c3d4")
    assert (peer.label, peer.facts.uuid, peer.key, peer.sync_count) == ("By hand", UUID, UUID, 1)


def test_a_paused_instance_stays_paused_and_a_removed_one_returns(db):
    number = note_origin(db, Origin("c3d4", UUID, "Jacmel"), NOW)
    set_state(db, find_peer(db, "c3d4"), Standing.PAUSED)
    note_origin(db, Origin("c3d4", UUID, "Jacmel"), NOW)
    assert find_peer(db, "c3d4").state is Standing.PAUSED
    remove_peer(db, find_peer(db, "c3d4"))
    assert note_origin(db, Origin("c3d4", UUID, "Jacmel"), NOW) == number
    assert find_peer(db, "c3d4").state is Standing.KNOWN


def test_two_instances_with_one_code_clash(db):
    add_peer(db, JACMEL, NOW)
    assert note_origin(db, Origin("c3d4", "c3d4" + UUID[4:-1] + "9", "Stranger"), LATER) is None
    peer = find_peer(db, "c3d4")
    assert (peer.state, peer.label, peer.facts.uuid) == (Standing.CLASH, "Jacmel", UUID)
    assert note_origin(db, Origin("a1b2", UUID[:-1] + "8", "Stranger"), LATER) is None
    assert list_peers(db)[0].state is Standing.SELF


def test_the_own_file_is_not_counted(db):
    own = list_peers(db)[0]
    assert note_origin(db, Origin("a1b2", own.facts.uuid, "Main"), LATER) == own.id
    assert list_peers(db)[0] == own


@pytest.mark.parametrize("origin", [Origin(), Origin("c3d4"), Origin("c3d4", "../x"), Origin("c", UUID), Origin(None, UUID)])
def test_a_file_that_does_not_say_where_it_is_from_registers_nobody(db, origin):
    assert note_origin(db, origin, NOW) is None
    assert len(list_peers(db)) == 1


@pytest.mark.parametrize("by_hand", [False, True])
def test_imports_at_once_register_an_instance_once(engine, tmp_path, by_hand):
    with database_uri(engine) as server, ExitStack() as connections:
        uri = f"sqlite://{tmp_path}/storage.db" if "sqlite" in engine else server
        first, *others = [connections.enter_context(closing(connect(uri, tmp_path))) for _ in range(5)]
        define_tables(first)
        ensure_self(first, source=lambda: uuid.UUID("a1b2" + "0" * 28))
        first.commit()
        for db in others:
            define_tables(db, migrate=False)
        for code in range(0xC3D4, 0xC3E4):
            jacmel = replace(JACMEL, base_uuid=f"{code:x}", uuid=str(uuid.uuid4()))
            if by_hand:
                assert add_peer(first, replace(jacmel, uuid=""), NOW) == []
                first.commit()
            assert len(set(_noted_at_once(others, Origin(jacmel.base_uuid, jacmel.uuid, "Jacmel")))) == 1
            first.rollback()
            assert find_peer(first, jacmel.base_uuid).sync_count == len(others)


def _noted_at_once(connections, origin):
    barrier = threading.Barrier(len(connections))

    def work(db):
        barrier.wait()
        if db._adapter.dbengine == "sqlite":
            db.executesql("BEGIN IMMEDIATE")
        found = note_origin(db, origin, NOW)
        db.commit()
        return found

    with ThreadPoolExecutor(len(connections)) as pool:
        return list(pool.map(work, connections))
