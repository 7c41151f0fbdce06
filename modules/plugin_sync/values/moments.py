"""Dates, times of day, dates with times: ISO text, as pyDAL stores them; with a zone they become UTC."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence

from ..records import FieldSpec
from .codec import NULL, Codec, Fault, Limits, Stored, shown

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
MIDNIGHT = re.compile(r"(?:[T ]00:00(?::00(?:\.0+)?)?)?\Z")
TIME = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]{1,6})?)?\Z")
ZONE = re.compile(r"(?:Z|[+-][0-9]{2}:?[0-9]{2})\Z")
LOCAL_DATE = re.compile(r"[0-9]{1,2}[/.\-][0-9]{1,2}[/.\-][0-9]{2,4}")
SPREADSHEET_HINT = "Write them as YEAR-MONTH-DAY, for example 2024-03-31."


def _fault(kind: str, cell: str) -> Fault:
    if LOCAL_DATE.match(cell.strip()):
        return Fault(f"dates look changed by a spreadsheet: {shown(cell)}", SPREADSHEET_HINT, "spreadsheet_date")
    return Fault(f"is not a {kind}: {shown(cell)}")


def _date(cell: str, field: FieldSpec, limits: Limits) -> Stored:
    day, clock = cell.strip()[:10], cell.strip()[10:]
    if not _is_day(day) or not MIDNIGHT.match(clock):
        raise _fault("date", cell)
    return day


def _date_column(cells: Sequence[str], field: FieldSpec, limits: Limits) -> list[Stored] | None:
    return _iso_column(cells, datetime.date.fromisoformat, 10, {"-": 2})


def _time(cell: str, field: FieldSpec, limits: Limits) -> Stored:
    text = _clock(cell.strip())
    if text is None:
        raise Fault(f"is not a time of day: {shown(cell)}")
    return text


def _time_column(cells: Sequence[str], field: FieldSpec, limits: Limits) -> list[Stored] | None:
    return _iso_column(cells, datetime.time.fromisoformat, 8, {":": 2})


def _datetime(cell: str, field: FieldSpec, limits: Limits) -> Stored:
    text = cell.strip()
    zone = ZONE.search(text) if len(text) > 16 else None
    day, gap, clock = text[:10], text[10:11], text[11 : zone.start() if zone else None]
    time = _clock(clock) if gap else "00:00:00"
    if not _is_day(day) or gap not in ("", " ", "T") or time is None:
        raise _fault("date and time", cell)
    return _in_utc(f"{day} {time}", zone[0], cell) if zone else f"{day} {time}"


def _in_utc(text: str, zone: str, cell: str) -> str:
    """Return a time with a zone as UTC without one, which is how datetimes are stored."""
    try:
        moment = datetime.datetime.fromisoformat(text + zone).astimezone(datetime.UTC)
    except (ValueError, OverflowError) as exc:
        raise _fault("date and time", cell) from exc
    return moment.replace(tzinfo=None).isoformat(" ")


def _datetime_column(cells: Sequence[str], field: FieldSpec, limits: Limits) -> list[Stored] | None:
    return _iso_column(cells, datetime.datetime.fromisoformat, 19, {"-": 2, ":": 2, " ": 1})


def _is_day(text: str) -> bool:
    return DATE.match(text) is not None and _parses(datetime.date.fromisoformat, text)


def _clock(text: str) -> str | None:
    """Return HH:MM:SS, with microseconds when there are any; None when it is no time of day."""
    match = TIME.match(text)
    if not match or not _parses(datetime.time.fromisoformat, f"{match[1]}:{match[2]}:{match[3] or '00'}"):
        return None
    fraction = (match[4] or "").rstrip("0").rstrip(".")
    return f"{match[1]}:{match[2]}:{match[3] or '00'}" + (fraction and fraction.ljust(7, "0"))


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def _iso_column(cells: Sequence[str], parse: Callable[[str], object], width: int, marks: dict[str, int]) -> list[Stored] | None:
    """Return the cells themselves when each has the canonical length and separators and a valid value.

    With the separators counted over all cells no other form that `fromisoformat` takes is left but week dates (W).
    """
    nulls = NULL in cells or "" in cells
    filled = [c for c in cells if c and c != NULL] if nulls else cells
    joined = "".join(filled)
    if not joined.isascii() or "W" in joined or any(map(width.__ne__, map(len, filled))):
        return None
    if any(joined.count(mark) != times * len(filled) for mark, times in marks.items()):
        return None
    try:
        for _ in map(parse, filled):
            pass
    except ValueError:
        return None
    return [c if c and c != NULL else None for c in cells] if nulls else list(cells)


DAY = Codec(_date, _date_column)
TIME_OF_DAY = Codec(_time, _time_column)
MOMENT = Codec(_datetime, _datetime_column)
