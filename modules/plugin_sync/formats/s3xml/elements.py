"""Columns of cells as XML: one text a row, an attribute or an element. Pure.

Whole columns are done at once while nothing in them needs a look; a cell that does is written by `data_element`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ...errors import SyncError
from ...values import NULL
from .cells import TEXTS, bars, json_text, listed, text_of, value_of

Column = Sequence[str]
Maker = Callable[[Column], Sequence[str]]

FORBIDDEN = "\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff"  # no XML 1.0 can hold these
ILLEGAL = re.compile(f"[{FORBIDDEN}]")
NEEDS_VALUE = re.compile(f"[{FORBIDDEN}&\r]")  # Eden unescapes the text of an element a second time
NOT_PLAIN = re.compile(f"[{FORBIDDEN}&<>\r\\\\]")  # a backslash may be an escape of ours
NOT_BARE = re.compile(rf'[{FORBIDDEN}&<>"\s]')
MAX_VALUE = 9_000_000  # bytes; a parser of XML refuses longer ones
ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
QUOTED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"})


def quoted(text: str) -> str:
    """Return a text as the value of an attribute, with its quotes."""
    return f'"{text.translate(QUOTED)}"'


def data_element(name: str, kind: str, cell: str) -> str:
    """Return the element for one cell."""
    if len(cell) > MAX_VALUE // 4 and len(cell.encode()) > MAX_VALUE:
        hint = "Export it as CSV."
        raise SyncError("a value of more than 9 MB cannot travel in XML", column=name, hint=hint)
    start = f"<data field={quoted(name)}"
    if cell == NULL:
        return f'{start} null="true"/>'
    if kind in TEXTS:
        return start + _text(text_of(cell))
    if kind == "upload":
        text = text_of(cell)
        return f"{start} filename={quoted(text)}/>" if not ILLEGAL.search(text) else _cell(start, cell)
    if kind == "blob":
        return f"{start}>{cell.translate(ESCAPES)}</data>" if cell and not NEEDS_VALUE.search(cell) else _cell(start, cell)
    said = value_of(kind, cell)
    return _cell(start, cell) if said is None or ILLEGAL.search(said) else f"{start} value={quoted(said)}/>"


def _cell(start: str, cell: str) -> str:
    return f"{start} cell={quoted(json_text(cell))}/>"


def _text(text: str) -> str:
    if text and (not text.strip() or NEEDS_VALUE.search(text)):
        return f" value={quoted(json_text(text))}/>"
    return f">{text.translate(ESCAPES)}</data>" if text else "/>"


def data_maker(name: str, kind: str) -> Maker:
    """Return what makes the elements of a column."""
    null, field = data_element(name, kind, NULL), quoted(name)
    if kind == "boolean":
        known = {cell: data_element(name, kind, cell) for cell in ("True", "False", NULL)}
        return lambda cells: [known.get(c) or data_element(name, kind, c) for c in cells]
    if kind in TEXTS:
        start, end, unusual = f"<data field={field}>", "</data>", NOT_PLAIN.search
        return lambda cells: [
            null if c == NULL else data_element(name, kind, c) if len(c) > MAX_VALUE // 4 or unusual(c) or not c.strip()
            else f"{start}{c}{end}" for c in cells
        ]  # fmt: skip
    start, end, odd = f"<data field={field} value=", "/>", NOT_BARE.search
    if kind == "datetime":
        return lambda cells: [
            f'{start}"{c[:10]}T{c[11:]}"{end}' if len(c) == 19 and c[10] == " " and not odd(c, 11)
            else data_element(name, kind, c) for c in cells
        ]  # fmt: skip
    if kind in ("integer", "bigint", "double", "float", "decimal", "date", "time"):
        return lambda cells: [
            null if c == NULL else data_element(name, kind, c) if not c or c == "null" or odd(c) else f'{start}"{c}"{end}'
            for c in cells
        ]
    return lambda cells: [data_element(name, kind, c) for c in cells]


def reference_element(name: str, target: str, ident: str, key: str, many: bool) -> str:
    """Return the element for a reference: by uuid, else by id within the file; `key` is NULL where there is no uuid."""
    start = f"<reference field={quoted(name)} resource={quoted(target)}"
    if ident == NULL and key == NULL:
        return f'{start} null="true"/>'
    if many:
        return start + _many(ident, key)
    if key.strip() and key != NULL:
        return f"{start} uuid={quoted(key)}/>" if not ILLEGAL.search(key) else _pair(start, ident, key)
    return f"{start} tuid={quoted(ident)}/>" if ident.isascii() and ident.isdecimal() else _pair(start, ident, key)


def _many(ident: str, key: str) -> str:
    ids, keys = listed(ident), listed(key) if key != NULL else []
    if ids is not None and keys is not None and bars(ids) == ident:
        if keys and len(keys) == len(ids) and NULL not in keys and all(map(str.strip, keys)):
            return f" uuid={quoted(json_text(keys))}/>"
        if not ids and not keys and ident == "||":
            return ' uuid="[]"/>'
        if not keys and all(i.isascii() and i.isdecimal() for i in ids):
            return f" tuid={quoted(json_text(ids))}/>"
    return _pair("", ident, key)


def _pair(start: str, ident: str, key: str) -> str:
    return f"{start} cell={quoted(json_text([ident, key]))}/>"
