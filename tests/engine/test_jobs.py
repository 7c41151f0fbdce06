"""Imports as jobs: kept whole, checked without a trace, applied once, failures remembered."""

import hashlib
import io
import itertools
import threading
from datetime import datetime

import pytest
from pydal import DAL, Field
from pydal.adapters.base import SQLAdapter

from plugin_sync import export_csv, jobs
from plugin_sync.catalog import read_catalog
from plugin_sync.errors import FileIncomplete, FileProblem, SettingsError, StoreBusy
from plugin_sync.instances import Instance
from plugin_sync.jobs import Download, Imports, State, find_job, keep_file, last_jobs
from plugin_sync.schema import define_tables
from plugin_sync.settings import Settings
from plugin_sync.stores import registry

OWN = Instance("a1b2", "a1b20000-0000-4000-8000-000000000000", "Jacmel", is_self=True)
SETTINGS = Settings(uuid_only=True)
NOW = datetime(2026, 5, 2, 9, 12)


def connect(folder):
    db = DAL("sqlite://storage.db", folder=str(folder), pool_size=0, driver_args={"timeout": 30})
    db.define_table("org_office", Field("uuid", length=64), Field("name"), Field("modified_on", "datetime"))
    define_tables(db)
    return db


@pytest.fixture
def db(tmp_path):
    db = connect(tmp_path)
    db.commit()
    yield db
    db.close()


@pytest.fixture
def imports(db, tmp_path):
    numbers = itertools.count()
    return Imports(db, tmp_path / "imports", SETTINGS, OWN, lambda: f"a1b2-{next(numbers)}", lambda: NOW)


def file_of(*names, tail="END"):
    rows = "".join(f"{n},u{n},{name},2026-01-01 00:00:00\r\n" for n, name in enumerate(names, 1))
    head = "TABLE org_office\r\norg_office.id,org_office.uuid,org_office.name,org_office.modified_on\r\n"
    return (head + rows + "\r\n\r\n" + tail).encode()


def receive(imports, data, **facts):
    given = {"file_name": "offices.csv", "policy": "newer", "user_id": 7, "whole": True} | facts
    return imports.receive(io.BytesIO(data), **given)


def names(db):
    db.rollback()
    return sorted(row.name for row in db(db.org_office).select())


