"""What an import does with records, on each store: policies, keywords, constraints, reports; all or nothing."""

import io
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest
from pydal import Field
from pydal.validators import IS_INT_IN_RANGE, IS_NOT_IN_DB

from plugin_sync import (
    Cancelled,
    Counts,
    FileAltered,
    FileFormatError,
    ImportReport,
    Outcome,
    Policy,
    Problem,
    RowsRejected,
    Settings,
    SettingsError,
    SyncError,
    TableRefused,
    TableReport,
    import_csv,
)
from plugin_sync.records import FieldChange, Sample

from .databases import database
from .files import csv_file, give, outcomes, places, settled, single_table, take
from .states import contents

JAN, FEB, MAR = (f"2024-0{month}-01 00:00:00" for month in (1, 2, 3))


def uid():
    return Field("uuid", length=64)


def dated(db):
    db.define_table(
        "t", uid(), Field("name", length=64), Field("age", "integer"), Field("modified_on", "datetime", update=datetime.now)
    )


def plain(db):
    db.define_table("t", uid(), Field("name", length=64), Field("age", "integer"))


def with_people(define):
    """A table with three people, of February."""

    def make(db):
        define(db)
        for uuid, name, age in (("a", "Anna", 1), ("b", "Bert", None), ("c", "", 3)):
            times = {"modified_on": datetime(2024, 2, 1)} if "modified_on" in db.t.fields else {}
            db.t.insert(uuid=uuid, name=name, age=age, **times)

    return make


def people(db):
    return {r.uuid: (r.name, r.age) for r in db(db.t).select()}


HERE = {"a": ("Anna", 1), "b": ("Bert", None), "c": ("", 3)}


def they_say(modified, a=("Anne", 2), b=("Bert", 5), c=("Carl", 4)):
    rows = (f"1,{uuid},{name},{age},{modified}" for uuid, (name, age) in {"a": a, "b": b, "c": c}.items())
    return csv_file(("t", "id,uuid,name,age,modified_on", *rows, f"9,new,Nora,9,{modified}"))


THEIRS = {"a": ("Anne", 2), "b": ("Bert", 5), "c": ("Carl", 4), "new": ("Nora", 9)}
KEPT = HERE | {"new": ("Nora", 9)}

# ---- policies


@pytest.mark.parametrize(
    ("policy", "modified", "counts", "after"),
    [
        ("newer", MAR, Counts(new=1, changed=3), THEIRS),
        ("newer", JAN, Counts(new=1, older=3), KEPT),
        ("newer", FEB, Counts(new=1, conflict=3), KEPT),
        ("newer", "<NULL>", Counts(new=1, older=3), KEPT),
        ("theirs", JAN, Counts(new=1, changed=3), THEIRS),
        ("ours", MAR, Counts(new=1, older=3), KEPT),
        ("add", MAR, Counts(new=1, older=3), KEPT),
        ("ask", MAR, Counts(new=1, conflict=3), KEPT),
        ("fill", JAN, Counts(new=1, changed=2, older=1), KEPT | {"b": ("Bert", 5), "c": ("Carl", 3)}),
    ],
)
def test_policies(new_db, policy, modified, counts, after):
    db = new_db(with_people(dated))
    assert take(db, they_say(modified), policy).counts == counts
    assert people(db) == after


def test_newer_by_a_microsecond(new_db, engine):
    """MariaDB's columns, as pyDAL makes them, hold whole seconds: what would be cut is refused."""
    db, text = new_db(with_people(dated)), they_say("2024-02-01 00:00:00.000001")
    if engine != "mysql":
        assert take(db, text).counts == Counts(new=1, changed=3)
        assert people(db) == THEIRS
        return
    report = take(db, text, strict=False)
    assert {(p.code, p.column) for p in report.problems} == {("unfit", "modified_on")}
    assert (report.counts, people(db)) == (Counts(rejected=4), HERE)
    db.executesql("ALTER TABLE t MODIFY modified_on DATETIME(6)")
    assert take(db, text).counts == Counts(new=1, changed=3)
    assert take(db, text).counts == Counts(same=4)
    assert people(db) == THEIRS


