"""Files for an instance: of what changed since its last one, which stays what it was until a file is whole."""

import io
import os
import re
from datetime import datetime, timedelta

import pytest
from pydal import Field

from plugin_sync import import_csv
from plugin_sync.errors import SettingsError
from plugin_sync.history import Filters, Tally, read_entries
from plugin_sync.instances import Standing, ensure_self, utc_now
from plugin_sync.jobs import Download, Outbox, Target
from plugin_sync.register import Facts, add_peer, find_peer, set_state
from plugin_sync.schema import define_tables
from plugin_sync.sent import Sent, Since
from plugin_sync.settings import Settings

SETTINGS = Settings(uuid_only=True)
NOW = datetime(2026, 5, 2, 9, 12)
UUID = "c3d40000-0000-4000-8000-000000000000"


def define(db):
    db.define_table("org_office", Field("uuid", length=64), Field("name"))
    db.define_table("pr_person", Field("uuid", length=64), Field("name"))
    define_tables(db)


@pytest.fixture
def db(new_db):
    db = new_db(define)
    ensure_self(db, name="Main")
    add_peer(db, Facts("c3d4", "Jacmel", uuid=UUID), NOW)
    for name in ("one", "two"):
        db.org_office.insert(uuid=f"u-{name}", name=name)
        db.pr_person.insert(uuid=f"p-{name}", name=name)
    db.commit()
    return db


@pytest.fixture
def sent(tmp_path):
    return Sent(tmp_path / "checkpoints")


def download(db, sent, since, **choice):
    own = ensure_self(db)
    return Download(SETTINGS, own, user_id=7, file_name="x.csv", target=Target(find_peer(db, "c3d4"), since, sent), **choice)


def rows(data):
    return re.findall(r"^\d+,([up]-\w+),", data.decode(), re.MULTILINE)


def take(db, sent, since, **choice):
    return rows(b"".join(download(db, sent, since, **choice).write(db)))


def test_a_file_for_an_instance_is_followed_by_one_of_changes(db, sent):
    assert sent.made_on(find_peer(db, "c3d4")) is None
    assert take(db, sent, Since.ALL) == ["u-one", "u-two", "p-one", "p-two"]
    assert abs(sent.made_on(find_peer(db, "c3d4")) - utc_now()) < timedelta(minutes=1)
    assert take(db, sent, Since.CHANGES) == []
    db(db.org_office.uuid == "u-one").update(name="changed")
    db.commit()
    assert take(db, sent, Since.CHANGES) == ["u-one"]
    assert take(db, sent, Since.CHANGES) == []
    entries = read_entries(db, Filters(instance=find_peer(db, "c3d4").id))
    assert [entry.tally for entry in reversed(entries)] == [Tally(exported=n) for n in (4, 0, 1, 0)]
    assert {entry.user_id for entry in entries} == {7}
    assert not list(sent.folder.glob("*.part"))


def test_a_lost_file_is_made_again_with_what_changed_since(db, sent):
    take(db, sent, Since.ALL)
    db(db.org_office.uuid == "u-one").update(name="changed")
    db.commit()
    assert take(db, sent, Since.CHANGES) == ["u-one"]  # the one that is lost
    db(db.org_office.uuid == "u-two").update(name="changed")
    db.commit()
    assert take(db, sent, Since.AGAIN) == ["u-one", "u-two"]
    assert take(db, sent, Since.AGAIN) == ["u-one", "u-two"]  # lost too
    assert take(db, sent, Since.CHANGES) == []  # no matter whether that is lost
    assert take(db, sent, Since.AGAIN) == ["u-one", "u-two"]


def test_what_an_ended_process_left_is_removed(db, sent):
    take(db, sent, Since.ALL)
    left = sent.folder / "left.part"
    left.touch()
    take(db, sent, Since.CHANGES)
    assert left.exists()
    os.utime(left, (0, 0))
    take(db, sent, Since.CHANGES)
    assert not left.exists()


def test_a_first_file_that_was_lost_is_made_again_whole(db, sent):
    take(db, sent, Since.ALL)
    assert take(db, sent, Since.AGAIN) == ["u-one", "u-two", "p-one", "p-two"]


def test_a_file_that_was_broken_off_changes_nothing(db, sent):
    take(db, sent, Since.ALL)
    db(db.org_office.uuid == "u-one").update(name="changed")
    db.commit()
    stream = download(db, sent, Since.CHANGES).write(db)
    next(stream)
    stream.close()
    db.rollback()
    assert not list(sent.folder.glob("*.part"))
    assert len(read_entries(db, Filters())) == 1
    assert take(db, sent, Since.CHANGES) == ["u-one"]


def test_a_module_alone_forgets_nothing_of_the_others(db, sent):
    take(db, sent, Since.ALL)
    assert take(db, sent, Since.ALL, module="org") == ["u-one", "u-two"]
    assert take(db, sent, Since.CHANGES) == []


def test_changes_since_a_file_that_never_was_are_refused_before_the_first_byte(db, sent):
    with pytest.raises(SettingsError) as caught:
        download(db, sent, Since.CHANGES).require(db)
    assert "no file was made" in str(caught.value) and caught.value.hint
    download(db, sent, Since.ALL).require(db)
    assert not list(sent.folder.glob("*"))


