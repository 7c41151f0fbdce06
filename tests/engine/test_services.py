"""The services without a server: who gets in, what is said to whom, what the log keeps; calls and answers as bytes."""

import json
import logging
from contextlib import ExitStack
from datetime import date, datetime
from enum import StrEnum
from xmlrpc import client

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_sync.instances import Standing
from plugin_sync.peers import token_of
from plugin_sync.register import remove_peer, set_state
from plugin_sync.services import METHODS, Request, answering, read_request
from plugin_sync.tokens import WINDOW_S, Signed, sign
from plugin_sync.wire import JSON_RPC, XML_RPC, Call, plain, read_answer, write_call
from plugin_sync.wire.xmlrpc import fault_of

from .pairs import PATH, pair, side

INFO = write_call("info")
NOW = 1_777_713_120
GENERAL = "you may not call these services"
SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@pytest.fixture
def offices(tmp_path):
    main, jacmel = side(tmp_path / "main", "Main"), side(tmp_path / "jacmel", "Jacmel")
    pair(main, jacmel)
    jacmel.clock = lambda: NOW
    yield main, jacmel
    for office in (main, jacmel):
        office.db.close()


def signed(main, jacmel, body=INFO, when=NOW, nonce="0" * 32):
    return sign(Signed("POST", PATH, body), token_of(main.db, main.peer(jacmel), main.vault), when, nonce).header


def told(found):
    return found.status, json.loads(found.body)["reason"]


def test_a_signed_call_is_answered_once(offices):
    main, jacmel = offices
    header = signed(main, jacmel)
    first = jacmel.answer(INFO, header)
    assert (first.status, read_answer(first.body)["base_uuid"]) == (200, jacmel.own.base_uuid)
    assert told(jacmel.answer(INFO, header)) == (401, GENERAL)
    assert jacmel.answer(INFO, signed(main, jacmel, nonce="1" * 32)).status == 200


def test_a_signature_is_good_for_its_call_alone(offices):
    main, jacmel = offices
    header = signed(main, jacmel)
    assert told(jacmel.answer(write_call("tables"), header)) == (401, GENERAL)
    assert told(jacmel.answer(INFO, header, path="/plugin_sync/call/jsonrpc")) == (401, GENERAL)
    assert told(main.answer(INFO, header)) == (401, GENERAL)
    assert jacmel.answer(INFO, header).status == 200  # what was refused has not used it up


@pytest.mark.parametrize("apart", [-WINDOW_S - 1, WINDOW_S + 1, 3 * 3600, -5 * 86_400])
def test_clocks_may_differ_by_minutes(offices, apart):
    main, jacmel = offices
    within = WINDOW_S if apart > 0 else -WINDOW_S
    assert jacmel.answer(INFO, signed(main, jacmel, when=NOW + within)).status == 200
    found = jacmel.answer(INFO, signed(main, jacmel, when=NOW + apart, nonce="1" * 32))
    words = {3 * 3600: "3 hours", -5 * 86_400: "5 days"}.get(apart, "5 minutes")
    assert told(found) == (401, f"the clocks of the two offices differ by {words}")


def test_who_is_paused_is_told_and_who_is_removed_is_a_stranger(offices):
    main, jacmel = offices
    set_state(jacmel.db, jacmel.peer(main), Standing.PAUSED)
    assert told(jacmel.answer(INFO, signed(main, jacmel))) == (403, "the other office has paused this one")
    header = signed(main, jacmel, nonce="1" * 32)
    remove_peer(jacmel.db, jacmel.peer(main))
    jacmel.db.commit()
    assert told(jacmel.answer(INFO, header)) == (401, GENERAL)
    row = jacmel.db(jacmel.db.sync_instance.base_uuid == main.own.base_uuid).select().first()
    assert (row.access_hash, row.access_key, row.token) == (None, None, None)


def test_nothing_is_read_of_strangers_or_of_what_is_too_large(offices):
    main, jacmel = offices

    def unread():
        raise AssertionError("it was read")

    assert jacmel.answer(INFO, "", read=unread).status == 401
    assert jacmel.answer(INFO, signed(main, jacmel), read=unread, length=25 << 20).status == 413
    assert jacmel.answer(INFO, signed(main, jacmel), read=unread, length=None).status == 400
    assert jacmel.answer(INFO, signed(main, jacmel), read=unread, method="GET").status == 405
    assert jacmel.answer(INFO, signed(main, jacmel), length=len(INFO) + 1).status == 400


def test_too_many_at_once_are_told_to_come_again(offices):
    main, jacmel = offices
    with ExitStack() as stack:
        for _ in range(answering.PLACES):
            stack.enter_context(answering._turnstile.passing())
        found = jacmel.answer(INFO, signed(main, jacmel))
        assert (found.status, found.headers["Retry-After"]) == (429, "30")
    assert jacmel.answer(INFO, signed(main, jacmel)).status == 200


