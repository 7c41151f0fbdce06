"""PostgreSQL takes rows as the file has them: it must make of them what the codecs and the csv module make. On both
it and MariaDB rows that are the same here leave the merge early, and whole imports end as they would with them.
"""

import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2 import DataError
from pydal import Field

from plugin_sync import SyncError, import_csv
from plugin_sync.formats import blocks
from plugin_sync.formats.blocks import NEWLINE, Blocks
from plugin_sync.formats.csv import CsvReader
from plugin_sync.records import FieldSpec
from plugin_sync.stores.mysql import MysqlSession
from plugin_sync.stores.postgres import DIALECT, PostgresSession
from plugin_sync.stores.postgres_staging import Breaks, Feed
from plugin_sync.stores.postgres_texts import KEY, RULES, SOURCE, rule_of
from plugin_sync.values import NULL, Fault, decode

from .databases import INFILE, database
from .files import csv_file, give, settled, take
from .test_properties import THOROUGH, cells_of, some

KINDS = {
    "string": ["character varying(12)", "text"],
    "text": ["text"],
    "upload": ["character varying(12)"],
    "list:string": ["text"],
    "integer": ["integer"],
    "bigint": ["bigint"],
    "reference": ["bigint"],
    "double": ["double precision"],
    "float": ["double precision"],
    "decimal": ["numeric(9,2)"],
    "boolean": ["character(1)", "boolean"],
    "date": ["date"],
    "time": ["time without time zone"],
    "datetime": ["timestamp without time zone"],
    "json": ["json", "jsonb"],
    "jsonb": ["jsonb"],
}
EDGES = (
    "0x1F 1_000 +1 01 -0 1e400 1e-400 1e-310 Infinity -inf NaN nan 1.10 1.1 0.00 -0.00 9999999.99 10000000.00 123456789012 .5 5. "
    "True true t T False FALSE 1 0 on 24:00:00 23:59:60 00:00:60 12:00:00.5 12:00:00.500000 12:00:00.123456 12:00:00Z "
    "0000-01-01 0001-01-01 9999-12-31 10000-01-01 2023-02-29 2024-02-30 infinity -infinity now today epoch allballs 2024-1-1 "
    '1999-W01-1 {} [] [[[]]] {"a":1e999} [NaN] "\\u0000" "\\ud800" \'1\' | || |a| a| |a a.b .a a/b a\\b CON \\ \\\\ x|y'
).split()
SPACED = ["2024-01-01 24:00:00", "2024-01-01 10:00:00", "2024-01-01 10:00:00.000001", "2024-01-01 10:00:00.100000"]
SPACED += [
    "2024-01-01 10:00:00+02",
    "0044-03-15 BC",
    "2024-01-01 10:00:60",
    "1 day",
    " 1",
    "1 ",
    "\t1",
    "1\n",
    "é" * 12,
    "é" * 13,
]
SPACED += [
    "\\" + NULL,
    "\\\\" + NULL,
    "\\x" + NULL,
    "\u00a01",
    "a b",
    "A",
    "[1, 2]",
    "[" * 150 + "]" * 150,
    "[" * 300 + "]" * 300,
]


@pytest.fixture(scope="module")
def session():
    with database("postgres") as db:
        db.executesql("SET DateStyle = 'ISO, YMD'")
        db.commit()
        yield PostgresSession(db._adapter.connection, db._adapter.driver)


def taken(session, guard, value, cell):
    """Return whether SQL takes a cell as usual, and the text of its value; an error means that it does not."""
    connection = session.connection
    with connection.cursor() as cursor:
        try:
            cursor.execute(
                f"SELECT ({guard}) IS NOT FALSE, CAST({value} AS text) FROM (SELECT CAST(%(cell)s AS text) AS c) x".replace(
                    "%(cell)s", "convert_from(decode('" + cell.encode().hex() + "', 'hex'), 'UTF8')"
                )
            )
            return cursor.fetchone()
        except DataError:
            return False, None
        finally:
            connection.rollback()


def stored(session, value, kind):
    with session.connection.cursor() as cursor:
        cursor.execute(f"SELECT CAST(CAST(CAST(%s AS text) AS {kind}) AS text)", (str(value),))
        found = cursor.fetchone()[0]
    session.connection.rollback()
    return found


def agrees(session, kind, column, cell):
    """Whether a cell that SQL takes has the value that its codec gives it; return whether SQL took it."""
    field = FieldSpec("f", "f", kind, target="t" if kind == "reference" else None, length=12, precision=9, scale=2)
    rule = rule_of(field, column)
    usual, text = taken(session, rule.guard.format(a="c"), rule.value.format(a="c"), cell)
    if not usual:
        return False
    try:
        value = decode(field, cell, DIALECT.limits)
    except Fault as fault:
        pytest.fail(f"{kind} takes {cell!r}: {fault}")
    assert value is not None, (kind, cell)
    assert text == stored(session, value, column), (kind, cell)
    return True


