"""appadmin: for administrators alone, and working as a fallback."""

import urllib.parse
from importlib.util import find_spec
from pathlib import Path

import pytest

from demo_host import appadmin

ALL_SKILLS = urllib.parse.urlencode({"query": "db.hrm_skill.id>0"})


@pytest.fixture(scope="module")
def original() -> str:
    welcome = Path(find_spec("gluon").origin).parents[1] / "applications" / "welcome"
    return (welcome / "controllers" / "appadmin.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def office(start_office):
    return start_office("appadmin", demo="jacmel")


def test_the_check_is_replaced(original):
    text = appadmin.guarded(original)
    compile(text, "appadmin.py", "exec")
    assert 'auth.has_membership("admin")' in text
    assert "check_credentials" not in text
    assert "is_local" not in text


@pytest.mark.parametrize("change", [("127.0.0.1", "127.0.0.2"), ("ignore_rw = True\n", ""), ("= datetime\n", "=datetime\n")])
def test_another_check_is_refused(original, change):
    with pytest.raises(appadmin.UnknownAppadminError):
        appadmin.guarded(original.replace(*change))


def test_what_cannot_be_guarded_is_removed(tmp_path, original):
    app = tmp_path / "applications" / "sync"
    welcome = tmp_path / "applications" / "welcome" / "controllers"
    for folder in (app / "controllers", welcome):
        folder.mkdir(parents=True)
    (welcome / appadmin.NAME).write_text(original, encoding="utf-8")
    appadmin.put(app)
    assert (app / "controllers" / appadmin.NAME).exists()
    (welcome / appadmin.NAME).write_text(original.replace("127.0.0.1", "127.0.0.2"), encoding="utf-8")
    with pytest.raises(appadmin.UnknownAppadminError):
        appadmin.put(app)
    assert not (app / "controllers" / appadmin.NAME).exists()


@pytest.mark.parametrize("page", ["index", f"select/db?{ALL_SKILLS}", "insert/db/hrm_skill", f"csv/db?{ALL_SKILLS}", "state"])
def test_visitors_have_to_sign_in(office, page):
    answer = office.client().get(f"/sync/appadmin/{page}")
    assert "/user/login" in answer.url
    assert b"Sign in" in answer.body


@pytest.mark.parametrize("page", ["index", f"select/db?{ALL_SKILLS}", "insert/db/hrm_skill", f"csv/db?{ALL_SKILLS}", "state"])
def test_others_are_refused(office, page):
    answer = office.user().get(f"/sync/appadmin/{page}")
    assert answer.status == 403
    assert "Only administrators may open this page." in answer.text
    assert "Nursing" not in answer.text


@pytest.mark.parametrize("page", ["index", f"select/db?{ALL_SKILLS}", "insert/db/hrm_skill", "state", "ccache"])
def test_administrators_see_every_page(office, page):
    answer = office.administrator().get(f"/sync/appadmin/{page}")
    assert (answer.status, office.tickets()) == (200, [])


@pytest.mark.parametrize("page", ["manage/auth", "d3_graph_model", "hooks"])
def test_pages_without_a_view_are_not_there(office, page):
    assert office.administrator().get(f"/sync/appadmin/{page}").status == 404


@pytest.mark.parametrize(
    "values",
    [
        {"query": "__import__('os').system('true')"},
        {"query": "db.hrm_skill.id>0", "delete_check": "on"},
        {"query": "db.hrm_skill.id>0", "update_check": "on", "update_fields": "name='x'"},
        {"query": "db.hrm_skill.id>0", "orderby": "hrm_skill.id and exit()"},
    ],
)
def test_a_link_can_only_ask_for_rows(office, values):
    before = office.query("SELECT id, name FROM hrm_skill")
    answer = office.administrator().get(f"/sync/appadmin/select/db?{urllib.parse.urlencode(values)}")
    assert answer.status == 403
    assert office.query("SELECT id, name FROM hrm_skill") == before


def test_a_page_elsewhere_can_ask_for_nothing(office):
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert office.administrator().get(f"/sync/appadmin/select/db?{ALL_SKILLS}", **headers).status == 403


def test_the_query_box_takes_any_query(office):
    answer = office.administrator().post("/sync/appadmin/select/db", {"query": "db.hrm_skill.name.startswith('Nurs')"})
    assert "1 records found" in answer.text


def test_passwords_are_not_exported(office):
    query = urllib.parse.urlencode({"query": "db.auth_user.id>0"})
    assert office.administrator().get(f"/sync/appadmin/csv/db?{query}").status == 403


def test_csv_goes_out_and_comes_in(office):
    client = office.administrator()
    exported = client.get(f"/sync/appadmin/csv/db?{ALL_SKILLS}")
    assert exported.headers["Content-Disposition"].startswith("attachment")
    lines = exported.body.decode("utf-8").splitlines()
    assert lines[0].split(",")[:3] == ["hrm_skill.id", "hrm_skill.name", "hrm_skill.category"]
    assert len(lines) == 1 + len(office.query("SELECT id FROM hrm_skill"))
    changed = exported.body.replace(b"First aid", "Premiers secours, été".encode()).replace(b"Premiers", b'"Premiers', 1)
    changed = changed.replace("été".encode(), 'été"'.encode(), 1)
    page = client.get(f"/sync/appadmin/select/db?{ALL_SKILLS}")
    fields = {name: page.hidden(name) for name in ("_formkey", "_formname", "table")}
    answer = client.post(f"/sync/appadmin/select/db?{ALL_SKILLS}", fields, {"csvfile": ("skills.csv", b"\xef\xbb\xbf" + changed)})
    assert "data uploaded" in answer.text
    names = [name for (name,) in office.query("SELECT name FROM hrm_skill")]
    assert "Premiers secours, été" in names
    assert len(names) == len(lines) - 1


def test_csv_without_a_form_key_is_not_taken(office):
    before = office.query("SELECT count(*) FROM hrm_skill")
    content = b"hrm_skill.id,hrm_skill.name\r\n1,Forged\r\n"
    client = office.administrator()
    client.post(f"/sync/appadmin/select/db?{ALL_SKILLS}", {"table": "hrm_skill"}, {"csvfile": ("skills.csv", content)})
    assert office.query("SELECT count(*) FROM hrm_skill") == before
