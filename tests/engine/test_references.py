"""What records point to, on each store: the same record there as here, or a problem, never a stranger."""

import hashlib
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from pydal import Field

from plugin_sync import Counts, ImportReport, Origin, Problem, RowsRejected, Settings, TableReport
from plugin_sync.records import ProblemGroup

from .files import csv_file, give, outcomes, places, settled, take
from .states import contents, records

ME = SimpleNamespace(base_uuid="beef", uuid="beef-1", name="Main")
OTHER = SimpleNamespace(base_uuid="cafe", uuid="cafe-1", name="Jacmel")


def uid():
    return Field("uuid", length=64)


def tree(db):
    db.define_table("place", uid(), Field("name", length=64), Field("parent", "reference place"))


def family(db):
    db.define_table("org", uid(), Field("name", length=64))
    db.define_table("person", uid(), Field("org", "reference org"), Field("friends", "list:reference person"))
    db.define_table("badge", uid(), Field("person", "reference person"))


def cycle(db):
    """Two tables that point to each other; databases take such references only where both tables are there."""
    db.define_table("a", uid(), Field("b", "integer"), Field("name", length=64))
    db.define_table("b", uid(), Field("a", "reference a"))
    db.a.b.type = "reference b"


def stranger(db):
    """Give ids here that mean something else there."""
    for name in db.tables:
        db[name].insert(uuid=f"stranger-{name}")
    db.commit()


def test_self_and_forward_references(new_db):
    db = new_db(tree)
    stranger(db)
    text = csv_file(("place", "id,uuid,name,parent", "1,leaf,Leaf,3", "2,lone,Lone,<NULL>", "3,mid,Mid,4", "4,root,Root,4"))
    take(db, text)
    parents = {r.uuid: db.place(r.parent).uuid if r.parent else None for r in db(db.place).select()}
    assert parents == {"stranger-place": None, "leaf": "mid", "lone": None, "mid": "root", "root": "root"}
    assert outcomes(take(db, text)) == {"place": {"same": 4}}


def test_children_before_parents_and_lists(new_db):
    db = new_db(family)
    stranger(db)
    text = csv_file(
        ("badge", "id,uuid,person", "1,b1,2"),
        ("person", "id,uuid,org,friends", "1,p1,1,|2|1|2|", "2,p2,1,||", "3,p3,<NULL>,<NULL>"),
        ("org", "id,uuid,name", "1,o1,Red Cross"),
    )
    assert outcomes(take(db, text)) == {"org": {"new": 1}, "person": {"new": 3}, "badge": {"new": 1}}
    people = {r.uuid: r for r in db(db.person.uuid.startswith("p")).select()}
    assert db.badge(uuid="b1").person == people["p2"].id
    assert [people[p].org for p in ("p1", "p2", "p3")] == [db.org(uuid="o1").id] * 2 + [None]
    assert people["p1"].friends == [people["p2"].id, people["p1"].id, people["p2"].id]
    assert people["p2"].friends == []
    assert not people["p3"].friends
    assert take(db, text).counts == Counts(same=5)


def test_references_in_a_circle(new_db):
    source, db = new_db(cycle), new_db(cycle)
    stranger(db)
    first = source.a.insert(uuid="a1", name="one")
    source(source.a.id == first).update(b=source.b.insert(uuid="b1", a=first))
    source.commit()
    take(db, give(source))
    assert db.a(db.b(uuid="b1").a).uuid == "a1"
    assert db.b(db.a(uuid="a1").b).uuid == "b1"
    assert take(db, give(source)).counts == Counts(same=2)


def test_big_references(new_db, engine):
    def define(db):
        kind = "big-reference big"
        if engine == "mysql":  # pyDAL makes INT ids there whatever it is told
            kind = "bigint"
        db.define_table("big", Field("id", "big-id"), uid(), Field("up", kind))
        db.big.up.type = "big-reference big"
        if engine == "mysql":
            db.executesql("ALTER TABLE big MODIFY id BIGINT NOT NULL AUTO_INCREMENT")

    db = new_db(define)
    stranger(db)
    take(db, csv_file(("big", "id,uuid,up", "4294967298,x,4294967299", "4294967299,y,")))
    assert db.big(db.big(uuid="x").up).uuid == "y"


