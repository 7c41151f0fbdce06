"""Undoing an import, on each store: all as it was, but for what was edited since, which is named."""

import io
import random
from datetime import datetime

import pytest
from pydal import Field

from plugin_sync import CheckOutdated, Settings, SettingsError, SyncError
from plugin_sync.importer import run_import
from plugin_sync.intake import ImportOptions
from plugin_sync.keeping import THEIRS, Kept
from plugin_sync.schema import define_tables
from plugin_sync.settings import Duplicates
from plugin_sync.undoing import undo_import

from .databases import ENGINES
from .files import csv_file
from .states import contents


@pytest.fixture(params=ENGINES)
def engine(request):
    """What an import leaves behind is kept by these stores only; through pyDAL alone an import cannot be undone."""
    return request.param


NOW, LATER = "2024-02-01 00:00:00", "2024-03-01 00:00:00"


def define(db):
    db.define_table(
        "org",
        Field("uuid", length=64, unique=True),
        Field("name", length=64),
        Field("photo", "upload"),
        Field("up", "reference org"),
        Field("modified_on", "datetime"),
    )
    db.define_table(
        "person",
        Field("uuid", length=64, unique=True),
        Field("name", "text"),
        Field("weight", "double"),
        Field("org", "reference org"),
        Field("friends", "list:reference person"),
        Field("modified_on", "datetime"),
    )
    define_tables(db, "plugin_sync_alias")
    one = db.org.insert(uuid="o1", name="One", photo="", modified_on=datetime(2024, 1, 1))
    db.org.insert(uuid="o2", name="Two", photo="org.photo.x.jpg", up=one, modified_on=datetime(2024, 1, 1))
    first = db.person.insert(uuid="p1", name="<NULL>", weight=0.1 + 0.2, org=one, modified_on=datetime(2024, 1, 1, 2, 3, 4))
    db.person.insert(uuid="p2", name=None, friends=[first], modified_on=datetime(2024, 1, 1))


FILE = csv_file(
    (
        "org",
        "id,uuid,name,photo,up,modified_on,up.uuid",
        f"70,o1,One!,org.photo.y.jpg,71,{LATER},o3",
        f"71,o3,Three,,<NULL>,{LATER},<NULL>",
        f"72,o4,Four,,71,{LATER},o3",
    ),
    (
        "person",
        "id,uuid,name,weight,org,friends,modified_on,org.uuid,friends.uuid",
        f"80,p1,Anna,0.30000000000000001,72,|81|,{LATER},o4,|p3|",
        f'81,p3,"Bea, ""B""",2.5,71,<NULL>,{LATER},o3,<NULL>',
        f"82,p2,,<NULL>,<NULL>,||,{LATER},<NULL>,||",
    ),
)


def options(**more):
    return ImportOptions(strict=False, **{"policy": "newer", **more})


def keep_import(db, folder, data=FILE, **more):
    kept = Kept(folder / "kept")
    report = run_import(db, io.BytesIO(data.encode()), options(keep=kept, **more))
    db.commit()
    return kept, report


def stays(report):
    return sorted((k.table, k.key, k.reason) for k in report.kept)


def test_all_is_as_it_was(new_db, tmp_path):
    db = new_db(define)
    before = contents(db)
    kept, report = keep_import(db, tmp_path)
    assert (report.counts.new, report.counts.changed) == (3, 3)
    undone = undo_import(db, kept)
    db.commit()
    assert (undone.removed, undone.restored, stays(undone)) == (3, 3, [])
    assert {t.table: (t.removed, t.restored) for t in undone.tables} == {"org": (2, 1), "person": (1, 2)}
    assert without_ids_given(contents(db)) == without_ids_given(before)


def without_ids_given(found):
    """SQLite remembers the highest id that it gave, also of a record that is gone."""
    return [line for line in found if "sqlite_sequence" not in line] if isinstance(found, list) else found


