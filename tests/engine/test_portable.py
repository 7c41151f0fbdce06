"""The portable store: what is its own, on SQLite and PostgreSQL; the contract of all stores runs on it too."""

import base64
import datetime
import sqlite3
import threading
from decimal import Decimal

import pytest
from pydal import Field, SQLCustomType

from plugin_sync import Counts, RowsRejected, Settings, StoreBusy, StoreError, SyncError
from plugin_sync.records import FieldSpec
from plugin_sync.schema import define_tables
from plugin_sync.stores import portable, portable_host, portable_writing
from plugin_sync.stores.portable_values import canonical_json, from_raw, same, to_field

from . import test_interop
from .databases import connect, database, plain, shared_database
from .files import csv_file, give, outcomes, places, take
from .importing import connect as connect_again
from .states import contents, records

PORTABLES = ("portable-sqlite", "portable-postgres")
pytestmark = pytest.mark.parametrize("engine", PORTABLES)
EVIL = ["'); DROP TABLE t; --", "\\'; --", "1); DROP TABLE t", "%s %d %", "?", ":a", "{0}", "t.id", "NULL", "''", "\\"]


def people(db):
    db.define_table("t", Field("uuid", length=64), Field("name", length=64))


def body(data):
    return data[: data.rindex(b"SYNC ")]


# ---- values


def special(db):
    test_interop.define(db)
    test_interop.fill(db)
    for text in ("<NULL>", "\\<NULL>", "\\\\<NULL>", "", 'a"b', "a\rb", "é\N{GRINNING FACE}", "|", *EVIL):
        db.t.insert(uuid=f"x{text}"[:64], string=text, text=text, list_string=[text, "x"], json={"k": text}, blob=text.encode())
    for number in (0.1 + 0.2, 1e300, -1e-300, 5e15, -0.5, 123456789.125):
        db.t.insert(uuid=f"n{number}", double=number, decimal=Decimal("99999999.875"), integer=-(2**31), bigint=2**62 - 5)
    db.t.insert(uuid=None, text=None, boolean=True, parents=[2, 9, 1], json="text", date=datetime.date(1, 1, 1))
    db.commit()


def test_an_export_has_the_bytes_of_the_sqlite_store_s(new_db, monkeypatch):
    db = new_db(special)
    found = body(give(db))
    monkeypatch.undo()
    with database("sqlite") as other:
        special(other)
        assert body(give(other)) == found


def test_all_of_it_arrives(new_db):
    source, db = new_db(special), new_db(test_interop.define)
    db(db.parent.id == db.parent.insert(uuid="gone")).delete()
    db.commit()
    file = give(source)
    total = source(source.t).count() + source(source.parent).count()
    report = take(db, file, strict=False)
    assert [p.code for p in report.problems] == ["missing_parent"]  # of the one that points to a record that never was
    assert report.counts == Counts(new=total - 1, rejected=1)
    source(source.t.uuid == None).delete()  # noqa: E711
    assert records(db) == records(source)
    before = contents(db)
    assert take(db, file, strict=False).counts == Counts(same=total - 1, rejected=1)
    assert contents(db) == before


@pytest.mark.parametrize("cell", EVIL)
@pytest.mark.parametrize(
    "kind", ["string", "text", "integer", "double", "decimal(9,2)", "boolean", "date", "datetime", "json", "blob", "list:string"]
)
def test_no_cell_is_run(new_db, kind, cell):
    """A cell is a value of its type, or is refused; its row never becomes anything else."""

    def define(db):
        db.define_table("t", Field("uuid", length=64), Field("f", kind))

    db = new_db(define)
    quoted = cell.replace('"', '""')
    report = take(db, csv_file(("t", "id,uuid,f", f'1,a,"{quoted}"', "2,b,<NULL>")), strict=False)
    assert report.counts.new + report.counts.rejected == 2
    assert [row.uuid for row in db(db.t).select(db.t.uuid, orderby=db.t.id)] == ["a", "b"][report.counts.rejected :]
    if kind in ("string", "text"):
        assert db.t(uuid="a").f == cell


