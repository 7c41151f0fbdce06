"""Two running offices synchronise through their pages: what each then holds and says, and what a bad network leaves behind."""

import json
import re
import threading
import time

import pytest
from playwright.sync_api import expect

from ..host.test_command_line import sync
from .calling import (
    Proxy,
    address,
    code,
    cut_at,
    drip,
    enter_token,
    garbage,
    give_access,
    introduce,
    pair,
    silence,
    wrong_length,
)
from .pages import PLUGIN, follow, heading, key_of, records, settle, text_of

OLD, MIDDLE, LATE = (f"2026-0{month}-01 00:00:00" for month in (1, 2, 3))
INSERT = "INSERT INTO gis_location (uuid, name, modified_on, deleted) VALUES (?, ?, ?, 'F')"


def put(office, name, text, when=OLD):
    """Make a place, or change it, as a user of the office would."""
    uuid = f"{name:0>8}-0000-4000-8000-000000000000"
    if office.query("SELECT 1 FROM gis_location WHERE uuid = ?", uuid):
        office.query("UPDATE gis_location SET name = ?, modified_on = ? WHERE uuid = ?", text, when, uuid)
    else:
        office.query(INSERT, uuid, text, when)


def places(office):
    return {uuid[:8].lstrip("0"): place["name"] for uuid, place in records(office)["gis_location"].items()}


def edited(one, other):
    """Edits of their own on both sides; of one place both changed the name at the same time."""
    for office, here, there in ((one, "one", "two"), (other, "two", "one")):
        put(office, "aa", "as it was")
        put(office, f"b{here == 'one':d}", f"new in {here}")
        put(office, "c1", f"{'newer' if here == 'one' else 'older'} in {here}", LATE if here == "one" else MIDDLE)
        put(office, "c2", f"{'newer' if here == 'two' else 'older'} in {here}", LATE if here == "two" else MIDDLE)
        put(office, "dd", f"clash of {here}", LATE)
        assert there


def synchronise(client, peer, **wish):
    """Press the button on the page of an instance, and wait for the page of the result."""
    given = {"direction": "both", "extent": "changes", "what": "everything"} | wish
    key = key_of(client.get(f"{PLUGIN}instance/{code(peer)}"))
    return follow(client, client.post(f"{PLUGIN}synchronise/{code(peer)}", key | given))


