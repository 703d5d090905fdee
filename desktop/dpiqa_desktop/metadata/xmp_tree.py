"""An XMP packet as a tree of elements that know where in its bytes they stand.

Expat judges whether the bytes are XML, resolves namespaces and gives positions. Start tags that it accepted
are cut into their attributes where an edit needs it, to replace single values and leave the rest as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

from dpiqa_desktop.metadata.embedded import UnsafeError

SPACE = b" \t\r\n"
"""XML's white space (XML 1.0, 2.3)."""

Binding = tuple[str | None, str | None]  # a prefix and its URI

BETWEEN = "\n"
"""Stands between namespace and local name in expat's names: no local name can hold it."""

# Expat's list of one element's attributes takes up to 20 times the packet's size, 350 MB at worst; a tree of
# so many parts takes 70 MB, and an edit some seconds. What is larger is some fault, or made to hurt.
_LARGEST = 16 << 20
_MOST_PARTS = 250_000  # elements and attributes
# The walks over the tree recurse; the deepest of 55 real packets has 14 levels.
_DEEPEST = 100

_ATTRIBUTE = re.compile(rb"""([ \t\r\n]+)([^ \t\r\n=<>/"']+)[ \t\r\n]*=[ \t\r\n]*(?:"([^"<]*)"|'([^'<]*)')""")
_TAG_NAME = re.compile(rb"<([^ \t\r\n=<>/]+)")
_TAG_END = re.compile(rb"[ \t\r\n]*(/?)>")


class Element:
    """An element as expat sees it, with line ends and references resolved.

    Attributes:
        name: namespace URI, ``BETWEEN`` and local name; only the local name where there is no namespace.
        attributes: names and values in turn, in their order; declarations of namespaces are not among them.
        start: where its start tag begins.
        prefixes: what its start tag declares: prefix (None for the default namespace) and URI.
        close: where its end tag begins; for an empty-element tag, where that ends.
        content: child elements and runs of text, in their order.
        marked: a comment, a CDATA section or a processing instruction stands directly in it.
    """

    __slots__ = ("attributes", "close", "content", "marked", "name", "prefixes", "start")

    def __init__(self, name: str, attributes: list[str], start: int, prefixes: tuple[Binding, ...]) -> None:
        self.name = name
        self.attributes = attributes
        self.start = start
        self.prefixes = prefixes
        self.close = -1
        self.content: list[Element | str] = []
        self.marked = False

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield name and value of each attribute."""
        return zip(self.attributes[::2], self.attributes[1::2], strict=True)

    def children(self) -> list[Element]:
        """Return the child elements."""
        return [part for part in self.content if not isinstance(part, str)]

    def text(self) -> str:
        """Return the text that stands directly in it."""
        if len(self.content) == 1 and isinstance(self.content[0], str):
            return self.content[0]
        return "".join(part for part in self.content if isinstance(part, str))


@dataclass(frozen=True)
class Document:
    """A packet and its tree.

    Attributes:
        data: the packet without what trails it.
        tail: NULs and white space after the packet, as writers leave them in a block that is too large.
        root: the document's element.
        prefixes: every declaration of a namespace, in their order.
        closing: where ``<?xpacket end=...?>`` begins; None if the packet has no such wrapper.
    """

    data: bytes
    tail: bytes
    root: Element
    prefixes: tuple[Binding, ...]
    closing: int | None


@dataclass(frozen=True)
class Attribute:
    """Where an attribute stands: its white space before it, and its value between the quotes."""

    start: int
    value: int
    value_end: int

    @property
    def end(self) -> int:
        """Where the closing quote ends."""
        return self.value_end + 1


@dataclass(frozen=True)
class Tag:
    """A start tag, cut into its parts.

    Attributes:
        name: as it is written, with its prefix.
        attributes: in the order of ``Element.attributes``, hence without declarations of namespaces.
        last: where its last attribute ends, be it a declaration; or its name if it has none.
        gap: the white space before that attribute; one space if it has none.
        end: where it ends.
        empty: it is an empty-element tag, ``<.../>``.
    """

    name: bytes
    attributes: tuple[Attribute, ...]
    last: int
    gap: bytes
    end: int
    empty: bool


def parse(packet: bytes) -> Document:
    """Read a packet.

    Raises:
        UnsafeError: it is not well-formed XML in UTF-8, has a DOCTYPE, or is too large or too deep.
    """
    data = packet.rstrip(SPACE + b"\0")
    _check_bytes(data)
    return _Builder(data, packet[len(data) :]).document()


def _check_bytes(data: bytes) -> None:
    if len(data) > _LARGEST:
        raise UnsafeError(f"its XMP is larger than {_LARGEST >> 20} MB")
    # No NUL: with that, no byte-order mark or first character can make expat take it for UTF-16 or UTF-32.
    if b"\0" in data or not _is_utf8(data):
        raise UnsafeError("its XMP is not in UTF-8")
    # After an exception in its handler expat goes on, and expands entities. UTF-8 has this one spelling.
    if b"<!DOCTYPE" in data:
        raise UnsafeError("its XMP has a DOCTYPE")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Builder:
    """Grows the tree from expat's events."""

    def __init__(self, data: bytes, tail: bytes) -> None:
        self._data = data
        self._tail = tail
        self._top = Element("", [], 0, ())
        self._open = [self._top]
        self._prefixes: list[Binding] = []
        self._declared: list[Binding] = []  # since the last start tag
        self._parts = 0
        self._closing: int | None = None

    def document(self) -> Document:
        self._parser = parser = expat.ParserCreate("UTF-8", BETWEEN)
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartNamespaceDeclHandler = self._namespace
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.CommentHandler = self._mark
        parser.StartCdataSectionHandler = self._mark
        parser.ProcessingInstructionHandler = self._instruction
        try:
            parser.Parse(self._data, True)  # in one piece: pieces that end inside a token cost quadratic time
        except expat.ExpatError as error:
            raise UnsafeError(f"its XMP is not well-formed: {expat.ErrorString(error.code)}") from None
        finally:
            del self._parser  # parser and handlers hold each other, and the tree with them
        return Document(self._data, self._tail, self._top.children()[0], tuple(self._prefixes), self._closing)

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise UnsafeError(f"its XMP is declared to be in {encoding}")

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        self._prefixes.append((prefix, uri))
        self._declared.append((prefix, uri))

    def _start(self, name: str, attributes: list[str]) -> None:
        element = Element(name, attributes, self._parser.CurrentByteIndex, tuple(self._declared))
        if self._declared:
            self._declared.clear()
        self._open[-1].content.append(element)
        self._open.append(element)
        self._parts += 1 + len(attributes) // 2
        if len(self._open) > _DEEPEST or self._parts > _MOST_PARTS:
            raise UnsafeError("its XMP has more parts than any real packet, or is deeper nested")

    def _end(self, name: str) -> None:
        self._open.pop().close = self._parser.CurrentByteIndex

    def _text(self, text: str) -> None:
        self._open[-1].content.append(text)

    def _mark(self, text: str = "") -> None:
        self._open[-1].marked = True

    def _instruction(self, target: str, text: str) -> None:
        self._open[-1].marked = True
        if target == "xpacket" and text.startswith("end") and len(self._open) == 1:
            self._closing = self._parser.CurrentByteIndex


