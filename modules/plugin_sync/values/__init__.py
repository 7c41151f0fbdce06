"""One codec for each pyDAL type: the text of a cell <-> the value that the database stores.

Strict and lossless: a cell is either exactly a value of its type or a fault with the reason. `Codec.one` is the
specification of a type; `Codec.fast` does a whole column at C speed and gives up (returns None) on anything unusual,
so that it never disagrees with `one` (held by a property test). Dates are text in ISO form, booleans 'T' or 'F',
blobs base64, lists bar-encoded, as pyDAL stores them; exact decimals stay text.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..records import FieldSpec
from .codec import NULL, Codec, Fault, Limits, Stored
from .moments import DAY, MOMENT, TIME_OF_DAY
from .numbers import BOOLEAN, DECIMAL, FLOATING, WHOLE
from .structures import BLOB, JSON, LIST_OF_NUMBERS, LIST_OF_REFERENCES, LIST_OF_TEXTS
from .texts import TEXT, UPLOAD, escape, unescape

CODECS: dict[str, Codec] = {
    **dict.fromkeys(("string", "text"), TEXT),
    "upload": UPLOAD,
    **dict.fromkeys(("integer", "bigint", "reference"), WHOLE),
    **dict.fromkeys(("float", "double"), FLOATING),
    "decimal": DECIMAL,
    "boolean": BOOLEAN,
    "date": DAY,
    "time": TIME_OF_DAY,
    "datetime": MOMENT,
    **dict.fromkeys(("json", "jsonb"), JSON),
    "blob": BLOB,
    "list:string": LIST_OF_TEXTS,
    "list:integer": LIST_OF_NUMBERS,
    "list:reference": LIST_OF_REFERENCES,
}


def decode_column(
    field: FieldSpec, cells: Sequence[str], limits: Limits, null: str = NULL
) -> tuple[Sequence[Stored], dict[int, Fault]]:
    """Return the stored values of a column's cells and the faults by index; a faulty cell's value is None."""
    codec = CODECS[field.type]
    if null != NULL:
        cells = [NULL if c == null else c for c in cells]
    values = codec.fast(cells, field, limits)
    faults: dict[int, Fault] = {}
    if values is None:
        values = _one_by_one(field, cells, limits, faults)
    if field.notnull and None in values:
        for index in (i for i, v in enumerate(values) if v is None and i not in faults):
            faults[index] = Fault("is empty, but the column must have a value", code="not_null")
    return values, faults


def decode(field: FieldSpec, cell: str, limits: Limits) -> Stored:
    """Return the stored value of one cell; raises Fault. NULL is `<NULL>`, and '' in types that are not text."""
    codec = CODECS[field.type]
    if cell == NULL or (not codec.textual and not cell.strip()):
        return None
    return codec.one(cell, field, limits)


def _one_by_one(field: FieldSpec, cells: Sequence[str], limits: Limits, faults: dict[int, Fault]) -> list[Stored]:
    values: list[Stored] = []
    for index, cell in enumerate(cells):
        try:
            values.append(decode(field, cell, limits))
        except Fault as fault:
            faults[index] = fault
            values.append(None)
    return values


__all__ = ["CODECS", "NULL", "Codec", "Fault", "Limits", "Stored", "decode", "decode_column", "escape", "unescape"]