def state(office):
    """What a synchronisation that fails must leave as it was."""
    found = [records(office)]
    found.append(office.query("SELECT base_uuid, sync_count, last_update, last_run FROM sync_instance ORDER BY id"))
    found.append(office.query("SELECT count(*) FROM plugin_sync_conflict"))
    folder = office.app / "private" / "plugin_sync" / "synced"
    found.append({path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {})
    return found


@pytest.fixture(scope="module")
def offices(start_office):
    one, two = start_office("one"), start_office("two")
    clients = pair(one, two)
    return one, two, *clients


@pytest.mark.browser
def test_two_offices_synchronise_through_the_page_instances(start_office, open_page):
    one, two = start_office("port-au-prince"), start_office("les-cayes")
    introduce(one, two)
    edited(one, two)
    tabs = {office.name: open_page(office, java_script_enabled=False) for office in (one, two)}
    for here, there in ((one, two), (two, one)):
        theirs = tabs[there.name]
        theirs.goto(f"instance/{code(here)}")
        theirs.get_by_role("button", name="Give this office access").click()
        token = theirs.locator("code").inner_text()
        page = tabs[here.name]
        page.goto("instances")
        page.get_by_role("row", name=there.name).get_by_role("link", name=there.name, exact=True).click()
        assert page.get_by_role("button", name="Synchronise now").count() == 0  # there is no token yet
        page.get_by_label("Token from this office").fill(token)
        page.get_by_role("button", name="Keep token and policy").click()
        expect(page.get_by_role("status")).to_have_text("Saved.")
        assert token not in page.content()
    see_both_synchronise(one, two, tabs)
    see_that_again_is_nothing(one, two, tabs[one.name])
    assert (one.tickets(), two.tickets()) == ([], [])


def see_both_synchronise(one, two, tabs):
    page = tabs[one.name]
    page.goto("instances")
    row = page.get_by_role("row", name=two.name)
    expect(row).to_contain_text("By network")
    assert row.get_by_role("cell").nth(5).inner_text() == "0"
    row.get_by_role("link", name="Synchronise now").click()
    page.get_by_role("button", name="Synchronise now").click()
    while "/progress/" in page.url:
        page.get_by_role("link", name="Update").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Synchronised with {two.name}")
    expect(page.get_by_role("navigation").locator("[aria-current]").last).to_have_text("Instances")
    received = page.get_by_role("row", name=f"Received from {two.name}").get_by_role("cell").all_inner_texts()
    sent = page.get_by_role("row", name=f"Sent to {two.name}").get_by_role("cell").all_inner_texts()
    assert received == ["5", "1", "1", "1", "1", "1", "0"]  # rows, new, changed, same, older, conflict, rejected
    assert sent == ["4", "1", "1", "1", "0", "1", "0"]
    agreed = {"aa": "as it was", "b0": "new in two", "b1": "new in one", "c1": "newer in one", "c2": "newer in two"}
    assert places(one) == {key.lstrip("0"): value for key, value in (agreed | {"dd": "clash of one"}).items()}
    assert places(two) == {key.lstrip("0"): value for key, value in (agreed | {"dd": "clash of two"}).items()}
    for office in (one, two):
        listed = tabs[office.name]
        listed.goto("conflicts")
        expect(listed.get_by_role("table").first).to_contain_text("Places")
        assert office.query("SELECT count(*) FROM plugin_sync_conflict WHERE state = 'open'") == [(1,)]
    page.goto("instances")
    expect(page.get_by_role("row", name=two.name)).to_contain_text("Changes since")
    assert page.get_by_role("row", name=two.name).get_by_role("cell").nth(5).inner_text() == "1"
    assert two.query("SELECT sync_count FROM sync_instance WHERE base_uuid = ?", code(one)) == [(1,)]


def see_that_again_is_nothing(one, two, page):
    page.get_by_role("row", name=two.name).get_by_role("link", name="Synchronise now").click()
    page.get_by_role("button", name="Synchronise now").click()
    while "/progress/" in page.url:
        page.get_by_role("link", name="Update").click()
    expect(page.get_by_text("Nothing had changed: both offices hold the same.")).to_be_visible()
    assert page.get_by_role("row", name=f"Received from {two.name}").get_by_role("cell").all_inner_texts() == ["0"] * 7
    page.goto("instances")
    assert page.get_by_role("row", name=two.name).get_by_role("cell").nth(5).inner_text() == "2"
    assert two.query("SELECT sync_count FROM sync_instance WHERE base_uuid = ?", code(one)) == [(2,)]
    page.goto("history?direction=sync")
    assert page.get_by_role("row", name="Synchronisation").count() == 2


def test_one_module_one_way(offices):
    one, two, client, _ = offices
    put(one, "e1", "only sent")
    before = records(one)
    answer = synchronise(client, two, direction="push", what="modules", module="gis")
    assert heading(answer) == "Synchronised with two"
    assert (places(two)["e1"], records(one)) == ("only sent", before)
    refused = synchronise(client, two, what="modules")
    assert (refused.status, "Choose at least one" in text_of(refused)) == (409, True)
    assert synchronise(client, two, direction="sideways").status == 409


def test_the_command_line_synchronises_and_uploaded_files_come_along(start_office):
    one, two = start_office("by-command"), start_office("called")
    client, _ = pair(one, two)
    content = bytes(range(256)) * 400
    name = "doc_document.file.0123456789abcdef.706c616e2e706466.pdf"
    (two.app / "uploads" / name).write_bytes(content)
    sql = "INSERT INTO doc_document (uuid, name, file, modified_on, deleted) VALUES ('d1', 'Plan', ?, ?, 'F')"
    two.query(sql, name, MIDDLE)
    put(one, "aa", "from here")

    done = sync(one, "instances", "sync", code(two), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["state"], told["error"]) == ("done", None)
    assert told["report"]["pulled"]["rows"] == {"doc_document": 1}
    assert told["report"]["pushed"]["counts"]["new"] == 1
    ((stored,),) = one.query("SELECT file FROM doc_document WHERE uuid = 'd1'")
    assert (one.app / "uploads" / stored).read_bytes() == content
    assert client.get(f"default/download/{stored}").body == content
    assert places(two) == places(one) == {"aa": "from here"}

    again = sync(one, "instances", "sync", code(two).upper(), "--direction", "both")
    assert again.returncode == 0
    assert [line.split()[1:] for line in again.stdout.decode().splitlines()[1:]] == [["0"] * 7] * 2
    assert sync(one, "instances", "sync", "ffff").returncode == 78
    two.stop()
    failed = sync(one, "instances", "sync", code(two), "--module", "gis")
    assert failed.returncode == 75
    assert b"Nothing was changed, neither here nor there." in failed.stderr


def told_nothing_changed(one, two, client, reason, **wish):
    """A synchronisation fails, says why on three pages, and has changed nothing on either side."""
    before = state(one), state(two)
    answer = synchronise(client, two, **wish)
    assert heading(answer) == "Failed, nothing changed", text_of(answer)
    assert re.search(reason, text_of(answer)), text_of(answer)
    assert "Nothing was changed, neither here nor there." in text_of(answer)
    for page in ("instances", f"instance/{code(two)}"):
        shown = text_of(client.get(PLUGIN + page))
        assert re.search(reason, shown), shown
    assert (state(one), state(two)) == before
    assert (one.tickets(), two.tickets()) == ([], [])


def point(client, peer, url):
    """Enter a web address for an instance."""
    page = client.get(f"{PLUGIN}instance/{code(peer)}")
    assert client.post(f"{PLUGIN}instance/{code(peer)}", key_of(page) | {"name": peer.name, "url": url}).status == 200


def test_a_stopped_peer_and_a_wrong_token_are_told(start_office):
    one, two = start_office("here"), start_office("gone")
    client, there = pair(one, two)
    edited(one, two)
    token = give_access(there, one)
    enter_token(client, two, "A" * 43)
    told_nothing_changed(one, two, client, "It does not accept the token of this office")
    answer = enter_token(client, two, "too short")
    assert "This is no token" in text_of(answer)
    enter_token(client, two, token)
    assert heading(synchronise(client, two)) == "Synchronised with gone"
    page = text_of(client.get(f"{PLUGIN}instance/{code(two)}"))
    assert re.search(r"Last worked: \d+ \w+ 20\d\d", page)
    before = state(one)
    two.stop()
    answer = synchronise(client, two)
    assert heading(answer) == "Failed, nothing changed"
    assert "gone: Nothing answers at its web address. Is its server running?" in text_of(answer)
    assert re.search(r"Last worked: \d+ \w+ 20\d\d", text_of(answer))
    assert state(one) == before


@pytest.mark.parametrize("url", ["http://10.0.0.1/sync", "https://127.0.0.1/sync", "https://127.1/", "https://2130706433/"])
def test_addresses_inside_a_network_are_refused(offices, url):
    one, two, client, _ = offices
    point(client, two, url)
    try:
        told_nothing_changed(one, two, client, "The web address (leads into a private network|does not begin with https)")
    finally:
        point(client, two, two.url.rstrip("/"))


def test_a_setting_that_names_no_network_is_told_and_stops_nothing_else(start_office):
    one, two = start_office("mistyped"), start_office("well-typed")
    client, _ = pair(one, two)
    settle(one, 'plugins.sync.allow_addresses = ["10.8.0.1/16"]')
    for page in ("index", "instances", f"instance/{code(two)}", "import_file", "history"):
        assert client.get(PLUGIN + page).status == 200, page
    answer = synchronise(client, two)
    assert answer.status == 409, text_of(answer)
    assert "The setting plugins.sync.allow_addresses cannot be used: ['10.8.0.1/16']. Somebody who manages" in text_of(answer)
    assert one.tickets() == []


@pytest.mark.parametrize("method", ["info", "export_begin", "export_read", "import_begin", "import_write"])
@pytest.mark.parametrize("fault", ["cut", "garbage", "wrong length"])
def test_a_network_that_breaks_changes_nothing(start_office, fault, method):
    one, two, client, proxy = behind_a_proxy(start_office)
    with proxy.running():
        point(client, two, proxy.url)
        put(one, f"{len(places(one)) + 1:x}f1", f"{fault} {method} here")
        put(two, f"{len(places(one)) + 1:x}f2", f"{fault} {method} there")
        make = {"cut": lambda name: cut_at(name, 0.6), "garbage": garbage, "wrong length": wrong_length}[fault]
        proxy.fault = make(method)
        way = "push" if method.startswith("import") else "both"
        told_nothing_changed(one, two, client, "The connection to it broke off|What it answered cannot be read", direction=way)
        proxy.fault = None
        assert heading(synchronise(client, two)) == f"Synchronised with {two.name}"
        assert places(one) == places(two)


def test_a_peer_that_drips_or_says_nothing_is_given_up(start_office):
    one, two, client, proxy = behind_a_proxy(start_office)
    put(one, "9c1", "a place")
    with proxy.running():
        point(client, two, proxy.url)
        proxy.fault = drip("info", 0.001)
        assert heading(synchronise(client, two)) == f"Synchronised with {two.name}"  # slow is not broken
        released = threading.Event()
        proxy.fault = silence("info", released)
        started = time.monotonic()
        told_nothing_changed(one, two, client, r"It did not answer \(20 s\)")
        assert 19 < time.monotonic() - started < 45
        released.set()


def test_a_run_is_cancelled_while_the_peer_is_silent(start_office):
    one, two, client, proxy = behind_a_proxy(start_office)
    with proxy.running():
        point(client, two, proxy.url)
        before = state(one), state(two)
        released = threading.Event()
        proxy.fault = silence("export_begin", released)
        given = {"direction": "both", "extent": "changes", "what": "everything"}
        key = key_of(client.get(f"{PLUGIN}instance/{code(two)}"))
        answer = client.post(f"{PLUGIN}synchronise/{code(two)}", key | given)
        assert "/progress/" in answer.url and "Asking the other office" in text_of(client.get(answer.url))
        job = answer.url.rsplit("/", 1)[1]
        answer = client.post(f"{PLUGIN}cancel/{job}", key_of(answer))
        released.set()
        answer = follow(client, answer)
        assert heading(answer) == "Cancelled, nothing changed"
        assert (state(one), state(two)) == before


PROXIED = []


def behind_a_proxy(start_office):
    """Two offices with a proxy between, the same ones for all tests of the module."""
    if not PROXIED:
        one, two = start_office("near"), start_office("far")
        client, _ = pair(one, two)
        PROXIED.append((one, two, client))
    one, two, client = PROXIED[0]
    return one, two, client, Proxy(address(two))
