"""Numbers, sizes, times, sentences and file names as people read them, in the language of a translator. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from .messages import Translate, translated

NUMBER = "1,234.5"  # its translation shows how numbers are written
UNITS = ("%s bytes", "%s KB", "%s MB", "%s GB", "%s TB")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
PLACES = {"line": "line %s", "column": "column %s"}
KEYS = (NUMBER, *UNITS, *MONTHS, *PLACES.values())  # what languages have words for


def in_english(template: str, values: object = ()) -> str:
    """The translator of those who read English."""
    return template % values if values else template


@dataclass(frozen=True, slots=True)
class Texts:
    """What pages ask for texts. `translate` is web2py's T or the like; it is never given what a file or a person said."""

    translate: Translate = in_english

    def number_text(self, number: int | float, decimals: int = 0) -> str:
        """Return a number with thousands separators."""
        shown = str(self.translate(NUMBER))
        return f"{number:,.{decimals}f}".translate({ord(","): shown[1], ord("."): shown[-2]})

    def size_text(self, size_bytes: int) -> str:
        """Return a size in the unit that leaves one to three digits before the point."""
        size, unit = float(size_bytes), 0
        while size >= 999.5 and unit < len(UNITS) - 1:
            size, unit = size / 1000, unit + 1
        return str(self.translate(UNITS[unit], (self.number_text(size, 1 if unit and size < 10 else 0),)))

    def time_text(self, moment: datetime | str | None) -> str:
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
        return f"{self.day_text(moment)} {moment:%Y, %H:%M} UTC"

    def local_text(self, moment: datetime, zone: tzinfo | None = None) -> str:
        """Return what a UTC time is in a zone, the system's own without one; nothing where that is UTC too."""
        local = moment.replace(tzinfo=UTC).astimezone(zone)
        if not local.utcoffset():
            return ""
        day = "" if local.date() == moment.date() else f"{self.day_text(local)}, "
        return f"{day}{local:%H:%M} {local.tzname()}"

    def day_text(self, day: date) -> str:
        """Return a day without its year."""
        return f"{day.day} {self.translate(MONTHS[day.month - 1])}"

    def lines_text(self, lines: Sequence[int], total: int) -> str:
        """Return line numbers as a list that ends in `…` when there are more."""
        return ", ".join(str(line) for line in lines) + (" …" if total > len(lines) else "")

    def file_name(self, instance: str, what: str, day: datetime, suffix: str = ".csv") -> str:
        """Return a name for an exported file that any file system takes; the same in all languages."""
        parts = (instance, what, f"{day:%Y-%m-%d}")
        safe = (re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-") or "data" for part in parts[:2])
        return "-".join((*safe, parts[2])) + suffix

    def message(self, message: str) -> str:
        """Return a sentence of the engine, or a part of one, translated where it is one."""
        return translated(message, self.translate)

    def fault_text(self, fault: Mapping[str, Any]) -> str:
        """Return an error (SyncError.to_dict) as sentences: what happened, where, what to do."""
        places = [str(self.translate(PLACES[name], (fault[name],))) for name in PLACES if fault.get(name) is not None]
        where = f" ({', '.join(places)})" if places else ""
        return _sentence(f"{self.message(str(fault.get('reason') or ''))}{where}", self.message(str(fault.get("hint") or "")))

    def sentence(self, message: str, hint: str = "") -> str:
        """Return an error's message as a sentence, followed by what to do."""
        return _sentence(self.message(message), self.message(hint))

    def named(self, text: str, labels: Mapping[str, str]) -> str:
        """Return a message with the names of tables replaced by what people call them."""
        return re.sub(r"\w+", lambda found: labels.get(found[0], found[0]) if "_" in found[0] else found[0], text)

    def cell_text(self, value: str | None, limit: int = 200) -> str:
        """Return a cell's text to look at: cut when it is long, a dash for nothing."""
        if not value:
            return "–"
        return value if len(value) <= limit else value[:limit] + "…"


IN_ENGLISH = Texts()


def _sentence(text: str, hint: str) -> str:
    text = text[:1].upper() + text[1:]
    return f"{text}{'' if text.endswith(('.', '!', '?')) else '.'} {hint}".rstrip() if text else hint
