"""Taking an import back, and the rows that were left out of it, through the pages in a browser."""

import re

import pytest

from .pages import follow, heading, key_of, records, send, text_of

pytestmark = pytest.mark.browser
OLD, NEW = "2001-01-01 00:00:00", "2031-01-01 00:00:00"
HEADER = "id,uuid,name,modified_on"


def organisations(*rows, header=HEADER):
    names = ",".join(f"org_organisation.{name}" for name in header.split(","))
    return "\r\n".join(["TABLE org_organisation", names, *rows, "", "", "END", ""])


def import_through(page, tmp_path, text, policy=None, name="changes.csv"):
    """Choose a file, check it and press the button; the page is the result's then."""
    file = tmp_path / name
    file.write_text(text, encoding="utf-8", newline="")
    page.goto("import_file")
    page.get_by_label("File").set_input_files(file)
    if policy:
        page.locator(f"[name=policy][value={policy}]").check()
    page.get_by_role("button", name="Check file").click()
    page.get_by_text("Nothing has been changed yet.").wait_for()
    page.get_by_role("button", name=re.compile("^Import ")).click()
    page.wait_for_url("**/result/**")


@pytest.mark.parametrize("script", [True, False])
def test_undo_restores_all_but_what_was_edited_since(start_office, open_page, tmp_path, script):
    office = start_office(f"undo-{script}", demo="none")
    for number in range(1, 6):
        office.query(
            "INSERT INTO org_organisation (uuid, name, modified_on) VALUES (?, ?, ?)", f"here-{number}", f"Here {number}", OLD
        )
    before = records(office)["org_organisation"]
    page = open_page(office, java_script_enabled=script)
    rows = [f"{n},here-{n},Changed {n},{NEW}" for n in range(1, 6)] + [f"{n},there-{n},There {n},{NEW}" for n in range(6, 9)]
    import_through(page, tmp_path, organisations(*rows))
    assert "3 new and 5 changed rows were written." in page.inner_text(".ps")

    office.query("UPDATE org_organisation SET name = 'Edited since' WHERE uuid IN ('here-2', 'there-7')")
    page.get_by_role("link", name="Undo this import").click()
    assert "Removes 2 records. Restores 4 records. Keeps 2 records" in page.inner_text(".ps-lead")
    assert "Changed 1" in [name for (name,) in office.query("SELECT name FROM org_organisation")]
    page.get_by_role("button", name="Undo this import").click()
    page.wait_for_url("**/result/**")
    assert page.inner_text("h1") == "The import was undone"
    assert "2 records were removed. 4 records were restored." in page.inner_text(".ps")
    kept = page.get_by_role("region", name=re.compile("Records that stay")).inner_text()
    assert "here-2" in kept and "there-7" in kept and kept.count("edited since") == 2

    after = records(office)["org_organisation"]
    assert {uuid for uuid in before | after if before.get(uuid) != after.get(uuid)} == {"here-2", "there-7"}
    page.get_by_role("link", name="changes.csv").click()
    assert "This import was undone on" in page.inner_text(".ps")
    assert page.get_by_role("link", name="Undo this import").count() == 0
    assert office.tickets() == []


ONE = {
    "en": "1 row in 16 tables, about | Removes 1 record. | 1 record was removed. | Restores 1 record. | 1 record was restored.",
    "fr": "1 ligne dans 16 tables, environ | Retire 1 enregistrement. | 1 enregistrement a été retiré. |"
    " Rétablit 1 enregistrement. | 1 enregistrement a été rétabli.",
    "es": "1 fila en 16 tablas, unos | Quita 1 registro. | Se quitó 1 registro. | Restaura 1 registro. | Se restauró 1 registro.",
}
WRITTEN = {
    "en": ("1 new row was written.", "1 changed row was written."),
    "fr": ("1 ligne nouvelle a été écrite.", "1 ligne modifiée a été écrite."),
    "es": ("Se escribió 1 fila nueva.", "Se escribió 1 fila modificada."),
}


