"""Texts and names of uploaded files."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..records import FieldSpec
from .codec import NULL, Codec, Fault, Limits, Stored

UPLOAD_NAME = re.compile(r"[^/\\\x00-\x1f<>:\"|?*.][^/\\\x00-\x1f<>:\"|?*]*\Z")


def escape(text: str) -> str:
    """Return the cell of a text: one that reads like NULL, escaped or not, gets one more backslash."""
    return "\\" + text if text.endswith(NULL) and not text[: -len(NULL)].strip("\\") else text


def unescape(cell: str) -> str:
    """Undo `escape`."""
    return cell[1:] if cell.startswith("\\") and escape(cell[1:]) != cell[1:] else cell


def _text(cell: str, field: FieldSpec, limits: Limits) -> Stored:
    text = unescape(cell)
    if limits.lengths and field.length is not None and len(text) > field.length:
        raise Fault(f"has {len(text)} characters, the column takes {field.length}", code="too_long")
    if not limits.nul and "\0" in text:
        raise Fault("holds a NUL character, which this database cannot store")
    return text


def _text_column(cells: Sequence[str], field: FieldSpec, limits: Limits) -> list[Stored] | None:
    joined = "\x01".join(cells)
    if "\\" + NULL in joined or (not limits.nul and "\0" in joined):
        return None
    if limits.lengths and field.length is not None and max(map(len, cells), default=0) > field.length:
        return None
    return [None if c == NULL else c for c in cells] if NULL in joined else list(cells)


def _upload(cell: str, field: FieldSpec, limits: Limits) -> Stored:
    name = unescape(cell)
    if name and not UPLOAD_NAME.match(name):
        raise Fault("is not the name of an uploaded file", code="upload_name")
    return _text(cell, field, limits)


def _upload_column(cells: Sequence[str], field: FieldSpec, limits: Limits) -> list[Stored] | None:
    if all(c == NULL or not c or UPLOAD_NAME.match(c) for c in cells):
        return _text_column(cells, field, limits)
    return None


TEXT = Codec(_text, _text_column, textual=True)
UPLOAD = Codec(_upload, _upload_column, textual=True)
