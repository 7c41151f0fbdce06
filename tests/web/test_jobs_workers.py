"""Workers of web2py's Scheduler: real processes that share a queue, and are killed. And pages while all are busy."""

import contextlib
import os
import signal
import subprocess
import threading
import time

import psycopg2
import pytest

from .. import offices
from ..engine.databases import database_uri
from .pages import PLUGIN, follow, heading, key_of, text_of, upload
from .test_jobs import begin, file_of, job_of, now, send, wait_for

ROWS = 60_000  # more than a small file
MANY = 300_000


class Place:
    """An office on a database, its workers, and a look into the database."""

    def __init__(self, office, query, stack):
        self.office, self.query, self.stack = office, query, stack
        self.client = office.administrator()

    def worker(self):
        """Start a worker and wait until it is known; it leads a process group of its own."""
        settings = {"SYNC_INSTANCES": str(self.office.folder.parent), "INSTANCE": self.office.name}
        log = self.stack.enter_context((self.office.folder / "worker.log").open("a", encoding="utf-8"))
        command = [offices.ROOT / "run", "worker"]
        environment = os.environ | settings
        process = subprocess.Popen(command, env=environment, start_new_session=True, stdout=log, stderr=subprocess.STDOUT)
        self.stack.callback(end, process)
        name = f"%#{process.pid}"
        self.wait(lambda: self.query(f"SELECT 1 FROM scheduler_worker WHERE worker_name LIKE '{name}' AND status = 'ACTIVE'"))
        return process

    def wait(self, condition, limit_s=60):
        until = time.monotonic() + limit_s
        while not (found := condition()):
            assert time.monotonic() < until
            time.sleep(0.2)
        return found

    def offices(self):
        return self.query("SELECT count(*) FROM org_office")[0][0]

    def tasks(self, status):
        return self.query(f"SELECT count(*) FROM scheduler_task WHERE status = '{status}'")[0][0]

    def worker_of_task(self):
        """The process number of the worker that runs a task."""
        found = self.wait(lambda: self.query("SELECT assigned_worker_name FROM scheduler_task WHERE status = 'RUNNING'"))
        return int(found[0][0].split("#")[1])


