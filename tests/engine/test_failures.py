"""What a kill, a second import or a full disk leaves behind, on each store: everything or nothing."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

import plugin_sync
from plugin_sync import StoreBusy, StoreError
from plugin_sync.stores import sqlite as sqlite_store

from . import importing
from .databases import FULL, INFILE, LOADERS, PORTABLE, shared_database
from .files import csv_file, take
from .states import contents, records

ROWS = 300
KILLS = int(os.environ.get("SYNC_KILLS", "50" if FULL else "12"))  # points a database; a release asks for 1,000
LAST = 7  # of them around COMMIT
FILE = csv_file(
    ("person", "id,uuid,org,modified_on", *(f"{i},p{i},{i % 7 + 1},2024-01-01 00:00:00" for i in range(1, ROWS))),
    ("org", "id,uuid,name,up", *(f"{i},o{i},New {i},{i % 7 + 1}" for i in range(1, 8))),
    ("link", "id,person,role", *(f"{i},{i},x" for i in range(1, 20))),
)
WHOLE = {"org": 7, "person": ROWS - 1, "link": 19}


@contextmanager
def office(engine, tmp_path):
    """A database with some records of the file, older, and the settings of a process that imports it."""
    file = tmp_path / "file.csv"
    file.write_text(FILE, encoding="utf-8", newline="")
    with shared_database(engine) as (uri, folder):
        db = importing.connect(uri, folder, migrate=True)
        start(db)
        try:
            ways = {"infile": engine == INFILE, "portable": engine.startswith(PORTABLE)}
            yield db, {"uri": uri, "folder": folder, "file": str(file), **ways}
        finally:
            db.rollback()
            db.close()


def start(db):
    """Put the database into the state before the import."""
    for name in ("link", "person", "org"):
        db(db[name]).delete()
    db.org.insert(uuid="o1", name="Old 1")
    db.person.insert(uuid="p1", org=db.org.insert(uuid="o2", name="Old 2"))
    db.commit()


def command(settings, **more):
    return [sys.executable, importing.__file__, json.dumps(settings | more)]


def run(settings, **more):
    return subprocess.run(command(settings, **more), capture_output=True, text=True, env=environment(), check=False)


@contextmanager
def quick_starts():
    """Give a function that runs such a process and returns its exit code, without importing everything each time."""
    command = [sys.executable, importing.__file__]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment(), **pipes) as process:

        def start(settings, **more):
            process.stdin.write(json.dumps(settings | more) + "\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield start
        process.stdin.close()


def environment():
    """Of the test run, with the engine as the tests import it."""
    return os.environ | {"PYTHONPATH": str(Path(plugin_sync.__file__).resolve().parents[1]), "PYTHONWARNINGS": "ignore"}


def counts(db):
    db.rollback()
    return {name: db(db[name]).count() for name in WHOLE}


def kill_points(statements):
    """Return the numbers of statements to die at: spread over all, and each of the last, around COMMIT."""
    early = max(KILLS - LAST, 1)
    spread = {1 + i * (statements - LAST) // early for i in range(early)}
    return sorted(spread | set(range(statements - LAST + 1, statements + 1)))


@pytest.mark.parametrize("engine", LOADERS)
def test_a_kill_leaves_everything_or_nothing(engine, tmp_path):
    with office(engine, tmp_path) as (db, settings), quick_starts() as exit_code:
        done = run(settings)
        assert done.returncode == 0, done.stderr
        statements = json.loads(done.stdout)["statements"]
        after = records(db)
        assert counts(db) == WHOLE
        start(db)
        before = records(db)
        points = kill_points(statements)
        assert len(points) >= min(KILLS, statements)
        seen = []
        for point in points:
            start(db)
            assert exit_code(settings, kill_at=point) == -signal.SIGKILL, point
            db.rollback()
            left = records(db)
            db.commit()
            assert left in (before, after), point
            seen.append(left == after)
            assert take(db, FILE, "theirs").counts.total == sum(WHOLE.values())
            assert records(db) == after, point
        assert seen == sorted(seen)
        assert seen[0] is False
        assert seen[-1] is True


def test_two_imports_at_once_never_double(engine, tmp_path):
    with office(engine, tmp_path) as (db, settings):
        db.close()
        pipes = [str(tmp_path / name) for name in ("one", "two")]
        for pipe in pipes:
            os.mkfifo(pipe)
        processes = [
            subprocess.Popen(
                command(settings, start=pipe), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
            )
            for pipe in pipes
        ]
        assert [p.stdout.readline() for p in processes] == ["ready\n"] * 2
        for pipe in pipes:
            Path(pipe).write_bytes(b"")
        said = [p.communicate() for p in processes]
        assert [p.returncode for p in processes] == [0, 0], said
        new = [json.loads(out)["new"] for out, _ in said]
        assert sorted(new) == [0, sum(WHOLE.values()) - 3]
        again = importing.connect(settings["uri"], settings["folder"])
        assert counts(again) == WHOLE
        again.close()


def test_a_writer_that_does_not_let_go(tmp_path, monkeypatch):
    """SQLite: another program writes all the time; the import says so and leaves nothing behind."""
    monkeypatch.setattr(sqlite_store, "LOCK_WAIT_MS", 50)
    with office("sqlite", tmp_path) as (db, settings):
        before = contents(db)
        other = sqlite3.connect(Path(settings["folder"], "shared.sqlite"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy) as caught:
            take(db, FILE)
        assert (caught.value.retryable, caught.value.code) == (True, "store_busy")
        other.execute("ROLLBACK")
        other.close()
        db.rollback()
        assert contents(db) == before
        assert take(db, FILE, "theirs").counts.total == sum(WHOLE.values())


def test_a_full_disk(tmp_path):
    """SQLite: no page more may be written; a clear error, and all as it was."""
    with office("sqlite", tmp_path) as (db, _):
        [(pages,)] = db.executesql("PRAGMA page_count")
        db.executesql(f"PRAGMA max_page_count = {pages}")
        before = contents(db)
        with pytest.raises(StoreError, match="full"):
            take(db, FILE, "theirs")
        db.rollback()
        assert contents(db) == before
        db.executesql("PRAGMA max_page_count = 1000000")
        assert take(db, FILE, "theirs").counts.total == sum(WHOLE.values())


def test_readers_go_on_while_rows_are_staged(tmp_path):
    """SQLite: reading and staging a file takes no lock; other programs write meanwhile."""
    with office("sqlite", tmp_path) as (db, settings):
        other = sqlite3.connect(Path(settings["folder"], "shared.sqlite"), isolation_level=None, timeout=0)
        names = []

        def progress(table, rows):
            other.execute("INSERT INTO org (uuid, name) VALUES (?, 'meanwhile')", (f"other-{table}",))
            names.append(table)

        assert take(db, FILE, "theirs", progress=progress).counts.total == sum(WHOLE.values())
        assert names == ["person", "org", "link"]
        assert db(db.org.name == "meanwhile").count() == 3
        other.close()
