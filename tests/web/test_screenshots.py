"""The pictures of the documentation. SCREENSHOTS=docs/screenshots puts them where the README shows them."""

import os
from pathlib import Path

import pytest

from ..offices import ROOT
from .pages import export

pytestmark = pytest.mark.browser
MAX_BYTES = 150_000
VIEW = {"width": 1000, "height": 720}


def test_the_pictures_of_the_documentation(main_office, start_office, open_page, tmp_path):
    chosen = os.environ.get("SCREENSHOTS")
    folder = ROOT / chosen if chosen else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    here = open_page(main_office, viewport=VIEW, color_scheme="light")
    for name in ("export", "tables"):
        here.goto(name)
        here.screenshot(path=folder / f"{name}.png")

    file = tmp_path / "Main-office-all.csv"
    file.write_bytes(export(main_office.administrator()))
    there = open_page(start_office("pictured", demo="jacmel"), viewport=VIEW, color_scheme="light")
    there.goto("import_file")
    there.get_by_label("File").set_input_files(file)
    there.get_by_role("button", name="Check file").click()
    there.get_by_text("Nothing has been changed yet.").wait_for()
    there.screenshot(path=folder / "check.png")

    pictures = sorted(folder.glob("*.png"))
    assert [picture.name for picture in pictures] == ["check.png", "export.png", "tables.png"]
    assert all(Path(picture).stat().st_size <= MAX_BYTES for picture in pictures)
