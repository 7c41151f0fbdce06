"""A real browser for the tests of the pages."""

import pytest
from playwright.sync_api import expect

expect.set_options(timeout=20_000)  # other tests run meanwhile


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
