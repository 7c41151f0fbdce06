"""What the package offers, and that it needs nothing but pyDAL."""

import subprocess
import sys
from pathlib import Path

import pydal

import plugin_sync

MODULES = Path(plugin_sync.__file__).resolve().parents[1]
PUBLIC = """
    Cancelled Catalog CheckOutdated Counts Duplicates ExportReport FileAltered FileEncodingError FileFormatError FileIncomplete
    FileProblem ImportReport Kept Origin Outcome Policy Problem RowsRejected Settings SettingsError SignatureRefused
    Signer StoreBusy StoreError SyncError TableRefused TableReport Trust UndoReport decide export_csv export_file import_csv
    import_file own_signer read_catalog stream_csv undo_import
""".split()


def test_the_public_names():
    assert sorted(plugin_sync.__all__) == sorted(PUBLIC)


def test_every_public_name_is_there_and_documented():
    undocumented = [name for name in plugin_sync.__all__ if not (getattr(plugin_sync, name).__doc__ or "").strip()]
    assert undocumented == []


ALONE = """
import importlib.util, io, sys
sys.path.insert(0, {modules!r})
spec = importlib.util.spec_from_file_location("pydal", {pydal!r} + "/__init__.py", submodule_search_locations=[{pydal!r}])
sys.modules["pydal"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["pydal"])
from pydal import DAL, Field
from plugin_sync import export_csv, import_csv
db = DAL("sqlite:memory")
db.define_table("t", Field("uuid"), Field("name"))
db.t.insert(uuid="u1", name="Anna")
file = io.BytesIO()
assert export_csv(db, file).total == 1
file.seek(0)
assert import_csv(db, file).counts.same == 1
print(sorted({{name.split(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names)))
"""


def test_it_needs_nothing_but_pydal():
    """A Python without site-packages, on whose path only the package is, with pyDAL beside it."""
    code = ALONE.format(modules=str(MODULES), pydal=str(Path(pydal.__file__).resolve().parent))
    done = subprocess.run([sys.executable, "-S", "-I", "-c", code], capture_output=True, text=True, env={}, check=False)
    assert (done.stdout.strip(), done.stderr) == ("['__main__', 'plugin_sync', 'pydal']", "")
