"""The services of running offices, as other programs call them."""

import base64
import contextlib
import datetime
import hashlib
import json
import socket
import xmlrpc.client

import pytest
from pydal.validators import CRYPT

from .calling import address, admin, basic, code, give_access, introduce, json_rpc, pair, post, xml_rpc
from .pages import export, records

CALL = b"<?xml version='1.0'?><methodCall><methodName>%s</methodName><params>%s</params></methodCall>"
BILLION = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + (CALL % (b"&b;", b""))[21:]
JSON_INFO = b'{"jsonrpc": "2.0", "method": "info", "id": 1}'


@pytest.fixture(scope="module")
def office(start_office):
    office = start_office("serving", demo="jacmel")
    hashed = str(CRYPT(digest_alg="pbkdf2(1000,20,sha512)")("a syncing user")[0])
    for name, email in (("Sync", "sync@example.com"), ("Plain", "plain@example.com")):
        columns = "first_name, last_name, email, password, registration_key"
        office.query(f"INSERT INTO auth_user ({columns}) VALUES (?, 'x', ?, ?, '')", name, email, hashed)
    office.query("INSERT INTO auth_group (role, description) VALUES ('sync', '')")
    query = "INSERT INTO auth_membership (user_id, group_id) SELECT u.id, g.id FROM auth_user u, auth_group g"
    office.query(f"{query} WHERE u.email = 'sync@example.com' AND g.role = 'sync'")
    return office


@pytest.fixture
def dial():
    """Return the standard library's client of an office's services: `dial(office)`, as its administrator or somebody else."""
    with contextlib.ExitStack() as stack:
        yield lambda office, who=None: stack.enter_context(xml_rpc(office, who or admin(office)))


def test_xml_rpc_takes_data_from_one_office_to_another(office, empty_office, dial):
    source, target = dial(office), dial(empty_office)
    told = source.info()
    assert (told["protocol"], told["base_uuid"]) == (1, code(office))
    assert abs(told["time"] - datetime.datetime.utcnow().replace(microsecond=0)) < datetime.timedelta(minutes=1)
    assert told["tables"]["gis_location"]["parent"] == "reference"
    assert not {"auth_user", "system_config"} & set(told["tables"])
    file = source.export("gis")
    assert (file["sha256"], file["size"]) == (hashlib.sha256(file["data"]).hexdigest(), len(file["data"]))
    assert file["rows"]["gis_location"] > 0
    checked = getattr(target, "import")(file["data"], "newer", True)
    assert (checked["state"], checked["report"]["dry_run"]) == ("checked", True)
    assert not records(empty_office)["gis_location"]
    done = getattr(target, "import")(file["data"], "newer")
    assert (done["state"], done["error"]) == ("done", None)
    assert done["report"]["counts"]["new"] == checked["report"]["counts"]["new"] > 0
    assert records(empty_office)["gis_location"] == records(office)["gis_location"]
    again = getattr(target, "import")(file["data"])
    assert (again["report"]["counts"]["new"], again["report"]["counts"]["changed"]) == (0, 0)
    assert target.job(done["job"])["state"] == "done"
    assert (office.tickets(), empty_office.tickets()) == ([], [])


def test_json_rpc_does_the_same(office, empty_office):
    file = json_rpc(office, admin(office), "export", module="gis", since="all")["result"]
    data = base64.b64decode(file["data"])
    assert hashlib.sha256(data).hexdigest() == file["sha256"]
    done = json_rpc(empty_office, admin(empty_office), "import", data=file["data"], policy="newer", dry_run=False)["result"]
    assert (done["state"], done["report"]["problems_total"]) == ("done", 0)
    assert records(empty_office)["gis_location"] == records(office)["gis_location"]
    info = json_rpc(office, admin(office), "info")["result"]
    assert info["time"].endswith("Z")
    tables = {table["name"]: table for table in json_rpc(office, admin(office), "tables")["result"]}
    assert tables["gis_location"]["rows"] == file["rows"]["gis_location"]
    assert (tables["auth_user"]["included"], tables["auth_user"]["rows"]) == (False, None)


