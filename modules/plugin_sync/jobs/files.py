"""The files that imports are made from: kept whole, their rows told in advance, thrown away when nobody needs them."""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import FileProblem
from ..formats.registry import format_of_file
from .rows import State

CHUNK_BYTES = 1 << 20
MAX_UPLOAD_BYTES = 10 << 30
ORPHAN_DAYS = 2  # a file without a job is one whose upload was cut off


def keep_file(source: BinaryIO, target: Path, limit_bytes: int = MAX_UPLOAD_BYTES) -> tuple[str, int]:
    """Copy a stream into a file that is whole or not there; return its sha256 and size.

    Raises FileProblem when it is empty or too large.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    digest, size_bytes = hashlib.sha256(), 0
    try:
        with part.open("wb") as file:
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
                if size_bytes > limit_bytes:
                    raise FileProblem(f"the selected file is larger than {limit_bytes >> 20:,} MB")
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if not size_bytes:
            raise FileProblem("the selected file is empty")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return digest.hexdigest(), size_bytes


def rows_of(path: Path) -> int:
    """Return how many rows a file says it holds, not verified; 0 when it does not say, or not soundly."""
    with path.open("rb") as file:
        return format_of_file(file).told_rows(file)


def remove_old_files(db: Any, folder: Path, now: datetime, days: int) -> list[str]:
    """Remove what is kept of jobs that ended more than `days` ago, and of none; return their names.

    `folder` holds a file or a folder a job, by its uuid. What belongs to a job that waits, runs, was interrupted or
    checked is needed and stays, however old.
    """
    jobs, removed = db.plugin_sync_job, []
    ended = (State.DONE, State.FAILED, State.CANCELLED)
    for path in folder.iterdir() if folder.is_dir() else ():
        row = db(jobs.uuid == path.name).select(jobs.state, jobs.finished_on, jobs.created_on).first()
        if row is None:
            age = now.timestamp() - path.stat().st_mtime
            old = age > ORPHAN_DAYS * 86_400
        else:
            old = row.state in ended and (row.finished_on or row.created_on) < now - timedelta(days=days)
        if old:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            removed.append(path.name)
    return removed
