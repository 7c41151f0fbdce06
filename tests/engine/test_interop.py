"""Files between stock pyDAL and this engine, both ways, on each store and each way of it to take rows."""

import base64
import datetime
import io
from decimal import Decimal

import pytest
from pydal import Field

from plugin_sync import Counts, SyncError, export_csv

from .databases import LOADERS
from .files import give, take
from .states import records


@pytest.fixture(params=LOADERS)
def engine(request):
    return request.param


def define(db):
    db.define_table("parent", Field("uuid", length=64), Field("name", length=64))
    db.define_table(
        "t",
        Field("uuid", length=64),
        Field("string", length=64),
        Field("text", "text"),
        Field("integer", "integer"),
        Field("bigint", "bigint"),
        Field("double", "double"),
        Field("decimal", "decimal(12,3)"),
        Field("boolean", "boolean"),
        Field("date", "date"),
        Field("time", "time"),
        Field("datetime", "datetime"),
        Field("upload", "upload"),
        Field("json", "json"),
        Field("blob", "blob"),
        Field("list_string", "list:string"),
        Field("list_integer", "list:integer"),
        Field("parent", "reference parent"),
        Field("parents", "list:reference parent"),
        Field("before", "reference t"),
    )


def fill(db):
    """Records of every type; every second row points to the one before it."""
    parents = [db.parent.insert(uuid=f"p{i}", name=f"Parent {i}") for i in range(3)]
    last = None
    for i in range(6):
        last = db.t.insert(
            uuid=f"u{i}",
            string=["a,b", 'quo"te', "", "é\N{SNOWMAN}", " x ", None][i],
            text="line\r\nline\nend",
            integer=i - 3,
            bigint=i * 10**12,
            double=i / 7,
            decimal=Decimal(i) / 8,
            boolean=[True, False, None][i % 3],
            date=datetime.date(2024, 2, 29) if i else None,
            time=datetime.time(i, 30, 15),
            datetime=datetime.datetime(2024, 2, 29, i, 30, 15),
            upload=f"t.upload.{i}.txt",
            json=[{"a": [1, None, True]}, {"b": "c"}, {}, None, {"d": 0.5}, {"e": {"f": "g"}}][i],
            blob=[b"\xff", b"\xff\x00\xfe", None][i % 3],  # stock pyDAL cannot export blobs that are text
            list_string=[["a", "b|c"], [], ["x"], None, ["1"], ["é"]][i],
            list_integer=[[1, -2], [], [3], None, [4], [5]][i],
            parent=parents[i % 3] if i else None,
            parents=[parents[2], parents[0]] if i % 2 else [],
            before=last if i % 2 else None,
        )
    db.commit()


def test_a_file_of_stock_pydal_is_read_right(new_db):
    source, db = new_db(define), new_db(define)
    fill(source)
    db.parent.insert(uuid="stranger")
    db.parent.insert(uuid="another")
    db(db.parent.uuid.startswith("an")).delete()
    db.commit()
    file = io.StringIO(newline="")
    source.export_to_csv_file(file)
    assert take(db, file.getvalue()).counts == Counts(new=9)
    assert take(db, file.getvalue()).counts == Counts(same=9)
    db(db.parent.uuid == "stranger").delete()
    assert records(db) == records(source)


def test_a_single_table_of_stock_pydal_is_read_right(new_db):
    source, db = new_db(define), new_db(define)
    fill(source)
    file = io.StringIO(newline="")
    source(source.parent).select().export_to_csv_file(file)
    assert take(db, file.getvalue()).counts == Counts(new=3)
    file = io.StringIO(newline="")
    source(source.t.before == None).select(source.t.uuid, source.t.string).export_to_csv_file(file)  # noqa: E711
    assert take(db, file.getvalue()).counts == Counts(new=3)
    assert db.t(uuid="u0").string == "a,b"