@pytest.mark.parametrize("policy", Policy)
def test_importing_again_changes_nothing(new_db, policy):
    db = new_db(with_people(dated))
    take(db, they_say(MAR), "theirs")
    before = contents(db)
    assert take(db, they_say(MAR), policy).counts == Counts(same=4)
    assert take(db, give(db), policy).counts == Counts(same=4)
    assert contents(db) == before


def test_fill_keeps_the_later_time(new_db):
    for modified, expected in ((JAN, datetime(2024, 2, 1)), (MAR, datetime(2024, 3, 1))):
        db = new_db(with_people(dated))
        take(db, they_say(modified), "fill")
        assert db.t(uuid="b").modified_on == expected
        assert db.t(uuid="a").modified_on == datetime(2024, 2, 1)


def test_newer_where_nothing_is_timed(new_db):
    db = new_db(with_people(plain))
    assert take(db, csv_file(("t", "id,uuid,name", "1,a,Anne"))).counts == Counts(changed=1)
    assert people(db) == HERE | {"a": ("Anne", 1)}


def test_newer_with_a_file_without_times(new_db):
    db = new_db(with_people(dated))
    assert take(db, csv_file(("t", "id,uuid,name", "1,a,Anne", "2,b,Bert"))).counts == Counts(conflict=1, same=1)
    assert people(db) == HERE


def test_newer_where_the_local_time_is_empty(new_db):
    db = new_db(dated)
    for uuid in "ab":
        db.t.insert(uuid=uuid, name="x", modified_on=None)
    db.commit()
    text = csv_file(("t", "id,uuid,name,modified_on", f"1,a,y,{JAN}", "2,b,y,<NULL>"))
    assert take(db, text).counts == Counts(changed=1, conflict=1)


def test_a_table_may_have_its_own_policy(new_db):
    def define(db):
        with_people(plain)(db)
        db.define_table("s", uid(), Field("name", length=64))
        db.s.insert(uuid="a", name="Anna")

    db = new_db(define)
    text = csv_file(("t", "id,uuid,name", "1,a,Anne"), ("s", "id,uuid,name", "1,a,Anne"))
    report = take(db, text, "theirs", settings=Settings(table_policies={"s": "ours"}))
    assert outcomes(report) == {"t": {"changed": 1}, "s": {"older": 1}}


@pytest.mark.parametrize(
    ("policy", "settings"),
    [
        ("latest", Settings()),
        ("newer", Settings(table_policies={"t": "latest"})),
        ("newer", Settings(table_policies={"nothing": "ours"})),
    ],
)
def test_unknown_policies_and_tables(new_db, policy, settings):
    db = new_db(plain)
    with pytest.raises(SettingsError):
        take(db, csv_file(("t", "id,uuid", "1,a")), policy, settings=settings)


# ---- the whole report


def test_the_report_of_an_import(new_db):
    db = new_db(with_people(dated))
    text = csv_file(
        ("t", "id,uuid,name,age,modified_on", f"1,a,Anne,2,{MAR}", f"2,b,Bob,,{FEB}", f"3,n,Nora,9,{MAR}", "4,x,Xaver,old,"),
        ("unknown", "id,name", "1,x"),
    )
    report = take(db, text, strict=False)
    bad = Problem("bad_value", "is not a whole number: 'old'", "t", 6, "age", "old")
    unknown = Problem(
        "unknown_table",
        "there is no table unknown here",
        "unknown",
        10,
        hint="This application does not have it; its rows stay in the file.",
    )
    changed = [FieldChange("name", "Anna", "Anne"), FieldChange("age", "1", "2"), FieldChange("modified_on", FEB, MAR)]
    samples = (
        Sample("a", 3, Outcome.CHANGED, tuple(changed)),
        Sample("b", 4, Outcome.CONFLICT, (FieldChange("name", "Bert", "Bob"),)),
    )
    assert settled(replace(report, groups=())) == ImportReport(
        dry_run=False,
        policy="newer",
        tables=(TableReport("t", Counts(new=1, changed=1, conflict=1, rejected=1), (), samples),),
        problems=(bad, unknown),
        problems_total=2,
        ignored_tables=("unknown",),
    )
    assert [(g.code, g.count, g.lines) for g in report.groups] == [("bad_value", 1, (6,)), ("unknown_table", 1, (10,))]
    assert report.size_bytes == len(text.encode())
    assert report.to_dict()["counts"] == {"new": 1, "changed": 1, "same": 0, "older": 0, "conflict": 1, "rejected": 1}


