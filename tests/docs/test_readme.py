"""What the README tells a newcomer is so."""

import re
import subprocess
import sys

from plugin_tools.files import PRIVATE, plugin_files

from ..offices import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALLING = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
MAX_BYTES = 150_000


def test_the_example_runs(tmp_path):
    (example,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    file = tmp_path / "example.py"
    file.write_text(example, encoding="utf-8")
    environment = {"PYTHONPATH": str(ROOT / "modules"), "PYTHONUTF8": "1"}
    done = subprocess.run([sys.executable, file], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_screenshots_are_there_and_small():
    assert len(re.findall(r"\(docs/screenshots/[\w-]+\.png\)", README)) >= 3
    pages = (ROOT / "docs" / "pages.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"\((?:docs/)?screenshots/([\w-]+\.png)\)", README + pages))
    for name in shown:
        data = (ROOT / "docs" / "screenshots" / name).read_bytes()
        assert data.startswith(b"\x89PNG") and len(data) <= MAX_BYTES, (name, len(data))
    assert shown == {path.name for path in (ROOT / "docs" / "screenshots").iterdir()}


def test_the_files_that_are_brought_are_all_that_the_plugin_has():
    told = re.findall(r"^\| [^|]* \| (`[^|]*`) \|", INSTALLING, re.MULTILINE)
    named = {name for cell in told for name in re.findall(r"`([^`]+)`", cell)}
    found = {str(path.relative_to(ROOT)) for path in ROOT.glob("*/plugin_sync*")} - {"tests/plugin_sync"}
    found |= {"/".join(name.split("/")[:2]) for name in plugin_files(ROOT)} | {PRIVATE}
    assert {path for path in found if not path.startswith(".")} == named


def test_commands_of_run_that_are_named_exist():
    source = (ROOT / "run").read_text(encoding="utf-8")
    for page in (README, INSTALLING):
        for name in re.findall(r"\./run (\w+)", page):
            assert f'"{name}"' in source, name
