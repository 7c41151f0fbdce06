"""Rejected rows as a file: with reasons, mended, imported."""

import io

from pydal import Field

from plugin_sync.importer import run_import
from plugin_sync.intake import ImportOptions
from plugin_sync.mending import dump_problem, load_problems, rejected_rows

from .files import csv_file, outcomes, take


def define(db):
    db.define_table("org", Field("uuid", length=64), Field("name", length=8, notnull=True), Field("age", "integer"))
    db.define_table("person", Field("uuid", length=64), Field("org", "reference org"))


FILE = csv_file(
    ("org", "id,uuid,name,age", "1,o1,Good,1", '2,o2,"two\r\nlines",many', "3,o3,much too long,x", "4,o4,a,b,5"),
    ("person", "id,uuid,org,org.uuid", "1,p1,2,o2", "2,p2,1,o1"),
)


def test_rejected_rows_can_be_mended_and_imported(new_db, tmp_path):
    db = new_db(define)
    log = tmp_path / "problems"
    with log.open("w", encoding="ascii") as file:
        options = ImportOptions(strict=False, on_problem=lambda problem: file.write(dump_problem(problem)))
        report = run_import(db, io.BytesIO(FILE.encode()), options)
    db.commit()
    assert outcomes(report) == {"org": {"new": 1, "rejected": 3}, "person": {"new": 1, "rejected": 1}}
    mended = b"".join(rejected_rows(io.BytesIO(FILE.encode()), load_problems(log))).decode()
    assert "org.sync_problem,org.id,org.uuid,org.name,org.age" in mended
    assert mended.count("is not a whole number") == 2
    assert "o1,Good" not in mended
    for bad, good in (("many", "2"), ("much too long", "Three"), (",x", ",3"), ("a,b,5", "ab,5"), ("two\r\nlines", "two")):
        mended = mended.replace(bad, good)
    report = take(db, mended)
    assert outcomes(report) == {"org": {"new": 3}, "person": {"new": 1}}
    assert report.problems_total == 0
    assert sorted(row.name for row in db(db.org).select()) == ["Good", "Three", "ab", "two"]


def test_nothing_rejected_is_an_empty_file(new_db):
    db = new_db(define)
    mended = b"".join(rejected_rows(io.BytesIO(FILE.encode()), []))
    assert mended == b"END\r\n"
    take(db, mended)
