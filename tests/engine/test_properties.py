"""Laws that hold for any record, any file and any damage, tried on random ones."""

import io
from datetime import date, datetime
from functools import partial

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydal import Field

from plugin_sync import Counts, Outcome, Policy, SyncError, decide, import_csv
from plugin_sync.formats.registry import FORMATS
from plugin_sync.policies import Version
from plugin_sync.records import FieldSpec
from plugin_sync.stores.sqlite import DIALECT
from plugin_sync.values import CODECS, NULL, Fault, Limits, decode, decode_column, escape, unescape

from .databases import FULL, LOADERS, STORES, database
from .files import csv_file, give, take
from .states import contents, records

THOROUGH = 1 if FULL else 3  # a quick run tries a third of the examples on a database
some = partial(settings, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
engines = pytest.mark.parametrize("engine", STORES)
LIMITS = {"sqlite": DIALECT.limits, "server": Limits()}

# ---- codecs: the fast way never disagrees with the specification

DIGITS = "0123456789+-.eE: TWZ/|_,\\<>NULLtrue١\N{NO-BREAK SPACE}"
ODD = st.sampled_from(
    ["", NULL, "\\" + NULL, " ", "2024-02-29 12:00:00", "2024-01-01 12:00-01", "20240101 12:00:00.0"]
) | st.sampled_from("0 -0 -0.0 1e5 inf nan T False 2024-02-29 2024-W09-4 20240229 24:00:00 12:00:00 12:00:0Z || |1| []".split())


def cells_of(kind):
    usual = {
        "date": st.dates().map(str),
        "time": st.times().map(lambda t: t.isoformat("seconds")),
        "datetime": st.datetimes().map(lambda d: d.isoformat(" ", "seconds")),
        "decimal": st.decimals(-(10**6), 10**6, places=2).map(str),
        "double": st.floats().map(repr),
        "float": st.floats().map(repr),
        "json": st.sampled_from(['{"a": 1}', "[1, null]", "NaN", "{'a': 1}", "1e999", '"\\ud800"']),
        "blob": st.binary(max_size=9).map(str),
        "upload": st.sampled_from(["a.txt", "../a", ".a", "a\n", "a\x00b"]),
    }.get(kind, st.integers(-(2**70), 2**70).map(str))
    return st.lists(st.one_of(usual, ODD, st.text(DIGITS, max_size=20), st.text(max_size=5)), min_size=1, max_size=6)


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("kind", sorted(CODECS))
@some(max_examples=150)
@given(data=st.data(), notnull=st.booleans())
def test_a_column_is_read_as_its_cells(kind, limits, data, notnull):
    spec = FieldSpec("f", "f", kind, length=12, precision=9, scale=2, notnull=notnull)
    cells = data.draw(cells_of(kind))
    values, faults = decode_column(spec, cells, limits)
    for index, cell in enumerate(cells):
        try:
            expected = decode(spec, cell, limits)
        except Fault as fault:
            assert (faults[index].code, str(faults[index])) == (fault.code, str(fault))
            continue
        assert repr(values[index]) == repr(expected)
        assert (index in faults) == (notnull and expected is None)


@some(max_examples=300)
@given(st.text(alphabet="\\<NUL>a\n", max_size=12) | st.text())
def test_every_text_survives_escaping(text):
    assert unescape(escape(text)) == text
    assert escape(text) != NULL


# ---- any records of any tables survive

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
SHORT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="|"), min_size=1, max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
SPECIAL = ["", NULL, "\\" + NULL, "\\\\" + NULL, "=1+1", '"', "\r", "\n", "\r\n\r\n", "END", "TABLE t", "\nSYNC {}", "a,b", " x "]
VALUES = {
    "string": TEXT | st.sampled_from(SPECIAL),
    "text": TEXT | st.sampled_from(SPECIAL),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(-1e300, 1e300, allow_subnormal=False).map(lambda x: x + 0.0),
    "decimal(10,3)": st.decimals(-(10**6), 10**6, places=3),
    "boolean": st.booleans(),
    "date": st.dates(date(1000, 1, 1)),
    "time": st.times().map(lambda t: t.replace(microsecond=0)),
    "datetime": st.datetimes(datetime(1000, 1, 1)).map(lambda d: d.replace(microsecond=0)),
    "json": JSON.filter(lambda value: value is not None),
    "blob": st.binary(max_size=20),
    "list:string": st.lists(SHORT, max_size=3),
    "list:integer": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3),
}
UUIDS = st.uuids(version=4).map(str)


