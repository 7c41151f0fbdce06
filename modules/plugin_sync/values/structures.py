"""JSON, blobs, and bar-encoded lists."""

from __future__ import annotations

import ast
import base64
import binascii
import json
import re
from collections.abc import Sequence

from ..records import FieldSpec
from .codec import NULL, Codec, Fault, Limits, Stored, shown, slowly
from .numbers import WHOLE
from .texts import TEXT

BAR_LIST = re.compile(r"\|(?:[\s\S]*\|)?\Z")
REFERENCE_LIST = re.compile(r"\|(?:[0-9]+\|)*\|?\Z")
STOCK_BLOB = re.compile(r"b'([A-Za-z0-9+/=]*)'\Z")
MAX_LITERAL = 1_000_000  # characters of a Python literal that stock pyDAL wrote for json
_NOT_LITERAL = object()


def _json(cell: str, field: FieldSpec, limits: Limits) -> Stored:
    try:
        json.loads(cell, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return json.dumps(_stock_json(cell))
    return cell


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _stock_json(text: str) -> object:
    """Return what stock pyDAL meant by the text it writes for json: a Python literal, or a bar-encoded list of them."""
    if BAR_LIST.match(text) and len(text) > 1:
        items = re.split(r"(?<!\|)\|(?!\|)", text[1:-1]) if len(text) > 2 else []
        return [_literal_or_text(item.replace("||", "|")) for item in items]
    value = _literal(text)
    if value is _NOT_LITERAL:
        raise Fault(f"is not JSON: {shown(text)}")
    return value


def _literal(text: str) -> object:
    if len(text) > MAX_LITERAL:
        return _NOT_LITERAL
    try:
        value = ast.literal_eval(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return _NOT_LITERAL
    return value


def _literal_or_text(text: str) -> object:
    value = _literal(text)
    return text if value is _NOT_LITERAL else value


def _json_column(cells: Sequence[str], field: FieldSpec, limits: Limits) -> list[Stored] | None:
    values: list[Stored] = []
    for cell in cells:
        if cell == NULL or not cell.strip():
            values.append(None)
            continue
        try:
            json.loads(cell, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return None
        values.append(cell)
    return values


def _blob(cell: str, field: FieldSpec, limits: Limits) -> Stored:
    stock = STOCK_BLOB.match(cell)
    text = stock[1] if stock else cell
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode("ascii")
    except (binascii.Error, ValueError) as exc:
        raise Fault("is not base64") from exc


def _list_text(cell: str, field: FieldSpec, limits: Limits) -> Stored:
    if not BAR_LIST.match(cell):
        raise Fault(f"is not a list: {shown(cell)}", "Lists are written |first|second|.")
    return TEXT.one(cell, field, limits)


def _list_integer(cell: str, field: FieldSpec, limits: Limits) -> Stored:
    text = _list_text(cell, field, limits)
    for item in str(text).split("|"):
        if item.strip():
            WHOLE.one(item, field, limits)
    return text


def _list_reference(cell: str, field: FieldSpec, limits: Limits) -> Stored:
    if not REFERENCE_LIST.match(cell):
        raise Fault(f"is not a list of ids: {shown(cell)}", "Lists are written |1|2|.")
    for item in filter(None, cell.split("|")):
        WHOLE.one(item, field, limits)
    return cell


JSON = Codec(_json, _json_column)
BLOB = Codec(_blob, slowly, textual=True)  # an empty blob is not NULL
LIST_OF_TEXTS = Codec(_list_text, slowly)
LIST_OF_NUMBERS = Codec(_list_integer, slowly)
LIST_OF_REFERENCES = Codec(_list_reference, slowly)
