"""What never comes in or goes out, and what an unusable file is told, through the pages."""

import re

import pytest

from .pages import PLUGIN, apply, counts, export, heading, key_of, records, text_of, upload

OFFICES = "TABLE org_office\r\norg_office.id,org_office.uuid,org_office.name\r\n"


@pytest.fixture(scope="module")
def office(start_office):
    return start_office("refusing", demo="none")


@pytest.fixture
def client(office):
    return office.administrator()


def fault(answer):
    """The sentences of a form's summary of problems."""
    assert "There is a problem" in answer.text, text_of(answer)
    assert re.search(r"<title>Error: ", answer.text)
    box = re.search(r'<div class="ps-errors".*?</div>', answer.text, re.DOTALL)[0]
    assert 'href="#ps-file"' in box and 'id="ps-file"' in answer.text
    return " ".join(re.sub("<[^>]+>", "", found) for found in re.findall("<li>(.*?)</li>", box))


@pytest.mark.parametrize("table", ["auth_user", "auth_membership", "AUTH_USER", "plugin_sync_job", "sync_instance"])
def test_accounts_and_the_plugins_own_tables_are_refused_by_name(office, client, table):
    before = (office.query("SELECT * FROM auth_user"), office.query("SELECT * FROM auth_membership"))
    data = f"{OFFICES}1,o1,Fine\r\n\r\n\r\nTABLE {table}\r\n{table}.id,{table}.email\r\n1,evil\r\n\r\n\r\nEND"
    assert table in fault(upload(client, data.encode()))
    assert (office.query("SELECT * FROM auth_user"), office.query("SELECT * FROM auth_membership")) == before
    assert records(office)["org_office"] == {}
    assert not office.tickets()


def test_a_password_is_in_no_export(start_office):
    office = start_office("secrets", demo="none")
    canary = "pbkdf2(1000,20,sha512)$canary$0123456789abcdef"
    columns = "first_name, email, password, registration_key, reset_password_key"
    values = ("c", "c@example.com", canary, "canary-key", "canary-reset")
    office.query(f"INSERT INTO auth_user ({columns}) VALUES (?, ?, ?, ?, ?)", *values)
    office.query("INSERT INTO gis_apikey (name, apikey, uuid) VALUES ('maps', 'canary-api', 'u1')")
    client = office.administrator()
    modules = set(re.findall(r"module=(\w+)", client.get(f"{PLUGIN}export").text))
    files = [export(client), *(export(client, what="module", module=name) for name in modules)]
    tables = re.findall(rb"^TABLE (\w+)\r$", files[0], re.MULTILINE)
    files += [export(client, what="tables", table=table.decode()) for table in tables]
    assert len(files) > 10
    for data in files:
        assert b"canary" not in data and b"pbkdf2" not in data and b"@example.com" not in data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "The selected file is empty"),
        ((OFFICES + "1,o1,Cut").encode(), ""),
        (b"PK\x03\x04 a zip", ""),
        (OFFICES.replace(",", ";").encode() + b"1;o1;Semicolons\r\n\r\n\r\nEND", ""),
        ((OFFICES + "1,o1,Latin \xe9\r\n\r\n\r\nEND").encode("latin-1"), ""),
    ],
)
def test_an_unusable_file_gets_a_sentence(office, client, data, said):
    sentence = fault(upload(client, data))
    assert said in sentence and sentence.endswith(".") and len(sentence) > 20
    assert records(office)["org_office"] == {}
    assert not office.tickets()


def test_no_file_gets_a_sentence(client):
    fields = key_of(client.get(f"{PLUGIN}import_file")) | {"policy": "newer"}
    assert fault(client.post(f"{PLUGIN}import_file", fields, {"file": ("", b"")})) == "Select a file"


def test_an_unknown_policy_gets_a_sentence(client):
    assert "Use one of" in fault(upload(client, OFFICES.encode() + b"\r\n\r\nEND", policy="oldest"))


def test_scripts_stay_text(office, client):
    evil = "<script>alert(1)</script>\u202e"
    rows = f'1,o1,"{evil}"\r\n2,o2,Fine\r\n'
    extra = OFFICES.replace("org_office.name", f"org_office.name,org_office.{evil}").replace("\r\n", "\r\n", 1)
    data = f"{extra}{rows}".replace("\r\n2,", ",x\r\n2,").replace("Fine", "Fine,y") + "\r\n\r\nTABLE <script>x\r\n\r\n\r\nEND"
    check = upload(client, data.encode(), name='"><script>alert(2)</script>.csv')
    assert "<script" not in check.text.lower()
    assert check.status == 200
    for page in ("index", check.url):
        assert "<script" not in client.get(page if page.startswith("http") else PLUGIN + page).text.lower()
    assert not office.tickets()


def test_rows_that_cannot_be_taken_are_listed_and_the_rest_comes_in(start_office):
    office = start_office("bad-rows", demo="none")
    client = office.administrator()
    columns = ",".join(f"org_organisation.{name}" for name in ("id", "uuid", "name", "founded_on"))
    head = f"TABLE org_organisation\r\n{columns}\r\n"
    rows = "".join(f"{n},o{n},Office {n},{'31.02.2024' if n % 10 == 0 else '2024-02-01'}\r\n" for n in range(1, 91))
    check = upload(client, f"{head}{rows}\r\n\r\nEND".encode())
    assert counts(check)["org_organisation"] == {"new": 81, "changed": 0, "same": 0, "older": 0, "conflict": 0, "rejected": 9}
    assert "Import 81 new rows" in text_of(check)
    assert len(re.findall(r"<td>founded_on</td>", check.text)) == 9
    result = apply(client, check)
    assert heading(result) == "Imported with 9 rows left out"
    assert office.query("SELECT count(*) FROM org_organisation") == [(81,)]
    assert client.get(result.url).text == result.text


def test_a_broken_table_is_mended_through_the_page(start_office):
    office = start_office("mending", demo="none")
    indexes = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'org_office' AND sql LIKE '%uuid%'"
    for (name,) in office.query(indexes):
        office.query(f"DROP INDEX {name}")
    for uuid in ("a", "A", "a", "b", None, ""):
        office.query("INSERT INTO org_office (name, uuid) VALUES ('x', ?)", uuid)
    client = office.administrator()

    def press(what):
        page = client.get(f"{PLUGIN}tables")
        return text_of(client.post(f"{PLUGIN}mend/org_office/{what}", key_of(page)))

    assert "org_office: 2 records have the UUID of another" in press("index")
    assert "org_office: 2 records were given new UUIDs." in press("duplicates")
    assert "org_office: 2 records were given new UUIDs." in press("missing")
    assert "org_office: the unique index on UUIDs is there." in press("index")
    own = office.query("SELECT base_uuid FROM sync_instance WHERE is_self = 'T'")[0][0]
    uuids = [uuid for (uuid,) in office.query("SELECT uuid FROM org_office ORDER BY id")]
    assert (uuids[0], uuids[3]) == ("a", "b")
    assert all(uuid.startswith(own) and len(uuid) == 36 for uuid in (*uuids[1:3], *uuids[4:]))
    assert not office.tickets()
