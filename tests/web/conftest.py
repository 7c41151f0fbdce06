"""A real browser for the tests of the pages."""

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


@pytest.fixture(scope="session")
def chromium():
    """Debian's Chromium; without it these tests are skipped, or fail when everything is required."""
    if not os.access(CHROMIUM, os.X_OK):
        if os.environ.get("SYNC_REQUIRE") == "all":
            pytest.fail("SYNC_REQUIRE=all, but there is no chromium (apt-get install chromium)")
        pytest.skip("there is no chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Open a tab signed in as an office's administrator: `open_page(office, java_script_enabled=False)`."""
    contexts = []

    def open_page(office, **options):
        context = chromium.new_context(base_url=f"{office.url}plugin_sync/", **options)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{office.url}default/user/login")
        page.fill("[name=email]", office.email)
        page.fill("[name=password]", office.password)
        page.press("[name=password]", "Enter")
        page.wait_for_url(f"{office.url}**")
        return page

    yield open_page
    for context in contexts:
        context.close()