@st.composite
def schemas(draw):
    """Tables t0..: for each whether it has uuids, types of its columns, and which tables it points to, with a list or not."""
    count = draw(st.integers(1, 3))
    return [
        (
            draw(st.integers(0, 3)) > 0,
            draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=4)),
            draw(st.lists(st.tuples(st.integers(0, count - 1), st.booleans()), max_size=2)),
        )
        for _ in range(count)
    ]


def define(schema, db):
    """Define a schema's tables; references to later tables get their type when all are there."""
    for number, (has_uuid, kinds, targets) in enumerate(schema):
        fields = [Field("uuid", length=64)] if has_uuid else []
        fields += [Field(f"c{i}", kind) for i, kind in enumerate(kinds)]
        for i, (target, is_list) in enumerate(targets):
            kind = f"{'list:' if is_list else ''}reference t{target}"
            fields.append(Field(f"r{i}", kind if target <= number else "text" if is_list else "integer"))
        db.define_table(f"t{number}", *fields)
    for number, (_, _, targets) in enumerate(schema):
        for i, (target, is_list) in enumerate(targets):
            db[f"t{number}"][f"r{i}"].type = f"{'list:' if is_list else ''}reference t{target}"
    db.commit()


def insert(table, values):
    """Insert a row; pyDAL cannot insert one without values on MariaDB."""
    return table.insert(**(values or dict.fromkeys(table.fields[1:2])))


def fill(schema, db, draw):
    """Insert random rows, then let them point to random rows, forward, backward and to themselves."""
    ids = {}
    for number, (has_uuid, kinds, _) in enumerate(schema):
        table = db[f"t{number}"]
        uuids = draw(st.lists(UUIDS, min_size=0, max_size=5, unique=True))
        values = [{f"c{i}": draw(st.none() | VALUES[kind]) for i, kind in enumerate(kinds)} for _ in uuids]
        ids[number] = [insert(table, ({"uuid": u} if has_uuid else {}) | row) for u, row in zip(uuids, values, strict=True)]
    for number, (_, _, targets) in enumerate(schema):
        for ident in ids[number]:
            for i, (target, is_list) in enumerate(targets):
                if not ids[target]:
                    continue
                wanted = st.sampled_from(ids[target])
                value = draw(st.lists(wanted, max_size=3) if is_list else st.none() | wanted)
                db(db[f"t{number}"].id == ident).update(**{f"r{i}": value})
    db.commit()


