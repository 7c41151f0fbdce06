"""The line after END by which a file can be checked: `SYNC {json}`. pyDAL stops reading at END and never sees it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import BinaryIO

from ..errors import FileAltered, FileFormatError, FileIncomplete
from ..records import Origin
from .source import FOOTER_MARK, MAX_FOOTER

VERSION = 1
EDITED_HINT = (
    "Copy or download it again. If it was edited on purpose, remove its last line, which begins with SYNC, and import it."
)
UPDATE_HINT = "Update the synchronisation here, or export the file again from an office with the same version."


@dataclass(frozen=True, slots=True)
class Footer:
    """Who made a file and when, rows a table, and the sha256 of all bytes before the footer."""

    origin: Origin = field(default_factory=Origin)
    rows: Mapping[str, int] = field(default_factory=dict)
    sha256: str = ""


def footer_line(footer: Footer) -> str:
    """Return the line, with its end."""
    values = {**asdict(footer.origin), "version": VERSION, "rows": dict(footer.rows), "sha256": footer.sha256}
    return f"{FOOTER_MARK.decode()}{json.dumps(values, separators=(',', ':'))}\r\n"


def parse_footer(line: bytes, digest: str) -> Footer:
    """Return the footer that `line` holds.

    Raises FileIncomplete when the line is cut, FileFormatError when a later program wrote it, and FileAltered when
    `digest`, the sha256 of what came before it, is not the one it names.
    """
    try:
        values = json.loads(line[len(FOOTER_MARK) :])
        origin = Origin(*(values.get(k) for k in ("base_uuid", "instance", "name", "made_utc", "version")))
        footer = Footer(origin, {str(t): int(n) for t, n in values["rows"].items()}, str(values["sha256"]))
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise FileIncomplete("the file's last line is damaged", hint=EDITED_HINT) from exc
    if origin.version != VERSION:
        raise FileFormatError(f"the file is of version {origin.version}, this program knows {VERSION}", hint=UPDATE_HINT)
    if footer.sha256 != digest:
        raise FileAltered("the file is not as it was written: it was damaged or edited", hint=EDITED_HINT)
    return footer


def told_rows(file: BinaryIO, mark: bytes = FOOTER_MARK, end: bytes = b"") -> int:
    """Return how many rows a file's footer counts, 0 without a sound one. It is read from the end and not verified.

    `mark` and `end` stand around the JSON.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - MAX_FOOTER))
    _, found, line = file.read().rpartition(b"\n" + mark)
    try:
        return sum(int(rows) for rows in json.loads(line.rstrip().removesuffix(end))["rows"].values()) if found else 0
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0  # the import will say what is wrong with it
