"""Files for one office: the first holds everything, later ones what has changed, a lost one is made again."""

import re

import pytest
from playwright.sync_api import expect

from .pages import PLUGIN, apply, export, heading, key_of, text_of, upload

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def office(start_office):
    """An office with three records of its own, which knows another."""
    office = start_office("sending", demo="none")
    for number in (1, 2, 3):
        office.query("INSERT INTO org_office (uuid, name) VALUES (?, ?)", f"o{number}", f"Office {number}")
    client = office.administrator()
    facts = {"base_uuid": "c3d4", "name": "Jacmel", "owner": "", "contact": "", "url": ""}
    client.post(f"{PLUGIN}instance_add", key_of(client.get(f"{PLUGIN}instance_add")) | facts)
    return office


def rows(data):
    return re.findall(rb"^\d+,(o\d+),", data, re.MULTILINE)


def send(client, since="all", **choice):
    page = client.get(f"{PLUGIN}export?for=c3d4&since={since}")
    fields = key_of(page) | {"for": "c3d4", "since": since} | choice
    return client.post(f"{PLUGIN}export_file", fields)


def test_files_for_an_office_follow_each_other(office, open_page, tmp_path):
    page = open_page(office, java_script_enabled=False)
    jobs_before = office.query("SELECT count(*) FROM plugin_sync_job")[0][0]

    def download(button):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=button, exact=True).click()
        file = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(file)
        return file

    page.goto("export")
    page.get_by_label("For", exact=True).select_option("Jacmel")
    page.get_by_role("button", name="Choose").click()
    expect(page.get_by_text("No file was made for Jacmel yet")).to_be_visible()
    first = download("Download all")
    assert first.name.startswith("Office-sending-all-for-Jacmel-")
    assert rows(first.read_bytes()) == [b"o1", b"o2", b"o3"]

    page.reload()
    expect(page.get_by_text("The last file for Jacmel was made")).to_be_visible()
    expect(page.get_by_text("If nothing has changed since")).to_be_visible()
    assert rows(download("Download changes").read_bytes()) == []
    office.query("UPDATE org_office SET name = 'Changed' WHERE uuid = 'o2'")
    assert rows(download("Download changes").read_bytes()) == [b"o2"]  # the page's key is good for several files
    assert rows(download("Download changes").read_bytes()) == []

    page.get_by_role("link", name="That file was lost").click()
    assert page.url.endswith("export?for=c3d4&since=again")
    assert rows(download("Download changes").read_bytes()) == [b"o2"]
    page.get_by_role("link", name="All", exact=True).click()
    page.get_by_role("row", name="Organisations").get_by_role("button").click()
    said = office.query("SELECT instance_id IS NOT NULL, state FROM plugin_sync_job WHERE id > ?", jobs_before)
    assert set(said) == {(1, "done")} and len(said) >= 5
    page.goto("history")
    expect(page.get_by_role("cell", name="Nothing had changed").first).to_be_visible()
    assert page.get_by_role("link", name="Jacmel").count() >= 5
    assert office.tickets() == []


def test_a_file_for_an_office_needs_the_pages_key(office):
    client = office.administrator()
    before = office.query("SELECT count(*) FROM plugin_sync_job")
    assert client.get(f"{PLUGIN}export_file?for=c3d4&since=all").status == 403
    assert client.post(f"{PLUGIN}export_file", {"for": "c3d4", "since": "all"}).status == 403
    assert office.query("SELECT count(*) FROM plugin_sync_job") == before


@pytest.mark.parametrize(
    ("address", "status"),
    [("export?for=ffff", 404), ("export?for=../x", 404), ("export?for=c3d4&since=nonsense", 200)],
)
def test_addresses_that_nobody_offers(office, address, status):
    assert office.administrator().get(PLUGIN + address).status == status
    assert office.tickets() == []


def test_what_cannot_be_sent_is_said_and_nothing_is_forgotten(office):
    client = office.administrator()
    assert send(client, "nonsense").status == 404
    answer = send(client, "all", what="module", module="nowhere")
    assert (answer.status, heading(answer)) == (404, "Nothing was done")
    answer = send(client, "all", what="tables")
    assert "Select at least one table" in answer.text and "for=c3d4" in answer.url


def test_an_import_registers_the_office_that_made_the_file(office, start_office):
    other = start_office("receiving", demo="none")
    client = other.administrator()
    result = apply(client, upload(client, export(office.administrator(), what="module", module="org")))
    assert heading(result) == "Imported"
    ((code, name, count, state),) = other.query(
        "SELECT base_uuid, name, sync_count, state FROM sync_instance WHERE is_self IS NULL"
    )
    own = office.query("SELECT base_uuid FROM sync_instance WHERE is_self = 'T'")[0][0]
    assert (code, name, count, state) == (own, "Office sending", 1, "known")
    page = client.get(f"{PLUGIN}history?instance={own}&direction=import&table=org_office")
    assert "3 new" in text_of(page) and "1 entry" in text_of(page)
    assert "Office sending" in text_of(client.get(f"{PLUGIN}index"))
    assert other.tickets() == []
