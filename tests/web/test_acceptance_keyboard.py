"""Export, import, result and undo by keyboard alone: Tab, Enter, Space and, within radio buttons, arrows. Acceptance 3."""

import re

import pytest
from playwright.sync_api import expect

from .pages import records

pytestmark = pytest.mark.browser
FOCUS = """(e => ({
    name: (e.labels?.[0] ?? e).textContent.trim().replace(/\\s+/g, ' '),
    seen: e.matches(':focus-visible') && getComputedStyle(e).outlineStyle === 'solid'
        && parseFloat(getComputedStyle(e).outlineWidth) >= 2,
    inside: (r => r.right > 0 && r.left < innerWidth && r.bottom > 0 && r.top < innerHeight)(e.getBoundingClientRect()),
}))(document.activeElement)"""


def tab_to(page, name):
    """Press Tab until something of this name has the focus; whatever has it on the way shows it, within the window."""
    passed = []
    for _ in range(120):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        assert focus["seen"] and focus["inside"], focus
        passed.append(focus["name"])
        if re.fullmatch(name, focus["name"]):
            return
    raise AssertionError(f"{name} is not reached by keyboard, but {passed}")


def go_to(page, name, key="Enter"):
    tab_to(page, name)
    page.keyboard.press(key)


def test_the_whole_way_of_a_file(main_office, start_office, open_page, tmp_path):
    office = start_office("by-keyboard")
    here, there = open_page(main_office), open_page(office)
    here.goto("index")
    go_to(here, "Skip to content")
    go_to(here, "Export")
    here.wait_for_url("**/export")
    go_to(here, "hrm_skill|Skills.*", "Space")
    with here.expect_download() as waiting:
        go_to(here, "Download (the )?chosen( tables)?")
    file = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(file)

    before = records(office)
    there.on("filechooser", lambda chooser: chooser.set_files(file))  # listened for long before it opens
    there.goto("index")
    go_to(there, "Import a file")
    there.wait_for_url("**/import_file")
    tab_to(there, "File")
    go_to(there, "Check file")  # nothing chosen
    there.wait_for_selector(".ps-errors")
    assert there.evaluate("document.activeElement.className") == "ps-errors"
    go_to(there, "Select a file")
    assert there.evaluate("document.activeElement.id") == "ps-file"
    there.keyboard.press("Enter")
    expect(there.locator("#ps-file:focus")).to_have_value(re.compile(re.escape(file.name)))
    tab_to(there, "Newest wins")
    there.keyboard.press("ArrowDown")
    go_to(there, "Check file", "Space")
    there.wait_for_url("**/check/*")
    go_to(there, r"Import \d+ new rows")
    there.wait_for_url("**/result/*")
    assert records(office)["hrm_skill"] == records(main_office)["hrm_skill"]
    assert office.query("SELECT policy FROM plugin_sync_job WHERE kind = 'import'") == [("theirs",)]
    go_to(there, "Undo this import")
    there.wait_for_url("**/undo/*")
    go_to(there, "Undo this import", "Space")
    there.wait_for_url("**/result/*")
    assert there.inner_text("h1") == "The import was undone"
    assert records(office) == before