def test_a_look_at_an_undo_changes_nothing(new_db, tmp_path):
    db = new_db(define)
    kept, _ = keep_import(db, tmp_path)
    before = contents(db)
    undone = undo_import(db, kept, dry_run=True)
    db.commit()
    assert (undone.dry_run, undone.removed, undone.restored, undone.kept_total) == (True, 3, 3, 0)
    assert contents(db) == before


def test_records_edited_since_stay_and_are_named(new_db, tmp_path):
    db = new_db(define)
    kept, _ = keep_import(db, tmp_path)
    db(db.person.uuid == "p1").update(name="Anna II")
    db(db.person.uuid == "p3").update(weight=3)
    db.commit()
    undone = undo_import(db, kept)
    db.commit()
    assert stays(undone) == [
        ("org", "o3", "others point to it"),
        ("org", "o4", "others point to it"),
        ("person", "p1", "edited since"),
        ("person", "p3", "edited since"),
    ]
    assert (undone.removed, undone.restored) == (0, 2)
    assert db(db.org.uuid == "o1").select().first().name == "One"
    assert db(db.person.uuid == "p1").select().first().name == "Anna II"


def test_a_new_record_that_others_point_to_stays(new_db, tmp_path):
    db = new_db(define)
    kept, _ = keep_import(db, tmp_path)
    four = db(db.org.uuid == "o4").select().first().id
    three = db(db.person.uuid == "p3").select().first().id
    db.org.insert(uuid="mine", name="Mine", up=four)
    db.person.insert(uuid="pmine", friends=[three])
    db.commit()
    undone = undo_import(db, kept)
    db.commit()
    assert stays(undone) == [
        ("org", "o3", "others point to it"),  # for o4 stays, which points to it
        ("org", "o4", "others point to it"),
        ("person", "p3", "others point to it"),
    ]
    assert db(db.org.uuid == "mine").select().first().up == four


def test_records_deleted_since_are_no_trouble(new_db, tmp_path):
    db = new_db(define)
    data = csv_file(("person", "uuid,name,modified_on", f"p2,Eva,{LATER}", f"p8,Ada,{LATER}", f"p9,Ida,{LATER}"))
    kept, _ = keep_import(db, tmp_path, data)
    db(db.person.uuid.belongs(["p2", "p8"])).delete()
    db.commit()
    undone = undo_import(db, kept)
    db.commit()
    assert stays(undone) == [("person", "p2", "deleted since")]
    assert (undone.removed, undone.restored) == (1, 0)
    assert [row.uuid for row in db(db.person).select()] == ["p1"]


def test_an_undo_is_done_once(new_db, tmp_path):
    db = new_db(define)
    kept, _ = keep_import(db, tmp_path)
    undo_import(db, kept)
    db.commit()
    before = contents(db)
    again = undo_import(db, kept)
    db.commit()
    assert (again.removed, again.restored) == (0, 0)
    assert contents(db) == before


def test_links_are_forgotten(new_db, tmp_path):
    db = new_db(define)
    settings = Settings(match={"org": ("name",)})
    data = csv_file(("org", "uuid,name,modified_on", f"x9,two,{LATER}"))
    kept, report = keep_import(db, tmp_path, data, settings=settings)
    assert report.counts.changed == 1
    assert db(db.plugin_sync_alias).count() == 1
    undone = undo_import(db, kept, settings)
    db.commit()
    assert undone.restored == 1
    assert db(db.plugin_sync_alias).isempty()
    assert db(db.org.uuid == "o2").select().first().name == "Two"


def test_the_applications_callbacks_are_asked(new_db, tmp_path):
    db = new_db(define)
    kept, _ = keep_import(db, tmp_path)
    heard = []
    db.person._before_delete.append(lambda found: heard.append(("before", found.count())))
    db.person._after_delete.append(lambda found: heard.append(("after", found.count())))
    db.org._before_delete.append(lambda found: found.select().first().uuid == "o4")
    undone = undo_import(db, kept)
    db.commit()
    assert heard == [("before", 1), ("after", 0)]
    assert ("org", "o4", "refused by the application") in stays(undone)