COLUMNS = [(kind, column) for kind, columns in KINDS.items() for column in columns]


def test_every_rule_is_tried():
    assert set(KINDS) == set(RULES)


@pytest.mark.parametrize(("kind", "column"), COLUMNS)
def test_no_edge_is_taken_wrongly(session, kind, column):
    for cell in EDGES + SPACED:
        if cell != NULL:
            agrees(session, kind, column, cell)


@pytest.mark.parametrize(("kind", "column"), COLUMNS)
@some(max_examples=90 // THOROUGH)
@given(data=st.data())
def test_sql_takes_only_what_the_codecs_take(session, kind, column, data):
    for cell in data.draw(cells_of(kind)):
        if cell != NULL and "\0" not in cell:
            agrees(session, kind, column, cell)


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("string", "Anna"),
        ("string", ""),
        ("integer", "-7"),
        ("double", "0.1"),
        ("double", "5.0"),
        ("decimal", "-1.50"),
        ("boolean", "True"),
        ("boolean", "F"),
        ("date", "2024-02-29"),
        ("time", "10:00:00.123456"),
        ("datetime", "2024-02-29 10:00:00"),
        ("json", '{"a": [1, null]}'),
        ("upload", "t.f.a1.txt"),
        ("list:string", "|a|b|"),
    ],
)
def test_what_exports_write_is_usual(session, kind, cell):
    for column in KINDS[kind]:
        assert agrees(session, kind, column, cell), cell


@pytest.mark.parametrize("cell", ["", " ", "A", "a b", "é", "a\n", "\u00a0a"])
def test_keys_that_need_care_are_unusual(session, cell):
    assert taken(session, KEY.format(a="c"), "c", cell)[0] is False


@pytest.mark.parametrize("cell", ["", " 1", "-1", "+1", "01", "1.0", "9" * 19, "x"])
def test_ids_that_need_care_are_unusual(session, cell):
    assert taken(session, SOURCE.format(a="c"), "c", cell)[0] is False


# ---- parting rows

PIECES = st.sampled_from(
    ["a", "1", ",", ",", ",", '"', '""', "\r\n", "\r\n", "\n", "\r", '"x"', '"\r\n"', '"a""b"', "\\.", "é", NULL]
)


@pytest.fixture(scope="module")
def chunks():
    """Give a function that sets how many bytes are read at once."""
    before = blocks.CHUNK
    yield lambda size: setattr(blocks, "CHUNK", size)
    blocks.CHUNK = before


def copied(session, data):
    """Return the rows that PostgreSQL makes of what Blocks gives out, and their lines; None where either gives up."""
    source = Blocks(io.BytesIO(data).read)
    feed = Feed(iter(source))
    with session.connection.cursor() as cursor:
        try:
            cursor.execute("CREATE TEMPORARY TABLE x (n integer GENERATED ALWAYS AS IDENTITY, c0 text, c1 text)")
            cursor.copy_expert(f"COPY x (c0, c1) FROM STDIN WITH (FORMAT csv, NULL '{NULL}', FORCE_NULL (c0, c1))", feed)
            if feed.failure is not None:
                raise feed.failure
            if feed.unusual or cursor.rowcount != feed.rows:
                return None
            cursor.execute("SELECT c0, c1 FROM x ORDER BY n")
            rows = cursor.fetchall()
        except DataError:
            return None
        finally:
            session.connection.rollback()
    breaks = Breaks()
    breaks.add(0, feed.breaks)
    totals = dict(zip(breaks.rows, breaks.totals, strict=True))
    lines, before = [], 0
    for number in range(1, len(rows) + 1):
        lines.append(2 + number - 1 + before)
        before = totals.get(number, before)
    return rows, lines, source.size_bytes, source.lines


