"""Cells that a record of the file does not mention, on each store: as they are here, or the default; on each way to load."""

import io
from datetime import datetime

import pytest
from pydal import Field

from plugin_sync import Counts, Policy, RowsRejected, Settings, import_csv, undo_import
from plugin_sync.keeping import Kept

from .databases import LOADERS, PORTABLE, database
from .files import outcomes, places, take
from .states import contents, records
from .test_s3xml import s3xml

JAN, FEB, MAR = datetime(2024, 1, 1), datetime(2024, 2, 1), datetime(2024, 3, 1)


def tables(db):
    db.define_table("org", Field("uuid", length=64), Field("name", length=64, notnull=True))
    db.define_table(
        "person",
        Field("uuid", length=64, unique=True),
        Field("name", length=64, notnull=True),
        Field("age", "integer", default=7),
        Field("money", "decimal(8,2)"),
        Field("ok", "boolean", default=True),
        Field("note", "text", default="none"),
        Field("extra", "json"),
        Field("tags", "list:string"),
        Field("data", "blob"),
        Field("day", "date"),
        Field("clock", "time"),
        Field("org", "reference org"),
        Field("boss", "reference person"),
        Field("orgs", "list:reference org"),
        Field("modified_on", "datetime", default=lambda: MAR),
    )
    db.define_table("tally", Field("what", length=64), Field("n", "integer", default=1), Field("org", "reference org"))
    db.commit()


def person(inside="", uuid="p1", modified="2024-02-01T00:00:00"):
    names = (f' uuid="{uuid}"' if uuid else "") + (f' modified_on="{modified}"' if modified else "")
    return f'<resource name="person"{names}>{inside}</resource>'


NAME = '<data field="name">new</data>'
NAMED = '<resource name="org" uuid="o1"><data field="name">Org</data></resource>'
FULL = {
    "name": "old", "age": 40, "money": "1.50", "ok": False, "note": "", "extra": {"a": [1]}, "tags": ["x|y"], "data": b"\xff\x00",
    "day": "2000-01-01", "clock": "10:11:12",
}  # fmt: skip


@pytest.fixture(params=LOADERS)
def engine(request):
    return request.param


@pytest.fixture
def db(engine):
    with database(engine) as found:
        tables(found)
        orgs = [found.org.insert(uuid=f"o{i}", name=f"Org {i}") for i in (8, 9)]
        boss = found.person.insert(uuid="boss", name="Boss", modified_on=JAN)
        found.person.insert(uuid="p1", org=orgs[0], orgs=orgs, boss=boss, modified_on=JAN, **FULL)
        found.commit()
        yield found


def row(db, uuid="p1"):
    return db(db.person.uuid == uuid).select().first()


def values(found):
    data = found.data.encode() if isinstance(found.data, str) else found.data
    return {
        "name": found.name, "age": found.age, "money": found.money and str(found.money), "ok": found.ok, "note": found.note,
        "extra": found.extra, "tags": found.tags, "data": data, "day": found.day and str(found.day),
        "clock": found.clock and str(found.clock),
    }  # fmt: skip


@pytest.mark.parametrize("policy", ["newer", "theirs"])
def test_what_is_not_mentioned_stays(db, policy):
    before = row(db)
    report = take(db, s3xml(person(NAME)), policy)
    assert outcomes(report) == {"person": {"changed": 1}}
    [sample] = report.tables[0].samples
    assert [change.field for change in sample.changes] == ["name", "modified_on"]
    after = row(db)
    assert values(after) == {**FULL, "name": "new"}
    assert (after.org, after.orgs, after.boss, after.modified_on) == (before.org, before.orgs, before.boss, FEB)
    unchanged = contents(db)
    assert take(db, s3xml(person(NAME)), policy).counts == Counts(same=1)
    assert contents(db) == unchanged


@pytest.mark.parametrize(
    ("policy", "outcome", "name", "age"),
    [
        ("newer", "changed", "new", 41), ("theirs", "changed", "new", 41), ("ours", "older", "old", 40),
        ("add", "older", "old", 40), ("fill", "older", "old", 40), ("ask", "conflict", "old", 40),
    ],
)  # fmt: skip
def test_under_every_policy(db, policy, outcome, name, age):
    """Records of one file that mention different columns."""
    document = s3xml(
        NAMED,
        person(NAME + '<data field="age" value="41"/>'),
        person('<reference field="org" resource="org" uuid="o1"/>', uuid="boss"),
        person(NAME + '<data field="note">said</data>', uuid="p3"),
    )
    report = take(db, document, policy)
    other = {"older": "changed"}.get(outcome, outcome) if policy == "fill" else outcome
    expected = {"new": 1} | ({outcome: 2} if other == outcome else {outcome: 1, other: 1})
    assert outcomes(report)["person"] == expected
    assert values(row(db)) == {**FULL, "name": name, "age": age}
    boss = row(db, "boss")
    assert (boss.name, boss.age, boss.note) == ("Boss", 7, "none")
    assert (boss.org is not None) == (other == "changed")
    new = row(db, "p3")
    assert (new.name, new.age, new.ok, new.note, new.org, new.orgs or []) == ("new", 7, True, "said", None, [])
    assert take(db, document, policy).counts.new == 0