def test_a_failure_changes_nothing(new_db, tmp_path):
    db = new_db(define)
    kept, _ = keep_import(db, tmp_path)

    def fail(_found):
        raise ValueError("no")

    db.org._before_delete.append(fail)
    before = contents(db)
    with pytest.raises(SyncError, match="callback fail failed: no"):
        undo_import(db, kept)
    db.commit()
    assert contents(db) == before


def test_what_is_not_kept_cannot_be_undone(new_db, tmp_path):
    db = new_db(define)
    with pytest.raises(SettingsError, match="not kept any more"):
        undo_import(db, Kept(tmp_path / "nothing"))


@pytest.mark.parametrize("seed", range(6))
def test_any_import_can_be_undone(new_db, tmp_path, seed):
    """Whatever policy, order and mixture of rows: afterwards the database holds what it held."""
    rng = random.Random(seed)
    db = new_db(define)
    uuids = [f"o{n}" for n in range(1, 9)]
    orgs = [
        f"{n + 50},{u},N{rng.random()},,{rng.choice([NOW, LATER, '2020-01-01 00:00:00'])},{rng.choice([*uuids, '<NULL>'])}"
        for n, u in enumerate(uuids)
    ]
    people = [f"{n},p{n},{rng.choice(['', '<NULL>', 'é'])},{LATER},{rng.choice(uuids)},|p1|p{n}|" for n in range(1, 7)]
    data = csv_file(
        ("org", "id,uuid,name,photo,modified_on,up.uuid", *orgs),
        ("person", "id,uuid,name,modified_on,org.uuid,friends.uuid", *people),
    )
    before = without_ids_given(contents(db))
    kept, report = keep_import(db, tmp_path, data, policy=rng.choice(["newer", "theirs", "add", "fill"]))
    assert report.counts.written
    undone = undo_import(db, kept)
    db.commit()
    assert (undone.removed, undone.restored, undone.kept_total) == (report.counts.new, report.counts.changed, 0)
    assert without_ids_given(contents(db)) == before


# ---- what else an import leaves


def test_the_other_side_of_a_conflict_is_kept(new_db, tmp_path):
    db = new_db(define)
    settings = Settings(match={"org": ("name",)}, duplicates=Duplicates.ASK)
    data = csv_file(
        ("org", "uuid,name,modified_on,up.uuid", "o1,Uno,2024-01-01 00:00:00,o2", f"x9,two,{LATER},<NULL>"),
        ("person", "uuid,friends.uuid,modified_on", "p2,|p2|p1|,2024-01-01 00:00:00"),
    )
    kept, report = keep_import(db, tmp_path, data, settings=settings)
    assert report.counts.conflict == 3
    text = kept.path(THEIRS).read_text(encoding="utf-8").replace(":00.000000,", ":00,")  # times as they were staged
    ids = {row.uuid: row.id for row in db(db.org).select()}
    assert f"{ids['o1']},o1,Uno,,{ids['o2']},2024-01-01 00:00:00,o2\n" in text.replace("\r\n", "\n")
    assert f"-2,x9,two,<NULL>,<NULL>,{LATER},<NULL>\n" in text.replace("\r\n", "\n")
    assert "|p2|p1|\n" in text.replace("\r\n", "\n")


def test_a_check_is_outdated_when_records_were_edited(new_db, tmp_path):
    db = new_db(define)
    kept = Kept(tmp_path / "kept")
    run_import(db, io.BytesIO(FILE.encode()), options(dry_run=True, on_decided=kept.note_decisions))
    run_import(db, io.BytesIO(FILE.encode()), options(dry_run=True, on_decided=kept.require_decisions))
    db(db.person.uuid == "p1").update(modified_on=datetime(2024, 2, 1))  # still older than the file's
    db.person.insert(uuid="p3", name="here meanwhile", modified_on=datetime(2024, 4, 1))
    db.org.insert(uuid="unrelated")
    db.commit()
    before = contents(db)
    with pytest.raises(CheckOutdated, match="2 of these records were edited since"):
        run_import(db, io.BytesIO(FILE.encode()), options(on_decided=kept.require_decisions))
    db.commit()
    assert contents(db) == before
