"""Adding the plugin to an application of one's own, as docs/install.md says: install it, name settings, nothing else."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from plugin_tools.installing import install

from ..offices import ROOT, Client
from ..web.pages import export, heading, send, together, upload
from .test_readme import INSTALLING

# Another office's application: one file of models, a layout, a page to sign in. Nothing of the host in this repository.
MODEL = """
from gluon.tools import Auth
db = DAL("sqlite://storage.sqlite")
auth = Auth(db, host_names=None)
auth.define_tables(username=False, signature=False)
%s
db.define_table("org", Field("name"),
%s
)
db.define_table("person", Field("name"), Field("org_id", "reference org"), Field("uuid", length=64))
db.define_table("my_settings", Field("name"), Field("uuid", length=64))
if db(db.auth_user).isempty():
    password = db.auth_user.password.validate("a long password")[0]
    boss = auth.get_or_create_user(dict(email="boss@example.com", password=password), login=False)
    auth.add_membership(auth.add_group("admin"), boss.id)
    db.my_settings.insert(name="mine")
    db.person.insert(name="Anna", org_id=db.org.insert(name="Red Cross", uuid="o-1"))
"""
FILES = {
    "models/db.py": None,
    "controllers/default.py": "def index(): return 'Home'\ndef user(): return dict(form=auth())\n",
    "views/layout.html": "<!doctype html><html lang='en'><title>{{=response.title}}</title><body>{{include}}</body></html>",
    "views/default/user.html": "{{extend 'layout.html'}}{{=form}}",
}
SERVER = """
import os, sys
sys.path[:0] = [{folder!r}, {beside!r}]
os.environ["web2py_path"] = {folder!r}
os.chdir({folder!r})
import compat
import gluon.settings
gluon.settings.global_settings.web2py_runtime_handler = True
import gluon.main, waitress
server = waitress.create_server(gluon.main.wsgibase, host="127.0.0.1", port=0, max_request_body_size=1 << 30)
print(server.effective_port, flush=True)
server.run()
"""


def indented(start):
    """The lines of the page that stand in an indented block which begins with `start`."""
    block = re.search(rf"(^    {re.escape(start)}.*\n(?:^    .*\n)*)", INSTALLING, re.MULTILINE)[1]
    return "\n".join(line.strip() for line in block.splitlines() if line.strip())


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    folder = tmp_path_factory.mktemp("web2py")
    app, beside = folder / "applications" / "sync", folder / "beside"
    model = MODEL % (indented("from gluon.tools import PluginManager"), indented('Field("uuid"'))
    for name, text in {**FILES, "models/db.py": model}.items():
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_text(text, encoding="utf-8")
    install(ROOT, app)
    for name in ("databases", "sessions", "errors", "cache", "uploads"):
        (app / name).mkdir(exist_ok=True)
    (folder / "VERSION").write_text("Version 2.26.1-stable+timestamp.2023.10.29.13.08.27", encoding="ascii")
    for name in ("welcome.w2p", "applications/__init__.py", "applications/sync/__init__.py"):
        (folder / name).touch()
    beside.mkdir()
    shutil.copy(ROOT / "modules" / "demo_host" / "compat.py", beside)
    code = SERVER.format(folder=str(folder), beside=str(beside))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PYTHONUTF8": "1"}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    port = int(process.stdout.readline())
    yield Client(f"http://127.0.0.1:{port}/sync/"), app
    process.terminate()
    process.wait(timeout=30)
    process.stdout.close()


def test_an_application_of_ones_own_gets_the_pages(application):
    client, app = application
    assert client.get("/sync/default/index").text == "Home"
    client.sign_in("boss@example.com", "a long password")
    for page in ("index", "export", "import_file", "tables", "instances"):
        answer = client.get(f"/sync/plugin_sync/{page}")
        assert answer.status == 200, answer.text
    assert "This office is Jacmel" in client.get("/sync/plugin_sync/index").text
    data = export(client)
    assert re.findall(rb"^TABLE (\w+)\r$", data, re.MULTILINE) == [b"org", b"person"]
    assert b"Red Cross" in data and b"mine" not in data
    assert list((app / "errors").iterdir()) == []


def test_a_file_goes_round(application):
    client, _ = application
    client.sign_in("boss@example.com", "a long password")
    check, result = send(client, b"org.uuid,org.name\r\no-2,Blue Shield\r\n")
    assert heading(result) == "Imported"
    assert together(check)["new"] == 1
    check = upload(client, export(client))
    assert together(check)["same"] == 3 and "/apply/" not in check.text
