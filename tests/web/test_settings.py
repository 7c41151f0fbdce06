"""What administrators settle: saved, in force at once, faults named; the schedule, with a real worker."""

import os
import re
import subprocess
import time
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import expect

from ..offices import ROOT
from .pages import PLUGIN, key_of, text_of

pytestmark = pytest.mark.browser
GOOD = {"name": "Here", "owner": "", "contact": "", "url": "", "policy": "newer", "retention_days": "90", "every": "manual"}


@pytest.fixture(scope="module")
def office(start_office):
    return start_office("settled", demo="none")


def save(client, **fields):
    return client.post(f"{PLUGIN}options", key_of(client.get(f"{PLUGIN}options")) | GOOD | fields)


def faults(answer):
    assert re.search(r"<title>Error: Settings", answer.text), text_of(answer)
    box = re.search(r'<div class="ps-errors".*?</div>', answer.text, re.DOTALL)[0]
    found = dict(re.findall(r'<a href="#ps-(\w+)">(.*?)</a>', box))
    assert all(f'id="ps-{field}"' in answer.text for field in found)
    return found


def test_settings_are_saved_and_in_force(office, open_page):
    page = open_page(office, java_script_enabled=False)
    page.goto("options")
    code = page.locator("dd code").first.inner_text()
    assert office.query("SELECT base_uuid FROM sync_instance WHERE is_self = 'T'") == [(code,)]
    page.get_by_label("Name").fill("Head office")
    page.get_by_label("What the import page offers first").select_option("Use theirs")
    page.get_by_label("Another table").select_option("People")
    page.get_by_label("Its rule").select_option("Ask every time")
    page.get_by_label("Days that files are kept").fill("30")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    assert page.get_by_label("People").input_value() == "ask"
    assert page.get_by_label("Days that files are kept").input_value() == "30"
    page.goto("import_file")
    expect(page.get_by_role("radio", name="Use theirs")).to_be_checked()
    page.goto("index")
    expect(page.get_by_text("This office is Head office.")).to_be_visible()
    page.goto("options")
    page.get_by_label("People").select_option("As on the import page")
    page.get_by_role("button", name="Save").click()
    assert page.get_by_label("People").count() == 0
    assert office.query("SELECT name, value FROM plugin_sync_setting ORDER BY name") == [
        ("policy", '"theirs"'),
        ("retention_days", "30"),
        ("schedule", '{"every": "manual", "first": null}'),
        ("table_policies", "{}"),
    ]
    assert office.tickets() == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"retention_days": "0"}, "retention_days"),
        ({"retention_days": "ten"}, "retention_days"),
        ({"policy": "oldest"}, "policy"),
        ({"name": ""}, "name"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"every": "daily", "first": "tomorrow"}, "first"),
        ({"every": "daily", "first": ""}, "first"),
        ({"every": "once", "first": "2001-01-01T00:00"}, "first"),
        ({"every": "often", "first": ""}, "first"),
        ({"name": "<script>alert(1)</script>" * 9}, "name"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_saved(office, wrong, field):
    client = office.administrator()
    before = (office.query("SELECT * FROM plugin_sync_setting"), office.query("SELECT * FROM sync_instance"))
    answer = save(client, **wrong)
    assert list(faults(answer)) == [field]
    assert "<script>alert" not in answer.text
    assert (office.query("SELECT * FROM plugin_sync_setting"), office.query("SELECT * FROM sync_instance")) == before
    assert office.tickets() == []


def test_a_schedule_without_a_worker_says_that_it_stands_still(office):
    client = office.administrator()
    first = datetime.now().replace(second=0, microsecond=0) + timedelta(days=1)
    text = text_of(save(client, every="weekly", first=f"{first:%Y-%m-%dT%H:%M}"))
    assert "Saved." in text and "The schedule stands still: no worker is running." in text
    assert "Next time:" in text
    rows = office.query("SELECT function_name, period, repeats, next_run_time FROM scheduler_task")
    assert rows == [("plugin_sync_fill_outbox", 604_800, 0, str(first))]
    text = text_of(save(client, every="manual"))
    assert "stands still" not in text and "Next time" not in text
    assert office.query("SELECT * FROM scheduler_task") == []


def test_a_worker_makes_files_of_changes_on_schedule(start_office):
    office = start_office("scheduled", demo="none")
    client = office.administrator()
    office.query("INSERT INTO org_office (uuid, name) VALUES ('o1', 'One')")
    key = key_of(client.get(f"{PLUGIN}instance_add"))
    client.post(f"{PLUGIN}instance_add", key | {"base_uuid": "c3d4", "name": "Jacmel", "owner": "", "contact": "", "url": ""})
    first = datetime.now() - timedelta(hours=5, minutes=59, seconds=58)
    save(client, every="hourly", first=f"{first:%Y-%m-%dT%H:%M:%S}")
    settings = {"SYNC_INSTANCES": str(office.folder.parent), "INSTANCE": office.name}
    worker = subprocess.Popen([ROOT / "run", "worker"], env=os.environ | settings, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 90
        while not (found := re.search(r'href="([^"]+/parcel/[^"]+)"', client.get(f"{PLUGIN}instance/c3d4").text)):
            assert time.monotonic() < until, office.query("SELECT status, next_run_time FROM scheduler_task")
            time.sleep(0.5)
        assert "stands still" not in text_of(client.get(f"{PLUGIN}options"))
    finally:
        worker.kill()
        worker.wait()
    file = client.get(found[1])
    assert (file.status, file.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert re.findall(rb"^\d+,(o\d+),", file.body, re.MULTILINE) == [b"o1"]
    assert "1 file lies ready" in text_of(client.get(f"{PLUGIN}instances"))
    text = text_of(client.get(f"{PLUGIN}history"))
    assert "The schedule" in text and "Jacmel" in text
    assert client.get(f"{PLUGIN}parcel/../../settings.json").status in (400, 404)
    assert office.tickets() == []