def test_null_clears_and_silence_does_not(db):
    take(db, s3xml(person('<data field="age" null="true"/><reference field="org" resource="org" null="true"/>')))
    after = row(db)
    assert values(after) == {**FULL, "age": None}
    assert (after.org, len(after.orgs)) == (None, 2)


def test_without_a_time_a_difference_is_a_conflict_and_none_is_the_same(db):
    assert take(db, s3xml(person(NAME, modified=""))).counts == Counts(conflict=1)
    assert take(db, s3xml(person('<data field="name">old</data>', modified=""))).counts == Counts(same=1)


def test_a_column_that_must_have_a_value(db):
    """The record that is here has one; a new one must bring it."""
    document = s3xml(person('<data field="age" value="41"/>'), person('<data field="age" value="1"/>', uuid="p2"))
    before = contents(db)
    with pytest.raises(RowsRejected) as refused:
        import_csv(db, io.BytesIO(document.encode()))
    assert places(refused.value.problems) == [("not_null", "person", 4, "name")]
    assert contents(db) == before
    report = take(db, document, strict=False)
    assert report.counts == Counts(changed=1, rejected=1)
    assert values(row(db)) == {**FULL, "age": 41}


def test_a_new_record_gets_defaults_and_a_callable_one_too(db):
    take(db, s3xml(person(NAME, uuid="p2", modified=""), person(NAME + '<data field="ok" value="false"/>', uuid="p3")))
    two = row(db, "p2")
    assert (two.age, two.ok, two.note, two.modified_on, two.boss) == (7, True, "none", MAR, None)
    assert row(db, "p3").ok is False


def test_a_record_with_nothing_but_its_uuid_changes_nothing(db):
    before = contents(db)
    assert take(db, s3xml('<resource name="person" uuid="P1"/>'), "theirs").counts == Counts(same=1)
    assert contents(db) == before


def test_records_without_uuid_are_recognised_when_they_come_again(db):
    document = s3xml(
        '<resource name="tally"><data field="what">a</data></resource>',
        '<resource name="tally"><data field="what">a</data></resource>',
        '<resource name="tally"><data field="what">b</data><data field="n" value="2"/></resource>',
        '<resource name="person" tuid="x"><data field="name">Nameless</data></resource>',
    )
    assert take(db, document).counts == Counts(new=4)
    assert take(db, document).counts == Counts(same=4)
    db.tally.insert(what="a", n=5)
    db.commit()
    assert take(db, document).counts == Counts(same=4)


def test_a_record_without_uuid_is_no_stranger_that_holds_more(db):
    """What it does not mention would be a default: a record that has more there is another one."""
    report = take(db, s3xml('<resource name="person" tuid="x"><data field="name">old</data></resource>'))
    assert report.counts == Counts(new=1)
    assert values(row(db)) == FULL


def test_a_match_key_finds_the_record_and_the_rest_stays(db):
    settings = Settings(match={"person": ("name",)})
    document = s3xml(person('<data field="name">old</data><data field="age" value="41"/>', uuid=""))
    assert take(db, document, settings=settings).counts == Counts(changed=1)
    assert values(row(db)) == {**FULL, "age": 41}
    assert take(db, document, settings=settings).counts == Counts(same=1)


def test_the_parent_of_an_absent_reference_may_be_rejected_beside_it(db):
    document = s3xml(
        '<resource name="org" uuid="bad"><data field="name" null="true"/></resource>',
        person(NAME),
        person(NAME + '<reference field="org" resource="org" uuid="bad"/>', uuid="p2"),
    )
    report = take(db, document, strict=False)
    assert places(report.problems) == [("not_null", "org", 3, "name"), ("missing_parent", "person", 5, "org")]
    assert values(row(db)) == {**FULL, "name": "new"}


@pytest.mark.parametrize("engine", [name for name in LOADERS if not name.startswith(PORTABLE)])
def test_an_import_can_be_undone(db, tmp_path):
    """But through the portable store: where records are copies, how they became is not kept."""
    before = records(db)
    take(db, s3xml(person(NAME), person(NAME, uuid="p2")), keep=Kept(tmp_path / "kept"))
    assert records(db) != before
    undo_import(db, Kept(tmp_path / "kept"))
    db.commit()
    assert records(db) == before


def test_policies_are_all_tried():
    tried = test_under_every_policy.pytestmark[0].args[1]
    assert {policy for policy, *_ in tried} == set(Policy)


def test_a_table_with_a_primary_key(engine):
    with database(engine) as db:
        db.define_table(
            "place",
            Field("code", length=20),
            Field("name", length=64),
            Field("note", length=64, default="d"),
            primarykey=["code"],
        )
        db.commit()
        db.place.insert(code="ht", name="Haiti", note="kept")
        db.commit()
        document = s3xml(
            '<resource name="place"><data field="code">ht</data><data field="name">Ayiti</data></resource>',
            '<resource name="place"><data field="code">do</data><data field="name">RD</data></resource>',
        )
        assert take(db, document, "theirs").counts == Counts(new=1, changed=1)
        rows = sorted((r.code, r.name, r.note) for r in db(db.place).select())
        assert rows == [("do", "RD", "d"), ("ht", "Ayiti", "kept")]
        assert take(db, document, "theirs").counts == Counts(same=2)
        with pytest.raises(RowsRejected):
            take(db, s3xml('<resource name="place"><data field="name">No code</data></resource>'))
