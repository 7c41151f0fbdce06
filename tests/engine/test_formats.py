"""Every format carries the same: an export taken in any of them, imported into empty databases, gives equal databases."""

import io
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydal import Field

from plugin_sync import SettingsError, export_file, import_file
from plugin_sync.formats.registry import CSV, FORMATS, format_of, format_of_file

from .databases import FULL, database
from .files import outcomes
from .states import records

TEXTS = st.one_of(
    st.none(),
    st.sampled_from(["", "<NULL>", "\\<NULL>", "END", "TABLE x", '"', "a,b", "a\r\nb", "\n", " x ", "=1+1", "']]>", "&amp;<b>"]),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20),
)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)  # pyDAL inserts no others; test_properties.py has them
ROWS = st.lists(
    st.tuples(TEXTS, st.one_of(st.none(), st.integers(-(2**62), 2**62)), st.one_of(st.none(), DOUBLES),
              st.one_of(st.none(), st.booleans()), st.one_of(st.none(), st.lists(st.text("ab|,é", min_size=1), max_size=3)),
              st.one_of(st.none(), st.binary(max_size=20)), st.one_of(st.none(), st.dates()),
              st.one_of(st.none(), st.datetimes().map(lambda t: t.replace(microsecond=0))),
              st.one_of(st.none(), st.integers(0, 30)), st.lists(st.integers(0, 30), max_size=3)),
    max_size=30,
)  # fmt: skip


def define(db):
    db.define_table(
        "thing",
        Field("uuid", length=64, unique=True),
        Field("name", "text"),
        Field("number", "bigint"),
        Field("weight", "double"),
        Field("good", "boolean"),
        Field("words", "list:string"),
        Field("data", "blob"),
        Field("day", "date"),
        Field("moment", "datetime"),
        Field("up", "reference thing"),
        Field("friends", "list:reference thing"),
        Field("photo", "upload"),
    )


def fill(db, rows):
    ids = []
    for number, (name, count, weight, good, words, data, day, moment, up, friends) in enumerate(rows):
        near = [ids[i % len(ids)] for i in friends] if ids else []
        ids.append(
            db.thing.insert(
                uuid=f"u{number}", name=name, number=count, weight=weight, good=good, words=words, data=data, day=day,
                moment=moment, up=ids[up % len(ids)] if ids and up is not None else None, friends=near,
            )
        )  # fmt: skip


@settings(
    max_examples=200 if FULL else 15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(rows=ROWS)
def test_equal_databases_come_of_every_format(rows):
    with ExitStack() as stack:
        source, *targets = (stack.enter_context(database("sqlite")) for _ in range(1 + len(FORMATS)))
        for db in (source, *targets):
            define(db)
        fill(source, rows)
        wanted = records(source)
        for name, target in zip(FORMATS, targets, strict=True):
            file = io.BytesIO()
            report = export_file(source, file, name)
            assert report.rows == {"thing": len(rows)}
            assert report.size_bytes == len(file.getvalue())
            for outcome in ("new", "same"):
                file.seek(0)
                done = import_file(target, file)
                empty = {} if name == "s3xml" else {"thing": {}}  # XML has no place for a table without rows
                assert outcomes(done) == ({"thing": {outcome: len(rows)}} if rows else empty), name
            assert records(target) == wanted, name


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_is_known_by_its_start_and_told_rows(name):
    with database("sqlite") as db:
        define(db)
        fill(db, [(None,) * 9 + ([],)] * 3)
        file = io.BytesIO(b"before")
        file.seek(6)
        export_file(db, file, name)
        for at in (0, 6):
            data = io.BytesIO(file.getvalue()[at:]) if at else io.BytesIO(file.getvalue()[6:])
            assert format_of_file(data) is FORMATS[name]
            assert data.tell() == 0
        assert format_of_file(io.BytesIO(file.getvalue()[6:])).told_rows(io.BytesIO(file.getvalue()[6:])) == 3
        file.seek(6)
        assert import_file(db, file).counts.same == 3


def test_an_unknown_format_names_the_known():
    with pytest.raises(SettingsError, match="no format is called 'docx'") as caught:
        format_of("docx")
    assert caught.value.hint == f"There are: {', '.join(FORMATS)}."
    assert format_of("csv") is CSV
