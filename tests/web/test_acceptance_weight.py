"""What pages weigh as Chromium counts it, and that a large preview stays small. Acceptance 11 and 16."""

import pytest

from .pages import PLUGIN, export, follow, key_of, together, upload
from .test_undo import NEW

pytestmark = pytest.mark.browser
PAGES = ("index", "export", "import_file", "tables", "instances", "instance_add", "conflicts", "history", "options")
FIRST_BYTES, REPEAT_BYTES, REQUESTS, PREVIEW_BYTES = 25_000, 15_000, 10, 100_000


class Meter:
    """Counts what a tab transfers, headers included."""

    def __init__(self, page):
        self.page, self.bytes, self.urls = page, 0, []
        self.session = page.context.new_cdp_session(page)
        self.session.send("Network.enable")
        self.session.on("Network.loadingFinished", self._finished)
        page.on("request", lambda request: self.urls.append(request.url))

    def _finished(self, event):
        self.bytes += int(event["encodedDataLength"])

    def visit(self, address):
        """Open a page; return the bytes transferred and the addresses asked for."""
        self.bytes, self.urls = 0, []
        self.page.goto(address, wait_until="networkidle")
        return self.bytes, self.urls

    def forget(self):
        self.session.send("Network.clearBrowserCache")


@pytest.mark.parametrize("address", PAGES)
def test_a_view_is_light_and_asks_nobody_else(main_office, meter, address):
    urls = _is_light(meter, address)
    assert all(url.startswith(main_office.url) for url in urls)


def _is_light(meter, address):
    meter.forget()
    first, urls = meter.visit(address)
    repeat, _ = meter.visit(address)
    print(f"{address}: first {first:,} bytes, {len(urls)} requests, repeat {repeat:,}")
    assert 0 < first <= FIRST_BYTES
    assert 0 < repeat <= REPEAT_BYTES
    assert len(urls) <= REQUESTS
    return urls


@pytest.fixture(scope="module")
def meter(main_office, chromium):
    context = chromium.new_context(base_url=f"{main_office.url}plugin_sync/")
    page = context.new_page()
    page.goto(f"{main_office.url}default/user/login")
    page.fill("[name=email]", main_office.email)
    page.fill("[name=password]", main_office.password)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"{main_office.url}**")
    yield Meter(page)
    context.close()


def test_an_import_is_light_at_each_step(main_office, start_office, open_page):
    office = start_office("weighed")
    meter = Meter(open_page(office))
    check = upload(office.administrator(), export(main_office.administrator()))
    _is_light(meter, check.url)
    meter.page.get_by_role("button", name="Import ").click()
    meter.page.wait_for_url("**/result/**", timeout=120_000)
    _is_light(meter, meter.page.url)


def test_a_preview_of_50_000_rows_is_small(start_office):
    """Also when a third of the rows cannot be taken, each for a reason of its own, and values are long."""
    office = start_office("preview")
    names = ",".join(
        f"org_organisation.{name}" for name in ("id", "uuid", "name", "acronym", "founded_on", "modified_on", "more")
    )
    long = "long " * 40
    rows = (f"{n},u{n},{long}{n},A{n},{f'x{n}' * 20 if n % 3 == 0 else '2001-02-03'},{NEW},z" for n in range(1, 50_001))
    text = "\r\n".join([f"TABLE org_organisation\r\n{names}", *rows, "", "", "END", ""])
    office.query(
        "INSERT INTO org_organisation (uuid, name, acronym, modified_on) WITH RECURSIVE n(i) AS "
        "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) SELECT 'u' || i, printf('%.500c', 'x'), 'B', '2001-01-01' FROM n"
    )
    client = office.administrator()
    fields = key_of(client.get(f"{PLUGIN}import_file")) | {"policy": "newer"}
    check = follow(client, client.post(f"{PLUGIN}import_file", fields, {"file": ("large.csv", text.encode())}))
    found = together(check)
    assert (sum(found.values()), found["rejected"], found["changed"]) == (50_000, 16_666, 6_666)
    print(f"{len(check.body):,} bytes")
    assert len(check.body) <= PREVIEW_BYTES