def test_a_check_tells_what_an_import_would_do_and_writes_nothing(new_db):
    db = new_db(with_people(dated))
    text = csv_file(
        (
            "t",
            "id,uuid,name,age,modified_on",
            f"1,a,Anne,2,{MAR}",
            f"2,b,Bob,,{FEB}",
            f"3,n,Nora,9,{MAR}",
            ",,Nobody,,",
            "4,x,X,old,",
        )
    )
    before = contents(db)
    checked = take(db, text, dry_run=True, strict=False)
    assert contents(db) == before
    done = take(db, text, strict=False)
    assert settled(checked) == settled(replace(done, dry_run=True))
    assert done.counts == Counts(new=2, changed=1, conflict=1, rejected=1)


# ---- all or nothing, and the caller's transaction


def refused_files():
    good = "1,n,Nora,9"
    return {
        "bad value": csv_file(("t", "id,uuid,name,age", good, "2,m,Max,x")),
        "no END": csv_file(("t", "id,uuid,name,age", good), end=""),
        "accounts": csv_file(("t", "id,uuid,name,age", good), ("auth_user", "id,email", "1,x@y.z")),
        "unknown column": csv_file(("t", "id,uuid,name,age,shoe", good + ",42")),
        "unknown table": csv_file(("t", "id,uuid,name,age", good), ("s", "id,uuid", "1,x")),
        "row width": csv_file(("t", "id,uuid,name,age", good, "2,m,Max")),
        "same table twice": csv_file(("t", "id,uuid,name,age", good), ("t", "id,uuid,name,age", good)),
        "same column twice": csv_file(("t", "id,uuid,name,name", "1,n,Nora,Nora")),
        "garbage": "\x00\x01\x02",
    }


@pytest.mark.parametrize("name", refused_files())
@pytest.mark.parametrize("pending", [False, True])
def test_a_refused_file_leaves_all_as_it_was(new_db, name, pending):
    def define(db):
        with_people(plain)(db)
        db.define_table("auth_user", Field("email", length=64))

    db = new_db(define)
    before = contents(db)
    if pending:
        db.t.insert(uuid="pending", name="Pia")
    with pytest.raises(SyncError):
        import_csv(db, io.BytesIO(refused_files()[name].encode()))
    assert people(db) == HERE | ({"pending": ("Pia", None)} if pending else {})
    db.rollback()
    assert contents(db) == before


@pytest.mark.parametrize("dry_run", [False, True])
def test_the_caller_s_pending_work_is_neither_committed_nor_lost(new_db, dry_run):
    db = new_db(with_people(plain))
    before = contents(db)
    db.t.insert(uuid="pending", name="Pia")
    import_csv(db, io.BytesIO(csv_file(("t", "id,uuid,name", "1,n,Nora")).encode()), dry_run=dry_run)
    assert set(people(db)) == {"a", "b", "c", "pending"} | (set() if dry_run else {"n"})
    db.rollback()
    assert contents(db) == before


def test_nothing_stays_open_after_a_check_or_a_refusal(new_db, engine):
    db = new_db(with_people(plain))
    db.commit()
    file = csv_file(("t", "id,uuid,name", "1,n,Nora"))
    import_csv(db, io.BytesIO(file.encode()), dry_run=True)
    with pytest.raises(SyncError):
        import_csv(db, io.BytesIO(file.replace("END", "").encode()))
    if engine == "sqlite":
        assert not db._adapter.connection.in_transaction
        assert db.executesql("SELECT name FROM sqlite_temp_master") == []


