"""The served application: signing in, what every answer carries, and the host's own pages."""

import gzip
import os
import re
import stat
import subprocess

import pytest

from .. import offices


def test_the_demonstration_data_is_there(main_office):
    tables = ("gis_location", "pr_person", "pr_group_membership", "supply_item", "hrm_staff")
    counts = {table: main_office.query(f"SELECT count(*) FROM {table}")[0][0] for table in tables}
    assert counts["gis_location"] > 25_000
    assert counts["pr_person"] > 10_000
    assert sum(counts.values()) > 50_000


def test_every_reference_in_the_database_is_right(main_office):
    assert main_office.query("PRAGMA foreign_key_check") == []
    (found,) = main_office.query(
        "SELECT a.name, b.name, c.name FROM gis_location a JOIN gis_location b ON b.id = a.parent"
        " JOIN gis_location c ON c.id = b.parent WHERE a.name = 'Jacmel'"
    )
    assert found == ("Jacmel", "Jacmel region", "Haiti")


def test_two_offices_have_the_same_record_under_other_numbers(main_office, jacmel_office):
    sql = "SELECT l.id, l.uuid, p.uuid FROM gis_location l JOIN gis_location p ON p.id = l.parent WHERE l.name = 'Port-au-Prince'"
    (main,), (jacmel,) = main_office.query(sql), jacmel_office.query(sql)
    assert main[1:] == jacmel[1:]
    assert main[0] != jacmel[0]


def test_uploaded_files_are_there(main_office):
    (count,) = main_office.query("SELECT count(*) FROM doc_document")[0]
    names = [name for (name,) in main_office.query("SELECT file FROM doc_document")]
    assert count == len(names) > 10
    assert all((main_office.app / "uploads" / name).stat().st_size > 100 for name in names)
    answer = main_office.administrator().get(f"/sync/default/download/{names[0]}")
    assert answer.text.startswith("Situation report")
    assert "attachment" in answer.headers["Content-Disposition"]


def test_uploaded_files_are_for_those_signed_in(main_office):
    (name,) = main_office.query("SELECT file FROM doc_document LIMIT 1")[0]
    assert "/user/login" in main_office.client().get(f"/sync/default/download/{name}").url


def test_signing_in(main_office):
    client = main_office.client()
    for wrong in ("not the password", "short", main_office.password.upper()):
        assert "The address or the password is wrong" in client.sign_in(main_office.email, wrong).text
    answer = client.sign_in(main_office.email, main_office.password)
    assert "Sign out" in answer.text
    assert "Synchronise" in answer.text


def test_others_are_not_offered_what_is_for_administrators(main_office):
    answer = main_office.user().get("/sync/default/index")
    assert "Sign out" in answer.text
    assert "Synchronise" not in answer.text


def test_the_password_is_stored_slowly_hashed_and_its_file_is_private(main_office):
    (hashed,) = main_office.query("SELECT password FROM auth_user WHERE email = ?", main_office.email)[0]
    assert hashed.startswith("pbkdf2(210000,32,sha512)$")
    assert stat.S_IMODE((main_office.app / "private" / "administrator.txt").stat().st_mode) == 0o600


@pytest.mark.parametrize("path", ["/", "/sync/default/index", "/sync/default/user/login"])
def test_every_answer_says_what_may_run(main_office, path):
    headers = main_office.client().get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", ["/sync/default/nothing", "/sync/nothing/index", "/nothing"])
def test_a_page_that_is_not_there(main_office, path):
    answer = main_office.client().get(path)
    assert answer.status == 404
    assert "Page not found" in answer.text
    assert "invalid" not in answer.text


@pytest.mark.parametrize("table", ["gis_location", "hrm_staff", "doc_image", "gis_layer_wms", "supply_item"])
def test_records_can_be_looked_at(main_office, table):
    answer = main_office.administrator().get(f"/sync/default/records/{table}")
    assert answer.status == 200
    assert "Records 1 to " in answer.text
    assert main_office.tickets() == []


@pytest.mark.parametrize("table", ["auth_user", "gis_apikey", "sync_instance", "nothing"])
def test_other_tables_cannot(main_office, table):
    assert main_office.administrator().get(f"/sync/default/records/{table}").status == 404


@pytest.mark.parametrize(("old", "new"), [("export_data", "export"), ("import_data", "import_file")])
def test_known_addresses_lead_to_the_plugin(main_office, old, new):
    answer = main_office.administrator().get(f"/sync/default/{old}")
    assert answer.status == 200
    assert re.search(rf"/plugin_sync/{new}$", answer.url)


def test_an_empty_office_offers_the_demonstration_data(start_office):
    office = start_office("bare")
    client = office.administrator()
    page = client.get("/sync/default/index")
    assert "No records yet" in page.text
    client.post("/sync/default/index", {"_formname": "demo"})
    assert office.query("SELECT count(*) FROM gis_location") == [(0,)]
    answer = client.post("/sync/default/index", {"_formname": "demo", "_formkey": page.hidden("_formkey")})
    assert "records were loaded" in answer.text
    assert office.query("SELECT count(*) FROM gis_location")[0][0] > 25_000


def test_a_second_start_keeps_everything(start_office, tmp_path):
    first = offices.start(tmp_path, "twice")
    password = first.password
    first.query("INSERT INTO hrm_skill (name, uuid) VALUES ('Kept', 'a')")
    first.stop()
    second = offices.start(tmp_path, "twice", demo="main")
    try:
        assert second.password == password
        assert second.query("SELECT name FROM hrm_skill") == [("Kept",)]
        assert "Sign out" in second.client().sign_in(second.email, password).text
    finally:
        second.stop()


def test_a_taken_port_is_told(main_office, tmp_path):
    port = main_office.url.rsplit(":", 1)[1].strip("/")
    settings = {"SYNC_INSTANCES": str(tmp_path), "INSTANCE": "late", "DEMO": "none", "PORT": port}
    done = subprocess.run([offices.ROOT / "run", "serve"], env=os.environ | settings, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"Port {port} of 127.0.0.1 cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_shell_and_a_new_password(start_office, tmp_path):
    office = offices.start(tmp_path, "shell")
    old = office.password
    office.stop()
    script = tmp_path / "count.py"
    script.write_text("print('skills:', db(db.hrm_skill).count())", encoding="utf-8")
    assert "skills: 0" in run("shell", tmp_path, "-R", script)
    assert "Sign in as admin@example.com" in run("password", tmp_path)
    assert office.password != old


def run(command: str, instances, *arguments: object) -> str:
    settings = {"SYNC_INSTANCES": str(instances), "INSTANCE": "shell"}
    return subprocess.run(
        [offices.ROOT / "run", command, *map(str, arguments)],
        env=os.environ | settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("path", ["css/host.css", "plugin_sync/plugin_sync.css", "plugin_sync/plugin_sync.js"])
def test_static_files_travel_compressed_to_browsers_that_take_them(main_office, path):
    address = f"/sync/static/{path}"
    plain = main_office.client().get(address)
    packed = main_office.client().get(address, **{"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.body) == plain.body == (offices.ROOT / "static" / path).read_bytes()
