"""Every page in every state, with and without scripts: no fault that axe-core knows of, and nothing wider than the screen.

Acceptance 1, 4 and 16.
"""

import re

import pytest

from .axe import audit, audit_without_scripts
from .test_undo import NEW, OLD, organisations

pytestmark = pytest.mark.browser
NOBODY = "00000000-0000-4000-8000-000000000000"
HEADER = "id,uuid,name,acronym,founded_on,modified_on,unknown"
FILE = organisations(
    f"1,new,New,N,2001-01-01,{NEW},x",
    f"2,changed,Changed there,C,2001-01-01,{NEW},x",
    *(f"{n},both-{n},There {n},T{n},2001-01-01,{OLD},x" for n in (3, 4)),
    *(f"{n},bad-{n},Bad {n},B,31/12/2001,{NEW},x" for n in range(5, 14)),
    header=HEADER,
)


class Walk:
    """A way through the pages that looks at each state it comes to."""

    def __init__(self, page, office, stand, folder):
        self.page, self.office, self.stand, self.folder = page, office, stand, folder
        self.seen, self.wrong = set(), []

    def look(self, state, address=None):
        if address:
            self.page.goto(address)
        self.seen.add(state)
        self.wrong += [f"{state}: {found}" for found in self.audit()]

    def audit(self):
        return audit_without_scripts(self.page, self.stand) if self.stand else audit(self.page)

    def press(self, name):
        self.go(self.page.get_by_role("button", name=re.compile(f"^{name}")))

    def go(self, button):
        with self.page.expect_navigation():  # else the page that is left, or none, would be looked at
            button.click()

    def check(self, name, text):
        file = self.folder / name
        file.write_text(text, encoding="utf-8", newline="")
        self.page.goto("import_file")
        self.page.get_by_label("File").set_input_files(file)
        self.press("Check file")

    def job(self):
        return re.search(r"[0-9a-f-]{36}", self.page.url)[0]

    def set(self, job, state, step="apply"):
        self.office.query("UPDATE plugin_sync_job SET state = ?, step = ? WHERE uuid = ?", state, step, job)


@pytest.fixture
def stand(chromium):
    """A tab to look at what other tabs show."""
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def empty_pages(walk):
    for name in ("index", "export", "import_file", "tables", "instances", "history", "conflicts", "instance_add", "options"):
        walk.look(f"{name} empty", name)


def faults_of_forms(walk):
    walk.look("export error", "export?what=tables&none=1")
    walk.page.goto("import_file")
    walk.press("Check file")
    walk.look("import_file empty submit")
    walk.check("broken.csv", "TABLE org_office\r\norg_office.id,org_office.name\r\n1,")
    walk.page.get_by_text("There is a problem").wait_for()
    walk.look("import_file error")
    walk.page.goto("instance_add")
    walk.press("Add from this file")
    walk.look("instance_add file error")
    walk.page.goto("instance_add")
    walk.go(walk.page.get_by_role("button", name="Add", exact=True))
    walk.look("instance_add error")
    walk.page.goto("options")
    walk.page.locator("[name=retention_days]").fill("0")
    walk.press("Save")
    walk.look("options error")
    walk.look("history error", "history?from=yesterday")
    walk.look("history no entries", "history?result=failed")


def an_import(walk):
    walk.check("changes.csv", FILE)
    walk.page.get_by_text("Nothing has been changed yet.").wait_for()
    walk.look("check")
    for details in walk.page.locator("summary").all():
        details.click()
    walk.look("check, all of it")
    walk.press("Import ")
    walk.page.wait_for_url("**/result/**")
    walk.look("result with rows left out")
    imported = walk.job()
    walk.check("changes.csv", FILE)
    walk.look("check of what is here")
    walk.look("index filled", "index")
    return imported


