"""Imports in the background, through the pages: killed, cancelled, clicked twice, looked at by many."""

import json
import re
import threading
import time
from urllib.parse import urljoin

import pytest

from .. import offices
from .pages import PLUGIN, export, follow, heading, key_of, records, text_of, upload

ROWS = 200_000
MANY = 500_000  # their import is still seen when the page asks for the first time, after 2 s


def file_of(rows, table="org_office"):
    head = f"TABLE {table}\r\n{table}.id,{table}.uuid,{table}.name,{table}.modified_on\r\n"
    lines = "".join(f"{n},aaaa{n:08d},Office {n},2026-01-01 00:00:00\r\n" for n in range(1, rows + 1))
    return f"{head}{lines}\r\n\r\nEND\r\n".encode()


@pytest.fixture(scope="module")
def large():
    return file_of(ROWS)


@pytest.fixture(scope="module")
def office(start_office):
    return start_office("jobs")


@pytest.fixture
def empty(office):
    """The office without offices."""
    office.query("DELETE FROM org_office")
    return office


def send(client, path, page):
    """Post a form of a page and do not follow progress; return the answer."""
    return client.post(f"{PLUGIN}{path}", key_of(page))


def job_of(answer):
    return re.search(r"/([0-9a-f-]{36})", answer.url)[1]


def now(client, job):
    """What the script of the progress page is told."""
    answer = client.get(f"{PLUGIN}status/{job}")
    assert len(answer.body) <= 500
    return json.loads(answer.body)


def wait_for(client, job, condition, limit_s=60):
    until = time.monotonic() + limit_s
    while not condition(found := now(client, job)):
        assert time.monotonic() < until, found
        time.sleep(0.05)
    return found


def begin(client, large):
    """Have a large file checked, and begin to import it; return the job and the progress page."""
    check = upload(client, large)
    job = job_of(check)
    began = time.monotonic()
    page = send(client, f"apply/{job}", check)
    assert "/progress/" in page.url and time.monotonic() - began < 2
    return job, page


def count(office):
    return office.query("SELECT count(*) FROM org_office")[0][0]


def test_a_server_killed_in_the_middle_changes_nothing_and_the_import_runs_again(tmp_path, large):
    office = offices.start(tmp_path, "killed")
    try:
        job, _ = begin(client := office.administrator(), large)
        wait_for(client, job, lambda shown: shown.get("permille", 0) > 300)
        office.process.kill()
        office.process.wait()
        office.process.stdout.close()
        office = offices.start(tmp_path, "killed")
        client = office.administrator()
        assert count(office) == 0
        home = client.get(f"{PLUGIN}index")
        assert "data.csv was interrupted; nothing was changed" in text_of(home)
        page = client.get(f"{PLUGIN}progress/{job}")
        assert "/result/" in page.url and heading(page) == "Interrupted, nothing changed"
        assert "Nothing was changed." in text_of(page)
        result = follow(client, send(client, f"again/{job}", page))
        assert heading(result) == "Imported"
        assert "200,000 new rows were written." in text_of(result)
        assert count(office) == ROWS
        assert not office.tickets()
    finally:
        office.stop()


@pytest.mark.parametrize("above", [100, 500])
def test_a_running_import_is_cancelled_and_run_again(empty, large, above):
    """While it reads; and later, when it may be too late by a hair, which is told."""
    client = empty.administrator()
    job, page = begin(client, large)
    wait_for(client, job, lambda shown: shown.get("permille", 0) >= above)
    page = send(client, f"cancel/{job}", page)
    assert "is being cancelled" in text_of(page) or "/result/" in page.url  # it has heard of it already
    result = follow(client, page)
    if above > 480 and "The cancellation came too late" in text_of(result):
        assert count(empty) == ROWS
        return
    assert heading(result) == "Cancelled, nothing changed"
    assert "Cancelled. Nothing was changed." in text_of(result)
    assert count(empty) == 0
    assert heading(follow(client, send(client, f"again/{job}", result))) == "Imported"
    assert count(empty) == ROWS
    assert not empty.tickets()


def test_a_cancellation_that_comes_too_late_is_told(empty):
    client = empty.administrator()
    check = upload(client, file_of(10))
    job, key = job_of(check), client.get(f"{PLUGIN}import_file")
    follow(client, send(client, f"apply/{job}", check))
    assert "came too late: the import was already done" in text_of(send(client, f"cancel/{job}", key))
    assert count(empty) == 10


