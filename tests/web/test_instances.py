"""The register of instances through the pages: added, paired by a file, edited, paused, removed; clashes named."""

import json
import re

import pytest
from playwright.sync_api import expect

from .pages import PLUGIN, heading, key_of, text_of

pytestmark = pytest.mark.browser
EVIL = '"><script>alert(1)</script>'


@pytest.fixture(scope="module")
def office(start_office):
    return start_office("registering", demo="none")


@pytest.fixture
def client(office):
    office.query("DELETE FROM sync_instance WHERE is_self IS NULL")
    return office.administrator()


def add(client, **facts):
    given = {"base_uuid": "c3d4", "name": "Jacmel", "owner": "", "contact": "", "url": ""} | facts
    return client.post(f"{PLUGIN}instance_add", key_of(client.get(f"{PLUGIN}instance_add")) | given)


def post(client, page, address, **fields):
    return client.post(PLUGIN + address, key_of(client.get(PLUGIN + page)) | fields)


def faults(answer):
    """The form's faults by field, each with its summary's link leading to it."""
    assert re.search(r"<title>Error: ", answer.text), text_of(answer)
    box = re.search(r'<div class="ps-errors".*?</div>', answer.text, re.DOTALL)[0]
    assert "There is a problem" in box
    found = dict(re.findall(r'<a href="#ps-(\w+)">(.*?)</a>', box))
    assert all(f'id="ps-{field}"' in answer.text and f'id="ps-{field}-fault"' in answer.text for field in found)
    return found


def test_an_office_is_added_edited_paused_and_removed(office, client, open_page):
    page = open_page(office, java_script_enabled=False)
    page.goto("instances")
    expect(page.get_by_text("No other office is known yet.")).to_be_visible()
    page.get_by_role("link", name="Add an office").click()
    page.get_by_label("Code").fill("C3D4")
    page.get_by_label("Name").fill("Jacmel")
    page.get_by_label("Web address").fill("https://jacmel.example.org")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("status")).to_have_text("Jacmel was added.")
    row = page.get_by_role("row", name="Jacmel")
    expect(row).to_contain_text("File only")
    expect(row).to_contain_text("Everything: nothing was sent to it yet")
    expect(row).to_contain_text("Nothing yet")
    row.get_by_role("link", name="Jacmel").click()
    page.get_by_label("Contact").fill("Ann\n+509 1")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    assert page.get_by_label("Contact").input_value() == "Ann\n+509 1"
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("No files are made for it on schedule.")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status")).to_have_text("Jacmel is active again.")
    page.get_by_role("link", name="Remove").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Remove Jacmel?"
    assert office.query("SELECT state FROM sync_instance WHERE base_uuid = 'c3d4'") == [("known",)]
    page.get_by_role("button", name="Remove Jacmel").click()
    expect(page.get_by_role("status")).to_have_text("Jacmel was removed.")
    assert page.get_by_role("row", name="Jacmel").count() == 0
    assert office.query("SELECT state, contact FROM sync_instance WHERE base_uuid = 'c3d4'") == [("removed", None)]
    assert office.tickets() == []


def test_what_is_wrong_is_named_at_its_field_and_what_was_typed_stays(client):
    answer = add(client, base_uuid="xyz", name="", url="ftp://x", contact="Ann")
    assert set(faults(answer)) == {"base_uuid", "name", "url"}
    assert "Enter the code of the office" in faults(answer)["base_uuid"]
    assert ">Ann</textarea>" in answer.text and 'value="ftp://x"' in answer.text


def test_a_clash_is_named_with_its_remedy(office, client):
    assert heading(add(client)) == "Instances"
    said = faults(add(client, name="Another"))["base_uuid"]
    assert "is already that of Jacmel" in said and "set up anew" in said
    own = office.query("SELECT base_uuid FROM sync_instance WHERE is_self = 'T'")[0][0]
    assert "this office's own" in faults(add(client, base_uuid=own))["base_uuid"]
    office.query("UPDATE sync_instance SET state = 'clash' WHERE base_uuid = 'c3d4'")
    assert "Files of another office carry this code too." in text_of(client.get(f"{PLUGIN}instance/c3d4"))


def test_offices_get_to_know_each_other_by_pairing_files(office, client, start_office):
    other = start_office("paired", demo="none")
    there = other.administrator()
    post(
        there, "options", "options", name="Cap <b>Haïtien</b>", url="https://cap.example.org", policy="newer", retention_days="90"
    )
    file = there.get(f"{PLUGIN}pairing")
    own = other.query("SELECT base_uuid, uuid FROM sync_instance WHERE is_self = 'T'")[0]
    assert file.headers["Content-Disposition"] == f'attachment; filename="pairing-{own[0]}.json"'
    told = json.loads(file.body)
    assert (told["base_uuid"], told["uuid"], told["name"]) == (*own, "Cap <b>Haïtien</b>")

    def pair(content):
        key = key_of(client.get(f"{PLUGIN}instance_add"))
        return client.post(f"{PLUGIN}instance_add", key | {"how": "file"}, {"file": ("pairing.json", content)})

    assert "Cap <b>Haïtien</b> was added." in text_of(pair(file.body))
    assert office.query("SELECT uuid, url FROM sync_instance WHERE base_uuid = ?", own[0]) == [
        (own[1], "https://cap.example.org")
    ]
    assert "Edit that entry instead" in faults(pair(file.body))["base_uuid"]
    assert "is no pairing file" in faults(pair(b"{}"))["file"]
    assert "is no pairing file" in faults(pair(json.dumps(told | {"uuid": "../../x"}).encode()))["file"]
    assert "own. Enter the code" in faults(pair(client.get(f"{PLUGIN}pairing").body))["base_uuid"]
    key = key_of(client.get(f"{PLUGIN}instance_add"))
    assert faults(client.post(f"{PLUGIN}instance_add", key | {"how": "file"}, {"file": ("", b"")}))["file"] == "Select a file"
    assert (office.tickets(), other.tickets()) == ([], [])


def test_scripts_stay_text(office, client):
    add(client, name=EVIL, owner=EVIL, contact=f"</textarea>{EVIL}", url="https://x/" + EVIL.replace(" ", ""))
    for name in ("index", "instances", "instance/c3d4", "export?for=c3d4", "history", "instance_remove/c3d4"):
        answer = client.get(PLUGIN + name)
        assert (answer.status, "<script>alert" in answer.text.lower()) == (200, False), name
    assert office.tickets() == []


def test_the_own_office_is_neither_paused_nor_removed(office, client):
    own = office.query("SELECT base_uuid FROM sync_instance WHERE is_self = 'T'")[0][0]
    assert post(client, "options", f"instance_state/{own}/pause").status == 409
    assert post(client, "options", f"instance_remove/{own}").status == 409
    page = client.get(f"{PLUGIN}instance/{own}")
    assert "Remove" not in text_of(page) and "Pause" not in text_of(page)


def test_changes_need_the_pages_key(office, client):
    add(client)
    before = office.query("SELECT * FROM sync_instance")
    calls = ("instance_calls/c3d4", "instance_access/c3d4", "instance_access/c3d4/end", "synchronise/c3d4")
    for address in ("instance/c3d4", "instance_state/c3d4/pause", "instance_remove/c3d4", *calls):
        assert client.post(PLUGIN + address, {"name": "x"}).status == 403
    assert client.get(f"{PLUGIN}instance_state/c3d4/pause").status == 403
    assert office.query("SELECT * FROM sync_instance") == before
