"""What happens once: tables are made, the administrator and the demo data come, appadmin is put in place.

Models ask `pending` at every request; it costs a few stat calls once all is done. The work runs in the first request after
the models changed, under a lock, while other requests wait: the same way with `./run serve` and inside any web2py.
"""

import contextlib
import functools
import hashlib
import json
import logging
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydal.contrib import portalocker

from . import appadmin, demo
from .instance import write_private

ADMIN = "admin@example.com"
PASSWORD_FILE = "administrator.txt"  # noqa: S105  a name of a file
log = logging.getLogger("web2py.app.sync")


def settings(folder: str) -> dict[str, str]:
    """The instance's own settings; an application copied into a web2py has none at first and gets the defaults."""
    path = Path(folder, "private", "settings.json")
    defaults = {"database_uri": "sqlite://storage.sqlite", "demo": "none", "name": "Field office"}
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        write_private(path, json.dumps(defaults, indent=1))
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return defaults | found


def driver_args(uri: str) -> dict[str, Any] | None:
    """What the driver is told: how long to wait for SQLite's lock; that imports may bring rows to MariaDB as files. That
    lets the server ask for any file that this process may read, and it is the instance's own.
    """
    known: dict[str, dict[str, Any]] = {"sqlite": {"timeout": 30}, "mysql": {"local_infile": True}}
    return known.get(uri.split(":", 1)[0])


def signature(folder: str) -> str:
    """What the tables depend on, cheaply: name, size and time of every model and engine file."""
    digest = hashlib.sha256()
    for place in ("models", "modules/plugin_sync"):
        with contextlib.suppress(FileNotFoundError), os.scandir(f"{folder}/{place}") as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.endswith(".py"):
                    status = entry.stat()
                    digest.update(f"{entry.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


@functools.cache
def static_version(folder: str) -> str:
    """A version of the static files for their addresses, so that browsers keep them; it follows the newest file."""
    newest = max((path.stat().st_mtime for path in Path(folder, "static").rglob("*") if path.is_file()), default=0)
    return f"0.0.{int(newest)}"


@dataclass(slots=True)
class FirstStart:
    """Set-up that is due: made by `pending` before the tables are defined, finished by `finish` after."""

    folder: str
    signature: str
    lock: Any

    def finish(self, db: Any, auth: Any) -> None:
        """Complete the set-up in this request's transaction and remember that it is done."""
        chosen = settings(self.folder)
        if db._dbname == "sqlite":
            db.commit()
            db.executesql("PRAGMA journal_mode=WAL")  # readers go on while an import writes
        make_administrator(db, auth, self.folder)
        if chosen["demo"] in demo.PARTS and demo.is_available() and demo.is_empty(db):
            demo.load(db, chosen["demo"], self.folder)
        db.commit()
        try:
            appadmin.put(Path(self.folder))
        except (appadmin.UnknownAppadminError, OSError) as problem:
            log.warning("appadmin is not available: %s", problem)
        Path(self.folder, "private", "ready").write_text(self.signature, encoding="ascii")
        self.lock.close()


def pending(folder: str) -> FirstStart | None:
    """The set-up that is due, holding its lock; None, as nearly always, when nothing is."""
    current = signature(folder)
    ready = Path(folder, "private", "ready")
    if _text(ready) == current:
        return None
    ready.parent.mkdir(exist_ok=True)
    lock = portalocker.LockedFile(str(ready.with_name("first_start.lock")), "w")
    if _text(ready) == current:
        lock.close()
        return None
    return FirstStart(folder, current, lock)


def _text(path: Path) -> str:
    """The text of a small file, nothing if there is none."""
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        return ""


def make_administrator(db: Any, auth: Any, folder: str) -> None:
    """Make the admin group and, if nobody is in it, an administrator with a random password."""
    group = auth.id_group("admin") or auth.add_group("admin", "May do everything")
    if db(db.auth_membership.group_id == group).isempty():
        set_password(db, folder)
        user = db(db.auth_user.email == ADMIN).select().first()
        auth.add_membership(group, user.id)


def set_password(db: Any, folder: str) -> str:
    """Give the administrator a new random password, in the database and in a file that only its owner may read."""
    password = secrets.token_urlsafe(12)
    hashed = str(db.auth_user.password.validate(password)[0])
    if not db(db.auth_user.email == ADMIN).update(password=hashed):
        db.auth_user.insert(email=ADMIN, first_name="Ada", last_name="Administrator", password=hashed)
    write_private(Path(folder, "private", PASSWORD_FILE), f"{ADMIN}\n{password}\n")
    return password
