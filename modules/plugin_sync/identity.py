"""Names of instances and records: base uuids, new record uuids, and how uuids are compared.

Pure but for the random source, which is an argument.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

BASE_UUID = re.compile(r"[0-9a-f]{4}\Z")


def new_base_uuid(source: Callable[[], uuid.UUID] = uuid.uuid4) -> str:
    """Return four random hexadecimal digits for a new instance."""
    return source().hex[:4]


def new_uuid(base_uuid: str, source: Callable[[], uuid.UUID] = uuid.uuid4) -> str:
    """Return a valid random (version 4) UUID whose first four digits are those of its instance.

    Raises ValueError when `base_uuid` is not four lower-case hexadecimal digits.
    """
    if not BASE_UUID.match(base_uuid):
        raise ValueError(f"base_uuid must be four hexadecimal digits, not {base_uuid!r}")
    return base_uuid + str(source())[4:]


def fold(text: str) -> str:
    """Return the key by which uuids are compared: ASCII letters in lower case, as SQL's lower() gives them."""
    return text.lower() if text.isascii() else "".join(c.lower() if c.isascii() else c for c in text)