def test_large_data_come_and_go_in_pieces(office, empty_office, dial):
    source, target = dial(office), dial(empty_office)
    begun = source.export_begin()
    pieces, have = [], 0
    while piece := source.export_read(begun["transfer"], have, 100_000):
        pieces.append(piece)
        have += len(piece)
    data = b"".join(pieces)
    assert (len(data), hashlib.sha256(data).hexdigest()) == (begun["size"], begun["sha256"])
    assert source.export_end(begun["transfer"], True) == source.export_end(begun["transfer"], True) == {"taken": True}
    transfer = target.import_begin(len(data), begun["sha256"])["transfer"]
    for start in range(0, len(data), 300_000):
        target.import_write(transfer, start, data[start : start + 300_000])
        assert target.import_write(transfer, start, data[start : start + 300_000]) >= start  # sent twice does no harm
    state = target.import_run(transfer)
    for _ in range(600):
        if state["state"] not in ("queued", "running"):
            break
        state = target.job(transfer)
    assert (state["state"], state["report"]["counts"]["new"]) == ("done", sum(begun["rows"].values()))
    assert target.import_run(transfer)["report"] == state["report"]  # asked for twice it runs once
    assert {k: v for k, v in records(empty_office).items() if v} == {k: v for k, v in records(office).items() if v}
    assert export(empty_office.administrator()).count(b"\r\n") == data.count(b"\r\n")


def test_pieces_that_do_not_fit_are_refused(office, dial):
    server = dial(office)
    transfer = server.import_begin(10, "0" * 64)["transfer"]
    for arguments, reason in (
        ((transfer, 5, b"12345"), "a piece is missing before this one"),
        ((transfer, 0, b"12345678901"), "more was sent than was announced"),
        (("../../models/db", 0, b"x"), "there is no such transfer"),
        ((transfer, 0, "%%%"), "the data are not base64"),
    ):
        with pytest.raises(xmlrpc.client.Fault) as refused:
            server.import_write(*arguments)
        assert json.loads(refused.value.faultString)["reason"] == reason
    server.import_write(transfer, 0, b"1234567890")
    with pytest.raises(xmlrpc.client.Fault) as refused:
        server.import_run(transfer)
    assert json.loads(refused.value.faultString)["error"] == "file_altered"
    with pytest.raises(xmlrpc.client.Fault, match="there is no such transfer"):  # of another caller
        dial(office, basic("sync@example.com", "a syncing user")).import_write(transfer, 0, b"1")


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("admin", 200),
        (basic("sync@example.com", "a syncing user"), 200),
        (basic("plain@example.com", "a syncing user"), 401),
        (basic("sync@example.com", "wrong"), 401),
        (basic("nobody@example.com", "wrong"), 401),
        ("", 401),
        ("Basic ", 401),
        ("Basic %%%", 401),
        ("Basic bm9jb2xvbg==", 401),
        ("Bearer ", 401),
        ("Bearer " + "A" * 43, 401),
        ("PluginSync key=0123456789abcdef, time=1, nonce=" + "0" * 32 + ", mac=" + "0" * 64, 401),
        ("PluginSync", 401),
        ("Negotiate x", 401),
    ],
)
def test_who_may_call(office, authorization, status):
    found, body = post(office, JSON_INFO, admin(office) if authorization == "admin" else authorization)
    assert found == status
    if status == 401:
        assert json.loads(body)["reason"] == "you may not call these services"  # the same to everybody
    assert office.tickets() == []


def test_a_token_opens_the_services_until_it_is_ended(office, empty_office):
    here, _ = introduce(office, empty_office)
    token = give_access(here, empty_office)
    assert post(office, JSON_INFO, f"Bearer {token}")[0] == 200
    stored = office.query("SELECT access_hash, access_key FROM sync_instance WHERE base_uuid = ?", code(empty_office))[0]
    assert stored[0] == hashlib.sha256(token.encode()).hexdigest()
    assert token not in stored[1]
    mode = (office.app / "private" / "plugin_sync" / "key").stat().st_mode
    assert mode & 0o777 == 0o600
    newer = give_access(here, empty_office)
    assert (post(office, JSON_INFO, f"Bearer {token}")[0], post(office, JSON_INFO, f"Bearer {newer}")[0]) == (401, 200)
    page = here.get(f"/sync/plugin_sync/instance/{code(empty_office)}")
    assert newer not in page.text
    key = {name: page.hidden(name) for name in ("_formkey", "_formname")}
    here.post(f"/sync/plugin_sync/instance_access/{code(empty_office)}/end", key)
    assert post(office, JSON_INFO, f"Bearer {newer}")[0] == 401


