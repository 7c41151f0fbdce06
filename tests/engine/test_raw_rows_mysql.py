"""MariaDB loads rows as the file has them: it must make of them what the codecs and the csv module make."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydal import Field

from plugin_sync.catalog import read_catalog
from plugin_sync.formats.blocks import NEWLINE, Blocks
from plugin_sync.formats.csv import CsvReader
from plugin_sync.planning import Plan, plan_of
from plugin_sync.records import FieldSpec, Identity, Problems, TableSpec
from plugin_sync.settings import Duplicates, Settings
from plugin_sync.stores.mysql import DIALECT, MysqlStore
from plugin_sync.stores.mysql_staging import RowLoader, row_loader
from plugin_sync.stores.mysql_texts import RULES, rule_of
from plugin_sync.stores.staging import Staged, Work, create, load_columns
from plugin_sync.values import NULL, Fault, decode

from .databases import INFILE, database
from .test_properties import THOROUGH, cells_of, some
from .test_raw_rows import EDGES, PIECES, SPACED, chunks, read  # noqa: F401  a fixture

FIELDS = {
    "string": {"length": 12},
    "text": {},
    "upload": {"length": 12},
    "list:string": {},
    "integer": {},
    "bigint": {},
    "reference": {},
    "double": {},
    "decimal": {},
    "boolean": {},
    "date": {},
    "time": {},
    "datetime": {},
}
TYPES = {"decimal": "decimal(9,2)", "reference": "reference t_reference"}


class Rows:
    """The rows of a file as bytes, where they begin."""

    line = 2

    def __init__(self, data):
        self.source = Blocks(io.BytesIO(data).read)

    def blocks(self):
        return self.source


@pytest.fixture(scope="module")
def host():
    """Give a session as an import has it, and the tables of which there is one for each type."""
    with database(INFILE) as db:
        for kind, options in FIELDS.items():
            db.define_table(f"t_{kind.replace(':', '_')}", Field("uuid", length=64), Field("f", TYPES.get(kind, kind), **options))
        db.commit()
        specs = read_catalog(db, Settings()).by_name
        with MysqlStore(db).transaction(keep=False) as session:
            yield session, specs


def staged_on(host, kind):
    """Return an empty staging table for a file with uuid, the field f and the id of a table's records, and where they go."""
    session, specs = host
    spec = specs[f"t_{kind.replace(':', '_')}"]
    plan, staged = plan_of(spec, ["id", "uuid", "f"], 1, 0)
    for name in list(session.made):
        session.drop(name)
    create(Work(session, specs, Problems(), {}, {}, Duplicates.LINK), staged)
    return plan, staged


def taken(host, kind, cell, key="p1", src="1"):
    """Return how MariaDB keeps a cell that it takes as usual: as a tuple, None where it does not."""
    plan, staged = staged_on(host, kind)
    text = io.StringIO(newline="")
    csv.writer(text).writerow((src, key, cell))
    loader = row_loader(host[0], staged, plan)
    if not loader.load(Rows(text.getvalue().encode("utf-8", "surrogatepass")), lambda rows: None):
        return None
    [row] = host[0].rows(f"SELECT n, line, src, v0, CAST(v1 AS CHAR) FROM {staged.s}")
    assert row[:4] == (1, 2, int(src), key)
    return row[4:]


def agrees(host, kind, cell):
    """Whether a cell that MariaDB takes is kept as the value that its codec gives it; return whether it took it."""
    found = taken(host, kind, cell)
    if found is None:
        return False
    session = host[0]
    _, staged = staged_on(host, kind)
    try:
        value = decode(staged.fields[1], cell, DIALECT.limits)
    except Fault as fault:
        pytest.fail(f"{kind} takes {cell!r}: {fault}")
    session.load(staged.s, load_columns(staged), [[1], [2], [1], ["p1"], [value], *([None] for _ in staged.references)])
    assert found == session.rows(f"SELECT CAST(v1 AS CHAR) FROM {staged.s}")[0], (kind, cell)
    return True


def test_every_rule_is_tried():
    assert set(FIELDS) == set(RULES)


