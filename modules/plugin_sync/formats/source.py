"""The bytes of a file that is being read: hashed on the way, with the footer's line kept for the end.

Takes binary files, text files (by the bytes beneath them where there are any, so that their newline translation does no
harm) and text streams. Knows nothing of tables.
"""

from __future__ import annotations

import hashlib
import io
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from ..errors import FileEncodingError, FileFormatError

CHUNK = 1 << 18
FOOTER_MARK = b"SYNC "
XML_FOOTER_MARK, XML_FOOTER_END = b"<?SYNC ", b"?>"  # in XML the footer is a processing instruction
MAX_FOOTER = 1 << 20  # bytes
START = 64  # bytes in which a file of another kind is known
CHOOSE = "Choose the .csv file that was exported, here or at another office."
SAVE_AS_CSV = "Choose the .csv file itself, or save this one as 'CSV UTF-8'."
SIGNATURES: tuple[tuple[bytes, str, str], ...] = (  # how files of other kinds begin
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet (XLSX, ODS)", SAVE_AS_CSV),
    (b"\xd0\xcf\x11\xe0", "an old Office document, such as XLS", SAVE_AS_CSV),
    (b"\x1f\x8b", "compressed (gzip)", "Unpack it first."),
    (b"\x89PNG", "an image", CHOOSE),
    (b"\xff\xd8\xff", "an image", CHOOSE),
    (b"GIF8", "an image", CHOOSE),
    (b"%PDF", "a PDF document", CHOOSE),
    (b"SQLite format 3", "a database", CHOOSE),
    (b"<?xml", "XML", CHOOSE),
    (b"<!doctype", "a web page", CHOOSE),
    (b"<html", "a web page", CHOOSE),
)


class ByteSource(io.BufferedIOBase):
    """A readable stream over any file object; after it was read to its end, `footer` and `digest` are known."""

    def __init__(self, fileobj: Any, encoding: str = "utf-8") -> None:
        self.encoding, self._read, self._seekable = _reader(fileobj, encoding)
        self._start = self._seekable.tell() if self._seekable is not None else 0
        self._at = 0  # how many bytes were given out, less after `rewind`
        self._hash = hashlib.sha256()  # of all but what is kept
        self._kept: deque[bytes] = deque()  # the last pieces, which may hold the footer
        self._kept_bytes = 0
        self._ahead: list[bytes] = []
        self.size_bytes = 0

    def readable(self) -> bool:
        """Return True: this stream is for reading."""
        return True

    def read1(self, size: int = CHUNK, /) -> bytes:
        """Return some bytes, at most `size`; none at the end."""
        return self._ahead.pop() if self._ahead else self._next(size)

    def read(self, size: int | None = CHUNK, /) -> bytes:
        """Return some bytes; none at the end."""
        return self.read1(CHUNK if size is None or size < 0 else size)

    def _next(self, size: int) -> bytes:
        chunk = self._read(size)
        known = self.size_bytes - self._at  # bytes that are read once more
        self._at += len(chunk)
        if known > 0:
            whole, chunk = chunk, chunk[known:]
            if chunk:
                self._note(chunk)
            return whole
        self._note(chunk)
        return chunk

    def _note(self, chunk: bytes) -> None:
        self.size_bytes += len(chunk)
        self._kept.append(chunk)
        self._kept_bytes += len(chunk)
        while self._kept_bytes - len(self._kept[0]) >= MAX_FOOTER:
            first = self._kept.popleft()
            self._kept_bytes -= len(first)
            self._hash.update(first)

    @property
    def can_rewind(self) -> bool:
        """Whether bytes can be read once more, and are those of UTF-8."""
        return self._seekable is not None and _is_utf8(self.encoding)

    @property
    def offset(self) -> int:
        """How many bytes from the beginning the next one is."""
        return self._at

    def rewind(self, offset: int) -> None:
        """Go back to a byte that was read before, counted from the beginning; what is read again is hashed once."""
        if self._seekable is None or offset > self.size_bytes:
            raise ValueError(f"cannot go to byte {offset}")
        self._seekable.seek(self._start + offset)
        self._at, self._ahead = offset, []

    @property
    def digest(self) -> str:
        """The sha256 of all bytes read."""
        whole = self._hash.copy()
        whole.update(b"".join(self._kept))
        return whole.hexdigest()

    def footer(self, mark: bytes = FOOTER_MARK) -> tuple[bytes, str] | None:
        """Return the last line that begins with `mark` and the sha256 of all bytes before it; None without one.

        Call it when everything has been read.
        """
        tail = b"".join(self._kept)
        at = tail.rfind(b"\n" + mark)
        if at < 0:
            return None
        before = self._hash.copy()
        before.update(tail[: at + 1])
        return tail[at + 1 :], before.hexdigest()

    def lines(self) -> io.TextIOWrapper:
        """Return the decoded lines, their ends untouched; at the beginning a byte order mark is dropped."""
        if self._at > 0 or self.size_bytes > 0:
            return self._decoded(self.encoding)
        start = self._next(CHUNK)
        while 0 < len(start) < START and (more := self._next(CHUNK)):
            start += more
        encoding = "utf-8-sig" if _is_utf8(self.encoding) else self.encoding
        _refuse_other_kinds(start[:START], encoding)
        self._ahead = [start]
        return self._decoded(encoding)

    def _decoded(self, encoding: str) -> io.TextIOWrapper:
        text = io.TextIOWrapper(cast(io.BufferedReader, self), encoding=encoding, newline="")
        text._CHUNK_SIZE = CHUNK  # type: ignore[attr-defined]  # default 8 KiB costs a tenth of the reading time
        return text


def _is_utf8(encoding: str) -> bool:
    return encoding.lower().replace("-", "").replace("_", "") == "utf8"


def _refuse_other_kinds(start: bytes, encoding: str) -> None:
    """Name a file that is no CSV by how it begins."""
    if encoding == "utf-8-sig" and start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileEncodingError("the file is in UTF-16", hint="Save it as 'CSV UTF-8', not as 'Unicode text', and import that.")
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for signature, kind, hint in SIGNATURES:
        if start.startswith(signature) or text.startswith(signature):
            raise FileFormatError(f"the selected file must be a CSV, XML or ZIP; it is {kind}", hint=hint)


def _reader(fileobj: Any, encoding: str) -> tuple[str, Callable[[int], bytes], Any]:
    """Return the encoding of the bytes, a function that reads some of them, and what can be sought in, if anything can."""
    beneath = getattr(fileobj, "buffer", None)
    if beneath is not None and hasattr(beneath, "read"):
        seekable = fileobj.seekable()
        if seekable:
            beneath.seek(fileobj.tell())
        return fileobj.encoding or encoding, beneath.read, beneath if seekable else None
    if isinstance(fileobj.read(0), str):
        return "utf-8", lambda size: _encoded(fileobj.read(max(size // 4, 1))), None
    seekable = hasattr(fileobj, "seekable") and fileobj.seekable()
    return encoding, fileobj.read, fileobj if seekable else None


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise FileEncodingError("the text holds half a character (a lone surrogate)") from exc
