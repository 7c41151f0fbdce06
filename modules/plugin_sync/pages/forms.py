"""What forms and addresses of the pages say, from variables as web2py gives them: a text, or a list where a name comes twice.

What is wrong with a form is a list of (id of the field, sentence), sentences as the translator gives them, not escaped. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import IO, Any

from .. import register
from ..errors import SyncError
from ..register import Facts, Fault
from ..texts import Texts

Errors = list[tuple[str, object]]
Vars = Mapping[str, Any]
TYPED = ("base_uuid", "name", "owner", "contact", "url")  # of an instance, by hand


def values_of(part: Any) -> dict[str, Any]:
    """Return the fields of a data class by name, as a view takes them."""
    return {field.name: getattr(part, field.name) for field in fields(part)}


def all_of(asked: Vars, name: str) -> tuple[str, ...]:
    """Return every value of a variable."""
    found = asked.get(name)
    return tuple(found) if isinstance(found, (list, tuple)) else () if found is None else (found,)


def last_of(asked: Vars, name: str) -> str:
    """Return the last value of a variable; nothing when it is not there."""
    return next(reversed(all_of(asked, name)), "")


def page_number(text: Any) -> int:
    """Return the number of a page, 1 for anything else."""
    return max(1, int(text)) if str(text or "").isdecimal() else 1


def is_file(field: Any) -> bool:
    """Whether a file was chosen in a field for files."""
    return bool(getattr(field, "filename", None))


def is_whole(body: IO[bytes], announced: str | None) -> bool:
    """Whether as many bytes came as the sender announced: some servers run pages on uploads that were cut off."""
    body.seek(0, 2)
    return str(body.tell()) == announced


def read_facts(post: Vars) -> Facts:
    """Return what a form says of an instance."""
    return Facts(*(str(post.get(name) or "") for name in TYPED))


def read_paired(field: Any, texts: Texts) -> tuple[Facts, Errors]:
    """Return what an uploaded pairing file says, and what is wrong with it."""
    T = texts.translate
    if not is_file(field):
        return Facts(), [("file", T("Select a file"))]
    try:
        return register.read_pairing(field.file.read(register.PAIRING_BYTES)), []
    except SyncError as error:
        return Facts(), [("file", texts.fault_text(error.to_dict()))]


def worded(faults: Iterable[Fault], texts: Texts) -> Errors:
    """Return what the register finds wrong with an instance as sentences."""
    T = texts.translate
    return [(fault.field, T(register.MESSAGES[fault.message], dict(fault.values))) for fault in faults]
