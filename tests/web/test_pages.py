"""The pages in a real browser: usable without JavaScript and by keyboard, readable, light, nothing from elsewhere."""

import re
from pathlib import Path

import pytest

from ..offices import ROOT
from .pages import export, text_of, upload

pytestmark = pytest.mark.browser
PAGES = ("index", "export", "import_file", "tables", "instances", "instance_add", "history", "options")
STATIC = ROOT / "static" / "plugin_sync"

MISSING = (Path(__file__).parent / "missing.js").read_text(encoding="utf-8")
FOCUSED = "(e => e.matches(':focus-visible') && (e.labels?.[0] ?? e).textContent.trim())(document.activeElement)"


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_for_everybody(main_office, open_page, name, scripts):
    page = open_page(main_office, java_script_enabled=scripts, viewport={"width": 320, "height": 640})
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    assert page.goto(name).status == 200
    assert page.title()
    if scripts:
        assert page.evaluate(MISSING) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the screen"
        small = "[...document.querySelectorAll('.ps button, .ps input:not([type=hidden]), .ps .ps-button')]"
        sizes = f"{small}.map(e => e.getBoundingClientRect()).filter(r => r.height < 22 || r.width < 22).length"
        assert page.evaluate(sizes) == 0
    assert not said
    assert len(asked) <= 10
    assert all(url.startswith(main_office.url) for url in asked)


def test_a_first_view_is_light(main_office):
    client = main_office.administrator()
    for name in PAGES:
        answer = client.get(f"plugin_sync/{name}")
        files = re.findall(r'(?:href|src)="(/[^"]*static[^"]+\.(?:css|js))"', answer.text)
        size = len(answer.body) + sum(len(client.get(path).body) for path in files)
        assert size <= 60_000, f"{name}: {size} bytes before compression"


def test_the_plugins_own_files_are_small_and_cannot_clash():
    css = (STATIC / "plugin_sync.css").read_text(encoding="utf-8")
    assert len(css.encode()) <= 8192
    assert sum(path.stat().st_size for path in STATIC.glob("*.js")) <= 4096
    rules = re.findall(r"([^{}]+)\{[^{}]*\}", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL))
    heads = [rule for rule in rules if not rule.strip().startswith("@")]
    selectors = [part.strip() for head in heads for part in head.split(",")]
    assert all(s.startswith((".ps", "td)", "th")) for s in selectors), [s for s in selectors if not s.startswith(".ps")]
    views = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "views" / "plugin_sync").glob("*.html"))
    classes = {name for value in re.findall(r'class="([^"{]+)', views) for name in value.split()}
    assert all(name == "ps" or name.startswith("ps-") for name in classes), classes
    script = '<script src="{{=URL("static", "plugin_sync/plugin_sync.js")}}" defer></script>'
    assert "<script" not in views.replace(script, "") and "style=" not in views and "http" not in views


def updated(page):
    """Press "Update" on the progress page until it leads on."""
    while "/progress/" in page.url:
        page.wait_for_timeout(200)
        page.get_by_role("link", name="Update").click()


def test_without_javascript_a_file_goes_from_one_office_to_another(main_office, start_office, open_page, tmp_path):
    office = start_office("no-script", demo="none")
    here, there = (open_page(o, java_script_enabled=False) for o in (main_office, office))
    here.goto("export")
    with here.expect_download() as waiting:
        here.get_by_role("row", name="gis").get_by_role("link").click()
    file = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(file)

    there.goto("import_file")
    there.get_by_role("button", name="Check file").click()
    assert there.title().startswith("Error: Import a file")
    there.get_by_role("link", name="Select a file").wait_for()
    there.get_by_label("File").set_input_files(file)
    there.get_by_role("radio", name="Use theirs").check()
    there.get_by_role("button", name="Check file").click()
    updated(there)
    there.get_by_text("Nothing has been changed yet.").wait_for()
    there.get_by_role("button", name=re.compile(r"^Import [\d,]+ new rows$")).click()
    updated(there)
    there.get_by_role("heading", name="Imported", level=1).wait_for()
    assert office.query("SELECT count(*) FROM gis_location") == main_office.query("SELECT count(*) FROM gis_location")
    assert office.query("SELECT policy, state FROM plugin_sync_job WHERE state = 'done'") == [("theirs", "done")]
    there.goto("index")
    there.get_by_role("link", name=file.name).click()
    there.get_by_role("heading", name="Imported", level=1).wait_for()


def test_by_keyboard_alone_a_file_is_checked_and_imported(main_office, start_office, open_page, tmp_path):
    office = start_office("keyboard", demo="none")
    file = Path(tmp_path, "skills.csv")
    file.write_bytes(export(main_office.administrator(), what="tables", table="hrm_skill"))
    page = open_page(office)
    page.goto("import_file")

    def tab_to(name):
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate(FOCUSED) == name:
                return
        raise AssertionError(f"{name} is not reached by keyboard")

    tab_to("File")
    page.get_by_label("File").set_input_files(file)
    tab_to("Newest wins")
    page.keyboard.press("ArrowDown")
    tab_to("Check file")
    page.keyboard.press("Enter")
    page.wait_for_url("**/check/*")
    tab_to("Import 24 new rows")
    page.keyboard.press("Enter")
    page.wait_for_url("**/result/*")
    assert office.query("SELECT count(*) FROM hrm_skill") == [(24,)]
    assert office.query("SELECT policy FROM plugin_sync_job") == [("theirs",)]


def test_a_fault_takes_the_focus(main_office, open_page):
    page = open_page(main_office)
    page.goto("import_file")
    page.get_by_role("button", name="Check file").click()
    page.wait_for_selector(".ps-errors")
    assert page.evaluate("document.activeElement.className") == "ps-errors"
    page.get_by_role("link", name="Select a file").click()
    assert page.evaluate("document.activeElement.id") == "ps-file"


def test_appadmin_is_one_click_from_each_table(main_office, open_page):
    page = open_page(main_office)
    page.goto("tables")
    page.get_by_role("link", name="org_office").click()
    assert "/appadmin/select/db" in page.url
    assert page.locator("table").count() > 0


def test_home_reminds_of_imports_that_wait_and_of_no_others(start_office):
    client = start_office("waiting").administrator()
    head = b"TABLE org_office\r\norg_office.id,org_office.uuid,org_office.name\r\n"
    upload(client, head + b"1,o1,Fine\r\n\r\n\r\nEND", name="wanted.csv")
    upload(client, head + b"\r\n\r\nEND", name="nothing.csv")
    said = text_of(client.get("plugin_sync/index"))
    assert "wanted.csv was checked and waits to be imported" in said
    assert "nothing.csv" not in said