@pytest.mark.parametrize("language", ONE)
def test_one_is_said_as_one(start_office, language):
    client = start_office(f"one-{language}", demo="none").administrator()
    client.opener.addheaders = [("Accept-Language", language)]
    whole, removes, removed, restores, restored = ONE[language].split(" | ")
    new, changed = WRITTEN[language]

    def import_one(name, when):
        _, result = send(client, organisations(f"1,one,{name},{when}").encode())
        return result

    def undo(result):
        address = re.search(r'href="([^"]+/undo/[^"]+)"', result.text)[1]
        look = client.get(address)
        return text_of(look), text_of(follow(client, client.post(address, key_of(look))))

    first = import_one("One", OLD)
    assert new in text_of(first)
    assert whole in text_of(client.get("/sync/plugin_sync/export"))
    second = import_one("Two", NEW)
    assert changed in text_of(second)
    asked, done = undo(second)
    assert (restores in asked, removes in asked, restored in done, removed in done) == (True, False, True, False)
    asked, done = undo(first)
    assert (restores in asked, removes in asked, restored in done, removed in done) == (False, True, False, True)


def test_nine_bad_rows_are_downloaded_mended_and_imported(start_office, open_page, tmp_path):
    office = start_office("rejects", demo="none")
    page = open_page(office)
    bad = [f"{n},bad-{n},Bad {n},31/12/{2000 + n}" for n in range(1, 10)]
    import_through(page, tmp_path, organisations(*bad, f"10,good,Good,{NEW}"))
    assert page.inner_text("h1") == "Imported with 9 rows left out"
    with page.expect_download() as found:
        page.get_by_role("link", name="Download the rejected rows").click()
    text = found.value.path().read_bytes().decode()
    assert found.value.suggested_filename.startswith("changes-rejected-")
    assert text.count("dates look changed by a spreadsheet") == 9 and "Good" not in text
    mended = re.sub(r"31/12/(\d{4})\r", r"\1-12-31 00:00:00\r", text)
    import_through(page, tmp_path, mended, name="mended.csv")
    assert page.inner_text("h1") == "Imported"
    assert len(office.query("SELECT 1 FROM org_organisation")) == 10


def test_records_edited_since_the_check_stop_the_import(start_office, open_page, tmp_path):
    office = start_office("stale", demo="none")
    office.query("INSERT INTO org_organisation (uuid, name, modified_on) VALUES ('one', 'One', ?)", OLD)
    page = open_page(office)
    file = tmp_path / "changes.csv"
    file.write_text(organisations(f"1,one,Uno,{NEW}", f"2,two,Dos,{NEW}"), encoding="utf-8", newline="")
    page.goto("import_file")
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Check file").click()
    office.query("UPDATE org_organisation SET name = 'Une', modified_on = '2011-01-01 00:00:00'")
    office.query("INSERT INTO org_organisation (uuid, name, modified_on) VALUES ('two', 'Deux', '2041-01-01 00:00:00')")
    page.get_by_role("button", name="Import 1 new and 1 changed row", exact=True).click()
    page.get_by_text("2 of these records were edited since. Check the file again. Nothing was changed.").wait_for()
    assert sorted(name for (name,) in office.query("SELECT name FROM org_organisation")) == ["Deux", "Une"]
    assert page.get_by_role("button", name="Run again").count() == 0
    page.get_by_role("button", name="Check again").click()
    page.get_by_role("button", name="Import 1 changed row").click()
    page.wait_for_url("**/result/**")
    assert sorted(name for (name,) in office.query("SELECT name FROM org_organisation")) == ["Deux", "Uno"]


def test_what_cannot_be_undone_says_so(start_office):
    client = start_office("undo-nothing", demo="none").administrator()
    answer = client.get("/sync/plugin_sync/undo/nothing")
    assert answer.status == 404
    assert heading(answer) == "Nothing was done"
    assert "there is no such import" in text_of(answer).lower()