def test_a_connection_can_be_used_again_and_again(new_db):
    db = new_db(plain)
    for number in range(5):
        text = csv_file(("t", "id,uuid,name", f"1,u{number},Anna"))
        import_csv(db, io.BytesIO(text.encode()), dry_run=True)
        with pytest.raises(SyncError):
            import_csv(db, io.BytesIO((text + "x").encode()))
        import_csv(db, io.BytesIO(text.encode()))
    db.commit()
    assert db(db.t).count() == 5


def test_a_cancelled_import_leaves_nothing(new_db):
    db = new_db(plain)
    seen = []

    def progress(table, rows):
        seen.append((table, rows))
        raise Cancelled("stopped by the user")

    before = contents(db)
    with pytest.raises(Cancelled):
        take(db, csv_file(("t", "id,uuid,name", "1,a,Anna", "2,b,Bert")), progress=progress)
    assert (seen, contents(db)) == ([("t", 2)], before)


def test_an_altered_file_is_refused(new_db):
    source, db = new_db(with_people(plain)), new_db(plain)
    file = give(source)
    before = contents(db)
    for altered in (file.replace(b"Anna", b"Anne"), file.replace(b"b,Bert,<NULL>\r\n", b"")):
        with pytest.raises(FileAltered):
            take(db, altered)
    counts = file.replace(b'"t":3', b'"t":4')
    with pytest.raises(FileAltered, match="the file holds 3 rows, its footer says 4"):
        take(db, counts)
    assert contents(db) == before


# ---- columns and constraints


def test_defaults_for_columns_that_the_file_lacks(new_db):
    def define(db):
        db.define_table(
            "t",
            uid(),
            Field("name", length=64),
            Field("state", length=64, default="open", notnull=True),
            Field("born", "date", default=date(2024, 2, 29)),
            Field("money", "decimal(8,2)", default=Decimal("1.50")),
            Field("ok", "boolean", default=True),
            Field("tags", "list:string", default=["a", "b|c"]),
            Field("data", "json", default={"a": 1}),
            Field("made", "datetime", default=lambda: datetime(2024, 1, 1, 12)),
            Field("n", "integer", default=None, update=7),
        )

    db = new_db(define)
    db.t.insert(uuid="a", name="Anna", state="closed", tags=["z"])
    db.commit()
    take(db, csv_file(("t", "id,uuid,name", "1,a,Anne", "2,b,Bert")), "theirs")
    row = db.t(uuid="b")
    assert (row.state, row.born, row.money, row.ok) == ("open", date(2024, 2, 29), Decimal("1.50"), True)
    assert (row.tags, row.data, row.made, row.n) == (["a", "b|c"], {"a": 1}, datetime(2024, 1, 1, 12), None)
    kept = db.t(uuid="a")
    assert (kept.name, kept.state, kept.tags, kept.n) == ("Anne", "closed", ["z"], None)


def test_defaults_do_not_replace_what_the_file_says(new_db):
    def define(db):
        db.define_table("t", uid(), Field("state", length=64, default="open"))

    db = new_db(define)
    take(db, csv_file(("t", "id,uuid,state", "1,a,<NULL>", "2,b,", "3,c,x")))
    assert {r.uuid: r.state for r in db(db.t).select()} == {"a": None, "b": "", "c": "x"}


