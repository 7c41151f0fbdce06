"""Numbers, sizes, times and file names as people read them. Pure; the pages translate the words around them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_UNITS = ("bytes", "KB", "MB", "GB", "TB")


def number_text(number: int) -> str:
    """Return a number with thousands separators."""
    return f"{number:,}"


def size_text(size_bytes: int) -> str:
    """Return a size in the unit that leaves one to three digits before the point."""
    size, unit = float(size_bytes), 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit and size < 10 else f"{size:,.0f} {_UNITS[unit]}"


def time_text(moment: datetime | str | None) -> str:
    """Return a time in UTC to the minute; a text that is no ISO time is returned as it is, None as nothing."""
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            return str(moment)
    if moment is None:
        return ""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def lines_text(lines: Sequence[int], total: int) -> str:
    """Return line numbers as a list that ends in `…` when there are more."""
    return ", ".join(str(line) for line in lines) + (" …" if total > len(lines) else "")


def file_name(instance: str, what: str, day: datetime) -> str:
    """Return a name for an exported file that any file system takes."""
    parts = (instance, what, f"{day:%Y-%m-%d}")
    safe = (re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-") or "data" for part in parts[:2])
    return "-".join((*safe, parts[2])) + ".csv"


def fault_text(fault: Mapping[str, Any]) -> str:
    """Return an error (SyncError.to_dict) as sentences: what happened, where, what to do."""
    places = [f"{name} {fault[name]}" for name in ("line", "column") if fault.get(name) is not None]
    where = f" ({', '.join(places)})" if places else ""
    return sentence(f"{fault.get('reason', '')}{where}", fault.get("hint", ""))


def sentence(message: str, hint: str = "") -> str:
    """Return an error's message as a sentence, followed by what to do."""
    text = message[:1].upper() + message[1:]
    return f"{text}{'' if text.endswith(('.', '!', '?')) else '.'} {hint}".rstrip() if text else hint


def named(text: str, labels: Mapping[str, str]) -> str:
    """Return a message with the names of tables replaced by what people call them."""
    return re.sub(r"\w+", lambda found: labels.get(found[0], found[0]) if "_" in found[0] else found[0], text)


def cell_text(value: str | None, limit: int = 200) -> str:
    """Return a cell's text to look at: cut when it is long, a dash for nothing."""
    if not value:
        return "–"
    return value if len(value) <= limit else value[:limit] + "…"
