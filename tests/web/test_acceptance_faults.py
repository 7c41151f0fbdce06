"""A sentence for each cause that keeps a file out, and texts of strangers that stay texts. Acceptance 5 and 6."""

import io
import re

import pytest

from plugin_sync.errors import FileProblem
from plugin_sync.jobs.files import keep_file

from .pages import export, records, settle
from .test_undo import NEW, import_through, organisations

pytestmark = pytest.mark.browser
HEAD = "TABLE org_organisation\r\norg_organisation.id,org_organisation.uuid,org_organisation.name,org_organisation.founded_on"
GOOD = f"{HEAD}\r\n1,o1,Fine,2001-02-03\r\n\r\n\r\nEND\r\n"
NO_CSV = "The selected file must be a CSV, XML or ZIP"
CHOOSE = "Choose the .csv file that was exported, here or at another office."
SAVE = "Choose the .csv file itself, or save this one as 'CSV UTF-8'."
FROM_STICK = "Copy it again from the USB stick."
CAUSES = {
    "empty": (b"", "The selected file is empty."),
    "image": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", f"{NO_CSV}; it is an image. {CHOOSE}"),
    "PDF": (b"%PDF-1.7\n", f"{NO_CSV}; it is a PDF document. {CHOOSE}"),
    "XLSX": (b"PK\x03\x04\x14\0\0\0,a\0b\n", f"{NO_CSV}; it is a ZIP archive or a spreadsheet (XLSX, ODS). {SAVE}"),
    "XLS": (b"\xd0\xcf\x11\xe0\xa1\xb1", f"{NO_CSV}; it is an old Office document, such as XLS. {SAVE}"),
    "web page": (b"<!DOCTYPE html><p>Sign in</p>", f"{NO_CSV}; it is a web page. {CHOOSE}"),
    "program": (b"\0asm,a\0b\n", f"{NO_CSV}. {CHOOSE}"),
    "cut in a cell": (f'{HEAD}\r\n1,o1,"Fi'.encode(), f"The file is incomplete: it ends inside a cell (line 3). {FROM_STICK}"),
    "cut in a table": (GOOD[:-8].encode(), f"The file is incomplete: its END is missing. {FROM_STICK}"),
    "cut in END": (GOOD[:-4].encode(), f"The file is incomplete: it ends with 'E' (line 6). {FROM_STICK}"),
    "damaged": (
        f'{GOOD}SYNC {{"version":1,"rows":{{}},"sha256":"0"}}\r\n'.encode(),
        "The file is not as it was written: it was damaged or edited. Copy or download it again. If it was edited on purpose, "
        "remove its last line, which begins with SYNC, and import it.",
    ),
    "semicolons": (
        GOOD.replace(",", ";").encode(),
        "The columns are separated by semicolons (line 2). Save the file with commas between the columns.",
    ),
    "tabs": (
        GOOD.replace(",", "\t").encode(),
        "The columns are separated by tabs (line 2). Save the file with commas between the columns.",
    ),
    "Latin-1": (
        GOOD.replace("Fine", "Fin\xe9").encode("latin-1"),
        "The file is not text in UTF-8 (line 1). Save it as 'CSV UTF-8' and import that.",
    ),
    "UTF-16": (
        GOOD.encode("utf-16"),
        "The file is in UTF-16. Save it as 'CSV UTF-8', not as 'Unicode text', and import that.",
    ),
    "quotes": (
        GOOD.replace("Fine", '"Fi"ne').encode(),
        "The quotes of this line do not match (line 3). A quote inside a quoted cell is written twice.",
    ),
    "a spreadsheet's padding": (
        GOOD.replace("organisation\r\n", "organisation,,,\r\n", 1).encode(),
        "A spreadsheet has padded the rows of this file (line 1). Import the file as it was exported, or save each table as a "
        "CSV of its own.",
    ),
    "accounts": (b"TABLE auth_user\r\nauth_user.id,auth_user.email\r\n1,x\r\n\r\n\r\nEND", None),
}


@pytest.fixture(scope="module")
def office(start_office):
    return start_office("faults")


def choose(page, data, name="data.csv"):
    page.goto("import_file")
    page.get_by_label("File").set_input_files({"name": name, "mimeType": "text/csv", "buffer": data})
    page.get_by_role("button", name="Check file").click()


def test_each_cause_has_its_sentence(office, open_page):
    page, before = open_page(office), records(office)
    told = {}
    for cause, (data, _) in CAUSES.items():
        choose(page, data)
        summary = page.get_by_role("alert", name="There is a problem")
        summary.wait_for()
        assert page.title().startswith("Error: ")
        assert page.evaluate("document.activeElement.className") == "ps-errors", cause
        summary.get_by_role("link").click()
        assert page.evaluate("document.activeElement.id") == "ps-file", cause
        told[cause] = summary.get_by_role("link").inner_text()
    assert "auth_user" in told.pop("accounts")
    assert told == {cause: sentence for cause, (_, sentence) in CAUSES.items() if sentence}
    assert records(office) == before
    assert office.tickets() == []