def test_a_value_here_that_is_none_of_its_type_can_be_mended(engine):
    """SQLite stores anything; stock pyDAL put days there that do not exist."""
    if engine != "sqlite":
        return
    with database(engine) as db:
        db.define_table("t", uid(), Field("day", "date"), Field("friends", "list:reference t"))
        db.executesql("INSERT INTO t (uuid, day, friends) VALUES ('a', '2024-02-31', '|x|'), ('b', 'garbage', '|1|')")
        db.commit()
        exported = give(db)
        assert take(db, csv_file(("t", "id,uuid,day,friends", "1,a,2024-02-29,|1|", "2,b,,||")), "theirs").counts == Counts(
            changed=2
        )
        assert [(r.day, r.friends) for r in db(db.t).select()] == [(date(2024, 2, 29), [1]), (None, [])]
        report = take(db, exported, strict=False)
        assert places(report.problems) == [
            ("bad_value", "t", 3, "day"),
            ("bad_value", "t", 4, "day"),
            ("bad_value", "t", 3, "friends"),
        ]


def test_empty_defaults(new_db):
    def define(db):
        kinds = ("integer", "double", "decimal(8,2)", "boolean", "date", "datetime", "string", "text")
        db.define_table("t", uid(), Field("name"), *(Field(f"f{i}", kind, default="") for i, kind in enumerate(kinds)))

    db = new_db(define)
    take(db, csv_file(("t", "id,uuid,name", "1,a,Anna")))
    assert [db.t(uuid="a")[f"f{i}"] for i in range(8)] == [None] * 6 + ["", ""]