@some(max_examples=600 // THOROUGH)
@given(pieces=st.lists(PIECES, max_size=24), size=st.integers(1, 9))
def test_rows_are_parted_as_the_csv_module_does(session, chunks, pieces, size):
    data = "".join(pieces).encode()
    chunks(size)
    found = copied(session, data)
    if found is None:
        return
    rows, lines, size_bytes, height = found
    reader = CsvReader(io.BytesIO(b"t.a,t.b\r\n" + data[:size_bytes]))
    [section] = [([r for b in batches for r in b.rows], [n for b in batches for n in b.lines]) for batches in read(reader)]
    assert [tuple(None if c == NULL else c for c in row) for row in section[0]] == rows
    assert section[1] == lines
    assert data[size_bytes:].startswith((b"\r\n", b"\n")) or size_bytes == len(data)
    if size_bytes < len(data):
        assert height == len(NEWLINE.findall(data[:size_bytes]))


def read(reader):
    for section in reader.sections():
        yield list(section.batches)


# ---- whole imports: with the bytes, and with a stream that cannot be read twice


class Stream(io.RawIOBase):
    """Bytes that are read once."""

    def __init__(self, data):
        self._file = io.BytesIO(data)

    def readable(self):
        return True

    def read(self, size=-1):
        return self._file.read(size)


def define(db):
    db.define_table("org", Field("uuid", length=64, unique=True), Field("name", length=20))
    db.define_table(
        "person",
        Field("uuid", length=64, unique=True),
        Field("modified_on", "datetime"),
        Field("name", length=20, notnull=True),
        Field("notes", "text"),
        Field("number", "integer", unique=True),
        Field("weight", "double"),
        Field("price", "decimal(8,2)"),
        Field("active", "boolean"),
        Field("born", "date"),
        Field("org_id", "reference org"),
        Field("parent_id", "reference person"),
    )


def outcome(db, file, **options):
    """Return what an import says and what the tables hold afterwards."""
    try:
        report = settled(import_csv(db, file, **options))
        said = (report.tables, report.problems, report.problems_total, report.warnings)
        db.commit()
    except SyncError as exc:
        said = (type(exc), str(exc), getattr(exc, "problems", None))
        db.rollback()
    rows = [repr(db.executesql(f"SELECT * FROM {name} ORDER BY id")) for name in ("org", "person")]  # a NaN equals none
    return said, rows


ORG = ("org", "id,uuid,name", "7,o7,Seven", '8,o8,"Ei""ght"')
HEADER = "id,uuid,modified_on,name,notes,number,weight,price,active,born,org_id,parent_id"
GOOD = '1,p1,2024-01-01 10:00:00,Ana,"two\r\nlines",11,0.5,1.50,True,2000-01-01,7,<NULL>'
CELLS = {
    "id": ["1", "2", "3", "x", ""],
    "uuid": ["p1", "p2", "p3", "P4", " p5", NULL, ""],
    "modified_on": ["2024-01-01 10:00:00", "2024-01-02 10:00:00", NULL, "2024-02-30 10:00:00", "2024-01-01T10:00:00", ""],
    "name": ["Ana", '"a,b"', '"a\r\nb"', '"a""b"', 'a"b', NULL, "", "x" * 21, "\\<NULL>", "é"],
    "notes": ["plain", '"two\nlines"', '"\\.\r\n\\."', "\\.", '"\r\n\r\n"', NULL, '"<NULL>"', "END", "a\rb"],
    "number": ["11", "12", "13", "1 ", "99999999999", NULL, "x"],
    "weight": ["0.5", "1.0", "1e5", "NaN", "1,5", NULL],
    "price": ["1.50", "1.5", "1.555", "NaN", NULL],
    "active": ["True", "False", "T", "1", "maybe", NULL],
    "born": ["2000-01-01", "2000-13-01", "1/2/2000", NULL],
    "org_id": ["7", "8", "9", NULL],
    "parent_id": ["1", "2", "3", "4", NULL],
}


@st.composite
def files(draw):
    """A file with mostly usual cells, and one or two that are not."""
    rows = []
    for number in range(draw(st.integers(1, 5))):
        cells = [str(number + 1), f"p{number + 1}", *GOOD.split(",")[2:]]
        cells[5] = str(number + 11)
        for name in draw(st.lists(st.sampled_from(sorted(CELLS)), max_size=2)):
            cells[HEADER.split(",").index(name)] = draw(st.sampled_from(CELLS[name]))
        rows.append(",".join(cells) + draw(st.sampled_from(["", "", "", "", "", ",extra"])))
    text = csv_file(ORG, ("person", HEADER, *rows))
    ends = draw(st.sampled_from(["\r\n", "\r\n", "\r\n", "\n", "\r"]))
    return text.replace("\r\n", ends).encode()


@pytest.fixture(scope="module", params=["postgres", "mysql", INFILE])
def pair(request):
    """Two databases; on MariaDB, which takes no bytes, no row leaves the merge early in the second."""
    with database(request.param) as one, database(request.param) as other, pytest.MonkeyPatch.context() as patch:
        settle, second = MysqlSession.settle, other._adapter.connection
        patch.setattr(MysqlSession, "settle", lambda self, *given: self.connection is second or settle(self, *given))
        for db in (one, other):
            define(db)
            db.commit()
        yield one, other


def emptied(db):
    if db._adapter.dbengine == "mysql":
        db.executesql("SET foreign_key_checks = 0")
        db.executesql("TRUNCATE person"), db.executesql("TRUNCATE org")
        db.executesql("SET foreign_key_checks = 1")
    else:
        db.executesql("TRUNCATE person, org RESTART IDENTITY CASCADE")
    db.commit()


@some(max_examples=150 // THOROUGH)
@given(files(), files(), st.booleans(), st.sampled_from(["newer", "theirs", "ours", "fill"]))
def test_both_ways_lead_to_the_same(pair, first, second, strict, policy):
    one, other = pair
    emptied(one), emptied(other)
    for data in (first, second, first):
        options = {"strict": strict, "policy": policy}
        numbered = [map("new{}".format, itertools.count()).__next__ for _ in range(2)]
        ours = outcome(one, io.BytesIO(data), new_uuid=numbered[0], **options)
        assert ours == outcome(other, Stream(data), new_uuid=numbered[1], **options)


def test_an_unchanged_export_is_all_the_same(pair):
    one, _ = pair
    emptied(one)
    take(
        one,
        csv_file(ORG, ("person", HEADER, GOOD, GOOD.replace("1,p1", "2,p2").replace(",11,", ",12,").replace("7,<NULL>", "8,1"))),
    )
    for data in (give(one), give(one, tables=["person"])):
        report = take(one, data)
        assert (report.counts.same, report.counts.total) == (report.counts.total, report.counts.total) != (0, 0)


def test_only_the_changed_row_goes_on(pair):
    one, other = pair
    rows = [
        GOOD.replace("1,p1", f"{n},p{n}").replace(",11,", f",{n + 10},").replace("7,<NULL>", f"7,{max(n - 1, 1)}")
        for n in range(1, 40)
    ]
    changed = [*rows[:20], rows[20].replace("Ana", "Eva").replace("2024-01-01 10", "2024-01-01 11"), *rows[21:]]
    changed.append(rows[0].replace("1,p1", "99,p99").replace(",11,", ",99,").replace("7,1", "8,30"))
    found = []
    for db, make in ((one, io.BytesIO), (other, Stream)):
        emptied(db)
        outcome(db, make(csv_file(ORG, ("person", HEADER, *rows)).encode()))
        found.append(outcome(db, make(csv_file(ORG, ("person", HEADER, *changed)).encode())))
    assert found[0] == found[1]
    [org, person] = found[0][0][0]
    assert (org.counts.same, person.counts.same, person.counts.changed, person.counts.new) == (2, 38, 1, 1)
    assert person.samples[0].line == 7 + 2 + 20 * 2  # each row before it holds a line break


def test_what_was_found_before_a_blank_line_is_forgotten(pair):
    """Rows that go on behind it are read by cells, all of them, and a uuid that both parts hold stands there twice."""
    found = []
    for db, make in zip(pair, (io.BytesIO, Stream), strict=True):
        emptied(db)
        data = csv_file(("org", "id,uuid,name", "7,o7,Seven", "8,o8,Eight", "", "9,o7,Nine")).encode()
        found.append(outcome(db, make(data), strict=False))
    assert found[0] == found[1]
    [org] = found[0][0][0]
    assert (org.counts.new, org.counts.rejected) == (1, 2)


def test_new_rows_before_those_that_are_the_same_may_point_to_them(pair):
    """By the file's ids alone: the same rows are left out of staging, and are found all the same."""
    alone = GOOD.replace("7,<NULL>", "<NULL>,<NULL>")  # what it points to would have other ids here
    old = [alone.replace("1,p1", f"{n},p{n}").replace(",11,", f",{n + 10},") for n in (2, 3)]
    new = alone.replace("<NULL>,<NULL>", "<NULL>,3")
    found = []
    for db, make in zip(pair, (io.BytesIO, Stream), strict=True):
        emptied(db)
        take(db, csv_file(ORG, ("person", HEADER, *old)))
        found.append(outcome(db, make(csv_file(ORG, ("person", HEADER, new, *old)).encode())))
        assert db(db.person.uuid == "p1").select().first().parent_id == db(db.person.uuid == "p3").select().first().id
    assert found[0] == found[1]


@pytest.mark.parametrize("restore", [True, False])
def test_restoring_keeps_what_is_the_same(pair, restore):
    one, _ = pair
    emptied(one)
    data = csv_file(ORG, ("person", HEADER, GOOD))
    take(one, data)
    take(one, data, restore=restore)
    assert one(one.person).count() == 1 and one(one.org).count() == 2
