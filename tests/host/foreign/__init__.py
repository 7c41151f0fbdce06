"""An application that is not ours: web2py's welcome as PyPI has it, in a web2py folder and a process of its own.

The wheel brings welcome's Python files alone. What it lacks is made here, as small as it goes: a layout and views, a settings
file, tables of a library. `mends.py` is what any host on web2py-gluon 2.26.1 with the current pyDAL needs, whatever it serves.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from pydal.validators import CRYPT

from demo_host.instance import VERSION

from ...offices import ROOT

HERE = Path(__file__).parent
EMAIL, PASSWORD = "ada@example.org", "an administrator"
RUNNING = ("databases", "sessions", "errors", "cache", "uploads")  # what web2py itself writes while an application is served


@dataclass
class Host:
    """A web2py folder with the application `welcome`."""

    root: Path
    process: "subprocess.Popen[str] | None" = field(default=None, repr=False)
    url: str = ""

    @property
    def app(self) -> Path:
        return self.root / "applications" / "welcome"

    @property
    def environment(self) -> dict[str, str]:
        """Without this checkout's modules: what the plugin needs has to be in the application."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "SYNC_"))}
        return kept | {"PYTHONUTF8": "1"}

    def python(self, *arguments: object, **options) -> subprocess.CompletedProcess:
        command = [sys.executable, *map(str, arguments)]
        options = {"capture_output": True, "timeout": 120, "stdin": subprocess.DEVNULL} | options
        return subprocess.run(command, check=False, env=self.environment, cwd=self.root, **options)

    def inside(self, script: str) -> str:
        """Run Python in web2py's folder, with gluon and the mends at hand; return what it printed."""
        before = "import sys; sys.path.insert(0, '.'); sys.path.insert(1, 'applications/welcome/modules'); import mends\n"
        before += "from gluon.settings import global_settings; global_settings.web2py_runtime_handler = True\nimport gluon.main\n"
        done = self.python("-c", before + script, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sync(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        """The plugin's command line, without a checkout of ours."""
        return self.python(self.app / "cron" / "plugin_sync.py", *arguments, **options)

    def serve(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, HERE / "serving.py", self.root],
            env=self.environment,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = re.search(r"http\S+", self.process.stdout.readline())[0]

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process.stdout.close()
            self.process = None

    def query(self, sql: str, *values: object) -> list[tuple]:
        connection = sqlite3.connect(self.app / "databases" / "storage.sqlite", timeout=30)
        try:
            with connection:
                return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def tickets(self) -> list[str]:
        folder = self.app / "errors"
        return [path.read_text(encoding="latin-1") for path in folder.iterdir()] if folder.is_dir() else []

    def files(self) -> dict[str, str]:
        """Every file of the application and its hash, without those that web2py writes while it serves."""
        paths = (path for path in self.app.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        named = {path.relative_to(self.app).as_posix(): path for path in paths}
        return {n: hashlib.sha256(p.read_bytes()).hexdigest() for n, p in named.items() if n.split("/")[0] not in RUNNING}


def make(root: Path, more_tables: int = 0) -> Host:
    """Make web2py's folder with its welcome application, tables of a library and an administrator."""
    host = Host(root)
    installed = Path(importlib.util.find_spec("gluon").origin).parents[1] / "applications" / "welcome"
    shutil.copytree(installed, host.app, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(HERE / "application", host.app, dirs_exist_ok=True)
    shutil.copy(ROOT / "modules" / "demo_host" / "compat.py", host.app / "modules" / "mends.py")
    (root / "VERSION").write_text(VERSION, encoding="ascii")
    for name in ("deposit", "applications/welcome/private", "applications/welcome/databases"):
        (root / name).mkdir(exist_ok=True)
    (root / "applications" / "__init__.py").touch()
    (host.app / "private" / "tables.txt").write_text(str(more_tables), encoding="ascii")
    host.inside(
        "from gluon.shell import env\n"
        "models = env('welcome', import_models=True)\n"
        "db, auth = models['db'], models['auth']\n"
        f"user = db.auth_user.insert(first_name='Ada', email={EMAIL!r}, password={str(CRYPT()(PASSWORD)[0])!r})\n"
        "auth.add_membership(auth.add_group('admin'), user)\n"
        "db.commit()"
    )
    return host