def test_a_damaged_checkpoint_is_named_before_the_first_byte(db, sent):
    take(db, sent, Since.ALL)
    (sent.folder / UUID).write_bytes(b"nonsense")
    with pytest.raises(SettingsError, match="the checkpoint cannot be read"):
        download(db, sent, Since.CHANGES).require(db)


def test_a_uuid_that_becomes_known_later_keeps_the_checkpoint(db, sent):
    add_peer(db, Facts("d4e5", "By hand"), NOW)
    db.commit()
    peer = find_peer(db, "d4e5")
    with sent.taking(peer, Since.ALL) as taking:
        list(Download(SETTINGS, ensure_self(db), target=Target(peer, Since.ALL, sent)).write(db))
        assert taking.since is None
    db(db.sync_instance.id == peer.id).update(uuid="d4e5" + UUID[4:])
    db.org_office.insert(uuid="u-three", name="three")
    db.commit()
    known = find_peer(db, "d4e5")
    assert sent.made_on(known) is not None
    with sent.taking(known, Since.CHANGES) as taking:
        assert taking.since.name == "d4e5"
    list(Download(SETTINGS, ensure_self(db), target=Target(known, Since.CHANGES, sent)).write(db))
    assert sorted(path.name for path in sent.folder.iterdir()) == ["d4e5" + UUID[4:], "d4e5" + UUID[4:] + ".previous"]
    sent.forget(known)
    assert list(sent.folder.iterdir()) == []


def test_a_code_that_is_none_never_becomes_a_path(db, sent):
    db(db.sync_instance.base_uuid == "c3d4").update(uuid="../../../etc/passwd")
    with pytest.raises(SettingsError):
        sent.made_on(find_peer(db, "c3d4"))


def test_the_outbox_is_filled_with_changes_for_active_instances(db, sent, tmp_path):
    outbox = Outbox(tmp_path / "outbox", sent, lambda: NOW)
    add_peer(db, Facts("d4e5", "Paused"), NOW)
    set_state(db, find_peer(db, "d4e5"), Standing.PAUSED)
    db.commit()
    own = ensure_self(db)
    assert outbox.fill(db, SETTINGS, own) == ["c3d4-20260502T091200Z.csv"]
    (parcel,) = outbox.parcels()
    assert (parcel.base_uuid, parcel.made_on) == ("c3d4", NOW)
    data = outbox.path(parcel.name).read_bytes()
    assert (rows(data), parcel.size_bytes) == (["u-one", "u-two", "p-one", "p-two"], len(data))
    assert import_csv(db, io.BytesIO(data), "theirs", settings=SETTINGS).counts.same == 4
    assert Outbox(outbox.folder, sent, lambda: NOW + timedelta(hours=1)).fill(db, SETTINGS, own) == []
    db.org_office.insert(uuid="u-three", name="three")
    db.commit()
    later = Outbox(outbox.folder, sent, lambda: NOW + timedelta(hours=2))
    assert later.fill(db, SETTINGS, own) == ["c3d4-20260502T111200Z.csv"]
    assert rows(later.path("c3d4-20260502T111200Z.csv").read_bytes()) == ["u-three"]
    assert [entry.tally.exported for entry in read_entries(db, Filters())] == [1, 4]
    assert Outbox(outbox.folder, sent, lambda: NOW + timedelta(days=5, minutes=1)).remove_old(5) == ["c3d4-20260502T091200Z.csv"]
    assert [p.name for p in later.parcels()] == ["c3d4-20260502T111200Z.csv"]


def test_a_file_that_cannot_be_made_is_remembered_and_the_others_are_made(db, sent, tmp_path):
    add_peer(db, Facts("b2c3", "Another"), NOW)
    db.commit()
    own = ensure_self(db)
    outbox = Outbox(tmp_path / "outbox", sent, lambda: NOW)
    assert len(outbox.fill(db, SETTINGS, own)) == 2
    (sent.folder / "b2c3").write_bytes(b"nonsense")
    db.org_office.insert(uuid="u-three", name="three")
    db.commit()
    assert Outbox(outbox.folder, sent, lambda: NOW + timedelta(hours=1)).fill(db, SETTINGS, own) == ["c3d4-20260502T101200Z.csv"]
    failed = read_entries(db, Filters(result="failed"))
    assert [(entry.instance_id, entry.kind) for entry in failed] == [(find_peer(db, "b2c3").id, "export")]
    assert not list(outbox.folder.glob("*.part"))


def test_what_another_process_makes_is_left_to_it(db, sent, tmp_path):
    outbox = Outbox(tmp_path / "outbox", sent, lambda: NOW)
    with outbox._alone() as alone:
        assert alone
        assert outbox.fill(db, SETTINGS, ensure_self(db)) == []
    assert len(outbox.fill(db, SETTINGS, ensure_self(db))) == 1


@pytest.mark.parametrize("name", ["../c3d4-20260502T091200Z.csv", ".lock", "c3d4-20260502T091200Z.csv", "x"])
def test_only_files_of_the_outbox_are_given_out(sent, tmp_path, name):
    outbox = Outbox(tmp_path / "outbox", sent)
    outbox.folder.mkdir()
    (tmp_path / "c3d4-20260502T091200Z.csv").touch()
    (outbox.folder / ".lock").touch()
    with pytest.raises(SettingsError):
        outbox.path(name)
