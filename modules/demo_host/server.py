"""Serving an instance with waitress."""

import io
import os
import pickle
import socket
import sys
import threading
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

from . import first_start
from .instance import APP, Instance

THREADS = 16
LARGEST_UPLOAD_BYTES = 10 * 1024**3


def application(instance: Instance) -> Any:
    """web2py's WSGI application for the instance; the process becomes that instance's."""
    enter(instance)
    import gluon.settings

    gluon.settings.global_settings.web2py_runtime_handler = True
    import gluon.main

    return gluon.main.wsgibase


def enter(instance: Instance) -> None:
    """Make the process ready to import gluon for the instance: only once, before gluon is imported."""
    os.environ["web2py_path"] = str(instance.folder)  # noqa: SIM112  its name in web2py
    os.chdir(instance.folder)
    sys.path.insert(0, str(instance.folder))
    from . import compat  # noqa: F401  mends pyDAL before gluon is imported


def first_request(app: Any, instance: Instance) -> None:
    """Ask for the home page once, so that the first start's work is done before anybody waits for it."""
    environ: dict[str, Any] = {"PATH_INFO": f"/{APP}/default/index", "REMOTE_ADDR": "127.0.0.1"}
    setup_testing_defaults(environ)
    environ["wsgi.input"] = io.BytesIO()
    status: list[str] = []
    answer = app(environ, lambda line, headers, *rest: status.append(line))
    body = b"".join(answer)
    if not status or not status[0].startswith("200"):
        raise SystemExit(f"The application did not start.\n{newest_error(instance) or body.decode('utf-8', 'replace')}")


def newest_error(instance: Instance) -> str:
    """The traceback that web2py recorded last, nothing if there is none."""
    tickets = sorted((instance.app / "errors").iterdir(), key=lambda path: path.stat().st_mtime)
    return str(pickle.loads(tickets[-1].read_bytes())["traceback"]) if tickets else ""  # noqa: S301  our own file


def serve(instance: Instance) -> None:
    """Serve the instance until the process is ended. HOST and PORT say where."""
    host, port = os.environ.get("HOST") or "127.0.0.1", int(os.environ.get("PORT") or 8000)
    listening = bind(host, port)
    app = application(instance)
    import waitress

    first_request(app, instance)
    server = waitress.create_server(
        app, sockets=[listening], threads=THREADS, max_request_body_size=LARGEST_UPLOAD_BYTES, ident=None
    )
    threading.Thread(target=announce, args=(instance, *listening.getsockname()[:2])).start()
    server.run()


def bind(host: str, port: int) -> socket.socket:
    """Take the port before anything long is done; an occupied one is told at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as taken:
        raise SystemExit(f"Port {port} of {host} cannot be used ({taken.strerror}). Try PORT={port + 1}.") from taken
    return listening


def announce(instance: Instance, host: str, port: int) -> None:
    """Print the address and how to sign in."""
    name = f"[{host}]" if ":" in host else host
    print(f"Instance {instance.folder.name} is served at http://{name}:{port}/", flush=True)
    print(sign_in(instance), flush=True)


def sign_in(instance: Instance) -> str:
    """How to sign in as the administrator."""
    file = Path(instance.private, first_start.PASSWORD_FILE)
    if not file.exists():
        return "Sign in as an administrator of this instance; ./run password makes one."
    email, password = file.read_text(encoding="utf-8").split()
    return f"Sign in as {email} with the password {password}\n  (kept in {file}; ./run password makes a new one)"
