"""Records with two versions, decided through the pages in a browser."""

import pytest

from .test_undo import NEW, OLD, import_through, organisations

pytestmark = pytest.mark.browser
HOSTILE = '<script>alert("x")</script> \u202e"'


@pytest.fixture
def office(start_office, request):
    office = start_office(f"conflicts-{abs(hash(request.node.nodeid))}", demo="none")
    for number in range(1, 4):
        office.query(
            "INSERT INTO org_organisation (uuid, name, acronym, website, modified_on) VALUES (?, ?, ?, ?, ?)",
            f"here-{number}",
            f"Here {number}",
            f"H{number}",
            "https://here.example",
            OLD,
        )
    return office


def file_of(name="There"):
    rows = [f"{n},here-{n},{name} {n},T{n},https://there.example,{OLD}" for n in range(1, 4)]
    return organisations(*rows, f"9,nine,Nine,N,,{NEW}", header="id,uuid,name,acronym,website,modified_on")


def found(office):
    return office.query("SELECT uuid, name, acronym, website FROM org_organisation WHERE uuid LIKE 'here%' ORDER BY uuid")


def pick(page, field, side):
    page.locator(f"[name=pick_{field}][value={side}]").check()


@pytest.mark.parametrize("script", [True, False])
def test_picks_are_saved_exactly_and_lead_to_the_next(office, open_page, tmp_path, script):
    page = open_page(office, java_script_enabled=script)
    import_through(page, tmp_path, file_of())
    page.get_by_role("link", name="3 records with two versions need a decision.").click()
    page.get_by_role("link", name="There 1").click()
    page.get_by_role("button", name="Save and next").click()  # nothing was picked
    assert page.title().startswith("Error:")
    assert page.get_by_role("alert").get_by_role("link").count() == 3
    pick(page, "name", "theirs")
    pick(page, "acronym", "ours")
    pick(page, "website", "other")
    page.locator("[name=other_website]").fill("https://third.example")
    page.get_by_role("button", name="Save and next").click()
    assert "here-2" in page.inner_text(".ps")
    page.get_by_role("link", name="Decide later").click()
    assert "here-3" in page.inner_text(".ps")
    for field in ("name", "acronym", "website"):
        pick(page, field, "ours")
    page.get_by_role("button", name="Save and next").click()
    assert found(office) == [
        ("here-1", "There 1", "H1", "https://third.example"),
        ("here-2", "Here 2", "H2", "https://here.example"),
        ("here-3", "Here 3", "H3", "https://here.example"),
    ]
    assert "here-2" in page.inner_text(".ps") and page.get_by_role("button", name="Save", exact=True).count() == 1
    assert office.tickets() == []


def test_all_at_once_after_being_asked(office, open_page, tmp_path):
    page = open_page(office)
    page.goto("conflicts")
    assert "No records need a decision." in page.inner_text(".ps")
    import_through(page, tmp_path, file_of())
    page.goto("conflicts")
    page.get_by_role("button", name="Continue").click()
    assert page.get_by_role("alert").inner_text().count("Select which versions to keep") == 1
    page.get_by_label("Take the versions from the files").check()
    page.get_by_role("button", name="Continue").click()
    assert [row[1] for row in found(office)] == ["Here 1", "Here 2", "Here 3"]
    page.get_by_role("button", name="Decide 3 records").click()
    assert "3 records were decided." in page.inner_text(".ps")
    assert "No records need a decision." in page.inner_text(".ps")
    assert [row[1] for row in found(office)] == ["There 1", "There 2", "There 3"]


def test_one_record_is_said_as_one(office, open_page, tmp_path):
    page = open_page(office)
    file = tmp_path / "one.csv"
    file.write_text(organisations(f"1,here-1,There,{OLD}"), encoding="utf-8", newline="")
    page.goto("import_file")
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Check file").click()
    page.get_by_role("button", name="List 1 record for a decision").click()
    page.wait_for_url("**/result/**")
    assert page.inner_text(".ps-lead") == "Nothing was changed."
    page.get_by_role("link", name="1 record with two versions needs a decision.").click()
    assert page.get_by_role("group", name="Decide 1 record", exact=True).count() == 1
    page.get_by_label("Take the versions from the files").check()
    page.get_by_role("button", name="Continue").click()
    assert "The version from the file replaces that of this office for 1 record." in page.inner_text(".ps")
    page.get_by_role("button", name="Decide 1 record", exact=True).click()
    assert "1 record was decided." in page.inner_text(".ps")


def test_hostile_names_stay_text(office, open_page, tmp_path):
    page = open_page(office)
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))
    text = file_of().replace("There 1", '"' + HOSTILE.replace('"', '""') + '"')
    import_through(page, tmp_path, text, name="<img src=x onerror=alert(1)>.csv")
    page.goto("conflicts")
    page.get_by_role("link", name=HOSTILE).click()
    assert HOSTILE in page.inner_text(".ps")
    pick(page, "name", "theirs")
    pick(page, "acronym", "ours")
    pick(page, "website", "ours")
    page.get_by_role("button", name="Save and next").click()
    assert found(office)[0][1] == HOSTILE