def ends_of_imports(walk):
    walk.check("other.csv", organisations(f"1,other,Other,{NEW}", f"2,changed,Again,{NEW[:3]}2{NEW[4:]}"))
    walk.page.get_by_text("Nothing has been changed yet.").wait_for()
    job = walk.job()
    walk.set(job, "queued")
    walk.look("progress", f"progress/{job}")
    assert walk.page.get_by_role("progressbar", name="Importing").count() == 1
    walk.look("progress, cancelling", f"progress/{job}?cancel=1")
    walk.set(job, "running")
    walk.look("result interrupted", f"result/{job}")
    walk.set(job, "checked", "check")
    walk.page.goto(f"check/{job}")
    walk.office.query("UPDATE org_organisation SET modified_on = '2041-01-01 00:00:00', name = 'Edited' WHERE uuid = 'changed'")
    walk.press("Import ")
    walk.page.wait_for_url("**/result/**")
    walk.look("result failed")
    walk.press("Check again")
    walk.press("Discard this file")
    walk.look("result cancelled")


def conflicts(walk):
    walk.look("conflicts", "conflicts")
    walk.look("conflicts, no match", "conflicts?table=org_office")
    walk.page.goto("conflicts")
    walk.press("Continue")
    walk.look("conflicts error")
    walk.page.get_by_label("Take the newest").check()
    walk.press("Continue")
    walk.look("conflicts sure")
    walk.page.goto("conflicts")
    walk.go(walk.page.get_by_role("link", name="There 3"))
    decided = walk.page.url
    walk.look("conflict")
    walk.press("Save")
    walk.look("conflict error")
    for name in ("name", "acronym"):
        walk.page.locator(f"[name=pick_{name}][value=theirs]").check()
    walk.press("Save")
    walk.look("conflict, the next")
    walk.look("conflict decided", decided)


def an_undo(walk, job):
    walk.look("undo", f"undo/{job}")
    walk.press("Undo this import")
    walk.page.wait_for_url("**/result/**")
    walk.look("undone")
    walk.look("result of an undone import", f"result/{job}")
    walk.look("undo refused", f"undo/{NOBODY}")


def instances(walk):
    walk.page.goto("instance_add")
    walk.page.locator("[name=base_uuid]").fill("abcd")
    walk.page.locator("[name=name]").fill("Jacmel")
    walk.go(walk.page.get_by_role("button", name="Add", exact=True))
    walk.look("instances")
    walk.look("instance", "instance/abcd")
    walk.press("Pause")
    walk.look("instance paused")
    walk.look("instance_remove", "instance_remove/abcd")
    walk.look("export for an instance", "export?for=abcd")
    walk.page.goto("index")


def refusals(walk):
    walk.look("refused: no such job", f"check/{NOBODY}")
    walk.look("refused: no key", "mend")
    walk.look("refused: no such instance", "instance/none")


def test_a_fault_would_be_found(main_office, open_page, stand):
    for scripts in (True, False):
        page = open_page(main_office, java_script_enabled=scripts)
        page.set_content("<html lang=en><title>x</title><input><p style='color:#999;background:#aaa;width:900px'>pale</p>")
        found = audit(page) if scripts else audit_without_scripts(page, stand)
        for fault in ("wide, light: color-contrast", "narrow, dark: color-contrast", "light: label", "narrow: the page is wider"):
            assert any(fault in told for told in found), (fault, found)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_no_page_in_any_state_has_a_fault(start_office, open_page, stand, tmp_path, scripts):
    office = start_office(f"states-{scripts}")
    page = open_page(office, java_script_enabled=scripts)
    walk = Walk(page, office, None if scripts else stand, tmp_path)
    empty_pages(walk)
    faults_of_forms(walk)
    for uuid in ("changed", "both-3", "both-4"):
        sql = "INSERT INTO org_organisation (uuid, name, acronym, modified_on) VALUES (?, ?, 'H', ?)"
        office.query(sql, uuid, f"Here {uuid}", OLD)
    job = an_import(walk)
    ends_of_imports(walk)
    conflicts(walk)
    an_undo(walk, job)
    instances(walk)
    walk.look("history", "history")
    walk.look("tables", "tables")
    refusals(walk)
    walk.look("home of the application", "../default/index")
    walk.look("profile", "../default/user/profile")
    page.context.clear_cookies()
    walk.look("sign-in", "index")
    page.fill("[name=email]", office.email)
    page.press("[name=email]", "Enter")
    walk.look("sign-in error")
    assert len(walk.seen) >= 50
    assert walk.wrong == [], "\n".join(walk.wrong)
    assert office.tickets() == []