def start_tag(data: bytes, element: Element) -> Tag:
    """Cut an element's start tag into its parts.

    Raises:
        UnsafeError: what is found is not what expat found.
    """
    opening = _TAG_NAME.match(data, element.start)
    if opening is None:
        raise UnsafeError("its XMP cannot be located")
    at, gap, attributes = opening.end(), b" ", []
    while (found := _ATTRIBUTE.match(data, at)) is not None:
        at, gap = found.end(), found[1]
        if found[2] != b"xmlns" and not found[2].startswith(b"xmlns:"):
            quoted = 3 if found[3] is not None else 4
            attributes.append((found[2], Attribute(found.start(), found.start(quoted), found.end(quoted))))
    ending = _TAG_END.match(data, at)
    lexed = [name.decode().rpartition(":")[2] for name, _ in attributes]
    if ending is None or lexed != [name.rpartition(BETWEEN)[2] for name in element.attributes[::2]]:
        raise UnsafeError("its XMP cannot be located")
    return Tag(opening[1], tuple(where for _, where in attributes), at, gap, ending.end(), bool(ending[1]))


def end_of(data: bytes, element: Element) -> int:
    """Return where an element ends, end tag included."""
    return element.close if start_tag(data, element).empty else data.index(b">", element.close) + 1


def before_space(data: bytes, at: int) -> int:
    """Return where the white space begins that ends at ``at``."""
    while at:
        start = max(0, at - 1024)  # by blocks: padding is long, and packets are large
        kept = len(data[start:at].rstrip(SPACE))
        if kept:
            return start + kept
        at = start
    return 0


def line_start(data: bytes, at: int) -> bytes:
    """Return the line break and indentation that stand before ``at``; empty if it does not begin a line."""
    space = data[before_space(data, at) : at]
    breaks = max(space.rfind(b"\n"), space.rfind(b"\r"))
    if breaks < 0:
        return b""
    return space[breaks - 1 if space[:breaks].endswith(b"\r") else breaks :]
