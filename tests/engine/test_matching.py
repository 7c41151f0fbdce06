"""Which record here a row of the file is, on each store: by uuid, alias, match key, primary key, or all its values."""

import itertools

import pytest
from pydal import Field

from plugin_sync import Counts, Duplicates, RowsRejected, Settings

from .files import csv_file, give, outcomes, places, single_table, take
from .states import contents, records


def uid(**options):
    return Field("uuid", length=64, **options)


def people(db):
    db.define_table("t", uid(), Field("name", length=64), Field("age", "integer"))


def links(db):
    db.define_table("g", uid(), Field("name", length=64))
    db.define_table("member", Field("g", "reference g"), Field("role", length=64), Field("up", "reference member"))


def aliased(db):
    db.define_table("plugin_sync_alias", Field("table_name", length=64), Field("alias", length=64), Field("uuid", length=64))
    db.define_table("org", uid(), Field("name", length=64))
    db.define_table("office", uid(), Field("name", length=64), Field("org", "reference org"))


def numbered():
    numbers = itertools.count(1)
    return lambda: f"new-{next(numbers)}"


def names(db):
    return {r.uuid: r.name for r in db(db.t).select(orderby=db.t.id)}


# ---- uuids


def test_uuids_are_compared_without_case(new_db):
    db = new_db(people)
    db.t.insert(uuid="ABC-1", name="Anna")
    db.commit()
    assert outcomes(take(db, csv_file(("t", "id,uuid,name", "9,abc-1,Anna", "8,Abc-2,Bert")))) == {"t": {"same": 1, "new": 1}}
    assert take(db, csv_file(("t", "id,uuid,name", "9,abc-1,Anne")), "theirs").counts == Counts(changed=1)
    assert names(db) == {"ABC-1": "Anne", "Abc-2": "Bert"}


def test_ids_of_the_file_are_never_taken_for_ours(new_db):
    db = new_db(people)
    first = db.t.insert(uuid="a", name="Anna")
    db.commit()
    take(db, csv_file(("t", "id,uuid,name", f"{first},b,Bert")))
    assert names(db) == {"a": "Anna", "b": "Bert"}
    db.t.insert(uuid="c", name="Carl")
    assert len({r.id for r in db(db.t).select()}) == 3


def test_uuid_as_the_first_column(new_db):
    db = new_db(people)
    text = csv_file(("t", "uuid,id,name", "a,1,Anna"))
    assert take(db, text).counts == Counts(new=1)
    assert take(db, text).counts == Counts(same=1)


@pytest.mark.parametrize("uuid", ["<NULL>", "", "  "])
def test_rows_without_uuid_are_known_by_their_values(new_db, uuid):
    db = new_db(people)
    text = csv_file(("t", "id,uuid,name,age", f"1,{uuid},Anna,7", f"2,{uuid},Anna,7", f"3,{uuid},Bert,<NULL>", "4,u,Anna,7"))
    assert take(db, text, new_uuid=numbered()).counts == Counts(new=4)
    assert names(db) == {"new-1": "Anna", "new-2": "Anna", "new-3": "Bert", "u": "Anna"}
    before = contents(db)
    assert take(db, text, new_uuid=numbered()).counts == Counts(same=4)
    assert contents(db) == before


def test_records_here_without_uuid(new_db):
    """What both offices have without a uuid is not doubled."""
    source, db = new_db(people), new_db(people)
    for each in (source, db):
        for uuid, name in ((None, "Anna"), ("", "Bert"), (None, None)):
            each.t.insert(uuid=uuid, name=name, age=7)
        each.commit()
    assert take(db, give(source)).counts == Counts(same=3)
    assert db(db.t).count() == 3


def test_a_file_without_a_uuid_column(new_db):
    db = new_db(people)
    text = single_table("t.name,t.age", "Anna,7", "Bert,8")
    assert take(db, text, new_uuid=numbered()).counts == Counts(new=2)
    assert names(db) == {"new-1": "Anna", "new-2": "Bert"}
    assert take(db, text, new_uuid=numbered()).counts == Counts(same=2)