@pytest.mark.parametrize(("kind", "cell"), [("datetime", "2024-02-29 01:02:03.000007"), ("time", "01:02:03.100001")])
def test_microseconds_arrive(new_db, kind, cell):
    db = new_db(lambda db: db.define_table("t", Field("uuid", length=64), Field("f", kind)))
    text = csv_file(("t", "id,uuid,f", f"1,a,{cell}"))
    assert take(db, text).counts == Counts(new=1)
    assert f"1,a,{cell}\r\n" in give(db).decode()
    assert take(db, text).counts == Counts(same=1)


def rounding(db):
    """Tables whose column keeps less than pyDAL believes."""
    db.define_table("t", Field("uuid", length=64), Field("f", "string"), Field("n", "integer"))
    db.define_table("child", Field("uuid", length=64), Field("parent", "reference t"))
    db.t.insert(uuid="old", f="1", n=1)
    if db._adapter.dbengine == "postgres":
        db.executesql("ALTER TABLE t ALTER f TYPE numeric(9,1) USING CAST(f AS numeric)")
    else:
        db.executesql("CREATE TRIGGER cut AFTER INSERT ON t BEGIN UPDATE t SET f = round(f, 1) WHERE id = NEW.id; END")
        db.executesql("CREATE TRIGGER cut2 AFTER UPDATE ON t BEGIN UPDATE t SET f = round(f, 1) WHERE id = NEW.id; END")


LOSSY = csv_file(
    ("t", "id,uuid,f,n", "1,a,1.5,1", "2,b,1.25,2", "3,old,2.25,3"),
    ("child", "id,uuid,parent", "1,c1,1", "2,c2,2"),
)


def test_what_the_database_would_change_is_refused(new_db):
    db = new_db(rounding)
    db.t.insert(uuid="pending", f="7.0")
    before = records(db)
    with pytest.raises(RowsRejected) as caught:
        take(db, LOSSY, "theirs")
    assert places(caught.value.problems) == [
        ("unfit", "t", 4, "f"),
        ("unfit", "t", 5, "f"),
        ("missing_parent", "child", 11, "parent"),
    ]
    assert records(db) == before
    first = caught.value.problems[0]
    assert (first.value, first.message) == ("1.25", "the database would keep '1.3' instead")


def test_what_the_database_would_change_is_left_out(new_db):
    db = new_db(rounding)
    report = take(db, LOSSY, "theirs", strict=False)
    assert outcomes(report) == {"t": {"new": 1, "rejected": 2}, "child": {"new": 1, "rejected": 1}}
    assert {row.uuid: row.n for row in db(db.t).select()} == {"old": 1, "a": 1}
    assert db.t(db.child(uuid="c1").parent).uuid == "a"
    again = take(db, LOSSY, "theirs", strict=False)
    assert outcomes(again) == {"t": {"same": 1, "rejected": 2}, "child": {"same": 1, "rejected": 1}}


@pytest.mark.parametrize("data", [5, "text", [1, "a"], {"b": 1, "a": 1.5}, {}, None])
def test_json(new_db, data):
    def define(db):
        db.define_table("t", Field("uuid", length=64), Field("f", "json"))

    source, db = new_db(define), new_db(define)
    source.t.insert(uuid="a", f=data)
    assert take(db, give(source)).counts == Counts(new=1)
    assert db.t(uuid="a").f == source.t(uuid="a").f
    assert take(db, give(source).replace(b"SYNC", b"X").split(b"X")[0]).counts == Counts(same=1)


