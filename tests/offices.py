"""Real servers to test against: each an instance of its own, in a temporary folder, on a free port."""

import http.cookiejar
import os
import re
import sqlite3
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from pydal.validators import CRYPT

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT_S = 90


@dataclass(frozen=True)
class Answer:
    """What a server answered, after redirections."""

    status: int
    url: str
    body: bytes
    headers: dict[str, str]

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    def hidden(self, name: str) -> str:
        """The value of a hidden input of the page."""
        tags = re.findall(r"<input[^>]*>", self.text)
        values = [re.search(r'value="([^"]*)"', tag) for tag in tags if f'name="{name}"' in tag]
        return values[0][1] if values and values[0] else ""


class Client:
    """A browser without JavaScript: it keeps cookies, follows redirections and posts forms."""

    def __init__(self, url: str):
        self.url = url
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def get(self, path: str, **headers: str) -> Answer:
        return self._open(urllib.request.Request(urllib.parse.urljoin(self.url, path), headers=headers))

    def post(self, path: str, fields: dict[str, str], files: dict[str, tuple[str, bytes]] | None = None) -> Answer:
        """Post a form; `files` are name: (file name, content)."""
        headers = {}
        if files is None:
            data = urllib.parse.urlencode(fields).encode("ascii")
        else:
            boundary = uuid.uuid4().hex
            headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
            data = b"".join(_part(boundary, f'name="{name}"', value.encode("utf-8")) for name, value in fields.items())
            for name, (file, content) in files.items():
                data += _part(boundary, f'name="{name}"; filename="{file}"', content)
            data += f"--{boundary}--\r\n".encode("ascii")
        return self._open(urllib.request.Request(urllib.parse.urljoin(self.url, path), data, headers))

    def sign_in(self, email: str, password: str) -> Answer:
        key = self.get("/sync/default/user/login").hidden("_formkey")
        fields = {"email": email, "password": password, "_formkey": key, "_formname": "login"}
        return self.post("/sync/default/user/login", fields)

    def _open(self, request: urllib.request.Request) -> Answer:
        try:
            reply = self.opener.open(request, timeout=60)
        except urllib.error.HTTPError as refused:
            reply = refused
        with reply:
            return Answer(reply.status, reply.url, reply.read(), dict(reply.headers))


def _part(boundary: str, disposition: str, content: bytes) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + content + b"\r\n"


@dataclass
class Office:
    """A running instance."""

    name: str
    folder: Path  # the instance's; its application is in `app`
    url: str
    process: subprocess.Popen[str] = field(repr=False)

    @property
    def app(self) -> Path:
        return self.folder / "applications" / "sync"

    @property
    def email(self) -> str:
        return (self.app / "private" / "administrator.txt").read_text(encoding="utf-8").split()[0]

    @property
    def password(self) -> str:
        return (self.app / "private" / "administrator.txt").read_text(encoding="utf-8").split()[1]

    @property
    def database(self) -> Path:
        return self.app / "databases" / "storage.sqlite"

    def query(self, sql: str, *values: object) -> list[tuple]:
        """Read from, or write to, the office's SQLite database."""
        connection = sqlite3.connect(self.database, timeout=30)
        try:
            with connection:
                return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def client(self) -> Client:
        return Client(self.url)

    def administrator(self) -> Client:
        """A client signed in as administrator."""
        client = self.client()
        client.sign_in(self.email, self.password)
        return client

    def user(self, email: str = "user@example.com", password: str = "an ordinary user") -> Client:
        """A client signed in as somebody who is in no group."""
        if not self.query("SELECT 1 FROM auth_user WHERE email = ?", email):
            hashed = str(CRYPT(digest_alg="pbkdf2(1000,20,sha512)")(password)[0])
            columns = "first_name, last_name, email, password, registration_key"
            self.query(f"INSERT INTO auth_user ({columns}) VALUES (?, ?, ?, ?, '')", "Uma", "User", email, hashed)
        client = self.client()
        client.sign_in(email, password)
        return client

    def tickets(self) -> list[str]:
        """The errors that the application has recorded."""
        return [path.read_text(encoding="latin-1") for path in (self.app / "errors").iterdir()]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
        self.process.stdout.close()


def start(instances: Path, name: str, demo: str = "none", **environment: str) -> Office:
    """Start, or start again, the instance `name` in the folder `instances` by the command that users type."""
    settings = {"SYNC_INSTANCES": str(instances), "INSTANCE": name, "DEMO": demo, "PORT": "0", **environment}
    process = subprocess.Popen(
        [ROOT / "run", "serve"], env=os.environ | settings, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    for line in process.stdout:
        if found := re.search(r"http://\S+/", line):
            return Office(name, instances / name, found[0], process)
    raise RuntimeError(f"The server ended with {process.wait(START_TIMEOUT_S)}")