def test_new_uuids_are_this_instance_s(new_db):
    db = new_db(people)
    take(db, csv_file(("t", "id,uuid,name", "1,,Anna", "2,,Bert")))
    made = list(names(db))
    assert len({u[:4] for u in made}) == 1
    assert all(len(u) == 36 for u in made)


def test_one_uuid_twice_in_the_file(new_db):
    db = new_db(people)
    report = take(db, csv_file(("t", "id,uuid,name", "1,u,Anna", "2,U,Bert", "3,v,Carl")), strict=False)
    assert places(report.problems) == [("repeated_uuid", "t", 3, "uuid"), ("repeated_uuid", "t", 4, "uuid")]
    assert report.counts == Counts(new=1, rejected=2)
    assert names(db) == {"v": "Carl"}


@pytest.mark.parametrize("uuid", ["u", "U"])
def test_one_uuid_twice_here(new_db, uuid):
    db = new_db(people)
    for _ in range(2):
        db.t.insert(uuid=uuid, name="Anna")
    db.commit()
    text = csv_file(("t", "id,uuid,name", "1,u,Bert", "2,v,Carl"))
    before = contents(db)
    with pytest.raises(RowsRejected):
        take(db, text, "theirs")
    assert contents(db) == before
    report = take(db, text, "theirs", strict=False)
    assert places(report.problems) == [("ambiguous_uuid", "t", 3, "uuid")]
    assert report.counts == Counts(new=1, rejected=1)
    assert sorted(r.name for r in db(db.t).select()) == ["Anna", "Anna", "Carl"]


def test_two_uuids_here_that_differ_in_case(new_db):
    """The one that is written exactly as in the file is meant, where the database tells them apart."""
    db = new_db(people)
    for uuid in ("u", "U"):
        db.t.insert(uuid=uuid, name="Anna")
    db.commit()
    report = take(db, csv_file(("t", "id,uuid,name", "1,u,Bert")), "theirs", strict=False)
    assert report.counts in (Counts(changed=1), Counts(rejected=1))
    assert names(db) == {"u": "Bert" if report.counts.changed else "Anna", "U": "Anna"}


# ---- no uuid: all values


def test_equal_rows_are_counted(new_db):
    source, db = new_db(links), new_db(links)
    group = source.g.insert(uuid="g1", name="Group")
    for role in ("x", "x", "y", None, None):
        source.member.insert(g=group, role=role)
    source.commit()
    db.g.insert(uuid="other")
    db.member.insert(g=db.g.insert(uuid="g1", name="Group"), role="x")
    db.member.insert(role="z")
    db.commit()
    assert outcomes(take(db, give(source))) == {"g": {"same": 1}, "member": {"same": 1, "new": 4}}
    assert outcomes(take(db, give(source))) == {"g": {"same": 1}, "member": {"same": 5}}
    db(db.member.role == "z").delete()
    db(db.g.uuid == "other").delete()
    assert records(db) == records(source)


def test_rows_without_uuid_that_point_to_each_other(new_db):
    source, db = new_db(links), new_db(links)
    for ups in range(2):
        top = source.member.insert(role="top")
        mid = source.member.insert(role=f"mid{ups}", up=top)
        source.member.insert(role="leaf", up=mid)
    source.commit()
    db.member.insert(role="stranger")
    db.commit()
    take(db, give(source))
    assert take(db, give(source)).counts == Counts(same=6)
    db(db.member.role == "stranger").delete()
    assert records(db) == records(source)


def test_values_that_look_alike_are_not_equal(new_db):
    def define(db):
        db.define_table("v", Field("a", length=64), Field("b", length=64), Field("n", "double"))

    db = new_db(define)
    rows = ["'x,y',<NULL>,1", '"",x,1', "<NULL>,x,1", "\"x','y\",z,1", "x,\"y','z\",1", "<NULL>,<NULL>,<NULL>", "\\<NULL>,a,0.1"]
    text = csv_file(("v", "id,a,b,n", *(f"{i},{row}" for i, row in enumerate(rows[1:]))))
    assert take(db, text).counts == Counts(new=6)
    assert take(db, text).counts == Counts(same=6)
    assert db(db.v).count() == 6


