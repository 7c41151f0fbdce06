"""Records with two versions: kept, shown side by side, decided field by field or together, on each store."""

import io
from datetime import datetime

import pytest
from pydal import Field

from plugin_sync import Origin, RowsRejected, Settings, SettingsError, conflicts
from plugin_sync.conflicts import NEWEST, OTHER, OURS, THEIRS, Pick
from plugin_sync.importer import run_import
from plugin_sync.intake import ImportOptions
from plugin_sync.keeping import THEIRS as THEIR_FILE
from plugin_sync.keeping import Kept
from plugin_sync.schema import define_tables
from plugin_sync.settings import Duplicates

from .files import csv_file, give, outcomes, take

NOW = datetime(2024, 6, 1, 12, 0, 0)
THEN = "2024-01-01 00:00:00"
ORIGIN = Origin("beef", "beef-uuid", "Jacmel")


def define(db):
    db.define_table(
        "org",
        Field("uuid", length=64, unique=True),
        Field("name", length=64),
        Field("modified_on", "datetime"),
        format="%(name)s",
    )
    db.define_table(
        "person",
        Field("uuid", length=64, unique=True),
        Field("name", "text"),
        Field("weight", "double"),
        Field("born", "date"),
        Field("org", "reference org"),
        Field("friends", "list:reference person"),
        Field("modified_on", "datetime"),
    )
    define_tables(db, "plugin_sync_alias", "plugin_sync_conflict")
    db.org.insert(uuid="o1", name="One", modified_on=datetime(2024, 1, 1))
    db.org.insert(uuid="o2", name="Two", modified_on=datetime(2024, 1, 1))
    first = db.person.insert(uuid="p1", name="Anna", weight=1.5, org=1, modified_on=datetime(2024, 1, 1))
    db.person.insert(uuid="p2", name="Bert", friends=[first], modified_on=datetime(2024, 1, 1))


FILE = csv_file(
    ("org", "uuid,name,modified_on", f"o1,Uno,{THEN}"),
    (
        "person",
        "uuid,name,weight,born,org.uuid,friends.uuid,modified_on",
        f"p1,\\<NULL>,2.5,2001-02-03,o2,|p2|p1|,{THEN}",
        f"p2,Berta,<NULL>,<NULL>,<NULL>,|p1|,{THEN}",
    ),
)


def meet(db, folder, data=FILE, job="job-1", **settings):
    """Import a file and note its conflicts."""
    kept = Kept(folder / job)
    options = ImportOptions(policy="newer", strict=False, settings=Settings(**settings), keep=kept)
    report = run_import(db, io.BytesIO(data.encode()), options)
    noted = conflicts.note_conflicts(db, kept.path(THEIR_FILE), job, ORIGIN, NOW)
    db.commit()
    assert noted == report.counts.conflict
    return conflicts.list_open(db)


def of(found, uuid):
    return next(c for c in found if c.record_uuid == uuid)


def person(db, uuid):
    return db(db.person.uuid == uuid).select().first()


def test_conflicts_are_listed_and_found(new_db, tmp_path):
    db = new_db(define)
    found = meet(db, tmp_path)
    assert [(c.table, c.record_uuid, c.asks_which) for c in found] == [
        ("org", "o1", False),
        ("person", "p1", False),
        ("person", "p2", False),
    ]
    assert conflicts.count_open(db) == 3
    assert conflicts.open_by(db) == [("org", "beef-uuid", "Jacmel", 1), ("person", "beef-uuid", "Jacmel", 2)]
    assert [c.record_uuid for c in conflicts.list_open(db, "person", start=1)] == ["p2"]
    assert conflicts.count_filtered(db, instance="nobody") == 0
    assert conflicts.find_conflict(db, found[1].uuid) == found[1]
    assert conflicts.next_open(db, found[0]) == found[1].uuid
    assert conflicts.next_open(db, found[2]) == found[0].uuid
    with pytest.raises(SettingsError, match="no such conflict"):
        conflicts.find_conflict(db, "nothing")


def test_the_same_question_is_asked_once(new_db, tmp_path):
    db = new_db(define)
    meet(db, tmp_path)
    again = meet(db, tmp_path, FILE.replace("Berta", "Bea"), job="job-2")
    assert conflicts.count_open(db) == 3
    assert of(again, "p2").cells["name"] == "Bea"


def test_both_versions_side_by_side(new_db, tmp_path):
    db = new_db(define)
    pairs = conflicts.sides(db, of(meet(db, tmp_path), "p1"))
    shown = [(p.field.name, p.shown_ours, p.shown_theirs, p.differs) for p in pairs]
    p1, p2 = person(db, "p1"), person(db, "p2")
    assert shown == [
        ("name", "Anna", "<NULL>", True),
        ("weight", "1.5", "2.5", True),
        ("born", None, "2001-02-03", True),
        ("org", "One", "Two", True),
        ("friends", None, "p2, p1", True),
    ]
    assert (p1.uuid, p2.uuid) == ("p1", "p2")
    assert [p.field.name for p in pairs if p.can_be_typed] == ["name", "weight", "born"]
    assert conflicts.times(db, of(conflicts.list_open(db), "p1")) == (THEN, THEN)


