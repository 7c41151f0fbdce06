"""Other programs that call an office's services, and a network between offices that does not keep its promises."""

import base64
import contextlib
import json
import re
import socket
import socketserver
import threading
import time
import urllib.error
import urllib.request
import xmlrpc.client
from dataclasses import dataclass, field

from ..offices import Client, Office
from .pages import PLUGIN, key_of

CALL = "plugin_sync/call/"


class Transport(xmlrpc.client.Transport):
    """The standard library's, with headers of one's own."""

    def __init__(self, **headers: str):
        super().__init__(use_builtin_types=True)
        self.headers = headers

    def send_headers(self, connection, headers):
        super().send_headers(connection, [*headers, *self.headers.items()])


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@contextlib.contextmanager
def xml_rpc(office: Office, authorization: str):
    """The standard library's client, closed at the end."""
    transport = Transport(Authorization=authorization)
    with xmlrpc.client.ServerProxy(f"{office.url}{CALL}xmlrpc", transport, allow_none=True) as server:
        yield server


def post(office: Office, body: bytes, authorization: str = "", protocol: str = "jsonrpc", **headers: str) -> tuple[int, bytes]:
    """Post bytes to the services; the status and the answer."""
    headers = {"Content-Type": "application/json", **({"Authorization": authorization} if authorization else {}), **headers}
    request = urllib.request.Request(f"{office.url}{CALL}{protocol}", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.status, refused.read()


def json_rpc(office: Office, authorization: str, method: str, *places: object, **names: object) -> dict:
    """Call by JSON-RPC; the whole answer."""
    call = {"jsonrpc": "2.0", "method": method, "params": names or list(places), "id": 1}
    status, body = post(office, json.dumps(call).encode(), authorization)
    assert status == 200, body
    return json.loads(body)


def admin(office: Office) -> str:
    return basic(office.email, office.password)


def introduce(one: Office, other: Office) -> tuple[Client, Client]:
    """Let two offices know each other with web addresses, as their administrators do it, without tokens yet."""
    clients = one.administrator(), other.administrator()
    for client, there, host in ((clients[0], clients[1], other), (clients[1], clients[0], one)):
        file = there.get(f"{PLUGIN}pairing").body
        told = json.loads(file) | {"url": host.url.rstrip("/"), "name": host.name}
        key = key_of(client.get(f"{PLUGIN}instance_add")) | {"how": "file"}
        client.post(f"{PLUGIN}instance_add", key, {"file": ("pairing.json", json.dumps(told).encode())})
    return clients


def code(office: Office) -> str:
    return office.query("SELECT base_uuid FROM sync_instance WHERE is_self = 'T'")[0][0]


def give_access(client: Client, peer: Office) -> str:
    """Press the button on the page of an instance; the token that is shown."""
    page = f"{PLUGIN}instance/{code(peer)}"
    answer = client.post(f"{PLUGIN}instance_access/{code(peer)}", key_of(client.get(page)))
    return re.search(r"<code>([\w-]{43})</code>", answer.text)[1]


def enter_token(client: Client, peer: Office, token: str):
    page = f"{PLUGIN}instance/{code(peer)}"
    return client.post(f"{PLUGIN}instance_calls/{code(peer)}", key_of(client.get(page)) | {"token": token, "policy": ""})


def pair(one: Office, other: Office) -> tuple[Client, Client]:
    """Let two offices call each other."""
    clients = introduce(one, other)
    enter_token(clients[0], other, give_access(clients[1], one))
    enter_token(clients[1], one, give_access(clients[0], other))
    return clients


@dataclass
class Proxy:
    """A network in front of an office. `fault(head, body)` gives the bytes that really come back, and how they come."""

    target: tuple[str, int]
    fault: object = None
    calls: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/sync"

    @contextlib.contextmanager
    def running(self):
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                outer.serve(self.request)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()

    def serve(self, client: socket.socket) -> None:
        request = read_message(client)
        method = re.search(rb"<methodName>(\w+)<", request)
        self.calls.append(method[1].decode() if method else "")
        with socket.create_connection(self.target, timeout=60) as office:
            office.sendall(request)
            answer = read_message(office)
        with contextlib.suppress(OSError):
            if self.fault is None:
                client.sendall(answer)
            else:
                self.fault(self.calls[-1], answer, client)


def read_message(peer: socket.socket) -> bytes:
    """One HTTP message: its head, and as many bytes as that announces."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    while found and len(body) < int(found[1]):
        piece = peer.recv(65536)
        if not piece:
            break
        body += piece
    return head + b"\r\n\r\n" + body


def address(office: Office) -> tuple[str, int]:
    host, port = re.search(r"//([\d.]+):(\d+)/", office.url).groups()
    return host, int(port)


def cut_at(wanted: str, part: float):
    """The connection ends after a part of the answer."""

    def fault(method: str, answer: bytes, client: socket.socket) -> None:
        client.sendall(answer if method != wanted else answer[: int(len(answer) * part)])

    return fault


def drip(wanted: str, pause_s: float):
    """The answer comes byte by byte."""

    def fault(method: str, answer: bytes, client: socket.socket) -> None:
        if method != wanted:
            client.sendall(answer)
            return
        for place in range(len(answer)):
            client.sendall(answer[place : place + 1])
            time.sleep(pause_s)

    return fault


def garbage(wanted: str):
    """Something else answers."""

    def fault(method: str, answer: bytes, client: socket.socket) -> None:
        client.sendall(answer if method != wanted else b"\x00\xff" * 5000)

    return fault


def wrong_length(wanted: str):
    """More is announced than comes."""

    def fault(method: str, answer: bytes, client: socket.socket) -> None:
        if method == wanted:
            answer = re.sub(rb"(?i)content-length: *\d+", b"Content-Length: 99999999", answer)
        client.sendall(answer)

    return fault


def silence(wanted: str, released: threading.Event):
    """No answer comes, until the test has seen enough."""

    def fault(method: str, answer: bytes, client: socket.socket) -> None:
        if method == wanted:
            released.wait(60)
        else:
            client.sendall(answer)

    return fault