def test_every_type_is_compared_by_value(new_db):
    kinds = "string text upload integer bigint double boolean date time datetime json blob list:string list:integer".split()

    def define(db):
        fields = [Field(f"f{i}", kind) for i, kind in enumerate(kinds)]
        db.define_table("v", *fields, Field("money", "decimal(10,2)"))

    cells = "s,t,u.txt,1,2,0.1,True,2024-01-01,12:00:00,2024-01-01 12:00:00,[1],/wA=,|a|,|1|,1.50".split(",")
    db = new_db(define)
    header = ",".join(["id", *(f"f{i}" for i in range(len(kinds))), "money"])
    text = csv_file(("v", header, ",".join(["1", *cells]), ",".join(["2", *["<NULL>"] * len(cells)])))
    assert take(db, text).counts == Counts(new=2)
    assert take(db, text).counts == Counts(same=2)
    assert take(db, give(db)).counts == Counts(same=2)


# ---- primary keys


def test_keyed_tables(new_db):
    def define(db):
        db.define_table(
            "k",
            Field("code", length=8),
            Field("part", "integer"),
            Field("name", length=64),
            Field("modified_on", "datetime"),
            primarykey=["code", "part"],
        )

    db = new_db(define)
    text = csv_file(("k", "code,part,name,modified_on", "A,1,a,2024-01-01 00:00:00", "A,2,b,2024-01-01 00:00:00", ",1,c,"))
    assert take(db, text).counts == Counts(new=3)
    assert take(db, text).counts == Counts(same=3)
    newer = csv_file(("k", "code,part,name,modified_on", "A,1,A,2024-02-01 00:00:00", "A,2,B,2023-01-01 00:00:00", "B,1,d,"))
    assert take(db, newer).counts == Counts(new=1, changed=1, older=1)
    assert sorted((r.code, r.part, r.name) for r in db(db.k).select()) == [
        ("", 1, "c"),
        ("A", 1, "A"),
        ("A", 2, "b"),
        ("B", 1, "d"),
    ]
    assert take(db, give(db)).counts == Counts(same=4)
    report = take(db, csv_file(("k", "code,part,name", "A,1,x", "A,1,y")), strict=False)
    assert places(report.problems) == [("repeated_primary_key", "k", 3, "code"), ("repeated_primary_key", "k", 4, "code")]


def test_references_to_keyed_tables_are_their_keys(new_db):
    def define(db):
        db.define_table("country", Field("code", length=2), Field("name", length=64), primarykey=["code"])
        db.define_table("city", uid(), Field("country", "reference country.code"))

    source, db = new_db(define), new_db(define)
    source.country.insert(code="HT", name="Haiti")
    source.city.insert(uuid="j", country="HT")
    source.commit()
    assert take(db, give(source)).counts == Counts(new=2)
    assert db.city(uuid="j").country == "HT"
    assert take(db, give(source)).counts == Counts(same=2)


# ---- match keys and aliases

MATCH = {"org": ("name",), "office": ("name", "org")}
LINKED = csv_file(
    ("org", "id,uuid,name", "1,theirs, red CROSS ", "2,o2,New"),
    ("office", "id,uuid,name,org,org.uuid", "1,f1,Jacmel,1,theirs", "2,f2,Goma,2,o2"),
)


def with_local(db):
    aliased(db)
    db.org.insert(uuid="stranger", name="Stranger")
    db.office.insert(uuid="ours-f", name="Jacmel", org=db.org.insert(uuid="ours", name="Red Cross"))


def test_a_duplicate_is_linked_and_remembered(new_db):
    db = new_db(with_local)
    report = take(db, LINKED, "ours", settings=Settings(match=MATCH))
    assert outcomes(report) == {"org": {"new": 1, "older": 1}, "office": {"new": 1, "same": 1}}
    assert sorted((r.table_name, r.alias, r.uuid) for r in db(db.plugin_sync_alias).select()) == [
        ("office", "f1", "ours-f"),
        ("org", "theirs", "ours"),
    ]
    assert take(db, LINKED, "ours", settings=Settings(match=MATCH)).counts == Counts(same=3, older=1)
    child = csv_file(("office", "uuid,name,org.uuid", "f3,Leogane,THEIRS"))
    assert take(db, child).counts == Counts(new=1)
    assert db.org(db.office(uuid="f3").org).uuid == "ours"