def test_the_companion_is_trusted_before_the_id(new_db):
    db = new_db(tree)
    take(db, csv_file(("place", "id,uuid,name,parent", "1,one,One,", "2,two,Two,")))
    take(db, csv_file(("place", "id,uuid,name,parent,parent.uuid", "1,child,Child,1,TWO", "7,one,One,,")))
    assert db.place(db.place(uuid="child").parent).uuid == "two"


def test_a_companion_alone_is_enough(new_db):
    db = new_db(family)
    db.org.insert(uuid="o1")
    db.commit()
    text = csv_file(("person", "uuid,org.uuid,friends.uuid", "p1,o1,|p2|p1|", "p2,<NULL>,||", "p3,,<NULL>"))
    take(db, text)
    people = {r.uuid: r for r in db(db.person).select()}
    assert [people[p].org for p in ("p1", "p2", "p3")] == [db.org(uuid="o1").id, None, None]
    assert people["p1"].friends == [people["p2"].id, people["p1"].id]
    assert take(db, text).counts == Counts(same=3)


def test_a_reference_that_must_be_there_may_come_by_its_companion(new_db):
    def define(db):
        db.define_table("org", uid())
        db.define_table("t", uid(), Field("org", "reference org", notnull=True))
        db.org.insert(uuid="o1")

    db = new_db(define)
    for header, rows in (("uuid,org.uuid", ("a,o1", "b,<NULL>")), ("uuid,org,org.uuid", ("c,,o1", "d,,"))):
        report = take(db, csv_file(("t", header, *rows)), strict=False)
        assert places(report.problems) == [("not_null", "t", 4, "org")]
        assert report.counts == Counts(new=1, rejected=1)


def test_a_companion_of_an_unknown_column_is_unknown(new_db):
    db = new_db(family)
    report = take(db, csv_file(("org", "uuid,shoe.uuid,name.uuid,id.uuid", "a,b,c,d")), strict=False)
    assert places(report.problems) == [("unknown_column", "org", 2, "shoe.uuid"), ("unknown_column", "org", 2, "id.uuid")]
    report = take(db, csv_file(("org", "uuid,shoe,shoe.uuid", "a,b,c")), strict=False)
    assert places(report.problems) == [("unknown_column", "org", 2, "shoe")]


def test_one_module_s_file_finds_the_others_by_uuid(new_db):
    source, db = new_db(family), new_db(family)
    org = source.org.insert(uuid="o1", name="Red Cross")
    person = source.person.insert(uuid="p1", org=org)
    source(source.person.id == person).update(friends=[person])
    source.badge.insert(uuid="b1", person=person)
    source.commit()
    stranger(db)
    people, orgs, badges = (give(source, module=m) for m in ("person", "org", "badge"))
    before = contents(db)
    with pytest.raises(RowsRejected) as caught:
        take(db, badges)
    assert places(caught.value.problems) == [("missing_parent", "badge", 3, "person")]
    assert caught.value.problems[0].value == "p1"
    assert contents(db) == before
    for file in (orgs, people, badges):
        assert take(db, file).counts == Counts(new=1)
    assert db.badge(uuid="b1").person == db.person(uuid="p1").id
    assert take(db, give(source)).counts == Counts(same=3)