def has_cycle_without_uuid(schema):
    """Rows that have no uuid and point around in a circle cannot be recognised again: nothing names them."""
    points = {n: {t for t, _ in targets if not schema[t][0]} for n, (has, _, targets) in enumerate(schema) if not has}
    reached = {n: set(t) for n, t in points.items()}
    for _ in points:
        reached = {n: t.union(*(reached.get(x, set()) for x in t)) for n, t in reached.items()}
    return any(n in t for n, t in reached.items())


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("engine", LOADERS)
def test_any_record_survives(engine, form):
    @some(max_examples=(90 if form == "csv" else 30) // THOROUGH)  # of the formats test_formats.py tries more
    @given(data=st.data())
    def survive(data):
        export_and_import(engine, form, data)

    survive()


def export_and_import(engine, form, data):
    """Make a database of whatever kind, and an equal one of its file."""
    schema = data.draw(schemas())
    assume(not has_cycle_without_uuid(schema))
    assume(not engine.startswith("mysql") or all(any(table) for table in schema))  # nor can it where there are only ids
    with database(engine) as source, database(engine) as db:
        define(schema, source)
        define(schema, db)
        fill(schema, source, data.draw)
        for table in db.tables:  # so that ids differ
            db(db[table].id == insert(db[table], {})).delete()
        db.commit()
        file = give(source, form=form)
        report = take(db, file)
        assert report.counts == Counts(new=sum(source(source[t]).count() for t in source.tables))
        assert records(db) == records(source)
        before = contents(db)
        for policy in ("newer", "theirs", "fill"):
            assert take(db, file, policy).counts == Counts(same=report.counts.new)
        assert contents(db) == before
        assert take(source, give(db, form=form)).counts == Counts(same=report.counts.new)


# ---- the SQL decision is the pure one

TIMES = st.none() | st.sampled_from([datetime(2024, 1, 1), datetime(2024, 1, 1, 0, 0, 1), datetime(2024, 2, 1)])
SIDES = {
    "s": st.sampled_from([None, "", "a", "b"]),
    "n": st.sampled_from([None, 0, 1]),
    "b": st.sampled_from([None, b"", b"x"]),
    "modified_on": TIMES,
}


def timed(db):
    db.define_table(
        "t", Field("uuid", length=64), Field("s"), Field("n", "integer"), Field("b", "blob"), Field("modified_on", "datetime")
    )
    db.commit()


def untimed(db):
    db.define_table("t", Field("uuid", length=64), Field("s"), Field("n", "integer"), Field("b", "blob"))
    db.commit()


def version(row, is_timed, names):
    cells = tuple(None if row[n] is None else str(row[n]) if n != "b" else row[n].decode() for n in names)
    return Version(cells, str(row["modified_on"]) if is_timed and row["modified_on"] else None, is_timed)


@engines
@pytest.mark.parametrize("make", [timed, untimed])
@some(max_examples=60 // THOROUGH)
@given(
    policy=st.sampled_from(Policy),
    pairs=st.lists(st.tuples(*[st.fixed_dictionaries(SIDES)] * 2), min_size=1, max_size=8),
    given_times=st.booleans(),
)
def test_the_database_decides_as_the_specification_does(engine, make, policy, pairs, given_times):
    is_timed = make is timed
    names = ["s", "n", "b"] + (["modified_on"] if is_timed and given_times else [])
    with database(engine) as source, database(engine) as db:
        make(source)
        make(db)
        for number, (ours, theirs) in enumerate(pairs):
            for each, row in ((db, ours), (source, theirs)):
                each.t.insert(uuid=f"u{number}", **{n: v for n, v in row.items() if n in each.t.fields})
            db.commit()
        file = give(source)
        if is_timed and not given_times:
            file = csv_file(("t", "id,uuid,s,n,b", *map(as_line, source(source.t).select())))
        report = take(db, file, policy)
        expected = [
            decide(policy, version(ours, is_timed, names), version(theirs, is_timed and given_times, names))
            for ours, theirs in pairs
        ]
        counts = report.counts
        assert {o: getattr(counts, o.value) for o in Outcome} == {o: expected.count(o) for o in Outcome}


def as_line(row):
    cells = [NULL if row[n] is None else str(row[n]) for n in ("id", "uuid", "s", "n")]
    return ",".join(
        [*cells, NULL if row.b is None else {"": "", "x": "eA=="}[row.b if isinstance(row.b, str) else row.b.decode()]]
    )


# ---- damage

PEOPLE = csv_file(
    ("org", "id,uuid,name,up,up.uuid", "1,o1,Red Cross,<NULL>,<NULL>", "2,o2,Office,1,o1"),
    ("person", "id,uuid,org,org.uuid,born,money,ok", "1,p1,2,o2,2000-01-01,1.50,True", '2,p2,1,o1,,,"False"'),
    ("link", "id,org,person", "1,1,2", "2,2,1"),
)


def offices(db):
    db.define_table("org", Field("uuid", length=64), Field("name", length=64), Field("up", "reference org"))
    db.define_table(
        "person", Field("uuid", length=64), Field("org", "reference org"), Field("born", "date"),
        Field("money", "decimal(8,2)"), Field("ok", "boolean"),
    )  # fmt: skip
    db.define_table("link", Field("org", "reference org"), Field("person", "reference person"))
    db.commit()


@st.composite
def damaged(draw):
    """A file with a few bytes flipped, cut out, inserted, or lines swapped and repeated."""
    data = PEOPLE.encode()
    for _ in range(draw(st.integers(1, 3))):
        at, end = sorted(draw(st.tuples(*[st.integers(0, len(data))] * 2)))
        lines = data.split(b"\r\n")
        one, other = draw(st.tuples(*[st.integers(0, len(lines) - 1)] * 2))
        swapped = list(lines)
        swapped[one], swapped[other] = lines[other], lines[one]
        data = draw(
            st.sampled_from(
                [
                    data[:at] + bytes([data[at] ^ draw(st.integers(1, 255))]) + data[at + 1 :] if at < len(data) else data,
                    data[:at] + data[end:],
                    data[:at],
                    data[:at] + draw(st.binary(max_size=6)) + data[at:],
                    data[:at]
                    + draw(st.sampled_from([b",", b'"', b"\r\n", b"END\r\n", b"TABLE org\r\n", b"\0", b"|", b"9" * 25]))
                    + data[at:],
                    b"\r\n".join(swapped),
                    b"\r\n".join([*lines[:one], lines[other], *lines[one:]]),
                ]
            )
        )
    return data


def survives(db, data, policy="newer", **options):
    """Import what may be damaged: a SyncError and nothing written, or an import that a second one finds unchanged."""
    before = contents(db)
    try:
        report = import_csv(db, io.BytesIO(data), policy, **options)
    except SyncError:
        assert contents(db) == before
        db.rollback()
        return
    assert (report.counts.written > 0) == (contents(db) != before)
    assert all(date_is_readable(row) for row in db(db.person).select())
    again = import_csv(db, io.BytesIO(data), policy, **options)
    assert (again.counts.new, again.counts.changed) == (0, 0)
    db.rollback()
    assert contents(db) == before


def date_is_readable(row):
    return row.born is None or isinstance(row.born, date)


@engines
@pytest.mark.parametrize("strict", [True, False])
def test_a_damaged_file_is_refused_or_taken_whole(engine, strict):
    with database(engine) as db:
        offices(db)

        @some(max_examples=240 // THOROUGH)
        @given(damaged())
        def damage(data):
            survives(db, data, "theirs", strict=strict, require_end=strict)

        damage()


@engines
def test_any_text_is_refused_or_taken_whole(engine):
    words = ["TABLE org", "org.id,org.uuid", "id", "\r\n", "\n", ",", '"', "END", "SYNC {}", "1", "u1", "|", ";", "\t", "\0", "é"]
    with database(engine) as db:
        offices(db)

        @some(max_examples=240 // THOROUGH)
        @given(st.lists(st.sampled_from(words) | st.text(max_size=3), max_size=25).map("".join))
        def wild(text):
            survives(db, text.encode("utf-8", "replace"), strict=False, require_end=False)

        wild()


@engines
def test_any_bytes_are_refused_or_taken_whole(engine):
    with database(engine) as db:
        offices(db)

        @some(max_examples=150 // THOROUGH)
        @given(st.binary(max_size=200))
        def wild(data):
            survives(db, data, strict=False, require_end=False)
            survives(db, b"TABLE org\norg.id,org.name\n" + data, strict=False, require_end=False)

        wild()


def test_values_cover_every_type():
    covered = {kind.split("(")[0] for kind in VALUES} | {"jsonb", "float", "upload", "reference", "list:reference"}
    assert covered == set(CODECS)
