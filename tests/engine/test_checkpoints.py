"""Exports of what has changed since the last file, on each store."""

import re
from datetime import datetime

import pytest
from pydal import Field

from plugin_sync import SettingsError

from .files import give, outcomes, take
from .states import records


def tables(db):
    db.define_table("org", Field("uuid", length=64, unique=True), Field("name", length=64), Field("modified_on", "datetime"))
    db.define_table(
        "person",
        Field("uuid", length=64, unique=True),
        Field("name", "text"),
        Field("weight", "double"),
        Field("org", "reference org"),
    )


def define(db):
    tables(db)
    for number in range(1, 6):
        db.org.insert(uuid=f"o{number}", name=f"Org\n{number}", modified_on=datetime(2001, 1, number))
        db.person.insert(uuid=f"p{number}", name=None, weight=number / 3, org=number)


def rows_of(data):
    return re.findall(r"^\d+,(\w+),", data.decode(), re.MULTILINE)


def test_only_what_changed_travels(new_db, tmp_path):
    db = new_db(define)
    first, second, third = (tmp_path / name for name in "123")
    everything = give(db, checkpoint=first)
    assert rows_of(everything) == ["o1", "o2", "o3", "o4", "o5", "p1", "p2", "p3", "p4", "p5"]
    assert everything.partition(b"SYNC")[0] == give(db).partition(b"SYNC")[0]
    db(db.person.uuid == "p2").update(name="x")
    db(db.person.uuid == "p4").delete()
    db.person.insert(uuid="p6", org=1)
    db.commit()
    changes = give(db, since=first, checkpoint=second)
    assert rows_of(changes) == ["p2", "p6"]
    assert b"TABLE org" not in changes
    nothing = give(db, since=second, checkpoint=third)
    assert nothing.startswith(b"END\r\nSYNC ")
    assert rows_of(give(db, since=first)) == ["p2", "p6"]


def test_old_times_are_no_reason_to_stay_home(new_db, tmp_path):
    db = new_db(define)
    give(db, checkpoint=tmp_path / "1")
    db.org.insert(uuid="late", modified_on=datetime(1990, 1, 1))
    db(db.org.uuid == "o1").update(modified_on=datetime(1990, 1, 1))
    db.commit()
    assert rows_of(give(db, since=tmp_path / "1")) == ["o1", "late"]


def test_a_module_in_between_forgets_nothing(new_db, tmp_path):
    db = new_db(define)
    give(db, checkpoint=tmp_path / "1")
    db(db.org.uuid == "o1").update(name="changed")
    db(db.person.uuid == "p1").update(name="changed")
    db.commit()
    assert rows_of(give(db, tables=["person"], since=tmp_path / "1", checkpoint=tmp_path / "2")) == ["p1"]
    assert rows_of(give(db, since=tmp_path / "2")) == ["o1"]


def test_files_of_changes_bring_another_database_up_to_date(new_db, tmp_path):
    db = new_db(define)
    other = new_db(tables)
    take(other, give(db, checkpoint=tmp_path / "1"))
    db(db.org.uuid == "o3").update(name="Three", modified_on=datetime(2002, 1, 1))
    mine = db.org.insert(uuid="o9", name="Nine", modified_on=datetime(2002, 1, 1))
    db(db.person.uuid == "p5").update(org=mine)
    db.commit()
    report = take(other, give(db, since=tmp_path / "1"), "theirs")
    assert outcomes(report) == {"org": {"new": 1, "changed": 1}, "person": {"changed": 1}}
    assert records(db) == records(other)


def test_a_checkpoint_that_is_damaged_is_named(new_db, tmp_path):
    db = new_db(define)
    (tmp_path / "1").write_bytes(b"nonsense")
    with pytest.raises(SettingsError, match="the checkpoint cannot be read"):
        give(db, since=tmp_path / "1")