def test_a_missing_parent_takes_its_children_along(new_db):
    db = new_db(family)
    stranger(db)
    text = csv_file(
        ("person", "id,uuid,org,friends", "1,p1,1,||", "2,p2,,|1|3|", "3,p3,,||"),
        ("badge", "id,uuid,person", "1,b1,1", "2,b2,2", "3,b3,3"),
    )
    report = take(db, text, strict=False)
    message = "points to a record of {} that is neither here nor among the rows taken from the file: id {}"
    hint = "Import {} first and this file again, or both tables in one file."

    def problem(table, line, column, target, ident):
        found = (message.format(target, ident), table, line, column, f"id {ident}", hint.format(target))
        return Problem("missing_parent", *found)

    problems = (
        problem("person", 3, "org", "org", 1),
        problem("person", 4, "friends", "person", 1),
        problem("badge", 10, "person", "person", 1),
        problem("badge", 11, "person", "person", 2),
    )
    assert settled(replace(report, groups=())) == ImportReport(
        dry_run=False,
        policy="newer",
        tables=(TableReport("person", Counts(new=1, rejected=2)), TableReport("badge", Counts(new=1, rejected=2))),
        problems=problems,
        problems_total=4,
    )
    assert report.groups[0] == ProblemGroup(
        "missing_parent", "badge", "person", 2, problems[2].message, problems[2].hint, (10, 11)
    )
    assert {r.uuid for r in db(db.badge).select()} == {"stranger-badge", "b3"}


def test_ids_of_a_stranger_s_file_are_not_ours(new_db):
    """A row whose parent is not in the file goes by id only when this very instance wrote the file."""
    for instance, expected in ((OTHER, 0), (None, 0), (ME, 1)):
        db = new_db(tree)
        db.place.insert(uuid="", name="Parent without uuid")
        child = db.place.insert(uuid="c", name="Child", parent=1)
        db.commit()
        file = give(db, instance=ME)
        lines = file.decode().splitlines(keepends=True)
        assert file.decode().count("c,Child,1") == 1, lines
        db(db.place.id == child).delete()
        db.commit()
        only = resigned([line for line in lines if "without uuid" not in line])
        report = take(db, only, strict=False, instance=instance)
        assert (report.counts.new, report.counts.rejected) == (expected, 1 - expected)
        assert report.origin == replace(Origin("beef", "beef-1", "Main"), made_utc=report.origin.made_utc, version=1)


def resigned(lines):
    """Return a file without some of its rows, with a footer that fits."""
    body = "".join(lines[:-1]).encode()
    values = json.loads(lines[-1][len("SYNC ") :])
    values |= {"sha256": hashlib.sha256(body).hexdigest(), "rows": {"place": 1}}
    return body + b"SYNC " + json.dumps(values).encode() + b"\r\n"


def test_two_rows_of_one_id_cannot_be_told_apart(new_db):
    db = new_db(tree)
    text = csv_file(("place", "id,uuid,name,parent", "1,x,X,", "1,y,Y,", "2,z,Z,1", "3,free,Free,"))
    report = take(db, text, strict=False)
    assert places(report.problems) == [
        ("repeated_id", "place", 3, "id"),
        ("repeated_id", "place", 4, "id"),
        ("missing_parent", "place", 5, "parent"),
    ]
    assert report.counts == Counts(new=1, rejected=3)


def test_ids_that_are_no_numbers_do_not_matter_with_companions(new_db):
    db = new_db(tree)
    text = csv_file(("place", "id,uuid,name,parent,parent.uuid", "x,a,A,,", ",b,B,,a", "9" + "9" * 40 + ",c,C,,b"))
    take(db, text)
    assert db.place(db.place(uuid="c").parent).uuid == "b"


def test_parents_without_uuid_are_found_by_id_within_the_file(new_db):
    def define(db):
        db.define_table("kind", Field("name", length=64))
        db.define_table("thing", uid(), Field("kind", "reference kind"))
        db.define_table("part", Field("kind", "reference kind"), Field("parts", "list:reference thing"))

    source, db = new_db(define), new_db(define)
    db.kind.insert(name="Stranger")
    db.commit()
    tool, toy = source.kind.insert(name="Tool"), source.kind.insert(name="Toy")
    things = [source.thing.insert(uuid=u, kind=k) for u, k in (("t1", toy), ("t2", tool))]
    source.part.insert(kind=toy, parts=things)
    source.part.insert(kind=toy, parts=[])
    source.commit()
    take(db, give(source))
    db(db.kind.name == "Stranger").delete()
    db.commit()
    assert records(db) == records(source)
    assert take(db, give(source)).counts == Counts(same=6)


