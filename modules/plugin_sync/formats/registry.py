"""The formats by name, and which of them a file is in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import SettingsError
from .bundle import BundleWriter
from .bundle_reading import BundleReader, is_bundle, told_rows
from .contract import Reader, Reading, Writer, Writing
from .csv import CsvReader, CsvWriter
from .footer import told_rows as told_by_footer
from .s3xml import S3xmlReader, S3xmlWriter
from .s3xml import is_start as is_xml
from .source import XML_FOOTER_END, XML_FOOTER_MARK

START_BYTES = 512


@dataclass(frozen=True, slots=True)
class Format:
    """One format: how its files are named and served, how they begin, its reader and its writer."""

    name: str
    suffix: str
    content_type: str
    is_start: Callable[[bytes], bool]  # of a file's first START_BYTES
    reader: Callable[[Any, Reading], Reader]
    writer: Callable[[Writing], Writer]
    told_rows: Callable[[Any], int] = lambda file: 0  # how many rows a file says it holds, not verified; 0 when it does not say


CSV = Format(
    name="csv",
    suffix=".csv",
    content_type="text/csv; charset=utf-8",
    is_start=lambda start: True,  # what no other format claims; its reader names files of other kinds
    reader=CsvReader,
    writer=lambda writing: CsvWriter(writing.origin),
    told_rows=told_by_footer,
)
BUNDLE = Format(
    name="bundle",
    suffix=".zip",
    content_type="application/zip",
    is_start=is_bundle,
    reader=BundleReader,
    writer=BundleWriter,
    told_rows=told_rows,
)
S3XML = Format(
    name="s3xml",
    suffix=".xml",
    content_type="application/xml; charset=utf-8",
    is_start=is_xml,
    reader=S3xmlReader,
    writer=S3xmlWriter,
    told_rows=lambda file: told_by_footer(file, XML_FOOTER_MARK, XML_FOOTER_END),
)
FORMATS: Mapping[str, Format] = {form.name: form for form in (CSV, BUNDLE, S3XML)}


def format_of(name: str) -> Format:
    """Return the format called `name`; SettingsError names those that there are."""
    if name not in FORMATS:
        raise SettingsError(f"no format is called {name!r}", hint=f"There are: {', '.join(FORMATS)}.")
    return FORMATS[name]


def format_of_file(fileobj: Any) -> Format:
    """Return the format that a file object begins in; what can only be read once, or is text, is taken for CSV."""
    beneath = getattr(fileobj, "buffer", fileobj)
    if not (hasattr(beneath, "seekable") and beneath.seekable()):
        return CSV
    at = beneath.tell()
    start = beneath.read(START_BYTES)
    beneath.seek(at)
    return next((f for f in FORMATS.values() if f is not CSV and isinstance(start, bytes) and f.is_start(start)), CSV)


def open_reader(fileobj: Any, reading: Reading = Reading()) -> Reader:  # noqa: B008  # frozen
    """Return a reader of a file in any format."""
    return format_of_file(fileobj).reader(fileobj, reading)
