"""How S3XML notes a value, by pyDAL type, and the cell of the CSV form that it stands for. Pure.

Eden reads `value` as JSON where it can and prefers it to the text. What cannot be said so that the very cell comes back
stands in an attribute of our own, `cell`, as a JSON string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from ...values import NULL, Fault, escape, unescape

TEXTS = frozenset(("string", "text"))
EMPTY_COUNTS = frozenset((*TEXTS, "upload", "blob"))  # types of which an empty element is a value
OWN_BARS = re.compile(r"(?<!\|)\|(?!\|)")
ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))


Read = Callable[[str, bool], str]  # what an element says, and whether it says it in `value`


def parsed(raw: str) -> object:
    """Return what `raw` says as JSON; itself when it is none."""
    try:
        found: object = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    if isinstance(found, str):
        refuse_surrogates(found)
    return found


def refuse_surrogates(text: str) -> None:
    """Raise Fault for half a character, which JSON can name and no database can store."""
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        raise Fault("holds half a character (a lone surrogate)")


def unquoted(text: str) -> str:
    """Undo the second escaping that the s3xrc of 2010 does."""
    for entity, character in ENTITIES if "&" in text else ():
        text = text.replace(entity, character)
    return text


def _text(raw: str, is_value: bool) -> str:
    if is_value:
        found = parsed(raw)
        if found is None:
            return NULL
        raw = found if isinstance(found, str) else raw
    return escape(raw) if raw.endswith(NULL) else raw


def _scalar(raw: str, is_value: bool) -> str:
    if is_value and raw.startswith('"'):
        found = parsed(raw)
        raw = found if isinstance(found, str) else raw
    return NULL if raw == "null" else raw


def _boolean(raw: str, is_value: bool) -> str:
    return {"true": "True", "false": "False"}.get(raw) or _scalar(raw, is_value)


def _moment(raw: str, is_value: bool) -> str:
    text = _scalar(raw, is_value)
    return f"{text[:10]} {text[11:]}" if text[10:11] == "T" else text


def _same(raw: str, is_value: bool) -> str:
    return raw


def _list(raw: str, is_value: bool) -> str:
    found = raw if raw.startswith("|") else parsed(raw)
    if found is None or (isinstance(found, str) and raw.startswith("|")):
        return NULL if found is None else raw
    return bars([_item(item) for item in (found if isinstance(found, list) else [found])])


def _item(item: object) -> str:
    if isinstance(item, str):
        refuse_surrogates(item)
        return item
    if item is None or isinstance(item, (list, dict)):
        raise Fault("is not a list of single values")
    return json.dumps(item)


def bars(items: list[str]) -> str:
    """Return a list as pyDAL encodes it."""
    return f"|{'|'.join(item.replace('|', '||') for item in items)}|"


def listed(cell: str) -> list[str] | None:
    """Return the items of a list as pyDAL encodes it; None when encoding them gives another text."""
    inside = cell[1:-1]
    items = [item.replace("||", "|") for item in OWN_BARS.split(inside)] if inside else []
    return items if len(cell) > 1 and bars(items) == cell else None


READ: dict[str, Read] = {
    **dict.fromkeys(("string", "text", "upload"), _text),
    **dict.fromkeys(("integer", "bigint", "float", "double", "decimal", "date", "time"), _scalar),
    "boolean": _boolean,
    "datetime": _moment,
    **dict.fromkeys(("json", "jsonb", "blob"), _same),
    **dict.fromkeys(("list:string", "list:integer"), _list),
}


def own_cell(raw: str) -> str:
    """Return the cell that an attribute `cell` holds."""
    found = parsed(raw)
    if not isinstance(found, str):
        raise Fault("has an attribute cell that is no JSON string")
    return found


# ---- writing


def json_text(value: object) -> str:
    """Return a value as JSON that XML can hold."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def value_of(kind: str, cell: str) -> str | None:
    """Return what `value` says for a cell that is not NULL, of a type that is no text; None where nothing says the same."""
    said: str | None = cell
    if kind == "boolean":
        said = {"True": "true", "False": "false"}.get(cell)
    elif kind == "datetime":
        said = f"{cell[:10]}T{cell[11:]}" if cell[10:11] == " " else cell
    elif kind in ("list:string", "list:integer"):
        items = listed(cell)
        numbers = kind == "list:integer" and items is not None
        said = None if items is None else json_text([_number(i) for i in items] if numbers else items)
    if not said or READ[kind](said, True) != cell:
        return None
    return said


def _number(item: str) -> int | str:
    return int(item) if re.match(r"-?[0-9]{1,19}\Z", item) and str(int(item)) == item else item


def text_of(cell: str) -> str:
    """Return the text that a cell of a text type stands for."""
    return unescape(cell)