@pytest.mark.parametrize("protocol", ["xmlrpc", "jsonrpc"])
def test_a_fault_of_ours_is_told_in_general_words_and_logged(offices, monkeypatch, caplog, protocol):
    _, jacmel = offices

    def fail(office, caller):
        raise RuntimeError("secret /etc/path")

    monkeypatch.setitem(METHODS, "info", fail)
    body = INFO if protocol == "xmlrpc" else b'{"method": "info", "id": 1}'
    found = jacmel.answer(body, "Basic YWRhOmNvcnJlY3Q6IGhvcnNl", protocol)
    assert found.status == 200 and b"secret" not in found.body and b"Traceback" not in found.body
    assert b"an unexpected fault stopped it" in found.body
    assert "secret /etc/path" in caplog.text


def test_what_was_refused_stands_in_the_log_on_one_line(offices, caplog):
    _, jacmel = offices
    caplog.set_level(logging.INFO)
    jacmel.answer(INFO, "Basic YWRhOndyb25n")
    body = b'{"method": "export", "params": ["x\\n2026-01-01 root logged in\\u001b[2J"], "id": 1}'
    jacmel.answer(body, "Basic YWRhOmNvcnJlY3Q6IGhvcnNl", "jsonrpc")
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "call of 10.0.0.9 refused: a wrong name or password, or a user without the right"
    assert "no module is called" in lines[1]
    assert not any(control in line for line in lines for control in "\n\r\x1b")


def test_a_peer_cannot_pass_on_what_another_office_made(offices):
    main, jacmel = offices
    main.put("org_office", "o", name="office")
    data = jacmel.answer(write_call("export"), "Basic YWRhOmNvcnJlY3Q6IGhvcnNl")
    file = read_answer(data.body)["data"]
    body = write_call("import", file)
    found = read_answer(jacmel.answer(body, signed(main, jacmel, body)).body)
    assert (found["state"], found["error"]["reason"]) == ("failed", "what it sent was made by another office")


# ---- bytes


@given(VALUES)
def test_any_value_comes_back_by_xml_rpc(value):
    assert read_answer(XML_RPC.answer(Call("x"), value)) == json_like(plain(value))


def json_like(value):
    """XML has one line end: a carriage return comes back as a line feed."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n")
    if isinstance(value, dict):
        return {json_like(key): json_like(item) for key, item in value.items()}
    return [json_like(item) for item in value] if isinstance(value, list) else value


@given(st.binary(max_size=300))
def test_no_bytes_break_a_reader(data):
    for protocol in (XML_RPC, JSON_RPC):
        for text in (
            data,
            b"<methodCall><methodName>x</methodName><params>" + data,
            b'{"id": 1, "method": "x", "params": ' + data,
        ):
            try:
                assert isinstance(protocol.read(text), Call)
            except answering.CallRefused as refused:
                assert refused.message == "the call cannot be read"


class _Colour(StrEnum):
    RED = "red"


def test_days_times_and_names_have_a_form_in_each_protocol():
    value = {
        "day": date(2026, 5, 2),
        "time": datetime(2026, 5, 2, 9, 12),
        "colour": _Colour.RED,
        "file": b"\x00",
        "bad": "a\x00b",
    }
    xml = read_answer(XML_RPC.answer(Call("x"), value))
    assert xml == {"day": "2026-05-02", "time": datetime(2026, 5, 2, 9, 12), "colour": "red", "file": b"\x00", "bad": "a b"}
    told_json = json.loads(JSON_RPC.answer(Call("x", number=7), value))
    assert told_json["result"] == {
        "day": "2026-05-02",
        "time": "2026-05-02T09:12:00Z",
        "colour": "red",
        "file": "AA==",
        "bad": "a b",
    }
    assert told_json["id"] == 7


def test_a_fault_is_told_apart_from_a_strangers():
    fault = {"error": "settings", "reason": "no\x00", "hint": "Use it.", "retryable": False}
    with pytest.raises(client.Fault) as raised:
        read_answer(XML_RPC.fault(None, fault))
    assert fault_of(raised.value) == fault | {"reason": "no "}
    assert fault_of(client.Fault(4, "too many parameters"))["reason"] == "too many parameters"


@pytest.mark.parametrize(("announced", "length"), [("12", 12), (12, 12), ("", None), (None, None), ("-1", None), ("x", None)])
def test_a_request_is_read_from_its_environment(announced, length):
    found = read_request({"request_method": "POST", "content_length": announced}, "xmlrpc", "10.0.0.9", bytes)
    assert found == Request("POST", "/plugin_sync/call/xmlrpc", "xmlrpc", "", length, bytes, "10.0.0.9")