def test_conversions_of_the_application_are_not_used(new_db):
    """Neither of a custom type nor of a field; nor its defaults, updates, computed values."""
    shout = SQLCustomType("string", "VARCHAR(64)", encoder=lambda v: f"'{v.upper()}'", decoder=lambda v: v.lower())

    def define(db):
        db.define_table(
            "t",
            Field("uuid", length=64),
            Field("custom", shout),
            Field("filtered", filter_in=lambda v: "in", filter_out=lambda v: "out"),
            Field("updated", update="updated"),
            Field("computed", compute=lambda row: "computed"),
        )

    db = new_db(define)
    header = "id,uuid,custom,filtered,updated,computed"
    take(db, csv_file(("t", header, "1,a,Aa,Bb,Cc,Dd")))
    assert "a,Aa,Bb,Cc,Dd\r\n" in give(db).decode()
    take(db, csv_file(("t", header, "1,a,Ab,Bb,Cc,Dd")), "theirs")
    assert "a,Ab,Bb,Cc,Dd\r\n" in give(db).decode()


def spec(kind, **options):
    return FieldSpec("f", "f", kind, **options)


@pytest.mark.parametrize(
    ("kind", "raw", "stored"),
    [
        ("integer", Decimal(5), 5),
        ("integer", "x", "x"),
        ("double", Decimal("0.5"), 0.5),
        ("decimal", 1.5, "1.50"),
        ("decimal", Decimal("1E+3"), "1000.00"),
        ("decimal", "odd", "odd"),
        ("boolean", True, "T"),
        ("boolean", 0, "F"),
        ("boolean", "?", "?"),
        ("date", datetime.datetime(2024, 2, 29), "2024-02-29"),
        ("time", datetime.timedelta(hours=1, microseconds=5), "01:00:00.000005"),
        ("time", datetime.timedelta(days=2), "2 days, 0:00:00"),
        ("datetime", datetime.date(2024, 2, 29), "2024-02-29 00:00:00"),
        ("datetime", datetime.datetime(2024, 2, 29, 1, tzinfo=datetime.UTC), "2024-02-29 01:00:00"),
        ("blob", memoryview(b"YQ=="), "YQ=="),
        ("text", 5, "5"),
        ("text", None, None),
    ],
)
def test_what_drivers_give(engine, kind, raw, stored):
    assert from_raw(spec(kind, scale=2), raw) == stored


def test_what_pydal_is_given(engine):
    assert to_field(spec("decimal"), "-12345678901234567890.5") == "-12345678901234567890.5"
    assert to_field(spec("blob"), base64.b64encode(b"\xff").decode()) == b"\xff"
    with pytest.raises(ArithmeticError):
        to_field(spec("decimal"), "1); DROP TABLE t")


def test_json_is_compared_by_what_it_says(engine):
    kind = spec("json")
    assert same(kind, '{"a": 1.50, "b": [1]}', '{"b":[1],"a":1.5}')
    assert not same(kind, "[1, 2]", "[2, 1]")
    assert not same(kind, '{"a": []}', '["{}", [["a", []]]]')
    assert canonical_json("no json") == "no json"


# ---- ids


def test_the_database_gives_the_ids(new_db):
    def define(db):
        db.define_table("a", Field("uuid", length=64), Field("b", "integer"), Field("up", "reference a"))
        db.define_table("b", Field("uuid", length=64), Field("a", "reference a", notnull=True), Field("all", "list:reference a"))
        db.a.b.type = "reference b"
        for table in (db.a, db.b):
            for _ in range(9):
                table.insert(uuid="gone", **({"a": 1} if "all" in table.fields else {}))
        db(db.b).delete()
        db(db.a).delete()

    db = new_db(define)
    text = csv_file(
        ("b", "id,uuid,a,all", "1,b1,2,|3|1|", "2,b2,1,||", "3,b3,3,|2|"),
        ("a", "id,uuid,b,up", "1,a1,2,3", "2,a2,<NULL>,2", "3,a3,3,1"),
    )
    assert take(db, text).counts == Counts(new=6)
    a, b = ({row.id: row for row in db(table).select()} for table in (db.a, db.b))
    assert {row.uuid: row.b and b[row.b].uuid for row in a.values()} == {"a1": "b2", "a2": None, "a3": "b3"}
    assert {row.uuid: a[row.up].uuid for row in a.values()} == {"a1": "a3", "a2": "a2", "a3": "a1"}
    assert {row.uuid: a[row.a].uuid for row in b.values()} == {"b1": "a2", "b2": "a1", "b3": "a3"}
    assert {row.uuid: [a[i].uuid for i in row.all] for row in b.values()} == {"b1": ["a3", "a1"], "b2": [], "b3": ["a2"]}
    assert min(a) > 9
    assert take(db, text, "theirs").counts == Counts(same=6)


