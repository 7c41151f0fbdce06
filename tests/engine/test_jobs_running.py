"""Jobs of other processes: seen while they run, cancelled, killed, run again, never twice. On every database."""

import contextlib
import hashlib
import io
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from plugin_sync.formats.footer import VERSION, Footer, footer_line
from plugin_sync.jobs import State, Step, find_job
from plugin_sync.jobs.rows import change_job
from plugin_sync.records import Origin

from .databases import shared_database
from .jobbing import connect, imports_of

SCRIPT = Path(__file__).with_name("jobbing.py")
MANY = 300_000


def file_of(rows):
    lines = "".join(f"{n},u{n},Office {n},2026-01-01 00:00:00\r\n" for n in range(1, rows + 1))
    head = "TABLE org_office\r\norg_office.id,org_office.uuid,org_office.name,org_office.modified_on\r\n"
    data = f"{head}{lines}\r\n\r\nEND\r\n".encode()
    origin = Origin(version=VERSION)
    return data + footer_line(Footer(origin, {"org_office": rows}, hashlib.sha256(data).hexdigest())).encode()


@dataclass
class Place:
    """A database, the use cases on it, and how other processes work there."""

    uri: str
    folder: str
    db: Any
    imports: Any

    def receive(self, rows=100):
        facts = {"file_name": "offices.csv", "policy": "newer", "user_id": None, "whole": True}
        return self.imports.receive(io.BytesIO(file_of(rows)), **facts)

    def checked(self, rows=100):
        job = self.receive(rows)
        assert self.imports.check(job).state is State.CHECKED
        return job

    def to_apply(self, rows=100):
        job = self.checked(rows)
        assert self.imports.queue(job, Step.APPLY)
        return job

    @contextlib.contextmanager
    def process(self, job, **options):
        """Another process that does the job's step; stopped at the end of the block if it goes on."""
        arguments = {"uri": self.uri, "folder": self.folder, "job": job, **options}
        process = subprocess.Popen([sys.executable, SCRIPT, json.dumps(arguments)], stdout=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def look(self, job):
        self.db.commit()
        return self.imports.look(job)

    def state(self, job):
        return self.look(job).state

    def rows(self):
        self.db.commit()
        return self.db(self.db.org_office).count()

    def wait(self, condition, limit_s=20):
        until = time.monotonic() + limit_s
        while not (found := condition()):
            assert time.monotonic() < until
            self.db.commit()
            time.sleep(0.02)
        return found


@pytest.fixture
def place(engine):
    with shared_database(engine) as (uri, folder):
        db = connect(uri, folder, migrate=True)
        if engine == "sqlite":
            db.executesql("PRAGMA journal_mode=WAL")
        yield Place(uri, folder, db, imports_of(db, folder))
        db.rollback()
        db.close()


def test_a_job_is_seen_while_its_records_are_written(place):
    job = place.to_apply(3000)
    with place.process(job, pause="writing") as process:
        assert process.stdout.readline() == "writing\n"
        found = place.wait(lambda: (p := place.imports.progress(job)) and p.phase == "finishing" and p)
        assert (found.table, found.rows, found.total) == ("org_office", 0, 3000)
        assert 900 <= found.permille <= 1000
        assert place.state(job) is State.RUNNING
        assert place.rows() == 0


def test_the_rows_read_are_told_with_how_many_there_are(place):
    job, seen = place.receive(MANY), []
    with place.process(job) as process:
        while process.poll() is None:
            seen.append(place.imports.progress(job))
            place.db.commit()
            time.sleep(0.02)
    reading = [p for p in seen if p and p.phase == "reading" and p.rows]
    assert reading and {(p.table, p.total) for p in reading} == {("org_office", MANY)}
    told = [p.permille for p in seen if p]
    assert told == sorted(told)
    assert place.look(job).check.counts.new == MANY


@pytest.mark.parametrize("pause", ["comparing", "writing"])
@pytest.mark.parametrize("kind", ["killed", "cancelled"])
def test_what_ends_early_changes_nothing_and_can_be_run_again(place, pause, kind):
    job = place.to_apply()
    with place.process(job, pause=pause, in_database=kind == "cancelled") as process:
        assert process.stdout.readline() == f"{pause}\n"
        assert place.state(job) is State.RUNNING
        if kind == "killed":
            process.kill()
            process.wait()
            place.wait(lambda: place.state(job) is State.INTERRUPTED, 2)  # a server needs a moment to see a connection end
        else:
            began = time.monotonic()
            place.imports.cancel(job)
            assert process.stdout.readline() == "cancelled\n"
            assert time.monotonic() - began < 5
    ended = place.look(job)
    assert ended.state is (State.INTERRUPTED if kind == "killed" else State.CANCELLED)
    assert (ended.error, ended.result, place.rows()) == (None, None, 0)
    assert place.imports.again(job)
    assert place.state(job) is State.QUEUED
    done = place.imports.run(job)
    assert (done.state, done.result.counts.new, place.rows()) == (State.DONE, 100, 100)


def test_a_check_is_cancelled_while_it_reads(place):
    job = place.receive(MANY)
    with place.process(job) as process:
        place.wait(lambda: place.imports.progress(job))
        place.imports.cancel(job)
        assert process.stdout.readline() == "cancelled\n"
    assert (place.state(job), place.look(job).check) == (State.CANCELLED, None)
    assert place.imports.is_kept(place.look(job))


def test_a_cancellation_after_the_end_is_too_late(place):
    job = place.to_apply()
    place.imports.run(job)
    assert place.imports.cancel(job).state is State.DONE
    assert place.rows() == 100


def test_a_job_that_waits_is_cancelled_at_once_and_not_run(place):
    job = place.to_apply()
    assert place.imports.cancel(job).state is State.CANCELLED
    assert place.imports.run(job).state is State.CANCELLED
    assert place.rows() == 0


def test_a_checked_file_is_discarded(place):
    job = place.checked()
    assert place.imports.cancel(job).state is State.CANCELLED
    assert not place.imports.is_kept(place.look(job))
    assert not place.imports.again(job) and not place.imports.queue(job, Step.CHECK)


def test_of_many_processes_one_does_the_job(place):
    job = place.to_apply(2000)
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(place.process(job)) for _ in range(4)]
        states = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert "done" in states and set(states) <= {"done", "running"}
    assert place.rows() == 2000
    assert place.look(job).result.counts.new == 2000


