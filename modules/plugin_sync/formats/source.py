"""The bytes of a file that is being read: hashed on the way, with the footer's line kept for the end.

Takes binary files, text files (by the bytes beneath them where there are any, so that their newline translation does no
harm) and text streams. Knows nothing of tables.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import Any

from ..errors import FileEncodingError

CHUNK = 1 << 18
FOOTER_MARK = b"SYNC "
MAX_FOOTER = 1 << 16  # bytes


class ByteSource(io.RawIOBase):
    """A readable raw stream over any file object; after it was read to its end, `footer` and `digest` are known."""

    def __init__(self, fileobj: Any, encoding: str = "utf-8") -> None:
        self.encoding, self._read = _reader(fileobj, encoding)
        self._hash = hashlib.sha256()
        self._whole = hashlib.sha256()
        self._tail = b""
        self.size_bytes = 0

    def readable(self) -> bool:
        """Return True: this stream is for reading."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`, keep count and hashes; 0 at the end."""
        chunk = self._read(len(buffer))
        buffer[: len(chunk)] = chunk
        self.size_bytes += len(chunk)
        self._whole.update(chunk)
        self._tail += chunk
        if len(self._tail) > CHUNK + MAX_FOOTER:
            self._hash.update(self._tail[:-MAX_FOOTER])
            self._tail = self._tail[-MAX_FOOTER:]
        return len(chunk)

    @property
    def digest(self) -> str:
        """The sha256 of all bytes read."""
        return self._whole.hexdigest()

    def footer(self) -> tuple[bytes, str] | None:
        """Return the last line that begins with SYNC and the sha256 of all bytes before it; None without one.

        Call it once, when everything has been read.
        """
        at = self._tail.rfind(b"\n" + FOOTER_MARK)
        if at < 0:
            return None
        self._hash.update(self._tail[: at + 1])
        return self._tail[at + 1 :], self._hash.hexdigest()

    def lines(self) -> io.TextIOWrapper:
        """Return the decoded lines, their ends untouched; a byte order mark is dropped."""
        buffered = io.BufferedReader(self, CHUNK)
        start = buffered.peek(4)[:4]
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise FileEncodingError(
                "the file is in UTF-16", hint="Save it as 'CSV UTF-8', not as 'Unicode text', and import that."
            )
        encoding = "utf-8-sig" if self.encoding.lower().replace("-", "").replace("_", "") == "utf8" else self.encoding
        text = io.TextIOWrapper(buffered, encoding=encoding, newline="")
        text._CHUNK_SIZE = CHUNK  # type: ignore[attr-defined]  # default 8 KiB costs a tenth of the reading time
        return text


def _reader(fileobj: Any, encoding: str) -> tuple[str, Callable[[int], bytes]]:
    """Return the encoding of the bytes and a function that reads some of them."""
    beneath = getattr(fileobj, "buffer", None)
    if beneath is not None and hasattr(beneath, "read"):
        if fileobj.seekable():
            beneath.seek(fileobj.tell())
        return fileobj.encoding or encoding, beneath.read
    if isinstance(fileobj.read(0), str):
        return "utf-8", lambda size: _encoded(fileobj.read(max(size // 4, 1)))
    return encoding, fileobj.read


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise FileEncodingError("the text holds half a character (a lone surrogate)") from exc