def test_a_received_file_is_kept_whole(db, imports):
    data = file_of("one")
    job = find_job(db, receive(imports, data, file_name="C:\\stick\\offices.csv"))
    db.rollback()
    assert (imports.folder / job.uuid).read_bytes() == data
    assert (job.kind, job.state, job.file_name, job.policy, job.user_id) == (
        "import",
        State.QUEUED,
        "offices.csv",
        "newer",
        7,
    )
    assert (job.file_sha256, job.size_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert job.created_on == NOW


@pytest.mark.parametrize(
    ("data", "facts", "error"),
    [
        (b"", {}, FileProblem),
        (b"x", {"whole": False}, FileIncomplete),
        (b"x", {"policy": "oldest"}, SettingsError),
    ],
)
def test_what_cannot_be_kept_leaves_nothing(db, imports, data, facts, error):
    with pytest.raises(error):
        receive(imports, data, **facts)
    assert not list(imports.folder.glob("*"))
    assert db(db.plugin_sync_job).isempty()


def test_a_file_that_is_too_large_leaves_nothing(tmp_path):
    with pytest.raises(FileProblem):
        keep_file(io.BytesIO(b"12345"), tmp_path / "kept", limit_bytes=4)
    assert not list(tmp_path.iterdir())


def test_a_check_writes_no_record(db, imports):
    job = imports.check(receive(imports, file_of("one", "two")))
    assert (job.state, job.check.counts.new, job.check.dry_run, job.error) == (State.CHECKED, 2, True, None)
    assert names(db) == []


def test_a_checked_file_is_applied_once(db, imports):
    job_uuid = imports.check(receive(imports, file_of("one", "two"))).uuid
    done = imports.apply(job_uuid)
    assert (done.state, done.result.counts.new, done.finished_on) == (State.DONE, 2, NOW)
    assert names(db) == ["one", "two"]
    db(db.org_office.name == "one").delete()
    db.commit()
    assert imports.apply(job_uuid) == done
    assert imports.check(job_uuid) == done
    assert names(db) == ["two"]


def test_a_file_that_was_not_checked_is_not_applied(db, imports):
    job = imports.apply(receive(imports, file_of("one")))
    assert job.state is State.QUEUED
    assert names(db) == []


def test_importing_again_finds_all_the_same(db, imports):
    imports.apply(imports.check(receive(imports, file_of("one"))).uuid)
    again = imports.check(receive(imports, file_of("one")))
    assert (again.check.counts.same, again.check.counts.written) == (1, 0)


def test_a_bad_file_fails_the_check_with_its_reason(db, imports):
    job = imports.check(receive(imports, file_of("one", tail="")))
    assert (job.state, job.error["error"], job.check) == (State.FAILED, "file_incomplete", None)
    assert job.error["hint"]
    assert imports.apply(job.uuid).state is State.FAILED


def test_a_refused_table_is_named(db, imports):
    job = imports.check(receive(imports, b"TABLE auth_user\r\nauth_user.id,auth_user.email\r\n1,x\r\n\r\n\r\nEND"))
    assert (job.state, job.error["error"], job.error["table"]) == (State.FAILED, "table_refused", "auth_user")


def test_a_failing_import_is_remembered_and_undone(db, imports, monkeypatch):
    job_uuid = imports.check(receive(imports, file_of("one"))).uuid
    real = jobs.imports.run_import

    def fail(db, file, options):
        real(db, file, options)
        raise StoreBusy("another import runs", hint="Try again.")

    monkeypatch.setattr(jobs.imports, "run_import", fail)
    failed = imports.apply(job_uuid)
    assert (failed.state, failed.error["error"], failed.result) == (State.FAILED, "store_busy", None)
    assert names(db) == []
    monkeypatch.undo()
    assert imports.check(job_uuid).state is State.CHECKED
    assert imports.apply(job_uuid).state is State.DONE
    assert names(db) == ["one"]


def test_an_unexpected_fault_is_logged_and_told_in_general_words(db, imports, monkeypatch, caplog):
    job_uuid = imports.check(receive(imports, file_of("one"))).uuid

    def fail(*_):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(jobs.imports, "run_import", fail)
    failed = imports.apply(job_uuid)
    assert failed.state is State.FAILED
    assert "secret" not in str(failed.error)
    assert "secret detail" in caplog.text


def test_two_requests_at_once_apply_a_job_once(db, imports, tmp_path, monkeypatch):
    job_uuid = imports.check(receive(imports, file_of("one"))).uuid
    runs, real, barrier = [], jobs.imports.run_import, threading.Barrier(3)

    def count(*arguments):
        runs.append(1)
        return real(*arguments)

    monkeypatch.setattr(jobs.imports, "run_import", count)

    def apply():
        own = connect(tmp_path)
        barrier.wait()
        Imports(own, imports.folder, SETTINGS, OWN, lambda: "x", lambda: NOW).apply(job_uuid)
        own.close()

    threads = [threading.Thread(target=apply) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 1
    assert find_job(db, job_uuid).state is State.DONE
    assert names(db) == ["one"]


def test_a_late_check_does_not_reopen_a_job(db, imports, tmp_path, monkeypatch):
    job_uuid = imports.check(receive(imports, file_of("one"))).uuid
    real = jobs.imports.run_import

    def slow(check_db, file, options):
        report = real(check_db, file, options)
        if options.dry_run:
            other = connect(tmp_path)
            other(other.plugin_sync_job.uuid == job_uuid).update(state=State.DONE)
            other.commit()
            other.close()
        return report

    monkeypatch.setattr(jobs.imports, "run_import", slow)
    assert imports.check(job_uuid).state is State.DONE


def test_an_unknown_job_is_an_error(db):
    with pytest.raises(SettingsError):
        find_job(db, "../../etc/passwd")


def test_the_last_jobs_come_first(db, imports):
    first = imports.check(receive(imports, file_of("one")))
    second = imports.check(receive(imports, file_of("one", "two")))
    failed = imports.check(receive(imports, b"nothing"))
    assert [job.uuid for job in last_jobs(db, "import")] == [failed.uuid, second.uuid, first.uuid]
    assert [job.uuid for job in last_jobs(db, "import", State.CHECKED, limit=1)] == [second.uuid]
    assert [job.uuid for job in last_jobs(db, "import", sha256=first.file_sha256)] == [first.uuid]
    assert last_jobs(db, "export") == []


def test_a_download_is_the_export_and_is_remembered(db, tmp_path):
    db.org_office.insert(uuid="u1", name="one")
    db.commit()
    download = Download(SETTINGS, OWN, "org", None, 7, "Jacmel-org.csv")
    data = b"".join(download.stream(db))
    expected = io.BytesIO()
    export_csv(db, expected, module="org", settings=SETTINGS, instance=OWN)
    db.rollback()
    assert data.split(b"END")[0] == expected.getvalue().split(b"END")[0]
    (job,) = last_jobs(db, "export")
    assert (job.state, job.module, job.user_id, job.size_bytes) == (State.DONE, "org", 7, len(data))
    assert job.file_sha256 == hashlib.sha256(data).hexdigest()


def test_an_abandoned_download_is_not_remembered(db):
    stream = Download(SETTINGS, OWN).stream(db)
    next(stream)
    stream.close()
    db.rollback()
    assert last_jobs(db, "export") == []
    assert read_catalog(db, SETTINGS).included


@pytest.mark.parametrize("choice", [{"module": "nowhere"}, {"tables": ("auth_user",)}])
def test_what_cannot_be_downloaded_is_refused_before_the_first_byte(db, choice):
    with pytest.raises(SettingsError):
        Download(SETTINGS, OWN, **choice).require(db)


def test_a_database_without_a_store_is_named_before_the_first_byte(db, monkeypatch):
    monkeypatch.setattr(registry, "STORES", {})
    monkeypatch.delattr(SQLAdapter, "execute")
    with pytest.raises(SettingsError, match="no store for sqlite databases"):
        Download(SETTINGS, OWN).require(db)