def test_a_double_click_imports_once(empty, large):
    client = empty.administrator()
    check = upload(client, large)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(send(client, f"apply/{job_of(check)}", check))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} <= {200, 403}
    result = follow(client, client.get(f"{PLUGIN}progress/{job_of(check)}"))
    assert heading(result) == "Imported"
    assert count(empty) == ROWS
    assert empty.query("SELECT count(*) FROM plugin_sync_job WHERE state IN ('queued', 'running')") == [(0,)]


def test_a_small_file_is_checked_without_a_stop(empty):
    client = empty.administrator()
    answer = client.post(
        f"{PLUGIN}import_file",
        key_of(client.get(f"{PLUGIN}import_file")) | {"policy": "newer"},
        {"file": ("small.csv", file_of(5))},
    )
    assert "/check/" in answer.url


def test_the_same_file_is_recognised(empty):
    client = empty.administrator()
    data = file_of(7)
    check = upload(client, data)
    follow(client, send(client, f"apply/{job_of(check)}", check))
    assert re.search(r"Already imported \d+ \w+ \d{4}, \d\d:\d\d UTC; nothing new\.", text_of(upload(client, data)))


def test_a_checked_file_is_discarded(empty):
    client = empty.administrator()
    check = upload(client, file_of(8))
    kept = empty.app / "private" / "plugin_sync" / "imports" / job_of(check)
    assert kept.exists()
    result = send(client, f"cancel/{job_of(check)}", check)
    assert heading(result) == "Cancelled, nothing changed"
    assert "Run again" not in result.text and not kept.exists()
    assert count(empty) == 0


def test_asking_how_far_it_is_leaves_the_session_alone(empty, large):
    client = empty.administrator()
    job, _ = begin(client, large)
    files = [path for path in (empty.app / "sessions").rglob("*") if path.is_file()]
    session = max(files, key=lambda path: path.stat().st_mtime_ns)
    before = session.stat().st_mtime_ns
    told = [now(client, job) for _ in range(5)]
    assert any(shown.get("text") for shown in told)
    assert session.stat().st_mtime_ns == before
    follow(client, client.get(f"{PLUGIN}progress/{job}"))


@pytest.mark.browser
def test_in_a_browser_the_page_goes_on_by_itself(empty, open_page, tmp_path):
    file = tmp_path / "large.csv"
    file.write_bytes(file_of(MANY))
    page = open_page(empty)
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto("import_file")
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Check file").click()
    page.wait_for_url("**/progress/*")
    assert page.get_by_role("progressbar", name="Checking the file").is_visible()
    assert not page.get_by_role("link", name="Update").is_visible()
    page.get_by_role("link", name="Home").nth(1).focus()
    page.wait_for_url("**/check/*", timeout=60_000)
    page.get_by_role("button", name=f"Import {MANY:,} new rows").click()
    page.wait_for_url("**/progress/*", timeout=2000)
    page.get_by_text(re.compile(r"[\d,]+ (of [\d,]+ )?· Offices")).wait_for()
    page.wait_for_url("**/result/*", timeout=60_000)
    page.get_by_role("heading", name="Imported", level=1).wait_for()
    assert count(empty) == MANY
    assert not said
    assert any("/status/" in url for url in asked) and all(url.startswith(urljoin(empty.url, "/")) for url in asked)


@pytest.mark.browser
def test_in_a_browser_a_check_is_cancelled(empty, large, open_page, tmp_path):
    file = tmp_path / "large.csv"
    file.write_bytes(large)
    page = open_page(empty)
    page.goto("import_file")
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Check file").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled. Nothing was changed.").wait_for()
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url("**/check/*", timeout=60_000)
    assert records(empty)["org_office"] == {}


@pytest.mark.parametrize("action", "check apply again cancel progress status result rejects undo import_file".split())
def test_an_export_has_no_page_and_is_said_to_have_none(office, action):
    client = office.administrator()
    export(client, what="module", module="org")
    [(job,)] = office.query("SELECT uuid FROM plugin_sync_job WHERE kind = 'export' ORDER BY id DESC LIMIT 1")
    answer = client.get(f"{PLUGIN}{action}/{job}")
    assert (answer.status, heading(answer)) == (404, "Nothing was done")
    assert "An export has no page of its own. The history lists it." in text_of(answer)
    assert office.tickets() == []
