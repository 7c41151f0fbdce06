"""What the application's model imports: it must not fail where packages lack that only some features need."""

import subprocess
import sys

from ..offices import ROOT

PROGRAM = """
import sys
for name in ("cryptography", "lxml", "psycopg2", "pymysql", "gluon"):
    sys.modules[name] = None  # an import of it fails
from pathlib import Path
from plugin_sync import SettingsError, wiring
assert not wiring.has_cryptography
try:
    wiring.Vault(Path("key")).lock("secret")
except SettingsError as error:
    print(error)
"""


def test_packages_are_asked_for_when_they_are_needed(tmp_path):
    environment = {"PYTHONPATH": str(ROOT / "modules"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    wanted = "signatures and tokens need the package cryptography. Install it with pip, then try again.\n"
    assert (done.stdout, done.stderr) == (wanted, "")
    assert list(tmp_path.iterdir()) == []
