"""The shared conformance checks, run as they are; they lie beside the checkout, or where SYNC_SHARED says.

Where they are absent these tests skip; that is the only skip when everything is required.
"""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydal import Field

import plugin_sync
from plugin_sync import Counts, FileAltered

from .databases import ENGINES, database
from .files import csv_file, give, places, take
from .states import records

ROOT = Path(__file__).resolve().parents[2]
CHECKS = Path(os.environ.get("SYNC_SHARED", ROOT.parent / "shared")) / "conformance"
SCRIPTS = sorted(path.stem for path in CHECKS.glob("[0-9]*.py"))

# Checks that fail here on purpose on every database; each with what the check wants and why this engine does otherwise.
EXPECTED = {
    "15_blob_binary": "takes rows out of a file of ours by hand and keeps its footer: refused as altered; see below",
    "45_deletions": "absent rows never mean delete; deletions travel with synchronisation, not with a file",
    "63_archive_collapse": "archives of record versioning stay home unless asked for",
    "95_large_db_all_types": "compares a password field, which never leaves; see below",
}
# Checks that one database alone cannot pass.
EXPECTED_ON = {
    ("mysql", "33_unicode_emoji"): "pyDAL's tables are utf8mb3, where no emoji fits: the row is refused, not garbled; see below",
    ("mysql", "87_big_reference"): "pyDAL makes BIGINT references to INT ids, which MariaDB refuses: no tables to test",
}


def run(name):
    """Run one check; return its verdict for each database."""
    environment = os.environ | {
        "IMPL": "plugin_sync:export_csv:import_csv",
        "DBS": ",".join(ENGINES),
        "PYTHONPATH": str(Path(plugin_sync.__file__).resolve().parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    script = CHECKS / f"{name}.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, check=False)
    found = re.findall(r"^(PASS|FAIL) \[(\w+)\] \S+ - (.*)", done.stdout, re.MULTILINE)
    assert found or "[" not in done.stdout, done.stdout + done.stderr
    return {engine: (verdict, evidence) for verdict, engine, evidence in found}


@pytest.mark.skipif(not SCRIPTS, reason=f"the shared conformance checks are not at {CHECKS.name}")
def test_the_checks_are_there():
    assert len(SCRIPTS) >= 50
    assert set(EXPECTED) | {name for _, name in EXPECTED_ON} <= set(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_check(name):
    found = run(name)
    failed = {engine for engine in found if name in EXPECTED or (engine, name) in EXPECTED_ON}
    assert {engine for engine, (verdict, _) in found.items() if verdict == "FAIL"} == failed, found


def test_an_expected_failure_gives_its_reason():
    assert all((EXPECTED | EXPECTED_ON).values())


# ---- what the checks that fail on purpose are about


def blobs(db):
    db.define_table("t", Field("uuid", length=64), Field("b", "blob"))


def test_15_passes_on_the_same_file_without_its_footer(new_db):
    values = [b"\xff\x00\x01", b"\xff\x00", b"\xff\xfe\xfd\xfc\xfb"]
    source = new_db(blobs)
    for number, value in enumerate(values):
        source.t.insert(uuid=f"u{number}", b=value)
    source.commit()
    lines = give(source).decode().split("\r\n")
    for number, value in enumerate(values):
        one = [line for line in lines if not line[:1].isdigit() or f",u{number}," in line]
        db = new_db(blobs)
        with pytest.raises(FileAltered):
            take(db, "\r\n".join(one))
        take(db, "\r\n".join(line for line in one if not line.startswith("SYNC ")))
        assert [row.b for row in db(db.t).select()] == [value]


def test_95_passes_without_its_password_column(new_db):
    text = (CHECKS / "95_large_db_all_types.py").read_text(encoding="utf-8") if SCRIPTS else "'p', 'password'"
    assert "'p', 'password'" in text

    def define(db):
        kinds = "string text boolean integer bigint double decimal(12,3) date time datetime upload list:string list:integer"
        db.define_table("t", Field("uuid", length=64), *(Field(f"f{i}", kind) for i, kind in enumerate(kinds.split())))

    source, db = new_db(define), new_db(define)
    rows = (
        f'u{i:04d},"s,{i}","a""b\n{i}",{i % 2 == 0},{i},{i * 10**10},{i / 7!r},{i / 8:.3f},2000-01-{1 + i % 28:02d},'
        f"{i % 24:02d}:{i % 60:02d}:01,2000-01-01 {i % 24:02d}:00:00,t.u.x.txt,|a||{i}|b|,|{i}|{-i}|"
        for i in range(1200)
    )
    header = ",".join(["t.uuid", *(f"t.f{i}" for i in range(13))])
    source.import_from_csv_file(io.StringIO("\n".join(["TABLE t", header, *rows, "", "", "END"])))
    source.commit()
    file = give(source)
    assert take(db, file).counts == Counts(new=1200)
    assert take(db, file).counts == Counts(same=1200)
    assert records(db) == records(source)


def test_33_refuses_what_a_table_cannot_hold_and_takes_what_it_can():
    def define(db):
        db.define_table("t", Field("uuid", length=64), Field("x"))
        db.commit()

    text = csv_file(("t", "id,uuid,x", "1,u1,Zoë 日本", "2,u2,Zoë 日本 \U0001f600"))
    with database("mysql") as db:
        define(db)
        report = take(db, text, strict=False)
        assert places(report.problems) == [("unfit", "t", 4, "x")]
        assert [row.x for row in db(db.t).select()] == ["Zoë 日本"]
        db.executesql("ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4")
        assert take(db, text).counts == Counts(new=1, same=1)
        db.executesql("SET NAMES utf8mb4")
        assert [row.x for row in db(db.t).select()] == ["Zoë 日本", "Zoë 日本 \U0001f600"]


def test_45_says_that_a_record_is_absent_by_leaving_it(new_db):
    def define(db):
        db.define_table("t", Field("uuid", length=64))

    source, db = new_db(define), new_db(define)
    db.t.insert(uuid="only here")
    db.commit()
    take(db, give(source))
    assert db(db.t).count() == 1


def test_63_keeps_the_archive_when_it_is_asked_for():
    def define(db):
        db.define_table("t", Field("uuid", length=64), Field("name", length=64), Field("is_active", "boolean", default=True))
        db.t._enable_record_versioning()
        db.commit()

    include = plugin_sync.Settings(include=frozenset(["t_archive"]))
    with database("sqlite") as source, database("sqlite") as db:
        define(source)
        define(db)
        source.t.insert(uuid="u1", name="v1")
        for name in ("v2", "v3"):
            source(source.t.uuid == "u1").update(name=name)
        source.commit()
        assert b"t_archive" not in give(source)
        assert b"TABLE t_archive" in give(source, settings=include)