def end(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def place(tmp_path, engine):
    with contextlib.ExitStack() as stack:
        if engine == "sqlite":
            office = offices.start(tmp_path, "workers")
            query = office.query
        else:
            uri = stack.enter_context(database_uri(engine))
            office = offices.start(tmp_path, "workers", DATABASE_URI=uri)
            connection = stack.enter_context(contextlib.closing(psycopg2.connect(uri.replace(":@", "@"))))
            connection.autocommit = True

            def query(sql):
                with connection.cursor() as cursor:
                    cursor.execute(sql)
                    return cursor.fetchall()

        stack.callback(office.stop)
        yield Place(office, query, stack)
        assert not office.tickets()


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_worker_takes_what_is_large(place):
    place.worker()
    check = upload(place.client, file_of(ROWS))
    result = follow(place.client, send(place.client, f"apply/{job_of(check)}", check))
    assert heading(result) == "Imported"
    assert place.offices() == ROWS
    place.wait(lambda: place.tasks("COMPLETED") == 2)
    small = upload(place.client, file_of(5))
    assert "/check/" in small.url
    assert place.query("SELECT count(*) FROM scheduler_task") == [(2,)]


@pytest.mark.parametrize("engine", ["postgres"])
def test_two_workers_share_the_queue_and_do_nothing_twice(place):
    workers = [place.worker(), place.worker()]
    data = file_of(ROWS)
    pages = [start_check(place.client, data.replace(b"aaaa", f"bb{n:02d}".encode())) for n in range(6)]
    checks = [follow(place.client, page) for page in pages]
    # Each page is opened again for its key: web2py keeps those of the last ten pages only.
    begun = [send(place.client, f"apply/{job_of(check)}", place.client.get(check.url)) for check in checks]
    assert [heading(follow(place.client, page)) for page in begun] == ["Imported"] * 6
    assert place.offices() == 6 * ROWS
    place.wait(lambda: place.tasks("COMPLETED") == 12)
    names = {name for (name,) in place.query("SELECT DISTINCT worker_name FROM scheduler_run")}
    assert {int(name.split("#")[1]) for name in names} == {worker.pid for worker in workers}
    assert place.query("SELECT count(*) FROM scheduler_run") == [(12,)]


@pytest.mark.parametrize("engine", ["postgres"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_killed_workers_job_is_not_done_twice(place, whole):
    """With `whole` its task's process is killed with it; else that goes on alone, while the other worker is given the task."""
    check = upload(place.client, file_of(MANY))  # no worker is there yet: a thread of the server checks it
    job = job_of(check)
    workers = {process.pid: process for process in (place.worker(), place.worker())}
    page = send(place.client, f"apply/{job}", check)
    assert "/progress/" in page.url
    wait_for(place.client, job, lambda shown: shown.get("permille", 0) > 100)
    first = place.worker_of_task()
    (os.killpg if whole else os.kill)(first, signal.SIGKILL)
    workers[first].wait()
    if whole:
        wait_for(place.client, job, lambda shown: "next" in shown, 2)
        assert heading(place.client.get(f"{PLUGIN}progress/{job}")) == "Interrupted, nothing changed"
        assert place.offices() == 0
    place.wait(lambda: place.tasks("COMPLETED") == 1)  # the other worker was given it, and found that there is nothing to do
    result = follow(place.client, place.client.get(f"{PLUGIN}progress/{job}"))
    if whole:
        assert place.query(f"SELECT state FROM plugin_sync_job WHERE uuid = '{job}'") == [("interrupted",)]
        assert "Nothing was changed." in text_of(result) and place.offices() == 0
        result = follow(place.client, send(place.client, f"again/{job}", result))
    assert heading(result) == "Imported"
    assert f"{MANY:,} new rows were written." in text_of(result)
    assert place.offices() == MANY


@pytest.mark.parametrize("engine", ["postgres"])
def test_a_job_whose_worker_went_away_before_it_began_can_begin_here(place):
    worker = place.worker()
    os.kill(worker.pid, signal.SIGSTOP)  # it is known and does nothing
    try:
        page = start_check(place.client, file_of(ROWS))
        job = job_of(page)
        assert now(place.client, job)["text"] == "Waits for its turn"
        assert "/check/" in follow(place.client, send(place.client, f"again/{job}", page)).url
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    place.wait(lambda: place.tasks("COMPLETED") == 1)
    assert place.query(f"SELECT state FROM plugin_sync_job WHERE uuid = '{job}'") == [("checked",)]


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
@pytest.mark.alone
def test_pages_stay_quick_while_ten_tabs_ask(place):
    client = place.client
    job, _ = begin(client, file_of(MANY))
    wait_for(client, job, lambda shown: shown.get("permille", 1) > 0, limit_s=2)
    stop, asked = threading.Event(), []

    def ask():
        while not stop.is_set():
            asked.append(now(client, job))
            stop.wait(0.5)

    tabs = [threading.Thread(target=ask) for _ in range(10)]
    for tab in tabs:
        tab.start()
    took = []
    try:
        while "next" not in now(client, job):
            began = time.monotonic()
            assert client.get("/sync/default/index").status == 200
            took.append(time.monotonic() - began)
    finally:
        stop.set()
        for tab in tabs:
            tab.join()
    print(f"{len(took)} pages, slowest {max(took):.2f} s, {len(asked)} questions")
    assert len(took) >= 3 and len(asked) >= 20
    assert max(took) < 1


def start_check(client, data):
    """Send a file; return the progress page."""
    fields = key_of(client.get(f"{PLUGIN}import_file")) | {"policy": "newer"}
    return client.post(f"{PLUGIN}import_file", fields, {"file": ("data.csv", data)})