@pytest.mark.parametrize("default", ["many", lambda: 1 // 0])
def test_defaults_that_cannot_be_used(new_db, default):
    db = new_db(lambda db: db.define_table("t", uid(), Field("n", "integer", default=default)))
    before = contents(db)
    with pytest.raises(SettingsError) as caught:
        take(db, csv_file(("t", "id,uuid", "1,a")))
    db.rollback()
    assert (caught.value.table, caught.value.column, contents(db)) == ("t", "n", before)


def test_columns_that_must_have_a_value(new_db):
    def define(db):
        db.define_table("t", uid(), Field("name", length=64, notnull=True), Field("age", "integer", notnull=True, default=1))
        db.t.insert(uuid="here", name="Anna", age=5)

    db = new_db(define)
    report = take(db, csv_file(("t", "id,uuid,name,age", "1,a,<NULL>,1", "2,b,Bert,", "3,c,,3")), strict=False)
    assert places(report.problems) == [("not_null", "t", 3, "name"), ("not_null", "t", 4, "age")]
    assert people(db) == {"here": ("Anna", 5), "c": ("", 3)}
    report = take(db, csv_file(("t", "id,uuid,age", "1,here,6", "2,d,7")), "theirs", strict=False)
    assert places(report.problems) == [("not_null", "t", 4, "name")]
    assert report.counts == Counts(changed=1, rejected=1)


def unique(db):
    db.define_table(
        "t", uid(), Field("email", length=64, unique=True), Field("code", "integer", unique=True), Field("name", length=64)
    )
    db.define_table("child", uid(), Field("parent", "reference t"))
    for number, uuid in enumerate("ab"):
        db.t.insert(uuid=uuid, email=f"{uuid}@x", code=number, name=uuid)


def test_unique_values_that_are_taken(new_db):
    db = new_db(unique)
    text = csv_file(
        ("t", "id,uuid,email,code", "1,n,a@x,7", "2,m,m@x,8", "3,o,o@x,1", "4,p,<NULL>,<NULL>", "5,q,<NULL>,<NULL>"),
        ("child", "id,uuid,parent", "1,c1,1", "2,c2,2"),
    )
    report = take(db, text, strict=False)
    assert places(report.problems) == [
        ("not_unique", "t", 3, "email"),
        ("missing_parent", "child", 12, "parent"),
        ("not_unique", "t", 5, "code"),
    ] or sorted(places(report.problems)) == [
        ("missing_parent", "child", 12, "parent"),
        ("not_unique", "t", 3, "email"),
        ("not_unique", "t", 5, "code"),
    ]
    assert outcomes(report) == {"t": {"new": 3, "rejected": 2}, "child": {"new": 1, "rejected": 1}}
    with pytest.raises(RowsRejected):
        take(db, text)


def test_unique_values_twice_in_the_file(new_db):
    db = new_db(unique)
    text = csv_file(("t", "id,uuid,email", "1,n,n@x", "2,m,n@x", "3,o,o@x"))
    report = take(db, text, strict=False)
    assert places(report.problems) == [("not_unique", "t", 3, "email"), ("not_unique", "t", 4, "email")]
    assert report.counts == Counts(new=1, rejected=2)


def test_a_change_that_would_take_another_s_value(new_db):
    db = new_db(unique)
    report = take(db, csv_file(("t", "id,uuid,email,name", "1,a,b@x,Anna", "2,n,n@x,Nora")), "theirs", strict=False)
    assert places(report.problems) == [("not_unique", "t", 3, "email")]
    assert report.counts == Counts(new=1, rejected=1)


def test_text_that_is_too_long_or_numbers_too_large_are_rejected_or_kept_whole(new_db):
    db = new_db(plain)
    long, large = "x" * 65, str(2**31)
    report = take(db, csv_file(("t", "id,uuid,name,age", f"1,a,{long},1", f"2,b,Bert,{large}", "3,c,Carl,3")), strict=False)
    kept = {"a": (long, 1), "b": ("Bert", int(large))}
    expected = {u: v for u, v in kept.items() if u not in {"ab"[p.line - 3] for p in report.problems}}
    assert people(db) == expected | {"c": ("Carl", 3)}


def test_columns_are_found_whatever_their_letters_and_order(new_db):
    db = new_db(plain)
    take(db, "TABLE T\r\nT.AGE,t.Name, t.UUID\r\n7,Anna,u\r\n\r\n\r\nEND")
    assert people(db) == {"u": ("Anna", 7)}


def test_secret_columns_never_enter(new_db):
    def define(db):
        db.define_table("t", uid(), Field("login", "password"), Field("api_key", length=64), Field("name", length=64))
        db.t.insert(uuid="a", login="mine", api_key="mine", name="Anna")

    db = new_db(define)
    text = csv_file(("t", "id,uuid,login,api_key,name", "1,a,theirs,theirs,Anne", "2,b,theirs,theirs,Bert"))
    report = take(db, text, "theirs")
    assert places(report.warnings) == [("withheld", "t", 2, "login"), ("withheld", "t", 2, "api_key")]
    assert report.table("t").ignored_columns == ("login", "api_key")
    assert {r.uuid: (r.login, r.api_key, r.name) for r in db(db.t).select()} == {
        "a": ("mine", "mine", "Anne"),
        "b": (None, None, "Bert"),
    }
    assert b"mine" not in give(db)


@pytest.mark.parametrize(
    "name", ["auth_user", "AUTH_USER", "auth_membership", "sync_instance", "plugin_sync_job", "auth_nothing"]
)
def test_denied_tables_refuse_the_file(new_db, name):
    db = new_db(plain)
    with pytest.raises(TableRefused) as caught:
        take(db, csv_file((name, "id,email", "1,x")), strict=False, ignore_missing_tables=True)
    assert (caught.value.table, caught.value.line) == (name, 2)
    with pytest.raises(TableRefused):
        take(db, csv_file(("t", "id,uuid", "1,x")), map_tablenames={"t": name})
    with pytest.raises(TableRefused):
        take(db, csv_file((name, "id,uuid", "1,x")), map_tablenames={name: "t"})
    with pytest.raises(TableRefused):
        take(db, single_table("id,uuid", "1,x"), table=name)


def test_tables_that_stay_home_are_left_out(new_db):
    db = new_db(with_people(plain))
    report = take(db, csv_file(("t", "id,uuid,name", "1,n,Nora")), settings=Settings(site_specific=frozenset(["t"])))
    assert (report.tables, report.ignored_tables) == ((), ("t",))
    assert places(report.warnings) == [("left_out", "t", 2, None)]
    assert people(db) == HERE


# ---- keywords


def test_map_tablenames(new_db):
    db = new_db(plain)
    text = csv_file(("old", "id,uuid,name", "1,a,Anna"), ("gone", "id,x", "1,2"))
    report = take(db, text, map_tablenames={"old": "t", "gone": None})
    assert (outcomes(report), report.ignored_tables) == ({"t": {"new": 1}}, ("gone",))


def test_references_to_a_mapped_table(new_db):
    def define(db):
        db.define_table("org", uid(), Field("name", length=64))
        db.define_table("office", uid(), Field("org", "reference org"))
        db.org.insert(uuid="stranger")

    db = new_db(define)
    text = csv_file(("old_org", "id,uuid,name", "1,o,Org"), ("office", "id,uuid,org", "1,f,1"))
    take(db, text, map_tablenames={"old_org": "org"})
    assert db.org(db.office(uuid="f").org).uuid == "o"


def test_ignore_missing_tables(new_db):
    db = new_db(plain)
    text = csv_file(("t", "id,uuid,name", "1,a,Anna"), ("gone", "id,x", "1,2"))
    with pytest.raises(RowsRejected) as caught:
        take(db, text)
    assert places(caught.value.problems) == [("unknown_table", "gone", 7, None)]
    report = take(db, text, ignore_missing_tables=True)
    assert (report.problems, report.ignored_tables, report.counts) == ((), ("gone",), Counts(new=1))


def test_transform(new_db):
    db = new_db(plain)
    db.t.insert(uuid="A", name="Anna")
    db.commit()

    def older(row):
        return {"uuid": row["uuid"].upper(), "name": row["name"].title(), "age": str(int(row["years"]) + 1)}

    report = take(db, csv_file(("t", "id,uuid,name,years", "1,a,anna,6", "2,b,bert,7")), "theirs", transform=older)
    assert report.counts == Counts(new=1, changed=1)
    assert people(db) == {"A": ("Anna", 7), "B": ("Bert", 8)}
    with pytest.raises(SettingsError):
        take(db, csv_file(("t", "id,uuid,name", "1,a,anna", "2,b,bert")), transform=lambda row: {row["uuid"]: "x"})


def test_validate(new_db):
    def define(db):
        plain(db)
        db.t.age.requires = IS_INT_IN_RANGE(0, 10)
        db.t.name.requires = IS_NOT_IN_DB(db, "t.name")
        db.t.insert(uuid="a", name="Anna", age=1)

    db = new_db(define)
    text = csv_file(("t", "id,uuid,name,age", "1,a,Anna,99", "2,b,Anna,5", "3,c,Carl,-1"))
    report = take(db, text, "theirs", validate=True, strict=False)
    assert places(report.problems) == [("invalid", "t", 3, "age"), ("invalid", "t", 5, "age")]
    assert people(db) == {"a": ("Anna", 1), "b": ("Anna", 5)}
    assert take(db, text, "theirs").counts == Counts(changed=1, same=1, new=1)


def test_restore(new_db):
    def define(db):
        db.define_table("org", uid(), Field("name", length=64))
        db.define_table("office", uid(), Field("org", "reference org"))
        for uuid in ("o1", "o2"):
            db.office.insert(uuid=f"f-{uuid}", org=db.org.insert(uuid=uuid, name=uuid))
        db.define_table("other", uid())
        db.other.insert(uuid="kept")

    db = new_db(define)
    text = csv_file(("org", "id,uuid,name", "1,o1,new name", "2,o3,o3"), ("office", "id,uuid,org", "1,f-o1,1", "2,f-o3,2"))
    take(db, text, "theirs", restore=True)
    assert sorted((r.uuid, r.name) for r in db(db.org).select()) == [("o1", "new name"), ("o3", "o3")]
    assert sorted(r.uuid for r in db(db.office).select()) == ["f-o1", "f-o3"]
    assert db(db.other).count() == 1
    before = contents(db)
    assert take(db, text, "theirs", restore=True).counts == Counts(same=4)
    assert contents(db) == before


def test_restore_deletes_no_record_whose_row_is_rejected(new_db):
    db = new_db(with_people(plain))
    before = contents(db)
    with pytest.raises(RowsRejected):
        take(db, csv_file(("t", "id,uuid,name,age", "1,a,Anna,x", "2,b,Bert,")), strict=False, restore=True)
    assert contents(db) == before


def test_null_encoding_and_delimiter(new_db):
    db = new_db(plain)
    text = "TABLE t\nt.uuid;t.name;t.age\n1;Zoë;-\n2;-;3\n\n\nEND"
    take(db, text.encode("latin-1"), null="-", encoding="latin-1", delimiter=";")
    assert people(db) == {"1": ("Zoë", None), "2": (None, 3)}


def test_a_file_without_end_may_be_taken(new_db):
    db = new_db(plain)
    assert take(db, csv_file(("t", "id,uuid,name", "1,a,Anna"), end=""), require_end=False).counts == Counts(new=1)
    assert take(db, single_table("uuid,name", "a,Anna"), table="t").counts == Counts(same=1)


def test_id_map_is_accepted(new_db):
    assert take(new_db(plain), csv_file(("t", "id,uuid", "1,a")), id_map={}).counts == Counts(new=1)


# ---- rows of the file


def test_rows_of_the_wrong_width(new_db):
    db = new_db(plain)
    report = take(db, csv_file(("t", "id,uuid,name", "1,a,Anna", "2,b", "3,c,Carl,extra", "4,d,Dora")), strict=False)
    assert places(report.problems) == [("row_width", "t", 4, None), ("row_width", "t", 5, None)]
    assert report.counts == Counts(new=2, rejected=2)


def test_many_problems_are_counted_and_some_kept(new_db):
    db = new_db(plain)
    report = take(db, csv_file(("t", "id,uuid,name,age", *(f"{i},u{i},x,old" for i in range(1500)))), strict=False)
    assert (report.problems_total, len(report.problems), report.counts) == (1500, 1000, Counts(rejected=1500))
    assert [(g.code, g.column, g.count, len(g.lines)) for g in report.groups] == [("bad_value", "age", 1500, 20)]


def test_a_file_with_no_rows(new_db):
    db = new_db(with_people(plain))
    assert take(db, csv_file(("t", "id,uuid,name"))).counts == Counts()
    assert take(db, "END").tables == ()
    with pytest.raises(FileFormatError):
        take(db, "")


def test_tables_and_columns_may_be_named_like_anything(new_db):
    """Also like what the engine's own statements call things."""

    def define(db):
        for name in "mosrtdxpl":
            db.define_table(name, uid(), Field("n"), Field("v0"), Field("k"), Field("src"), Field("up", f"reference {name}"))

    source, db = new_db(define), new_db(define)
    for each, value in ((source, "new"), (db, "old")):
        for name in "mosrtdxpl":
            first = each[name].insert(uuid=f"{name}1", n=value)
            each[name].insert(uuid=f"{name}2", n="same", up=first)
        each.commit()
    source.m.insert(uuid="m3", up=source.m.insert(uuid="m4"))
    source.commit()
    assert take(db, give(source), "theirs").counts == Counts(new=2, changed=9, same=9)
    assert take(db, give(source), "theirs").counts == Counts(same=20)


def test_names_of_the_database_s_own(new_db, engine):
    def define(db):
        quote = db._adapter.dialect.quote
        up = "up_" if engine == "mysql" else quote("order")  # pyDAL names its index so, and does not quote that
        db.define_table(
            "t", Field("no", "id"), Field("uuid", length=64, rname=quote("the uuid")), Field("select", rname=quote("wahl")),
            Field("up", "reference t", rname=up), rname=quote("group"),
        )  # fmt: skip

    source, db = new_db(define), new_db(define)
    source.t.insert(uuid="b", up=source.t.insert(uuid="a", select="x"))
    source.commit()
    assert take(db, give(source)).counts == Counts(new=2)
    assert take(db, give(source)).counts == Counts(same=2)
    source(source.t.uuid == "a").update(select="y")
    source.commit()
    assert take(db, give(source)).counts == Counts(changed=1, same=1)