def test_an_instance_does_not_choose_how_its_data_are_taken(office, empty_office):
    here, _ = pair(office, empty_office)
    token = give_access(here, empty_office)
    answer = json_rpc(office, f"Bearer {token}", "import", "RU5E", "theirs")
    assert answer["error"]["data"]["error"] == "access"


def test_calls_that_are_none_are_refused_in_general_words(office):
    allowed, before = admin(office), office.query("SELECT count(*) FROM plugin_sync_job")
    for protocol, body in (
        ("xmlrpc", b""),
        ("xmlrpc", b"<methodCall>"),
        ("xmlrpc", b"\x00\xff\xfe"),
        ("xmlrpc", BILLION),
        ("xmlrpc", b"<methodResponse><params/></methodResponse>"),
        ("xmlrpc", CALL % (b"info", b"<param>" + b"<value><array><data>" * 500)),
        ("xmlrpc", CALL % (b"info", b"<param><value><int>x</int></value></param>")),
        ("jsonrpc", b"{"),
        ("jsonrpc", b"[" * 100_000),
        ("jsonrpc", b'"text"'),
        ("jsonrpc", b"[" + JSON_INFO + b"]"),
        ("jsonrpc", b'{"method": "info"}'),
        ("jsonrpc", b'{"method": "info", "id": 1, "params": 7}'),
        ("jsonrpc", b'{"method": "info", "id": 1, "params": [NaN]}'),
        ("jsonrpc", "\udcff".encode("utf-8", "surrogatepass")),
        ("soap", JSON_INFO),
    ):
        status, answer = post(office, body, allowed, protocol)
        assert status == 400, (protocol, body[:40], answer)
        assert b"Traceback" not in answer and b"expat" not in answer
    for body, code_ in (
        (b'{"method": "__class__", "id": 1}', "call"),
        (b'{"method": "eval", "params": ["1"], "id": 1}', "call"),
        (b'{"method": "info", "params": ["more"], "id": 1}', "call"),
        (b'{"method": "export", "params": {"office": 1}, "id": 1}', "call"),
        (b'{"method": "export", "params": ["auth"], "id": 1}', "settings"),
        (b'{"method": "export", "params": ["", ["auth_user"]], "id": 1}', "settings"),
        (b'{"method": "export", "params": ["", [], "changes"], "id": 1}', "call"),
        (b'{"method": "import", "params": ["RU5E", "oldest"], "id": 1}', "settings"),
        (b'{"method": "import", "params": ["%%%"], "id": 1}', "call"),
        (b'{"method": "job", "params": ["../../x"], "id": 1}', "settings"),
        (b'{"method": "synchronised", "params": ["x"], "id": 1}', "access"),
    ):
        status, answer = post(office, body, allowed)
        assert (status, json.loads(answer)["error"]["data"]["error"]) == (200, code_), body
        assert b"Traceback" not in answer and b"plugin_sync/" not in answer
    assert office.query("SELECT count(*) FROM plugin_sync_job") == before
    assert office.tickets() == []


def test_a_call_that_is_too_large_is_refused_before_it_is_read(office):
    with socket.create_connection(address(office), timeout=30) as raw:
        head = f"POST /sync/plugin_sync/call/xmlrpc HTTP/1.1\r\nHost: x\r\nAuthorization: {admin(office)}\r\n"
        size = 25 << 20
        raw.sendall(f"{head}Content-Type: text/xml\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n".encode())
        raw.sendall(b" " * size)
        answer = b""
        while piece := raw.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"] == "too_large"


def test_what_a_bad_file_says_is_told_and_nothing_is_changed(office, empty_office, dial):
    server = dial(empty_office)
    done = getattr(server, "import")(b"TABLE auth_user\r\nauth_user.email\r\nx@example.com\r\n\r\n\r\nEND")
    assert (done["state"], done["error"]["error"], done["error"]["table"]) == ("failed", "table_refused", "auth_user")
    cut = dial(office).export("org")["data"][:-200]
    assert getattr(server, "import")(cut)["error"]["error"] == "file_incomplete"
    assert not any(records(empty_office).values())