def test_a_job_given_out_again_after_a_death_is_not_done_but_marked(place):
    job = place.to_apply()
    with place.process(job, pause="writing") as process:
        process.stdout.readline()
        with place.process(job) as second:  # while the first lives
            assert second.communicate(timeout=60)[0] == "running\n"
        process.kill()
        process.wait()
        place.wait(lambda: not place.imports.board(job).is_held(), 2)
        assert find_job(place.db, job).state is State.RUNNING
        with place.process(job) as third:
            assert third.communicate(timeout=60)[0] == "interrupted\n"
    place.db.commit()
    assert find_job(place.db, job).state is State.INTERRUPTED
    assert place.rows() == 0


def test_of_two_imports_of_one_file_at_once_the_second_is_told_to_look_again(place):
    first, second = place.to_apply(3000), place.to_apply(3000)
    with place.process(first) as one, place.process(second) as two:
        assert sorted(p.communicate(timeout=100)[0] for p in (one, two)) == ["done\n", "failed\n"]
    late = next(job for job in (first, second) if place.state(job) is State.FAILED)
    assert place.look(late).error["error"] == "check_outdated"
    assert place.rows() == 3000
    place.imports.check(late)
    assert place.look(late).check.counts.same == 3000


def test_no_trace_is_left_of_a_board(place):
    job = place.to_apply()
    place.imports.run(job)
    folder = Path(place.folder, "jobs")
    assert not folder.exists() or not list(folder.iterdir())
    assert not place.imports.board(job).is_held()


def test_a_running_job_is_not_queued_again(place):
    job = place.to_apply()
    with place.process(job, pause="writing") as process:
        process.stdout.readline()
        assert not place.imports.again(job)
        assert not place.imports.queue(job, Step.CHECK)
        assert place.state(job) is State.RUNNING


def test_a_failed_apply_runs_again(place):
    job = place.to_apply()
    assert change_job(place.db, job, State.QUEUED, changes={"state": State.FAILED, "error": '{"error": "store_busy"}'})
    place.db.commit()
    assert place.imports.again(job)
    assert place.imports.run(job).state is State.DONE
