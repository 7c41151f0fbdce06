"""The host's own callbacks, on each store: called for what really changes, may alter and may refuse."""

import pytest
from pydal import Field

from plugin_sync import Counts, SyncError

from .files import csv_file, give, places, take
from .states import contents

FILE = csv_file(("t", "id,uuid,name,age", "1,a,Anne,1", "2,b,Bert,2", "3,n,Nora,9"))


def people(db):
    db.define_table("t", Field("uuid", length=64), Field("name", length=64), Field("age", "integer"))
    db.t.insert(uuid="a", name="Anna", age=1)
    db.t.insert(uuid="b", name="Bert", age=2)


def listening(db):
    people(db)
    db.calls = []
    db.t._before_insert.append(lambda row: db.calls.append(("before insert", dict(row))))
    db.t._after_insert.append(lambda row, ident: db.calls.append(("after insert", db.t(ident).uuid, row["name"])))
    db.t._before_update.append(
        lambda found, row: db.calls.append(("before update", [r.name for r in found.select()], row["name"]))
    )
    db.t._after_update.append(lambda found, row: db.calls.append(("after update", [r.name for r in found.select()], row["name"])))
    db.t._after_delete.append(lambda found: db.calls.append(("after delete",)))


def test_they_are_called_for_rows_that_really_change(new_db):
    db = new_db(listening)
    assert take(db, FILE, "theirs").counts == Counts(new=1, changed=1, same=1)
    assert db.calls == [
        ("before update", ["Anna"], "Anne"),
        ("before insert", {"uuid": "n", "name": "Nora", "age": 9}),
        ("after update", ["Anne"], "Anne"),
        ("after insert", "n", "Nora"),
    ]
    db.calls.clear()
    assert take(db, FILE, "theirs").counts == Counts(same=3)
    assert db.calls == []


def test_a_check_calls_nobody(new_db):
    db = new_db(listening)
    take(db, FILE, "theirs", dry_run=True)
    take(db, FILE, "ours", dry_run=True)
    assert db.calls == []


def test_they_may_refuse_a_record(new_db):
    def define(db):
        people(db)
        db.define_table("child", Field("uuid", length=64), Field("parent", "reference t"))
        db.t._before_insert.append(lambda row: row["name"] == "Nora")
        db.t._before_update.append(lambda found, row: row["name"] == "Anne")

    db = new_db(define)
    text = FILE.removesuffix("END\r\n") + csv_file(("child", "id,uuid,parent", "1,c1,3", "2,c2,2"))
    before = contents(db)
    with pytest.raises(SyncError):
        take(db, text, "theirs")
    assert contents(db) == before
    report = take(db, text, "theirs", strict=False)
    assert sorted(places(report.problems)) == [
        ("missing_parent", "child", 10, "parent"),
        ("refused_by_host", "t", 3, None),
        ("refused_by_host", "t", 5, None),
    ]
    assert report.table("t").counts == Counts(same=1, rejected=2)
    assert report.table("child").counts == Counts(new=1, rejected=1)
    assert {r.uuid: r.name for r in db(db.t).select()} == {"a": "Anna", "b": "Bert"}


def test_they_may_alter_a_record(new_db):
    def define(db):
        people(db)

        def tidy(*arguments):
            arguments[-1]["name"] = arguments[-1]["name"].upper()
            arguments[-1]["age"] = None

        db.t._before_insert.append(tidy)
        db.t._before_update.append(tidy)

    db = new_db(define)
    take(db, FILE, "theirs")
    assert {r.uuid: (r.name, r.age) for r in db(db.t).select()} == {"a": ("ANNE", None), "b": ("Bert", 2), "n": ("NORA", None)}


def test_what_they_raise_stops_the_import(new_db):
    def define(db):
        people(db)

        def fail(row):
            raise RuntimeError("no disk")

        db.t._before_insert.append(fail)

    db = new_db(define)
    before = contents(db)
    with pytest.raises(SyncError, match="callback fail failed: no disk") as caught:
        take(db, FILE, "theirs")
    db.rollback()
    assert (caught.value.table, caught.value.line, contents(db)) == ("t", 5, before)


def test_what_they_set_must_be_a_value(new_db):
    def define(db):
        people(db)
        db.t._before_insert.append(lambda row: row.set_value("age", "old"))

    db = new_db(define)
    with pytest.raises(SyncError, match="set age to what it cannot hold: 'old'"):
        take(db, FILE, "theirs")


def versioned(db):
    db.define_table("t", Field("uuid", length=64), Field("name", length=64), Field("is_active", "boolean", default=True))
    db.t._enable_record_versioning()


def test_record_versioning(new_db):
    source, db = new_db(versioned), new_db(versioned)
    for uuid in "ab":
        source.t.insert(uuid=uuid, name="first")
    source.commit()
    for _ in range(3):
        take(db, give(source))
    assert db(db.t_archive).count() == 0
    source(source.t.uuid == "a").update(name="second")
    source.commit()
    for _ in range(2):
        take(db, give(source))
    assert [(r.uuid, r.name) for r in db(db.t_archive).select()] == [("a", "first")]
    assert db.t(uuid="a").name == "second"


def test_hidden_records_are_seen(new_db):
    """Soft deletes and common filters hide rows from the application, not from the exchange."""
    source, db = new_db(versioned), new_db(versioned)
    for each in (source, db):
        each.t.insert(uuid="a", name="Anna")
        each.commit()
    source(source.t.uuid == "a").delete()
    source.commit()
    assert source(source.t).count() == 0
    assert take(db, give(source), "theirs").counts == Counts(changed=1)
    assert db(db.t).count() == 0
    assert take(db, give(source), "theirs").counts == Counts(same=1)


def test_uploads_of_a_replaced_name_stay(new_db, tmp_path):
    def define(db):
        db.define_table("t", Field("uuid", length=64), Field("file", "upload", uploadfolder=str(tmp_path), autodelete=True))
        db.t.insert(uuid="a", file="t.file.aa.61.txt")

    db = new_db(define)
    (tmp_path / "t.file.aa.61.txt").write_text("kept", encoding="utf-8")
    report = take(db, csv_file(("t", "id,uuid,file", "1,a,t.file.bb.62.txt", "2,b,t.file.cc.63.txt")), "theirs")
    assert report.counts == Counts(same=1, new=1)  # the file that the other name stands for is not here
    assert db.t(uuid="a").file == "t.file.aa.61.txt"
    assert db.t(uuid="b").file == "t.file.cc.63.txt"
    assert [p.name for p in tmp_path.iterdir()] == ["t.file.aa.61.txt"]
