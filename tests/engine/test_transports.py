"""The way to another instance over real sockets: cut at every byte, dripping, silent, lying, with a bad certificate."""

import datetime
import ipaddress
import re
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from plugin_sync.addresses import Place
from plugin_sync.errors import PeerError, PeerSilent, SyncError
from plugin_sync.tokens import Signed, is_genuine, key_of, new_token, read_signature
from plugin_sync.transports import Http, Patience, XmlRpc, http
from plugin_sync.wire import XML_RPC, Call

TOKEN = new_token()
BODY = XML_RPC.answer(Call("info"), {"name": "Jacmel", "size": 5 << 30})
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
QUICK = Patience(connect_s=2, read_s=0.4, total_s=1.0)


@contextmanager
def answering(behave, context=None):
    """A server that lets `behave(connection, request)` answer each connection; gives its port and what was asked."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(connection, server_side=True) if context else connection as peer:
                        asked.append(request_of(peer))
                        behave(peer, asked[-1])
                except OSError:
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], asked
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def request_of(peer):
    data = b""
    while b"\r\n\r\n" not in data:
        data += peer.recv(65536)
    length = int(re.search(rb"Content-Length: (\d+)", data)[1])
    while len(data.partition(b"\r\n\r\n")[2]) < length:
        data += peer.recv(65536)
    return data


def call(port, patience=QUICK, scheme="http", host="localhost", context=None, timeout_s=None):
    place = Place(scheme, host, port, "127.0.0.1", "/sync")
    return XmlRpc(Http(place, patience, context), TOKEN).call("info", timeout_s=timeout_s)


def says(data):
    return lambda peer, _: peer.sendall(data)


def test_a_call_is_signed_and_its_answer_read():
    with answering(says(ANSWER)) as (port, asked):
        assert call(port) == {"name": "Jacmel", "size": 5 << 30}
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /sync/plugin_sync/call/xmlrpc HTTP/1.1\r\n") and b"\r\nHost: localhost:" in head
    signature = read_signature(re.search(rb"Authorization: (.*)\r\n", head + b"\r\n")[1].decode())
    assert is_genuine(signature, Signed("POST", "/plugin_sync/call/xmlrpc", body), key_of(TOKEN))
    assert TOKEN.encode() not in asked[0]


def test_an_answer_that_is_cut_at_any_byte_is_never_taken():
    with answering(lambda peer, _: peer.sendall(ANSWER[: cuts.pop()])) as (port, _):
        wanted = list(range(len(ANSWER)))
        cuts = list(reversed(wanted))
        for cut in wanted:
            with pytest.raises(PeerError) as failed:
                call(port)
            assert failed.value.retryable or cut < ANSWER.index(b"\r\n"), cut


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\xff" * 3000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n\r\n<!DOCTYPE x [<!ENTITY a 'b'>]><methodResponse>&a;</methodResponse>",
        b"HTTP/1.1 200 OK\r\n\r\n" + BODY[:-30],
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + BODY,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=range(14),
)
def test_what_is_no_answer_is_an_error_of_ours(answer):
    with answering(says(answer)) as (port, _), pytest.raises(PeerError) as failed:
        call(port)
    assert failed.value.message and failed.value.hint


def test_a_redirect_is_not_followed():
    with answering(says(ANSWER)) as (other, asked):
        moved = b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:%d/sync/\r\nContent-Length: 0\r\n\r\n" % other
        with answering(says(moved)) as (port, _), pytest.raises(PeerError, match="it sends elsewhere"):
            call(port)
    assert asked == []


def test_silence_is_given_up_after_its_time_and_named_by_it():
    with answering(lambda peer, _: released.wait(10)) as (port, _):
        released = threading.Event()
        started = time.monotonic()
        with pytest.raises(PeerSilent, match=r"it did not answer \(1 s\)"):
            call(port)
        assert time.monotonic() - started < 3
        released.set()


def drips(peer, _):
    for place in range(len(ANSWER)):
        peer.sendall(ANSWER[place : place + 1])
        time.sleep(0.05)


def test_an_answer_that_drips_ends_with_the_whole_time():
    started = time.monotonic()
    with answering(drips) as (port, _), pytest.raises(PeerSilent, match="it did not answer"):
        call(port)
    assert time.monotonic() - started < 5


def test_an_answer_without_end_is_not_kept(monkeypatch):
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 1 << 20)

    def flood(peer, _):
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            peer.sendall(b" " * 65536)

    with answering(flood) as (port, _), pytest.raises(PeerError, match="too large"):
        call(port, Patience(2, 5, 20))


def test_nothing_listens():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(PeerSilent, match="nothing answers"):
        call(port)


# ---- TLS


def certificate(folder: Path, name: str, days: int = 2) -> Path:
    """A certificate for a name, signed by itself, with its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))])
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).add_extension(names, critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    made = made.not_valid_before(now - datetime.timedelta(days=10)).not_valid_after(now + datetime.timedelta(days=days))
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / f"{name}{days}.pem"
    path.write_bytes(secret + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return path


def serving(path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_a_certificate_is_judged_by_the_name_though_the_address_was_resolved_before(tmp_path):
    path = certificate(tmp_path, "jacmel.example.org")
    trusting = ssl.create_default_context(cafile=str(path))
    with answering(says(ANSWER), serving(path)) as (port, _):
        assert call(port, scheme="https", host="jacmel.example.org", context=trusting)["name"] == "Jacmel"
        for host in ("other.example.org", "127.0.0.1"):
            with pytest.raises(PeerError, match="its certificate cannot be trusted"):
                call(port, scheme="https", host=host, context=trusting)


@pytest.mark.parametrize("days", [2, -1])
def test_a_certificate_that_nobody_vouches_for_or_that_is_over_is_refused(tmp_path, days):
    path = certificate(tmp_path, "jacmel.example.org", days)
    trusting = ssl.create_default_context(cafile=str(path)) if days < 0 else None  # else the system's own
    with answering(says(ANSWER), serving(path)) as (port, asked):
        with pytest.raises(PeerError, match="its certificate cannot be trusted"):
            call(port, scheme="https", host="jacmel.example.org", context=trusting)
        assert asked == []  # nothing was sent


def test_a_server_without_tls_is_not_spoken_to():
    with answering(says(ANSWER)) as (port, asked), pytest.raises(SyncError):
        call(port, scheme="https", host="jacmel.example.org")
    assert asked == [] or b"Authorization" not in asked[0]
