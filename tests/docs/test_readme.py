"""What the README tells a newcomer is so."""

import re
import subprocess
import sys

from ..offices import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PLUGIN = ("modules/plugin_sync", "models/plugin_sync.py", "controllers/plugin_sync.py", "views/plugin_sync", "static/plugin_sync")
MAX_BYTES = 150_000


def test_the_example_runs(tmp_path):
    (example,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    file = tmp_path / "example.py"
    file.write_text(example, encoding="utf-8")
    environment = {"PYTHONPATH": str(ROOT / "modules"), "PYTHONUTF8": "1"}
    done = subprocess.run([sys.executable, file], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_screenshots_are_there_and_small():
    shown = set(re.findall(r"\((docs/screenshots/\w+\.png)\)", README))
    assert len(shown) >= 3
    for path in shown:
        data = (ROOT / path).read_bytes()
        assert data.startswith(b"\x89PNG") and len(data) <= MAX_BYTES, (path, len(data))
    assert shown == {f"docs/screenshots/{path.name}" for path in (ROOT / "docs" / "screenshots").iterdir()}


def test_the_files_to_copy_are_all_that_the_plugin_has():
    named = re.findall(r"`((?:modules|models|controllers|views|static)/plugin_sync[.\w]*)`", README)
    assert sorted(set(named)) == sorted(PLUGIN)
    found = {str(path.relative_to(ROOT)) for path in ROOT.glob("*/plugin_sync*")} - {"tests/plugin_sync"}
    assert {path for path in found if not path.startswith(".")} == set(PLUGIN)
