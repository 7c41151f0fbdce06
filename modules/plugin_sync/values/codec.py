"""What a codec is: how the cells of one type are read, and why one cannot be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..records import FieldSpec

Stored = str | int | float | None
NULL = "<NULL>"


class Fault(ValueError):
    """Why a cell is not a value of its type; `hint` says what may have happened to it."""

    def __init__(self, message: str, hint: str = "", code: str = "bad_value") -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


@dataclass(frozen=True, slots=True)
class Limits:
    """What the database at hand can hold.

    `integer_bits` of type integer (bigint is 64 everywhere), whether declared `lengths` are enforced, whether doubles may
    be infinite (`infinity`) or `nan`, texts hold NUL (`nul`), and decimals are stored as doubles (`decimal_as_double`).
    """

    integer_bits: int = 32
    lengths: bool = True
    infinity: bool = False
    nan: bool = False
    nul: bool = False
    decimal_as_double: bool = False


One = Callable[[str, FieldSpec, Limits], Stored]
Fast = Callable[[Sequence[str], FieldSpec, Limits], "list[Stored] | None"]


@dataclass(frozen=True, slots=True)
class Codec:
    """How the cells of one type are read; `textual` types tell an empty text from NULL."""

    one: One
    fast: Fast
    textual: bool = False


def slowly(cells: Sequence[str], field: FieldSpec, limits: Limits) -> list[Stored] | None:
    """Give up at once: a type without a fast way is read cell by cell."""
    return None


def nulls_as_empty(cells: Sequence[str]) -> list[str]:
    """Return the cells with NULL made empty, which is NULL in types that are not text."""
    return ["" if c == NULL else c for c in cells] if NULL in cells else list(cells)


def shown(cell: str) -> str:
    """Return a cell as a message shows it."""
    return repr(cell if len(cell) <= 60 else cell[:57] + "...")
