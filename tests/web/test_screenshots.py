"""The pictures of the documentation. SCREENSHOTS=docs/screenshots puts them where the README and the pages show them."""

import os
import re
from pathlib import Path

import pytest

from ..offices import ROOT
from .calling import code, give_access, introduce
from .pages import export
from .test_undo import OLD, organisations

pytestmark = pytest.mark.browser
MAX_BYTES = 150_000
VIEW = {"width": 1000, "height": 720}
PAGES = "home export import check progress result undo conflict history instances instance synchronised settings tables"
SHOWN = PAGES.split()
DARK = ("check", "home", "conflict")  # shown in dark colours too


class Camera:
    """Takes pictures of a tab."""

    def __init__(self, page, folder):
        self.page, self.folder = page, folder

    def take(self, name, address=None):
        if address:
            self.page.goto(address)
        self.page.mouse.move(0, 0)
        self.page.screenshot(path=self.folder / f"{name}.png")
        if name in DARK:
            self.page.emulate_media(color_scheme="dark")
            self.page.screenshot(path=self.folder / f"{name}-dark.png")
            self.page.emulate_media(color_scheme="light")

    def choose(self, file):
        self.page.goto("import_file")
        self.page.get_by_label("File").set_input_files(file)
        self.page.get_by_role("button", name="Check file").click()
        self.page.get_by_text("Nothing has been changed yet.").wait_for(timeout=120_000)

    def press(self, name):
        self.page.get_by_role("button", name=re.compile(f"^{name}")).click()


def two_versions(office, folder):
    """A file whose records were changed here at the same time."""
    found = office.query("SELECT uuid, name, acronym FROM org_organisation ORDER BY id LIMIT 3")
    for uuid, _, _ in found:
        sql = "UPDATE org_organisation SET website = 'https://jacmel.example.org', modified_on = ? WHERE uuid = ?"
        office.query(sql, OLD, uuid)
    there = f"https://example.org,{OLD}"
    rows = [f'{n},{uuid},"{name} International",{acronym},{there}' for n, (uuid, name, acronym) in enumerate(found, 1)]
    file = folder / "Main-office-org.csv"
    new = "9,a7c4-new,Relief Logistics,RL,https://example.net,2026-05-02 09:12:00"
    [(uuid, name)] = office.query("SELECT uuid, name FROM org_organisation ORDER BY id LIMIT 1 OFFSET 3")
    changed = f'10,{uuid},"{name}",NEW,https://example.net,2126-05-02 09:12:00'
    file.write_text(
        organisations(*rows, new, changed, header="id,uuid,name,acronym,website,modified_on"), encoding="utf-8", newline=""
    )
    return file


def synchronise(camera, main, office):
    """Let the office call the main one, whose file it has imported, and take pictures."""
    introduce(main, office)
    page = camera.page
    page.goto(f"instance/{code(main)}")
    page.get_by_label("Web address").fill(main.url)
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_label("Token from this office").fill(give_access(main.administrator(), office))
    camera.press("Keep token and policy")
    camera.take("instance", f"instance/{code(main)}")
    camera.press("Synchronise now")
    page.wait_for_url("**/result/**", timeout=120_000)
    camera.take("synchronised")


def test_the_pictures_of_the_documentation(start_office, open_page, tmp_path):
    chosen = os.environ.get("SCREENSHOTS")
    folder = ROOT / chosen if chosen else tmp_path / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    file = tmp_path / "Main-office-all.csv"
    main = start_office("Port-au-Prince", demo="main")
    file.write_bytes(export(main.administrator()))
    office = start_office("Jacmel", demo="jacmel")
    camera = Camera(open_page(office, viewport=VIEW, color_scheme="light"), folder)
    for name in ("export", "tables"):
        camera.take(name, name)
    camera.take("import", "import_file")
    camera.choose(file)
    camera.take("check")
    camera.press("Import ")
    camera.page.wait_for_url("**/progress/**")
    while (bar := camera.page.locator(".ps progress")).count():
        if int(bar.get_attribute("value")) <= 700:
            camera.take("progress")
        camera.page.wait_for_timeout(300)
        camera.page.reload()
    camera.page.wait_for_url("**/result/**")
    camera.take("result")
    camera.choose(two_versions(office, tmp_path))
    camera.press("Import ")
    camera.page.wait_for_url("**/result/**")
    camera.page.get_by_role("link", name="Undo this import").click()
    camera.page.get_by_role("heading", name="By table").wait_for()
    camera.take("undo")
    camera.page.goto("conflicts")
    camera.page.locator("tbody a").first.click()
    camera.take("conflict")
    synchronise(camera, main, office)
    for name, address in (("home", "index"), ("history", "history"), ("instances", "instances"), ("settings", "options")):
        camera.take(name, address)

    pictures = sorted(folder.glob("*.png"))
    assert {picture.stem for picture in pictures} == {*SHOWN, *(f"{name}-dark" for name in DARK)}
    assert all(Path(picture).stat().st_size <= MAX_BYTES for picture in pictures)
