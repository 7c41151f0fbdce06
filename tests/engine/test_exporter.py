"""What an export writes, from each store."""

import csv
import datetime
import hashlib
import io
import json
from decimal import Decimal
from types import SimpleNamespace

import pytest
from pydal import Field

from plugin_sync import ExportReport, Settings, SettingsError, export_csv, stream_csv
from plugin_sync.catalog import REASON_DENIED, REASON_LOOKUP, read_catalog
from plugin_sync.exporter import Export
from plugin_sync.stores.sqlite import SqliteSession, SqliteSnapshot

from .databases import plain
from .files import give
from .states import contents

ME = SimpleNamespace(base_uuid="beef", uuid="beef-1", name="Main")


def everything(db):
    db.define_table("auth_user", Field("uuid", length=64), Field("password", "password"))
    db.define_table("org_org", Field("name", length=64), Field("uuid", length=64), Field("up", "reference org_org"))
    db.define_table("pr_person", Field("uuid", length=64), Field("orgs", "list:reference org_org"), Field("secret", length=64))
    db.auth_user.insert(uuid="u", password="canary")
    top = db.org_org.insert(uuid="o1", name='Red "Cross", Haiti')
    sub = db.org_org.insert(uuid="o2", name=None, up=top)
    nameless = db.org_org.insert(uuid=None, name="<NULL>", up=sub)
    db.pr_person.insert(uuid="p1", orgs=[sub, nameless, top], secret="canary")
    db.pr_person.insert(uuid="p2", orgs=[])
    db.pr_person.insert(uuid="p3", orgs=None)


ORGS = (
    "TABLE org_org\r\norg_org.id,org_org.uuid,org_org.name,org_org.up,org_org.up.uuid\r\n"
    '1,o1,"Red ""Cross"", Haiti",<NULL>,<NULL>\r\n2,o2,<NULL>,1,o1\r\n3,<NULL>,\\<NULL>,2,o2\r\n\r\n\r\n'
)
PEOPLE = (
    "TABLE pr_person\r\npr_person.id,pr_person.uuid,pr_person.orgs,pr_person.orgs.uuid\r\n"
    "1,p1,|2|3|1|,|o2|<NULL>|o1|\r\n2,p2,||,||\r\n3,p3,<NULL>,<NULL>\r\n\r\n\r\n"
)


def body(data):
    return data[: data.rindex(b"SYNC ")].decode("utf-8")


def footer(data):
    return json.loads(data[data.rindex(b"SYNC ") + 5 :])


def test_the_whole_file(new_db):
    data = give(new_db(everything), instance=ME)
    made = footer(data).pop("made_utc")
    assert body(data) == ORGS + PEOPLE + "END\r\n"
    assert footer(data) == {
        "base_uuid": "beef",
        "instance": "beef-1",
        "name": "Main",
        "made_utc": made,
        "version": 1,
        "rows": {"org_org": 3, "pr_person": 3},
        "sha256": hashlib.sha256(body(data).encode()).hexdigest(),
    }
    assert abs(datetime.datetime.fromisoformat(made) - datetime.datetime.now(datetime.UTC)).total_seconds() < 60


def test_the_time_is_an_argument(new_db):
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    data = b"".join(Export(new_db(everything), clock=lambda: moment))
    assert footer(data)["made_utc"] == "2026-01-02T03:04:05Z"


def test_tables_and_modules(new_db):
    db = new_db(everything)
    assert body(give(db, module="org")) == ORGS + "END\r\n"
    assert body(give(db, ["pr_person"])) == PEOPLE + "END\r\n"
    assert body(give(db, [])) == "END\r\n"
    for refused in (["auth_user"], ["nothing"]):
        with pytest.raises(SettingsError):
            give(db, refused)


def test_the_report(new_db):
    db = new_db(everything)
    file = io.BytesIO()
    report = export_csv(db, file, settings=Settings(lookup=frozenset(["org_org"])))
    assert report == ExportReport(
        rows={"pr_person": 3},
        size_bytes=len(file.getvalue()),
        sha256=footer(file.getvalue())["sha256"],
        seconds=report.seconds,
        left_out={"auth_user": REASON_DENIED, "org_org": REASON_LOOKUP},
    )


def test_secrets_never_leave(new_db):
    db = new_db(everything)
    for data in (give(db), give(db, plain=True)):
        assert b"canary" not in data
        assert b"password" not in data


def test_every_kind_of_file(new_db, tmp_path):
    db = new_db(everything)
    expected = body(give(db))

    def written(path, **options):
        with path.open(**options) as file:
            export_csv(db, file)
        return body(path.read_bytes())

    path = tmp_path / "file.csv"
    assert written(path, mode="wb") == expected
    assert written(path, mode="w", encoding="utf-8", newline="") == expected
    assert written(path, mode="w", encoding="utf-8") == expected
    assert written(path, mode="w", encoding="latin-1") == expected
    text = io.StringIO(newline="")
    export_csv(db, text)
    assert body(text.getvalue().encode()) == expected
    assert body(b"".join(stream_csv(db))) == expected