def test_mandatory_references_to_later_rows(new_db):
    def define(db):
        db.define_table("t", Field("uuid", length=64), Field("up", "reference t", notnull=True))
        db.t.insert(uuid="top", up=1)

    db = new_db(define)
    db.t._referenced_by.clear()
    text = csv_file(("t", "id,uuid,up,up.uuid", "1,a,2,b", "2,b,3,c", "3,c,9,top"))
    assert take(db, text).counts == Counts(new=3)
    by_id = {row.id: row for row in db(db.t).select()}
    assert {row.uuid: by_id[row.up].uuid for row in by_id.values()} == {"top": "top", "a": "b", "b": "c", "c": "top"}
    before = contents(db)
    with pytest.raises(SyncError, match="points back") as caught:
        take(db, csv_file(("t", "id,uuid,up", "1,x,2", "2,y,1")))
    assert (caught.value.table, caught.value.line) == ("t", 3)
    assert contents(db) == before


def test_ids_above_all_that_are_served(new_db):
    db = new_db(people)
    mine = "INSERT INTO t (id, uuid) VALUES (4611686018427387904, 'huge')"
    if plain(db._adapter.dbengine) == "postgres":
        db.executesql("ALTER TABLE t ALTER id TYPE bigint")
    db.executesql(mine)
    db.commit()
    with pytest.raises(StoreError, match="are not served here"):
        take(db, csv_file(("t", "id,uuid,name", "1,a,Anna")))


def test_pages(new_db, monkeypatch):
    """More rows than a page, new, changed, and read."""
    for module in (portable_host, portable_writing):
        monkeypatch.setattr(module, "PAGE", 7)
    rows = [f"{i},u{i},Name {i},{i % 50 + 1}" for i in range(1, 101)]

    def define(db):
        db.define_table("t", Field("uuid", length=64), Field("name", length=64), Field("up", "reference t"))

    db = new_db(define)
    assert take(db, csv_file(("t", "id,uuid,name,up", *rows))).counts == Counts(new=100)
    changed = csv_file(("t", "id,uuid,name,up", *(row.replace("Name", "New") for row in rows)))
    assert take(db, changed, "theirs").counts == Counts(changed=100)
    assert {row.name for row in db(db.t).select()} == {f"New {i}" for i in range(1, 101)}
    assert body(give(db)).count(b",New ") == 100
    kept = csv_file(("t", "id,uuid,name,up", "1,u1,Name 1,2", "2,u2,New 2,1"))
    assert take(db, kept, "theirs", restore=True).counts == Counts(changed=2)
    assert {row.uuid: row.name for row in db(db.t).select()} == {"u1": "Name 1", "u2": "New 2"}


# ---- transactions


@pytest.fixture
def pair(engine):
    """Give two connections to one database with tables and a row in each."""
    with shared_database(engine) as (uri, folder):
        db = connect(uri, folder)
        db.define_table("org", Field("uuid", length=64), Field("name", length=64), Field("up", "reference org"))
        db.define_table("person", Field("uuid", length=64), Field("org", "reference org"), Field("modified_on", "datetime"))
        db.define_table("link", Field("person", "reference person"), Field("role", length=64))
        define_tables(db, "sync_instance")
        db.sync_instance.insert(base_uuid="beef", last_update=datetime.datetime(2024, 1, 1))
        db.commit()
        other = connect_again(uri, folder)
        define_tables(other, "sync_instance", migrate=False)
        yield db, other
        for each in (db, other):
            each.rollback()
            each.close()


