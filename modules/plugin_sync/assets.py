"""Compressed twins of static files: web2py sends `NAME.gz` to browsers that take it, as long as it is not older."""

from __future__ import annotations

import gzip
import os
import secrets
from pathlib import Path

KINDS = (".css", ".js", ".svg")


def compress_static(folder: Path) -> list[str]:
    """Make the twins that are missing or not of their original's time, and remove those without one; return their names.

    A twin gets its original's time. Twins are replaced whole, so that several processes may do this at once.
    """
    made = []
    for twin in folder.glob("*.gz"):
        if twin.with_suffix("").suffix in KINDS and not twin.with_suffix("").exists():
            twin.unlink(missing_ok=True)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        twin = path.with_name(f"{path.name}.gz")
        if path.suffix in KINDS and not _is_of(twin, path):
            _compress(path, twin)
            made.append(twin.name)
    return made


def _is_of(twin: Path, path: Path) -> bool:
    return twin.exists() and twin.stat().st_mtime_ns == path.stat().st_mtime_ns


def _compress(path: Path, twin: Path) -> None:
    time = path.stat()
    part = twin.with_name(f".{twin.name}.{secrets.token_hex(4)}")
    part.write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
    os.utime(part, ns=(time.st_atime_ns, time.st_mtime_ns))
    part.replace(twin)