def test_an_export_changes_nothing(new_db, engine):
    db = new_db(everything)
    before = contents(db)
    give(db)
    assert contents(db) == before
    if plain(engine) == "sqlite":
        assert not db._adapter.connection.in_transaction


def test_pending_work_of_the_caller_is_exported(new_db):
    db = new_db(everything)
    db.org_org.insert(uuid="pending", name="Pending")
    assert "pending" in body(give(db))
    db.rollback()
    assert "pending" not in body(give(db))


def test_an_export_that_is_dropped_lets_go(new_db, engine):
    db = new_db(everything)
    stream = stream_csv(db)
    next(stream)
    stream.close()
    if plain(engine) == "sqlite":
        assert not db._adapter.connection.in_transaction


def test_rows_are_streamed(new_db):
    db = new_db(lambda db: db.define_table("t", Field("uuid", length=64), Field("name", "text")))
    db.t.bulk_insert([{"uuid": f"u{i}", "name": "x" * 100} for i in range(5000)])
    db.commit()
    pieces = list(stream_csv(db))
    assert max(map(len, pieces)) < 400_000
    assert sum(piece.count(b"\r\nu") + piece.count(b",u") for piece in pieces) >= 5000


def test_hidden_rows_are_in_it(new_db):
    def define(db):
        db.define_table("t", Field("uuid", length=64), common_filter=lambda query: db.t.uuid == "seen")
        for uuid in ("seen", "hidden"):
            db.t.insert(uuid=uuid)

    assert "hidden" in body(give(new_db(define)))


def test_cells_of_every_type(new_db):
    def define(db):
        db.define_table(
            "t",
            Field("uuid", length=64),
            Field("truth", "boolean"),
            Field("day", "date"),
            Field("clock", "time"),
            Field("moment", "datetime"),
            Field("money", "decimal(12,3)"),
            Field("number", "double"),
            Field("data", "json"),
            Field("bytes", "blob"),
            Field("words", "list:string"),
            Field("numbers", "list:integer"),
        )
        db.t.insert(
            uuid="a",
            truth=True,
            day=datetime.date(2024, 2, 29),
            clock=datetime.time(1, 2, 3),
            moment=datetime.datetime(2024, 2, 29, 1, 2, 3),
            money=Decimal("1234567.125"),
            number=0.1 + 0.2,
            data={"a": [None, "é"]},
            bytes=b"\xff\x00",
            words=["a|b", "c"],
            numbers=[1, -2],
        )
        db.t.insert(uuid="b", truth=False, number=1e300, money=0, data=[], bytes=b"", words=[], numbers=[])

    rows = body(give(new_db(define))).split("\r\n")[2:4]
    assert rows[0].startswith("1,a,True,2024-02-29,01:02:03,2024-02-29 01:02:03,1234567.125,0.30000000000000004,")
    assert rows[0].endswith(",/wA=,|a||b|c|,|1|-2|")
    assert rows[1].startswith("2,b,False,<NULL>,<NULL>,<NULL>,0.000,1e+300,[],,")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_lines_are_those_of_csv_whatever_a_column_holds(new_db, engine):
    """SQLite keeps anything in any column; the file is the one that csv.writer makes of the cells."""
    odd = ["plain", "", None, "a,b", 'say "so"', "two\nlines", "cr\rhere", "\\<NULL>", "<NULL>", "\\", "nul\0,after", 3, 1e300]
    for kind in ("string", "integer", "double", "decimal(9,2)", "boolean", "date", "datetime", "json"):
        fields = Field("uuid", length=64), Field("cell", kind), Field("note", "text")
        db = new_db(lambda db, fields=fields: db.define_table("odd", *fields))
        for number, value in enumerate(odd):
            db.executesql("INSERT INTO odd (uuid, cell, note) VALUES (?, ?, ?)", (f"u{number}", value, value))
        for values in ([], [("u,1", 1, "")], [("<NULL>", 2, "x")], [("\\<NULL>", 3, "x")]):
            for row in values:
                db.executesql("INSERT INTO odd (uuid, cell, note) VALUES (?, ?, ?)", row)
            specs = read_catalog(db).by_name
            snapshot = SqliteSnapshot(SqliteSession(db._adapter.connection))
            cells = [row for batch in snapshot.read(specs["odd"], specs) for row in batch]
            expected = io.StringIO(newline="")
            csv.writer(expected).writerows(cells)
            pieces = list(snapshot.lines(specs["odd"], specs))
            assert b"".join(data for data, _ in pieces) == expected.getvalue().encode()
            assert sum(count for _, count in pieces) == len(cells)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_lone_empty_cell_is_no_blank_line(new_db, engine):
    db = new_db(lambda db: db.define_table("lone", Field("name"), primarykey=["name"]))
    for name in ("", "a,b", "c"):
        db.lone.insert(name=name)
    assert b'lone.name\r\n""\r\n"a,b"\r\nc\r\n\r\n' in give(db)