@pytest.mark.parametrize("lock", [portable.LOCK_TABLE, "LOCK NOTHING {}"])
def test_imports_into_an_empty_table_wait_for_each_other(pair, lock, monkeypatch):
    """By a lock on the table, or else in the plugin's own table: without either nothing is there to be locked."""
    monkeypatch.setattr(portable, "LOCK_TABLE", lock)
    db, other = pair
    text = csv_file(("org", "id,uuid,name", *(f"{i},o{i},x" for i in range(1, 50))))
    done = []

    def work(mine):
        done.append(take(mine, text).counts)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in (db, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done, key=lambda c: c.new) == [Counts(same=49), Counts(new=49)]
    assert db(db.org).count() == 49


def test_a_record_that_was_changed_meanwhile(new_db):
    """By a callback here, the only one who can; where rows cannot be locked by reading them also by others."""

    def define(db):
        people(db)
        db.t.insert(uuid="a", name="Anna")
        db.t._before_update.append(lambda found, row: db.executesql("UPDATE t SET name = 'Ada' WHERE uuid = 'a'") and None)

    db = new_db(define)
    before = contents(db)
    with pytest.raises(StoreBusy, match="was changed meanwhile") as caught:
        take(db, csv_file(("t", "id,uuid,name", "1,a,Anne")), "theirs")
    assert (caught.value.table, caught.value.line) == ("t", 3)
    assert contents(db) == before


def test_rows_that_cannot_be_locked_by_reading(new_db, monkeypatch):
    monkeypatch.setattr(portable_host.Host, "try_for_update", lambda host, spec: False)
    monkeypatch.setattr(portable, "LOCK_TABLE", "LOCK NOTHING {}")
    db = new_db(people)
    db.t.insert(uuid="a", name="Anna")
    text = csv_file(("t", "id,uuid,name", "1,a,Anne", "2,b,Bert"))
    assert take(db, text, "theirs").counts == Counts(new=1, changed=1)
    assert {row.uuid: row.name for row in db(db.t).select()} == {"a": "Anne", "b": "Bert"}


@pytest.fixture
def without_savepoints(engine):
    """A database that refuses them, as some do: SQLite can be told to."""
    if plain(engine) != "sqlite":
        yield None
        return
    with database(engine) as db:
        rounding(db)
        db.t._after_insert.append(lambda row, ident: 1 / 0 if row["f"] == "9.0" else None)
        db.commit()
        db._adapter.connection.set_authorizer(
            lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_SAVEPOINT else sqlite3.SQLITE_OK
        )
        yield db


def test_without_savepoints_all_is_undone(without_savepoints):
    db = without_savepoints
    if db is None:
        return
    before = contents(db)
    for text, code in ((LOSSY, "rows_rejected"), (csv_file(("t", "id,uuid,f", "1,x,9.0")), "sync_error")):
        db.t.insert(uuid="pending", f="0.0")
        with pytest.raises(SyncError, match="Everything since the last commit was undone") as caught:
            take(db, text, "theirs", strict=False)
        assert caught.value.code == code
        assert contents(db) == before
    assert take(db, csv_file(("t", "id,uuid,f", "1,x,8.0"))).counts == Counts(new=1)


def test_a_check_writes_nothing(new_db):
    db = new_db(people)
    db.t.insert(uuid="a", name="Anna")
    db.commit()
    statements = []
    db._adapter.execution_handlers.append(watcher(statements))
    text = csv_file(("t", "id,uuid,name", "1,a,Anne", "2,b,Bert"))
    assert take(db, text, "theirs", dry_run=True, settings=Settings()).counts == Counts(new=1, changed=1)
    assert {s.split(" ", 1)[0] for s in statements} == {"SELECT"}


def watcher(statements):
    class Watcher:
        def __init__(self, adapter):
            pass

        def before_execute(self, command):
            statements.append(command)

        def after_execute(self, command):
            pass

    return Watcher
