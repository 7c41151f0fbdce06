"""Who may do what: every action of the plugin's controller against every kind of visitor."""

import ast
import re

import pytest

from ..offices import ROOT
from .pages import PLUGIN, export, follow, key_of, records, text_of, upload

CONTROLLER = ROOT / "controllers" / "plugin_sync.py"
SERVICES = {"call"}  # they judge their callers themselves: below, and test_services.py
NOBODY = "00000000-0000-4000-8000-000000000000"
CHANGES = {"import_file": "", "check": NOBODY, "apply": NOBODY, "mend": "org_office/index"}


def actions():
    """Every function of the controller that web2py serves."""
    source = CONTROLLER.read_text(encoding="utf-8")
    exposed = re.findall(r"^def\s+(_?[a-zA-Z0-9]\w*)\( *\)\s*:", source, re.MULTILINE)
    assert set(exposed) <= {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    return sorted(set(exposed) - SERVICES)


PAGES = {
    "index": 200,
    "export": 200,
    "export_file": 200,
    "import_file": 200,
    "tables": 200,
    "instances": 200,
    "check": 404,
    "apply": 404,
    "again": 404,
    "cancel": 404,
    "progress": 404,
    "status": 404,
    "result": 404,
    "mend": 403,
    "rejects": 404,
    "undo": 404,
    "conflicts": 200,
    "conflict": 404,
    "instance": 404,
    "instance_add": 200,
    "instance_state": 404,
    "instance_remove": 404,
    "instance_calls": 404,
    "instance_access": 404,
    "synchronise": 404,
    "pairing": 200,
    "parcel": 404,
    "history": 200,
    "options": 200,
}


def test_each_action_has_its_place_in_this_test():
    assert actions() == sorted(PAGES)


@pytest.mark.parametrize("action", actions())
def test_visitors_are_sent_to_sign_in(main_office, action):
    answer = main_office.client().get(PLUGIN + action)
    assert "/user/login?_next=" in answer.url
    assert "TABLE " not in answer.text


@pytest.mark.parametrize("action", actions())
def test_visitors_cannot_post(main_office, action):
    answer = main_office.client().post(PLUGIN + action, {})
    assert answer.status == 403
    assert "Nothing was done" in answer.text


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("action", actions())
def test_users_who_are_no_administrators_are_refused(main_office, action, method):
    client = main_office.user()
    answer = client.get(PLUGIN + action) if method == "get" else client.post(PLUGIN + action, {})
    assert answer.status == 403
    assert "Only administrators may open these pages." in text_of(answer)


@pytest.mark.parametrize("action", actions())
def test_administrators_get_each_page(main_office, action):
    answer = main_office.administrator().get(PLUGIN + action)
    assert answer.status == PAGES[action]
    assert main_office.tickets() == []


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("protocol", ["", "/", "/xmlrpc", "/jsonrpc", "/run", "/xmlrpc/index"])
def test_the_services_are_closed_to_everybody_without_credentials_of_their_own(main_office, protocol, method):
    for client in (main_office.client(), main_office.user(), main_office.administrator()):  # a session opens no service
        answer = client.get(f"{PLUGIN}call{protocol}") if method == "get" else client.post(f"{PLUGIN}call{protocol}", {"a": "b"})
        assert answer.status in (400, 401, 404, 405), (protocol, answer.status)
        assert "TABLE " not in answer.text and "base_uuid" not in answer.text
    assert main_office.tickets() == []


def test_every_action_that_is_no_page_is_named_here():
    source = CONTROLLER.read_text(encoding="utf-8")
    guarded = re.search(r'^if request.function != "(\w+)":.*\n    __require_administrator\(\)$', source, re.MULTILINE)
    assert {guarded[1]} == SERVICES


@pytest.mark.parametrize(
    "name", ["_page", "__page", "__new_key", "__job", "__start", "__shown", "__labels", "__require_administrator"]
)
def test_helpers_are_no_pages(main_office, name):
    assert main_office.administrator().get(PLUGIN + name).status in (400, 404)


@pytest.mark.parametrize("key", [{}, {"_formkey": "guessed", "_formname": "plugin_sync"}])
@pytest.mark.parametrize("action", ["import_file", "mend", "instance_add", "options", "conflicts"])
def test_a_post_without_the_pages_key_is_refused(main_office, action, key):
    before = main_office.query("SELECT count(*) FROM plugin_sync_job")
    client = main_office.administrator()
    client.get(PLUGIN + "import_file")
    answer = client.post(f"{PLUGIN}{action}/{CHANGES.get(action, '')}", key | {"policy": "newer"}, {"file": ("x.csv", b"END")})
    assert answer.status == 403
    assert "This page was used already, or it is too old." in text_of(answer)
    assert main_office.query("SELECT count(*) FROM plugin_sync_job") == before


def test_an_import_needs_the_key_and_takes_it_once(main_office, empty_office):
    client = empty_office.administrator()
    check = upload(client, export(main_office.administrator(), what="module", module="gis"))
    apply = check.url.replace("/check/", "/apply/")
    refused = client.post(apply, {})
    assert refused.status == 403
    assert client.get(apply).status == 403  # a link cannot import either
    assert not records(empty_office)["gis_location"]
    key = key_of(check)
    assert follow(client, client.post(apply, key)).url.endswith(check.url.split("/check/")[1])
    assert len(records(empty_office)["gis_location"]) > 30_000
    again = follow(client, client.post(apply, key))  # a double click: the import ran once, its result is shown
    assert (again.status, "/result/" in again.url) == (200, True)
    assert client.post(check.url, key).status == 403


def test_a_key_of_another_session_is_refused(main_office):
    key = key_of(main_office.administrator().get(PLUGIN + "import_file"))
    answer = main_office.administrator().post(PLUGIN + "import_file", key, {"file": ("x.csv", b"END")})
    assert answer.status == 403


def test_an_unknown_job_or_module_is_a_clear_404(main_office):
    client = main_office.administrator()
    for path in (f"check/{NOBODY}", "result/..%2f..%2fetc", "export_file?what=module&module=auth"):
        answer = client.get(PLUGIN + path)
        assert answer.status in (400, 404), path
    answer = client.get(f"{PLUGIN}export_file?what=tables&table=auth_user")
    assert answer.status == 404
    assert "auth_user" in answer.text and "@" not in answer.text
