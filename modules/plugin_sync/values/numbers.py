"""Whole numbers, doubles, exact decimals, booleans."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Context, Decimal, InvalidOperation

from ..records import FieldSpec
from .codec import NULL, Codec, Fault, Limits, Stored, nulls_as_empty, shown

SPACE = r"[^\S\x1c-\x1f]*"  # what int() and float() strip
INTEGER = re.compile(rf"{SPACE}[+-]?[0-9]+{SPACE}\Z")
DOUBLE = re.compile(rf"{SPACE}[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?{SPACE}\Z")
UNUSUAL_NUMBER = re.compile(r"[^0-9eE+.\-]")
SCIENTIFIC = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+\Z")
EXACT = Context(prec=1100)  # decimal columns have up to 1,000 digits; Python's own context rounds at 28
COMMA_HINT = "Use a point, not a comma, for decimals."
BOOLEANS: dict[str, Stored] = {
    **dict.fromkeys(("t", "true", "1", "yes", "y", "on"), "T"),
    **dict.fromkeys(("f", "false", "0", "no", "n", "off"), "F"),
}
BOOLEAN_CELLS: dict[str, Stored] = {"True": "T", "False": "F", "T": "T", "F": "F", "1": "T", "0": "F", "": None, NULL: None}


def _bits(field: FieldSpec, limits: Limits) -> int:
    return 64 if field.type in ("bigint", "reference", "list:reference") else limits.integer_bits


def _integer(cell: str, field: FieldSpec, limits: Limits) -> Stored:
    if not INTEGER.match(cell):
        hint = "It looks changed by a spreadsheet." if SCIENTIFIC.search(cell.strip()) else ""
        raise Fault(f"is not a whole number: {shown(cell)}", hint)
    number = int(cell) if len(cell) <= 40 else 1 << 64
    bound = 1 << (_bits(field, limits) - 1)
    if not -bound <= number < bound:
        raise Fault(f"is too large for the column: {shown(cell)}", code="out_of_range")
    return number


def _integer_column(cells: Sequence[str], field: FieldSpec, limits: Limits) -> list[Stored] | None:
    filled = nulls_as_empty(cells)
    joined = "".join(filled).replace("-", "")
    if joined and not (joined.isascii() and joined.isdecimal()):
        return None
    if max(map(len, filled), default=0) > _bits(field, limits) // 32 * 9:  # 9 digits always fit 32 bits, 18 fit 64
        return None
    try:
        return [int(c) if c else None for c in filled] if "" in filled else list(map(int, filled))
    except ValueError:
        return None


def _double(cell: str, field: FieldSpec, limits: Limits) -> Stored:
    special = cell.strip().lower().lstrip("+-") in ("inf", "infinity", "nan")
    if not DOUBLE.match(cell) and not special:
        raise Fault(f"is not a number: {shown(cell)}", COMMA_HINT if "," in cell else "")
    number = float(cell)
    if math.isnan(number) and not limits.nan:
        raise Fault("is not a number (NaN), which this database cannot store", code="out_of_range")
    if math.isinf(number) and not (special and limits.infinity):
        raise Fault(f"is too large for the column: {shown(cell)}", code="out_of_range")
    return number


def _double_column(cells: Sequence[str], field: FieldSpec, limits: Limits) -> list[Stored] | None:
    filled = nulls_as_empty(cells)
    if UNUSUAL_NUMBER.search("".join(filled)):
        return None
    try:
        numbers: list[Stored] = [float(c) if c else None for c in filled] if "" in filled else list(map(float, filled))
    except ValueError:
        return None
    return None if math.inf in numbers or -math.inf in numbers else numbers


def _decimal(cell: str, field: FieldSpec, limits: Limits) -> Stored:
    if not DOUBLE.match(cell):
        raise Fault(f"is not a decimal number: {shown(cell)}", COMMA_HINT if "," in cell else "")
    scale, precision = field.scale or 0, field.precision or 38
    try:
        number = Decimal(cell.strip())
        exact = number.quantize(Decimal(1).scaleb(-scale), context=EXACT)
    except InvalidOperation as exc:
        raise Fault(f"is too large for the column: {shown(cell)}", code="out_of_range") from exc
    if exact != number:
        most = "1 decimal" if scale == 1 else f"{scale} decimals"
        raise Fault(f"has more than {most}: {shown(cell)}", code="out_of_range")
    if exact and exact.adjusted() + 1 > precision - scale:
        raise Fault(f"is too large for the column: {shown(cell)}", code="out_of_range")
    return _as_double(exact, scale, cell) if limits.decimal_as_double else format(exact, "f")


def _as_double(exact: Decimal, scale: int, cell: str) -> float:
    number = float(exact)
    if Decimal(format(number, f".{scale}f")) != exact:
        raise Fault(f"has more digits than this database keeps: {shown(cell)}", code="out_of_range")
    return number


def _decimal_column(cells: Sequence[str], field: FieldSpec, limits: Limits) -> list[Stored] | None:
    """Only cells of the usual form `123.45`, with the column's decimals and so few digits that a double is exact."""
    filled = nulls_as_empty(cells)
    scale = field.scale or 0
    width = min(15, field.precision or 38)
    shape = re.compile(rf"(?:-?[0-9]{{1,{max(width - scale, 1)}}}{rf'[.][0-9]{{{scale}}}' if scale else ''})?\Z")
    if width <= scale or not all(map(shape.match, filled)):
        return None
    if limits.decimal_as_double:
        return [float(c) if c else None for c in filled] if "" in filled else list(map(float, filled))
    return [format(Decimal(c), "f") if c else None for c in filled]


def _boolean(cell: str, field: FieldSpec, limits: Limits) -> Stored:
    try:
        return BOOLEANS[cell.strip().lower()]
    except KeyError as exc:
        raise Fault(f"is neither true nor false: {shown(cell)}", "Use True or False.") from exc


def _boolean_column(cells: Sequence[str], field: FieldSpec, limits: Limits) -> list[Stored] | None:
    try:
        return [BOOLEAN_CELLS[c] for c in cells]
    except KeyError:
        return None


WHOLE = Codec(_integer, _integer_column)
FLOATING = Codec(_double, _double_column)
DECIMAL = Codec(_decimal, _decimal_column)
BOOLEAN = Codec(_boolean, _boolean_column)