def test_picks_are_saved_exactly(new_db, tmp_path):
    db = new_db(define)
    conflict = of(meet(db, tmp_path), "p1")
    picks = {"name": Pick(THEIRS), "weight": Pick(OURS), "born": Pick(OTHER, "1999-12-31"), "friends": Pick(THEIRS)}
    conflicts.decide_one(db, conflict, picks, NOW)
    db.commit()
    p1 = person(db, "p1")
    assert (p1.name, p1.weight, str(p1.born), p1.org, p1.modified_on) == ("<NULL>", 1.5, "1999-12-31", 1, NOW)
    assert list(p1.friends) == [person(db, "p2").id, p1.id]
    assert conflicts.count_open(db) == 2
    with pytest.raises(SettingsError, match="decided already"):
        conflicts.decide_one(db, conflicts.find_conflict(db, conflict.uuid), picks, NOW)


def test_keeping_ours_wins_elsewhere_too(new_db, tmp_path):
    db, other = new_db(define), new_db(define)
    take(other, FILE, "theirs")
    conflicts.decide_one(db, of(meet(db, tmp_path), "p1"), {}, NOW)
    db.commit()
    report = take(other, give(db), "newer", strict=False)
    assert outcomes(report)["person"] == {"changed": 1, "conflict": 1}
    assert person(other, "p1").name == "Anna"


def test_a_decision_is_later_than_any_clock(new_db, tmp_path):
    db = new_db(define)
    late = "2031-05-05 10:00:00"
    db(db.person.uuid == "p1").update(modified_on=late)
    db.commit()
    conflicts.decide_one(db, of(meet(db, tmp_path, FILE.replace(f"|p2|p1|,{THEN}", f"|p2|p1|,{late}")), "p1"), {}, NOW)
    db.commit()
    assert person(db, "p1").modified_on == datetime(2031, 5, 5, 10, 0, 1)


def test_a_value_that_cannot_be_is_named_and_nothing_is_written(new_db, tmp_path):
    db = new_db(define)
    conflict = of(meet(db, tmp_path), "p1")
    with pytest.raises(RowsRejected, match="is not a number"):
        conflicts.decide_one(db, conflict, {"name": Pick(THEIRS), "weight": Pick(OTHER, "heavy")}, NOW)
    assert person(db, "p1").name == "Anna"
    assert conflicts.count_open(db) == 3


def test_a_record_deleted_here_comes_back_whole_when_it_is_wanted(new_db, tmp_path):
    db = new_db(define)
    conflict = of(meet(db, tmp_path), "p2")
    db(db.person.uuid == "p2").delete()
    db.commit()
    assert all(pair.ours is None for pair in conflicts.sides(db, conflict))
    conflicts.decide_one(db, conflict, {"name": Pick(THEIRS)}, NOW)
    db.commit()
    assert (person(db, "p2").name, list(person(db, "p2").friends)) == ("Berta", [person(db, "p1").id])


@pytest.mark.parametrize(("side", "names"), [(OURS, ["Anna", "Bert"]), (THEIRS, ["<NULL>", "Berta"])])
def test_many_at_once(new_db, tmp_path, side, names):
    db = new_db(define)
    assert conflicts.decide_all(db, meet(db, tmp_path), side, NOW) == 3
    db.commit()
    assert [person(db, uuid).name for uuid in ("p1", "p2")] == names
    assert {row.modified_on for row in db(db.person).select()} == {NOW}
    assert conflicts.count_open(db) == 0


def test_the_newest_of_many(new_db, tmp_path):
    db = new_db(define)
    data = FILE.replace(f"<NULL>,|p1|,{THEN}", "<NULL>,|p1|,2024-02-01 00:00:00")
    found = meet(db, tmp_path, data, table_policies={"person": "ask"})
    assert conflicts.decide_all(db, found, NEWEST, NOW) == 1
    db.commit()
    assert [person(db, uuid).name for uuid in ("p1", "p2")] == ["Anna", "Berta"]
    assert sorted(c.record_uuid for c in conflicts.list_open(db)) == ["o1", "p1"]


def test_which_record_it_is(new_db, tmp_path):
    db = new_db(define)
    settings = {"match": {"org": ("name",)}, "duplicates": Duplicates.ASK}
    data = csv_file(("org", "uuid,name,modified_on", f"x1, two ,{THEN}", f"x2,one,{THEN}"))
    found = meet(db, tmp_path, data, **settings)
    found.sort(key=lambda c: c.record_uuid)
    assert [(c.record_uuid, c.asks_which) for c in found] == [("x1", True), ("x2", True)]
    assert conflicts.decide_all(db, found, THEIRS, NOW) == 0
    two = db(db.org.uuid == "o2").select().first().id
    assert conflicts.candidates(db, found[0], Settings(**settings)) == [two]
    conflicts.decide_one(db, found[0], {"name": Pick(THEIRS)}, NOW, record_id=two)
    conflicts.decide_one(db, found[1], {}, NOW)
    db.commit()
    assert [(row.uuid, row.name) for row in db(db.org).select(orderby=db.org.uuid)] == [
        ("o1", "One"),
        ("o2", " two "),
        ("x2", "one"),
    ]
    assert outcomes(take(db, data.replace(" two ", "II").replace(THEN, "2030-01-01 00:00:00")))["org"] == {"changed": 2}
