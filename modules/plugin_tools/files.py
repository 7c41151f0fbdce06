"""Which files are the plugin's, in a checkout or in an application: by their names alone, as web2py's packer goes by.

A list of them with their hashes lies in the application, so that what was changed since is told from what came.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

NAME = "plugin_sync"
# In the order in which a running application can take them: what is imported first, what runs at each request last.
FOLDERS = ("modules", "static", "languages", "views", "cron", "controllers", "models")
GENERATED = (".pyc", ".gz")  # made where the plugin runs: compiled modules, twins for browsers that take compressed files
PRIVATE = f"private/{NAME}"
LIST = f"{PRIVATE}/installed.json"


def plugin_files(top: Path) -> list[str]:
    """Return the plugin's files below `top` by their relative names, in the order to install them."""
    return [name for folder in FOLDERS for name in sorted(_files_of(top, folder)) if not name.endswith(GENERATED)]


def generated_files(top: Path) -> list[str]:
    """Return what the plugin made beside its own files while it ran."""
    return sorted(name for folder in FOLDERS for name in _files_of(top, folder) if name.endswith(GENERATED))


def _files_of(top: Path, folder: str) -> set[str]:
    found = {path for path in (top / folder).glob(f"{NAME}.*") if path.is_file()}
    found |= {path for path in (top / folder / NAME).rglob("*") if path.is_file()}
    return {path.relative_to(top).as_posix() for path in found}


def sha256_of(path: Path) -> str:
    """Return a file's hash."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def list_text(hashes: Mapping[str, str]) -> str:
    """Return the list that lies in the application; the same files give the same text."""
    return json.dumps({"plugin": NAME, "files": dict(sorted(hashes.items()))}, indent=1) + "\n"


def read_list(app: Path) -> dict[str, str]:
    """Return the hashes of what was installed, by name; nothing where there is no list."""
    path = app / LIST
    if not path.is_file():
        return {}
    files: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))["files"]
    return files
