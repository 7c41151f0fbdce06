"""Parsing XML as a stream, hardened: the only module that knows lxml, which need not be there for anything else.

Bytes only; no entity is resolved, nothing is fetched, any document type is refused; one resource of the top level is in
memory, and that is limited. Knows nothing of records.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from ...errors import FileFormatError, FileIncomplete, SettingsError

try:
    from lxml import etree
except ImportError:
    etree = None

ROOTS = ("s3xml", "s3xrc")
CHUNK = 1 << 16  # bytes
MAX_TEXT = 1 << 20  # bytes of a resource up to which it may be made into text
SLICE = 1 << 12  # bytes, until the root element is known
MAX_PROLOGUE = 1 << 20  # bytes before the root element
MAX_RESOURCE = 64 << 20  # bytes of one resource with all that it holds
MAX_NODES = 1_000_000  # elements and attributes of one
HARDENED: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "attribute_defaults": False,
    "huge_tree": False,
    "recover": False,
    "remove_comments": True,
    "remove_pis": True,
}
COPY_AGAIN = "Copy it again from the USB stick."
CHOOSE_XML = "Choose a file that was exported as S3XML, here or by Sahana Eden."

Read = Callable[[int], bytes]


class Parser:
    """Goes through a document once. `root` is the name of its root element, known before the first resource."""

    def __init__(self, read: Read) -> None:
        if etree is None:
            raise SettingsError("XML cannot be read without the Python package lxml", hint="Install it: pip install lxml.")
        self._read = read
        self._size = self._nodes = 0  # since the last resource of the top level ended
        self._uncounted: list[bytes] = []  # what of it was not looked through for nodes, of which each is a byte at least
        self.root = ""
        self.are_small = False  # the resources at hand: `text_of` makes a second copy of one

    def resources(self) -> Iterator[list[Any]]:
        """Yield the resources of the top level, some at a time; they are forgotten when the next are asked for.

        Raises FileIncomplete or FileFormatError.
        """
        parser = etree.XMLPullParser(events=("end",), tag="resource", collect_ids=False, **HARDENED)
        ended = parser.read_events()
        try:
            for data in self._checked():
                parser.feed(data)
                _refuse_silent_errors(parser)
                self._count(data)
                self._limit()
                yield from self._top(ended)
        except etree.XMLSyntaxError as exc:
            raise FileFormatError(
                f"the XML is not well-formed: {_words(str(exc.msg))}", line=exc.lineno, hint=COPY_AGAIN
            ) from exc
        try:
            parser.close()
        except etree.XMLSyntaxError as exc:
            message = "the file is incomplete: its last element does not end"
            raise FileIncomplete(message, line=exc.lineno or None, hint=COPY_AGAIN) from exc

    def _top(self, ended: Any) -> Iterator[list[Any]]:
        found = [element for _, element in ended if _is_top(element)]
        if not found:
            return
        self.are_small = self._size <= MAX_TEXT  # all but the first began in the last bytes
        self._size = self._nodes = 0
        self._uncounted.clear()
        yield found
        root, last = found[0].getparent(), found.pop()
        del root[: root.index(last)]
        last.clear(keep_tail=False)  # the parser may still hold it

    def _count(self, data: bytes) -> None:
        self._size += len(data)
        self._uncounted.append(data)
        if self._size > MAX_NODES:
            self._nodes += sum(d.count(b"<") + d.count(b'="') + d.count(b"='") for d in self._uncounted)
            self._uncounted.clear()

    def _limit(self) -> None:
        if self._size > MAX_RESOURCE or self._nodes > MAX_NODES:
            message = f"a resource with all that it holds is larger than {MAX_RESOURCE >> 20} MB or {MAX_NODES:,} elements"
            raise FileFormatError(message, hint="Put its components beside it instead of into it.")

    # ---- the beginning

    def _checked(self) -> Iterator[bytes]:
        """Yield the bytes of the file; the root element was seen and found right before the first are given out."""
        first = etree.XMLPullParser(events=("start",), **HARDENED)
        started, held = first.read_events(), b""
        while not self.root and (data := self._read(CHUNK)):
            held += data
            self._look(first, started, data)
            if not self.root and len(held) > MAX_PROLOGUE:
                raise FileFormatError("the XML has no root element at its beginning", hint=CHOOSE_XML)
        if not held:
            raise FileFormatError("the file is empty")
        yield held  # without a root element the parser says best what is wrong
        yield from iter(lambda: self._read(CHUNK), b"")

    def _look(self, parser: Any, started: Any, data: bytes) -> None:
        """Look for the root element in a few bytes after the other."""
        for at in range(0, len(data), SLICE):
            parser.feed(data[at : at + SLICE])
            root = next((element for _, element in started), None)
            if root is not None:
                _check_root(root)
                self.root = root.tag
                return


def _is_top(element: Any) -> bool:
    """Whether it is a child of the root element."""
    root = element.getparent()
    return root is not None and root.getparent() is None


def text_of(element: Any) -> str:
    """Return an element as XML, in the one form that the parser's library gives it."""
    text: str = etree.tostring(element, encoding="unicode", with_tail=False)
    return text


def _check_root(root: Any) -> None:
    info = root.getroottree().docinfo
    if info.doctype or info.internalDTD is not None or info.externalDTD is not None:
        hint = "Remove the DOCTYPE; files of this kind have none."
        raise FileFormatError("the XML declares a document type, which is not allowed", line=1, hint=hint)
    if root.tag not in ROOTS:
        message = f"the XML is not S3XML: it begins with <{str(root.tag)[:60]}>"
        raise FileFormatError(message, line=root.sourceline, hint=CHOOSE_XML)


def _refuse_silent_errors(parser: Any) -> None:
    """Raise FileFormatError for what the parser only notes, and would name wrongly at the end: an entity that is not defined."""
    for entry in parser.feed_error_log:
        if entry.level_name == "FATAL":
            raise FileFormatError(f"the XML is not well-formed: {_words(entry.message)}", line=entry.line, hint=COPY_AGAIN)


def _words(said: str) -> str:
    """Return the parser's words on one line, without the place at their end."""
    return re.sub(r", line \d+, column \d+.*", "", " ".join(said.split()))[:200]