def test_a_linked_record_keeps_its_own_uuid(new_db):
    db = new_db(with_local)
    report = take(db, LINKED, "theirs", settings=Settings(match=MATCH))
    assert outcomes(report) == {"org": {"new": 1, "changed": 1}, "office": {"new": 1, "same": 1}}
    assert {r.uuid: r.name for r in db(db.org).select()} == {"stranger": "Stranger", "ours": " red CROSS ", "o2": "New"}


def test_a_duplicate_may_be_a_question(new_db):
    db = new_db(with_local)
    settings = Settings(match=MATCH, duplicates=Duplicates.ASK)
    report = take(db, LINKED, settings=settings, strict=False)
    assert report.table("org").counts == Counts(new=1, conflict=1)
    assert db(db.plugin_sync_alias).count() == 0
    assert {r.uuid for r in db(db.org).select()} == {"stranger", "ours", "o2"}


def test_a_duplicate_may_be_a_second_record(new_db):
    db = new_db(with_local)
    report = take(db, LINKED, settings=Settings(match=MATCH, duplicates=Duplicates.CREATE))
    assert report.counts == Counts(new=4)
    assert db.org(db.office(uuid="f1").org).uuid == "theirs"


def test_several_records_of_one_match_key_are_a_question(new_db):
    db = new_db(with_local)
    db.org.insert(uuid="ours-2", name="RED cross")
    db.commit()
    text = csv_file(("org", "id,uuid,name", "1,theirs,Red Cross"))
    assert take(db, text, settings=Settings(match=MATCH)).counts == Counts(conflict=1)
    text = csv_file(("org", "id,uuid,name", "1,x1,Stranger", "2,x2,stranger"))
    assert take(db, text, settings=Settings(match=MATCH)).counts == Counts(same=1, conflict=1)


def test_two_rows_of_one_record_here_are_a_question(new_db):
    """One is known by its uuid, the other by an alias of it, or both by aliases: the last one to come must not win."""
    db = new_db(with_local)
    take(db, csv_file(("org", "id,uuid,name", "1,x1,Red Cross")), settings=Settings(match=MATCH))
    both = csv_file(("org", "id,uuid,name", "1,x1,RED CROSS", "2,ours,Red Crescent"), ("office", "id,uuid,org", "1,f,1"))
    assert outcomes(take(db, both, "theirs")) == {"org": {"changed": 1, "conflict": 1}, "office": {"new": 1}}
    assert outcomes(take(db, both, "theirs")) == {"org": {"same": 1, "conflict": 1}, "office": {"same": 1}}
    assert db.org(db.office(uuid="f").org).name == "Red Crescent"
    take(db, csv_file(("org", "id,uuid,name", "1,x2,red crescent")), "ours", settings=Settings(match=MATCH))
    aliases = csv_file(("org", "id,uuid,name", "1,x1,one", "2,x2,two"))
    assert take(db, aliases, "theirs").counts == Counts(conflict=2)


def test_empty_names_are_no_match(new_db):
    db = new_db(with_local)
    db.org.insert(uuid="nameless", name="")
    db.org.insert(uuid="null", name=None)
    db.commit()
    text = csv_file(("org", "id,uuid,name", "1,x1,", "2,x2,<NULL>"))
    assert take(db, text, settings=Settings(match=MATCH)).counts == Counts(new=2)


def test_a_record_known_by_uuid_is_not_linked_to_another(new_db):
    db = new_db(with_local)
    text = csv_file(("org", "id,uuid,name", "1,stranger,Red Cross", "2,x,Stranger"))
    report = take(db, text, "theirs", settings=Settings(match=MATCH))
    assert report.counts == Counts(changed=1, new=1)