@pytest.mark.parametrize("kind", FIELDS)
def test_no_edge_is_taken_wrongly(host, kind):
    for cell in EDGES + SPACED + ["-838:59:59", "24:00:00", "10:00:00.5", "1e-5", "NULL", "1.", "-0", "0000-00-00", "2024-00-01"]:
        agrees(host, kind, cell)


@pytest.mark.parametrize("kind", FIELDS)
@some(max_examples=120 // THOROUGH)
@given(data=st.data())
def test_sql_takes_only_what_the_codecs_take(host, kind, data):
    for cell in data.draw(cells_of(kind)):
        agrees(host, kind, cell)


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("string", "Anna"),
        ("string", ""),
        ("string", NULL),
        ("text", "two\r\nlines"),
        ("text", "NULL"),
        ("integer", "-7"),
        ("bigint", "-9223372036854775808"),
        ("reference", "12"),
        ("double", "0.1"),
        ("double", "-5e-07"),
        ("decimal", "-1.50"),
        ("boolean", "True"),
        ("boolean", "F"),
        ("date", "2024-02-29"),
        ("time", "10:00:00"),
        ("datetime", "2024-02-29 10:00:00"),
        ("upload", "t.f.a1.txt"),
        ("list:string", "|a|b|"),
    ],
)
def test_what_exports_write_is_usual(host, kind, cell):
    if cell == "NULL":  # a bare one would be MariaDB's own NULL
        assert taken(host, kind, cell) is None
        assert taken(host, kind, 'say "NULL"') is not None
    else:
        assert agrees(host, kind, cell)


@pytest.mark.parametrize("key", ["", " ", "A", "a b", "é", "a\n", "\u00a0a", NULL, "NULL", "k" * 65])
def test_keys_that_need_care_are_unusual(host, key):
    assert taken(host, "text", "x", key=key) is None


@pytest.mark.parametrize("src", ["", " 1", "-1", "+1", "01", "1.0", "9" * 19, "x", "NULL"])
def test_ids_that_need_care_are_unusual(host, src):
    assert taken(host, "text", "x", src=src) is None


@pytest.mark.parametrize(
    "data", [b"1,p1,\xff\r\n", b"1,p1,a\0b\r\n", b"1,p1,\xed\xa0\x80\r\n", b"1,p1\r\n", b"1,p1,a,b\r\n", b"1,p1,a\rb\n"]
)
def test_bytes_that_need_care_are_unusual(host, data):
    plan, staged = staged_on(host, "text")
    assert not row_loader(host[0], staged, plan).load(Rows(data), lambda rows: None)


# ---- parting rows

TEXTS = tuple(FieldSpec(name, name, "text") for name in ("a", "b"))


@some(max_examples=900 // THOROUGH)
@given(pieces=st.lists(st.one_of(PIECES, st.just("NULL")), max_size=24), size=st.integers(1, 9))
def test_rows_are_parted_as_the_csv_module_does(host, chunks, pieces, size):  # noqa: F811
    session, data = host[0], "".join(pieces).encode()
    chunks(size)
    staged = Staged(TableSpec("t", "t", "t", TEXTS, Identity.CONTENT), TEXTS, 0)
    session.drop(staged.s)
    session.create(staged.s, ("n INTEGER PRIMARY KEY", "line INTEGER", *(f"v{i} LONGTEXT COLLATE utf8mb4_bin" for i in (0, 1))))
    rows = Rows(data)
    loader = RowLoader(session, staged, Plan("t", (0, 1), {}, None, 2, ()), [rule_of(f, "longtext") for f in TEXTS])
    if not loader.load(rows, lambda told: None):
        return
    found = session.rows(f"SELECT v0, v1, line FROM {staged.s} ORDER BY n")
    size_bytes = rows.source.size_bytes
    reader = CsvReader(io.BytesIO(b"t.a,t.b\r\n" + data[:size_bytes]))
    [section] = [([r for b in batches for r in b.rows], [n for b in batches for n in b.lines]) for batches in read(reader)]
    expected = [(*(None if c == NULL else c for c in row), line) for row, line in zip(*section, strict=True)]
    assert found == expected
    assert data[size_bytes:].startswith((b"\r\n", b"\n")) or size_bytes == len(data)
    if size_bytes < len(data):
        assert rows.source.lines == len(NEWLINE.findall(data[:size_bytes]))
