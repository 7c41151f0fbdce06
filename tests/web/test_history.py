"""The history: what was exchanged, by filters in the address, with pictures that are tables too."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from .pages import PLUGIN, text_of
from .test_pages import MISSING

pytestmark = pytest.mark.browser
EVIL = '"><script>alert(1)</script>'
TODAY = datetime.now(UTC).replace(tzinfo=None, hour=0, minute=5, second=0, microsecond=0)


@pytest.fixture(scope="module")
def office(start_office):
    """An office with 130 exchanges in 65 days, two a day: an import from Jacmel and an export."""
    office = start_office("past", demo="none", TZ="America/Port-au-Prince")
    query = office.query
    query(
        "INSERT INTO sync_instance (base_uuid, name, state, last_update, sync_count) VALUES ('c3d4', ?, 'known', ?, 1)",
        f"Jacmel {EVIL}",
        str(TODAY),
    )
    jacmel = query("SELECT id FROM sync_instance WHERE base_uuid = 'c3d4'")[0][0]
    admin = query("SELECT id FROM auth_user")[0][0]
    job = "INSERT INTO plugin_sync_job (uuid, kind, state, file_name, instance_id, user_id, created_on, finished_on)"
    for ago in range(65):
        when = str(TODAY - timedelta(days=ago))
        state = "failed" if ago == 3 else "done"
        query(f"{job} VALUES (?, 'import', ?, ?, ?, ?, ?, ?)", f"in-{ago}", state, f"in {ago} {EVIL}", jacmel, admin, when, when)
        query(f"{job} VALUES (?, 'export', 'done', ?, NULL, NULL, ?, ?)", f"out-{ago}", f"out-{ago}.csv", when, when)
        columns = "job_uuid, table_name, exported, new, changed, same, older, conflict, rejected, removed, restored"
        tally = f"INSERT INTO plugin_sync_tally ({columns}) VALUES (?, ?, ?, ?, 0, 0, 0, 0, ?, 0, 0)"
        query(tally, f"in-{ago}", "org_office", 0, 2, 4 if ago == 5 else 0)
        query(tally, f"out-{ago}", "hrm_skill", 7, 0, 0)
    return office


@pytest.fixture
def client(office):
    return office.administrator()


def entries(answer):
    """How many entries match, and how many are on the page."""
    total = re.search(r"([\d,]+) entr(?:y|ies)", text_of(answer))
    listed = re.findall(r"<tr>\s*<td class=\"ps-wrap\">", answer.text)
    return (int(total[1].replace(",", "")) if total else 0), len(listed)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", (130, 50)),
        ("page=3", (130, 30)),
        ("page=4", (130, 0)),
        ("page=x", (130, 50)),
        ("instance=c3d4", (65, 50)),
        ("direction=export", (65, 50)),
        ("result=failed", (1, 1)),
        ("result=left_out", (1, 1)),
        ("result=cancelled", (0, 0)),
        ("table=hrm_skill&direction=import", (0, 0)),
        ("table=hrm_skill", (65, 50)),
        (f"from={TODAY:%Y-%m-%d}", (2, 2)),
        (f"from={TODAY - timedelta(days=3):%Y-%m-%d}&to={TODAY - timedelta(days=2):%Y-%m-%d}&instance=c3d4", (2, 2)),
        ("instance=ffff", (0, 0)),
        ("instance=ffff&instance=c3d4", (65, 50)),
    ],
)
def test_filters_are_in_the_address(office, client, query, found):
    answer = client.get(f"{PLUGIN}history?{query}")
    assert (answer.status, entries(answer)) == (200, found)
    assert ("No entries match. Clear filters." in text_of(answer)) == (found == (0, 0))
    assert "<script>alert" not in answer.text
    assert office.tickets() == []


def test_filters_are_chosen_and_cleared_without_javascript(office, open_page):
    page = open_page(office, java_script_enabled=False)
    page.goto("history")
    page.get_by_label("Instance", exact=True).select_option("c3d4")
    page.get_by_label("Result").select_option("With rows left out")
    page.get_by_label("From the day").fill(f"{TODAY - timedelta(days=9):%Y-%m-%d}")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="1 entry")).to_be_visible()
    assert "instance=c3d4" in page.url and "result=left_out" in page.url
    assert page.get_by_label("Instance", exact=True).input_value() == "c3d4"
    expect(page.get_by_role("cell", name="2 new, 4 rejected")).to_be_visible()
    page.get_by_role("link", name="Clear filters").click()
    assert page.url.endswith("/history")
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text("Page 2 of 3")).to_be_visible()


@pytest.mark.parametrize(
    ("query", "field"),
    [("from=03/04/25", "from"), ("to=x", "to"), ("from=2026-05-02&to=2026-05-01", "to"), ("from=2026-05-02&from=2", "from")],
)
def test_days_that_are_none_are_named(office, client, query, field):
    answer = client.get(f"{PLUGIN}history?{query}")
    assert answer.status == 200 and "<title>Error: History" in answer.text
    assert f'<a href="#ps-{field}">' in answer.text and f'id="ps-{field}-fault"' in answer.text
    assert office.tickets() == []


def test_pictures_say_the_same_as_their_tables(client):
    answer = client.get(f"{PLUGIN}history")
    bars, strip, line = re.findall(r'<svg class="ps-(?:bars|strip|spark)".*?</svg>', answer.text, re.DOTALL)
    assert bars.count("<rect") == 28 and 'viewBox="0 0 14 96"' in bars
    assert strip.count("<rect") == 60 and strip.count("ps-c2") == 1
    assert "59 of 60 succeeded" in text_of(answer)
    assert 'role="img"' in line and line.count(",") >= 14
    days = re.findall(
        r"<tr><th scope=\"row\">([^<]+)</th><td class=\"ps-num\">1</td><td class=\"ps-num\">1</td></tr>", answer.text
    )
    assert len(days) == 14 and days[-1] == f"{TODAY.day} {TODAY:%b}"
    first = f"{TODAY - timedelta(days=400):%Y-%m-%d}"
    assert 'viewBox="0 0 60 96"' in client.get(f"{PLUGIN}history?from={first}").text


def test_times_are_told_in_utc_and_of_the_place(client):
    assert re.search(r"00:05 UTC \d+ \w{3}, (19|20):05 E[SD]T", text_of(client.get(f"{PLUGIN}history")))


def test_nothing_yet_is_said(start_office):
    client = start_office("no-past", demo="none").administrator()
    assert "No data exchanged yet." in text_of(client.get(f"{PLUGIN}history"))
    assert "No data exchanged yet." in text_of(client.get(f"{PLUGIN}index"))
    assert "<svg" not in client.get(f"{PLUGIN}history").text


@pytest.mark.parametrize(
    "address",
    ["history", "history?from=2026-05-02&to=2026-05-01", "index", "instances", "instance/c3d4", "export?for=c3d4", "options"],
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_with_something_in_them_are_whole(office, open_page, address, scheme):
    page = open_page(office, viewport={"width": 320, "height": 640}, color_scheme=scheme)
    said = []
    page.on("console", lambda message: said.append(message.text))
    assert page.goto(address).status == 200
    assert page.evaluate(MISSING) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not said


def test_a_page_of_50_is_light(client):
    answer = client.get(f"{PLUGIN}history")
    assert len(answer.body) < 40_000


def test_printed_it_shows_what_was_found_and_its_tables(office, open_page):
    page = open_page(office)
    page.goto("history")
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Show")).to_be_hidden()
    expect(page.get_by_role("heading", name="130 entries")).to_be_visible()


def test_home_tells_what_waits_and_what_came(office, client):
    text = text_of(client.get(f"{PLUGIN}index"))
    assert "4 rejected rows" in text
    assert "Highest on one day: 2" in text
    assert f"Jacmel {EVIL}" in text and "waits to be sent: everything" in text
    assert "Last export:" in text
    office.query("INSERT INTO plugin_sync_job (uuid, kind, state, step, file_name, created_on) VALUES"
                 " ('cut', 'import', 'running', 'apply', 'cut.csv', ?)", str(TODAY))  # fmt: skip
    text = text_of(client.get(f"{PLUGIN}index"))
    assert "1 interrupted import" in text and "cut.csv was interrupted; nothing was changed" in text
    assert "Interrupted, nothing changed" in text_of(client.get(f"{PLUGIN}history?result=open"))
    office.query("DELETE FROM plugin_sync_job WHERE uuid = 'cut'")
