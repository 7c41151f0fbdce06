"""The folder of one instance: its own database, uploads and settings around the checkout's shared code.

An instance folder is a complete web2py folder. Its application folder is real; what is code in it are symbolic links
into the checkout, so every instance runs the same code and shares no data.
"""

import json
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from plugin_sync.assets import compress_static

from . import appadmin

CHECKOUT = Path(__file__).resolve().parents[2]
APP = "sync"
SHARED = ("models", "views", "modules", "static", "languages")
OWN = ("databases", "sessions", "uploads", "errors", "cache", "private", "controllers")
VERSION = "Version 2.26.1-stable+timestamp.2023.10.29.13.08.27"
DEMOS = ("main", "jacmel", "none")
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>%(title)s</title>
<link rel="stylesheet" href="/%(app)s/static/css/host.css"></head><body><main id="main"><h1>%(title)s</h1><p>%(text)s</p>
<p><a href="/%(app)s/default/index">Go to the home page</a></p></main></body></html>
"""
NOT_FOUND = PAGE % {
    "app": APP,
    "title": "Page not found",
    # web2py fills in an internal message: %.0s takes it and shows nothing.
    "text": "There is no page at this address. It may have moved, or it was typed wrongly.%.0s",
}
FAILED = PAGE % {
    "app": APP,
    "title": "Something went wrong",
    "text": "The page could not be shown and nothing was saved. Try again. If it happens again, give the administrator of"
    " this office this number: %(ticket)s",
}
# Not routes_onerror: that would replace the answers that pages and the API give with a status of their own.
ROUTES = f"""routers = dict(BASE=dict(default_application={APP!r}))
error_message = {NOT_FOUND!r}
error_message_ticket = {FAILED!r}
"""


@dataclass(frozen=True, slots=True)
class Instance:
    """Where an instance lives."""

    folder: Path

    @property
    def app(self) -> Path:
        """The folder of its application, web2py's `request.folder`."""
        return self.folder / "applications" / APP

    @property
    def private(self) -> Path:
        """The folder of its settings and the administrator's first password."""
        return self.app / "private"


def chosen() -> Instance:
    """The instance that the environment names: SYNC_INSTANCES is the folder of all, INSTANCE the one's name."""
    name = os.environ.get("INSTANCE") or "main"
    if not name.replace("-", "").replace("_", "").isalnum():
        raise SystemExit(f"INSTANCE={name!r}: a name has letters, digits, - and _ only")
    return Instance(Path(os.environ.get("SYNC_INSTANCES") or CHECKOUT / ".instances").resolve() / name)


def set_up(instance: Instance) -> None:
    """Make what is missing of the folder, and link controllers that have come or gone since the last start."""
    (instance.app / "controllers").mkdir(parents=True, exist_ok=True)
    for name in OWN:
        (instance.app / name).mkdir(exist_ok=True)
    for name in SHARED:
        if (CHECKOUT / name).is_dir():
            link(instance.app / name, CHECKOUT / name)
    compress()
    link_controllers(instance.app / "controllers")
    write_if_changed(instance.folder / "VERSION", VERSION)
    write_if_changed(instance.folder / "routes.py", ROUTES)
    for name in ("welcome.w2p", "applications/__init__.py", f"applications/{APP}/__init__.py"):
        write_if_changed(instance.folder / name, "")
    first_settings(instance)
    appadmin.put(instance.app)


def compress() -> None:
    """Make the compressed twins of the static files; without them they are sent as they are."""
    for name in ("css", "images", "plugin_sync"):
        try:
            compress_static(CHECKOUT / "static" / name)
        except OSError as problem:
            print(f"Warning: static files are not compressed: {problem}", file=sys.stderr)


def link_controllers(folder: Path) -> None:
    """Link each of the checkout's controllers into `folder`, which also holds the appadmin put there."""
    wanted = {path.name: path for path in (CHECKOUT / "controllers").glob("*.py") if path.name != appadmin.NAME}
    for path in folder.glob("*.py"):
        if path.is_symlink() and path.name not in wanted:
            path.unlink()
    for name, target in wanted.items():
        link(folder / name, target)


def link(path: Path, target: Path) -> None:
    """Make `path` a relative symbolic link to `target`, so that the checkout can be moved."""
    text = os.path.relpath(target, path.parent.resolve())
    if path.is_symlink() and str(path.readlink()) == text:
        return
    if path.is_dir() and not path.is_symlink():
        path.rmdir()  # web2py makes an empty folder where the checkout had none
    path.unlink(missing_ok=True)
    path.symlink_to(text)


def write_if_changed(path: Path, text: str) -> None:
    """Write a small file unless it already says the same."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def first_settings(instance: Instance) -> None:
    """Write the settings of a new instance from the environment; later starts keep them."""
    path = instance.private / "settings.json"
    if path.exists():
        return
    name = instance.folder.name
    demo = os.environ.get("DEMO") or (name if name in DEMOS else "none")
    if demo not in DEMOS:
        raise SystemExit(f"DEMO={demo!r}: choose one of {', '.join(DEMOS)}")
    office = {"main": "Main office", "jacmel": "Jacmel office"}.get(name, f"Office {name}")
    settings = {"database_uri": os.environ.get("DATABASE_URI") or "sqlite://storage.sqlite", "demo": demo, "name": office}
    write_private(path, json.dumps(settings, indent=1))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, so that it is never half there."""
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    half.replace(path)
