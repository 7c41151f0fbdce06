"""Copies the plugin into an application, and takes it out again. Only files of the plugin's name are ever touched."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .files import FOLDERS, LIST, NAME, PRIVATE, generated_files, list_text, plugin_files, read_list, sha256_of


class NotPossibleError(Exception):
    """Nothing was done: the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was copied or removed, and what was left as it is, by relative names."""

    copied: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def install(top: Path, app: Path, force: bool = False) -> Done:
    """Copy the plugin of the checkout `top` into the application `app`, over an older version if there is one.

    Raises NotPossibleError when it is no application, or when files that are there were changed in it; then nothing was done.
    """
    _require_application(top, app)
    before, hashes = read_list(app), {name: sha256_of(top / name) for name in plugin_files(top)}
    changed = [name for name, digest in hashes.items() if _differs(app / name, digest, before.get(name, ""))]
    if changed and not force:
        raise NotPossibleError(_told("These files of the plugin were changed in the application", changed))
    copied = [name for name, digest in hashes.items() if not (app / name).is_file() or sha256_of(app / name) != digest]
    for name in copied:
        _copy(top / name, app / name)
    stale = [name for name in before if name not in hashes and (app / name).is_file()]
    gone = [name for name in stale if sha256_of(app / name) == before[name]]
    _remove(app, gone)
    (app / PRIVATE).mkdir(parents=True, exist_ok=True)
    _write(app / LIST, list_text(hashes).encode("utf-8"))
    return Done(tuple(copied), tuple(gone), tuple(sorted(set(stale) - set(gone))))


def uninstall(app: Path, force: bool = False, keep_data: bool = False) -> Done:
    """Remove from an application what was installed, what the plugin made while it ran, and its private data.

    Files that were changed since are left, but with `force`; so is whatever else bears the plugin's name. The database's
    tables stay. Raises NotPossibleError where the plugin was not installed.
    """
    before = read_list(app)
    if not before:
        raise NotPossibleError(f"{app} has no {LIST}, the list of what was installed: install it again first, then uninstall.")
    there = [name for name in before if (app / name).is_file()]
    mine = [name for name in there if force or sha256_of(app / name) == before[name]]
    others = {name for name in plugin_files(app) if name not in mine}
    made = [name for name in generated_files(app) if _original(name) not in others]
    _remove(app, [*reversed(mine), *made])  # models go first, modules last
    private = [] if keep_data else sorted(p.relative_to(app).as_posix() for p in (app / PRIVATE).rglob("*") if p.is_file())
    if keep_data:
        (app / LIST).unlink()
    else:
        shutil.rmtree(app / PRIVATE)
    _remove_empty(app)
    return Done(removed=(*mine, *made, *private), left=tuple(sorted(others)))


def _require_application(top: Path, app: Path) -> None:
    missing = [name for name in ("controllers", "models", "views") if not (app / name).is_dir()]
    if missing:
        raise NotPossibleError(f"{app} is no web2py application: it has no folder {' and no folder '.join(missing)}.")
    if app.absolute().parent.name != "applications":
        raise NotPossibleError(f"{app} does not lie in a folder applications, as web2py's applications do.")
    linked = [name for name in (*FOLDERS, "private") if (app / name).is_symlink()]
    if linked:
        raise NotPossibleError(f"{app} has links for {', '.join(linked)}: install into the folder that they lead to.")
    if app.resolve() == top.resolve():
        raise NotPossibleError(f"{app} is the checkout itself.")


def _differs(path: Path, wanted: str, installed: str) -> bool:
    """Whether a file is there that is neither what was installed nor what is to be."""
    return path.is_file() and sha256_of(path) not in (wanted, installed)


def _told(what: str, names: Iterable[str]) -> str:
    return f"{what}: {', '.join(names)}. Nothing was done; --force replaces or removes them."


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    _write(target, source.read_bytes())


def _write(target: Path, data: bytes) -> None:
    """Write a file so that a running application never reads half of it."""
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(data)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _original(name: str) -> str:
    """The file that a generated one was made from: `a/b.css.gz` of `a/b.css`, `a/__pycache__/b.cpython-311.pyc` of `a/b.py`."""
    if name.endswith(".gz"):
        return name.removesuffix(".gz")
    folder, _, file = name.rpartition("/")
    return f"{folder.removesuffix('/__pycache__')}/{file.partition('.')[0]}.py"


def _remove(app: Path, names: Iterable[str]) -> None:
    for name in names:
        (app / name).unlink(missing_ok=True)
    _remove_empty(app)


def _remove_empty(app: Path) -> None:
    """Remove the plugin's folders that have become empty, and those folders of the application that only it had."""
    for folder in (*FOLDERS, "private"):
        for path, _, _ in os.walk(app / folder / NAME, topdown=False):
            with contextlib.suppress(OSError):
                Path(path).rmdir()
        if folder in ("cron", "private"):
            with contextlib.suppress(OSError):
                (app / folder).rmdir()