def test_a_file_that_is_too_large_is_not_kept(tmp_path):
    with pytest.raises(FileProblem, match=r"^the selected file is larger than 1 MB$"):
        keep_file(io.BytesIO(bytes((1 << 20) + 1)), tmp_path / "kept", limit_bytes=1 << 20)
    assert list(tmp_path.iterdir()) == []


def test_rows_that_cannot_be_taken_have_theirs(office, open_page):
    rows = ["1,o1,Fine,03/04/25", "2,o2,Short", "3,o3,Fine,2001-02-30", "4,,No name,2001-02-03"]
    page = open_page(office)
    choose(page, "\r\n".join([HEAD, *rows, "", "", "END"]).encode())
    page.get_by_text("Nothing has been changed yet.").wait_for()
    found = " | ".join(page.locator("#ps-problems + ul li").all_inner_texts())
    assert re.search(
        r"Organisations, founded_on: Dates look changed by a spreadsheet: '03/04/25'\. Write them as .* line 3", found
    )
    assert re.search(r"Organisations: Has 3 cells, its header has 4\. once; line 4", found)
    assert re.search(r"Organisations, founded_on: Is not a date: '2001-02-30'\. once; line 5", found)


def test_a_file_of_this_office_and_one_that_was_imported_are_known_again(office, open_page, tmp_path):
    page = open_page(office)
    import_through(page, tmp_path, organisations(f"1,again,Again,{NEW}"))
    choose(page, organisations(f"1,again,Again,{NEW}").encode())
    page.get_by_text(re.compile(r"Already imported \d.*; nothing new\.")).wait_for()
    choose(page, export(office.administrator()))
    page.get_by_text("This file was made by this office.").wait_for()


HOSTILE = "<script>alert('x')</script>\u202e\"'&amp;"


def test_hostile_texts_stay_texts_on_every_page(start_office, open_page, tmp_path):
    """In the name of a file, a value, the name of a table for people and of an instance."""
    office = start_office("hostile")
    settle(office, f"db.org_organisation._plural = db.org_organisation._singular = {HOSTILE!r}")
    page = open_page(office)
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))
    sql = "INSERT INTO org_organisation (uuid, name, acronym, modified_on) VALUES ('both', ?, 'H', '2001-01-01 00:00:00')"
    office.query(sql, HOSTILE)
    quoted = '"' + HOSTILE.replace('"', '""') + '"'
    rows = [f"1,both,{quoted}x,T,,2001-01-01 00:00:00", f"2,new,{quoted},N,,{NEW}", f"3,bad,{quoted},B,{quoted},{NEW}"]
    rows[0] = rows[0].replace('"x,', 'x",')
    text = organisations(*rows, header="id,uuid,name,acronym,founded_on,modified_on")
    text = text.replace("END", f"TABLE {HOSTILE}\r\nx.id,x.uuid\r\n1,2\r\n\r\n\r\nEND")
    page.goto("import_file")
    file = {"name": f"{HOSTILE.replace('/', '')}.csv", "mimeType": "text/csv", "buffer": text.encode()}
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Check file").click()
    page.get_by_text("Nothing has been changed yet.").wait_for()
    seen = {page.url: page.content()}
    page.get_by_role("button", name=re.compile("^Import ")).click()
    page.wait_for_url("**/result/**")
    page.goto("instance_add")
    page.locator("[name=base_uuid]").fill("abcd")
    for name in ("name", "owner", "contact"):
        page.locator(f"[name={name}]").fill(HOSTILE)
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("was added").wait_for()

    waiting = ["index", "history", "conflicts", "instances", "export", "export?for=abcd", "tables", "options", "instance/abcd"]
    waiting += ["instance_remove/abcd", page.url]
    while waiting:
        page.goto(waiting.pop())
        if page.url not in seen:
            seen[page.url] = page.content()
            links = page.eval_on_selector_all(".ps a:not([download])", "found => found.map(a => a.href.split('#')[0])")
            waiting += [a for a in links if re.search(r"/(result|check|conflict|undo)/[0-9a-f-]{36}$", a)]
    assert {"result", "check", "conflict", "undo"} <= {url.split("/")[-2] for url in seen}
    for url, html in seen.items():
        assert "<script>alert" not in html, url
    assert sum("&lt;script&gt;" in html for html in seen.values()) >= 10
    assert office.tickets() == []