def test_items_of_a_list_that_have_no_uuid_or_are_gone(new_db):
    def define(db):
        db.define_table("tag", uid(), Field("name", length=64))
        db.define_table("t", uid(), Field("tags", "list:reference tag"))

    source, db = new_db(define), new_db(define)
    stranger(db)
    first, nameless, gone, last = (source.tag.insert(uuid=u, name=str(u)) for u in ("a", None, "gone", "b"))
    source.t.insert(uuid="t1", tags=[first, nameless, last])
    source.t.insert(uuid="t2", tags=[nameless, first])
    source.t.insert(uuid="t3", tags=[gone, last])
    source(source.tag.id == gone).delete()
    source.commit()
    report = take(db, give(source), strict=False)
    assert places(report.problems) == [("missing_parent", "t", 12, "tags")]
    tags = {r.uuid: [db.tag(i).name for i in r.tags or []] for r in db(db.t).select()}
    assert tags == {"stranger-t": [], "t1": ["a", "None", "b"], "t2": ["None", "a"]}
    assert take(db, give(source), strict=False).counts == Counts(same=5, rejected=1)


def test_references_to_accounts_do_not_travel(new_db):
    def define(db):
        db.define_table("auth_user", uid())
        db.define_table("t", uid(), Field("owner_id", "reference auth_user"))

    source, db = new_db(define), new_db(define)
    source.t.insert(uuid="t1", owner_id=source.auth_user.insert(uuid="user"))
    source.commit()
    mine = db.auth_user.insert(uuid="me")
    db.t.insert(uuid="t1", owner_id=mine)
    db.commit()
    assert b"auth_user" not in give(source)
    report = take(db, csv_file(("t", "id,uuid,owner_id,owner_id.uuid", "1,t1,1,user", "2,t2,1,user")))
    assert outcomes(report) == {"t": {"new": 1, "same": 1}}
    assert places(report.warnings) == [("withheld", "t", 2, "owner_id"), ("withheld", "t", 2, "owner_id.uuid")]
    assert {r.uuid: r.owner_id for r in db(db.t).select()} == {"t1": mine, "t2": None}


def test_a_parent_in_a_table_that_stays_home_is_found_by_uuid(new_db):
    def define(db):
        db.define_table("country", uid(), Field("name", length=64))
        db.define_table("city", uid(), Field("country", "reference country"))

    settings = Settings(lookup=frozenset(["country"]))
    source, db = new_db(define), new_db(define)
    source.country.insert(uuid="fr")
    source.city.insert(uuid="paris", country=source.country.insert(uuid="ht"))
    source.commit()
    db.country.insert(uuid="ht")
    db.commit()
    file = give(source, settings=settings)
    assert b"TABLE country" not in file
    assert take(db, file, settings=settings).counts == Counts(new=1)
    assert db.country(db.city(uuid="paris").country).uuid == "ht"


def test_a_changed_reference_is_a_change(new_db):
    db = new_db(tree)
    take(db, csv_file(("place", "id,uuid,name,parent", "1,a,A,", "2,b,B,", "3,c,C,1")))
    report = take(db, csv_file(("place", "id,uuid,name,parent,parent.uuid", "30,c,C,20,b")), "theirs")
    assert report.counts == Counts(changed=1)
    assert db.place(db.place(uuid="c").parent).uuid == "b"
    assert [s.changes[0].field for s in report.table("place").samples] == ["parent"]


def test_uuids_of_parents_in_any_case(new_db):
    db = new_db(tree)
    db.place.insert(uuid="ABC", name="Parent")
    db.commit()
    take(db, csv_file(("place", "uuid,name,parent.uuid", "c1,C,abc", "c2,C,Abc", "c3,C,C1")))
    children = {r.uuid: db.place(r.parent).uuid for r in db(db.place.parent != None).select()}  # noqa: E711
    assert children == {"c1": "ABC", "c2": "ABC", "c3": "c1"}