def test_a_file_of_ours_is_read_by_stock_pydal(new_db):
    source, db = new_db(define), new_db(define)
    fill(source)
    db.import_from_csv_file(io.StringIO(give(source).decode(), newline=""), id_map={})
    db.commit()
    assert db(db.parent).count() == 3
    ours, theirs = ({r.uuid: r for r in each(each.t).select()} for each in (source, db))
    assert sorted(theirs) == sorted(ours)
    same = "string text integer bigint double decimal boolean date time datetime upload list_string list_integer".split()
    wrong = [(u, n, ours[u][n], theirs[u][n]) for u in ours for n in same if ours[u][n] != theirs[u][n]]
    assert [w for w in wrong if not (w[1].startswith("list") and not w[2] and not w[3])] == []
    assert [db.parent(r.parent).uuid if r.parent else None for _, r in sorted(theirs.items())] == [
        None,
        "p1",
        "p2",
        "p0",
        "p1",
        "p2",
    ]


def test_plain_writes_what_stock_pydal_writes(new_db):
    db = new_db(define)
    fill(db)
    stock, ours, text = io.StringIO(newline=""), io.BytesIO(), io.StringIO(newline="")
    db.export_to_csv_file(stock)
    assert export_csv(db, ours, plain=True).rows == {"parent": 3, "t": 6}
    export_csv(db, text, plain=True)
    assert ours.getvalue().decode() == stock.getvalue() == text.getvalue()


def test_plain_writes_more_than_a_page(new_db):
    db = new_db(lambda db: db.define_table("s", Field("uuid", length=64), Field("name", length=64)))
    db.s.bulk_insert([{"uuid": f"u{i}", "name": f"n{i}"} for i in range(1203)])
    db.commit()
    stock, ours = io.StringIO(newline=""), io.BytesIO()
    db.export_to_csv_file(stock)
    export_csv(db, ours, plain=True)
    assert ours.getvalue().decode() == stock.getvalue()
    assert take(db, ours.getvalue()).counts == Counts(same=1203)


def test_plain_withholds_what_never_leaves(new_db):
    def make(db):
        db.define_table("auth_user", Field("uuid", length=64), Field("password", "password"))
        db.define_table(
            "s", Field("uuid", length=64), Field("token", length=64), Field("owner", "reference auth_user"), rname=None
        )
        db.s.insert(uuid="u", token="canary", owner=db.auth_user.insert(uuid="me", password="canary"))

    file = io.BytesIO()
    report = export_csv(new_db(make), file, plain=True)
    assert file.getvalue().decode() == "TABLE s\r\ns.id,s.uuid\r\n1,u\r\n\r\n\r\nEND"
    assert list(report.left_out) == ["auth_user"]


def test_plain_says_what_stock_pydal_cannot_write(new_db):
    def make(db):
        db.define_table("b", Field("uuid", length=64), Field("data", "blob"))
        db.b.insert(uuid="u", data=b"text")

    db = new_db(make)
    with pytest.raises(TypeError):
        db.export_to_csv_file(io.StringIO())
    with pytest.raises(SyncError, match="stock pyDAL cannot write this table") as caught:
        export_csv(db, io.BytesIO(), plain=True)
    assert caught.value.table == "b"


def test_plain_exports_keyed_and_empty_tables(new_db):
    def make(db):
        db.define_table("k", Field("code", length=8), Field("name", length=64), primarykey=["code"])
        db.define_table("e", Field("uuid", length=64))
        db.k.insert(code="A", name="a")

    db = new_db(make)
    file = io.BytesIO()
    assert export_csv(db, file, plain=True).rows == {"k": 1, "e": 0}
    assert take(db, file.getvalue()).counts == Counts(same=1)


@pytest.mark.parametrize("value", [b"", b"abc", b"\xff\x00", b"b'abc'"])
def test_blobs_of_both_forms(new_db, value):
    def make(db):
        db.define_table("b", Field("uuid", length=64), Field("data", "blob"))

    db = new_db(make)
    encoded = base64.b64encode(value)
    for number, cell in enumerate((encoded.decode(), str(encoded))):
        take(db, f"TABLE b\r\nb.uuid,b.data\r\nu{number},{cell}\r\n\r\n\r\nEND")
    first, second = [row.data for row in db(db.b).select()]
    assert first == second == (value.decode() if value.isascii() and isinstance(first, str) else value)
