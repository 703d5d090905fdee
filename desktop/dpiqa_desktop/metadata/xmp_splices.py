"""The splices that change properties in an XMP packet: each where it stands, in the spelling around it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count

from dpiqa_desktop.metadata.embedded import UnsafeError
from dpiqa_desktop.metadata.splice import Splice
from dpiqa_desktop.metadata.xmp_rdf import (
    DPIQA,
    PREFIXES,
    RDF,
    Change,
    Name,
    Value,
    about,
    attributes_of,
    changed,
    is_blank,
    is_marked,
    keys_of,
    rdf_of,
    value_of,
)
from dpiqa_desktop.metadata.xmp_tree import (
    BETWEEN,
    Binding,
    Document,
    Element,
    before_space,
    end_of,
    line_start,
    start_tag,
)

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2
_RDF_URI = RDF.rstrip(BETWEEN)
_OURS = f"{DPIQA}{BETWEEN}"


class Splicer:
    """Finds out, for one packet, which bytes have to give way to which."""

    def __init__(self, document: Document) -> None:
        self._data = document.data
        self._root = document.root
        self._prefixes = document.prefixes
        self._rdf = rdf_of(document)
        self._nodes = self._rdf.children()
        self._splices: list[Splice] = []
        self._taken: Counter[Element] = Counter()  # how many properties a node loses

    def splices(self, changes: Mapping[Name, Change]) -> list[Splice]:
        """Return the splices that make the changes, in no order; none overlaps another.

        Raises:
            UnsafeError: a property cannot be changed for certain, or none be added.
            ValueError: a text holds a character that XML cannot.
        """
        missing: dict[Name, Value] = {}
        places = self._places({name.key for name in changes})
        for name, change in changes.items():
            found = places.get(name.key, [])
            if len(found) > 1:
                raise UnsafeError(f"its XMP has {name} twice")
            if found:
                self._change(name, *found[0], change)
            elif (wanted := changed(name, None, change)) is not None:
                missing[name] = wanted
        if missing:
            self._add(missing)
        else:
            self._drop_emptied()
        return self._splices

    def _places(self, keys: Collection[str]) -> dict[str, list[tuple[Element, int | Element]]]:
        """Return where properties are: in which node, and there an attribute's number or an element."""
        places: dict[str, list[tuple[Element, int | Element]]] = defaultdict(list)
        for node in self._nodes:
            for number, key, _ in attributes_of(node):
                if key in keys:
                    places[key].append((node, number))
            for child in node.children():
                if child.name in keys:
                    places[child.name].append((node, child))
        return places

    def _replace(self, start: int, end: int, new: bytes) -> None:
        self._splices.append(Splice(start, self._data[start:end], new))

    def _change(self, name: Name, node: Element, place: int | Element, change: Change) -> None:
        if about(node) is None:
            raise UnsafeError(f"its XMP has {name} in a node that may not be the photo's")
        value = node.attributes[2 * place + 1] if isinstance(place, int) else value_of(place)
        if value is None:
            raise UnsafeError(f"its XMP has {name} in a form that is not edited")
        wanted = changed(name, value, change)
        if wanted == value:
            return
        if isinstance(place, Element) and is_marked(place):
            raise UnsafeError(f"its XMP has a comment or the like in {name}")
        if wanted is None:
            self._take_out(node, place)
        elif isinstance(wanted, tuple):
            assert isinstance(place, Element)  # no change makes an attribute's text an array
            self._change_items(place.children()[0], wanted)
        elif isinstance(place, int):
            where = start_tag(self._data, node).attributes[place]
            quote = self._data[where.value - 1 : where.value]
            self._replace(where.value, where.value_end, _attribute_value(wanted, quote))
        else:
            self._fill(place, _text(wanted))

    def _take_out(self, node: Element, place: int | Element) -> None:
        self._taken[node] += 1
        if isinstance(place, int):
            where = start_tag(self._data, node).attributes[place]
            self._replace(where.start, where.end, b"")
        else:
            self._cut(place)

    def _cut(self, element: Element) -> None:
        self._replace(before_space(self._data, element.start), end_of(self._data, element), b"")

    def _fill(self, element: Element, text: bytes) -> None:
        """Put a text in the place of an element's."""
        tag = start_tag(self._data, element)
        if tag.empty:
            self._replace(tag.end - 2, tag.end, b">%b</%b>" % (text, tag.name))
        else:
            self._replace(tag.end, element.close, text)

    def _append(self, parent: Element, children: bytes) -> None:
        """Put elements, each with the white space before it, after the others in ``parent``."""
        tag = start_tag(self._data, parent)
        if tag.empty:
            ending = line_start(self._data, parent.start) if children[:1] in b"\r\n" else b""
            self._replace(tag.end - 2, tag.end, b">%b%b</%b>" % (children, ending, tag.name))
        else:
            at = before_space(self._data, parent.close)
            self._replace(at, at, children)

    def _line_in(self, parent: Element) -> bytes:
        """Return the line break and indentation that go before a further child; empty in a single line."""
        children = parent.children()
        if children:
            return line_start(self._data, children[-1].start)
        empty = start_tag(self._data, parent).empty
        return _deeper(line_start(self._data, parent.start if empty else parent.close))

    def _change_items(self, array: Element, wanted: tuple[str, ...]) -> None:
        items, kept = array.children(), set(wanted)
        for item in items:
            if item.text() not in kept:
                self._cut(item)
        there = {item.text() for item in items}
        new = [item for item in wanted if item not in there]
        if new:
            prefix = _prefix_of(start_tag(self._data, array).name)
            self._append(array, _items(prefix, new, self._line_in(array)))

    def _drop_emptied(self) -> None:
        """Take out descriptions with properties of ours that have lost all they had.

        One stays if nothing else tells which resource the packet is about.
        """
        subjects = Counter(map(about, self._nodes))
        for node, taken in self._taken.items():
            keys = keys_of(node)
            if taken < len(keys) or not any(key.startswith(_OURS) for key in keys) or not is_blank(node):
                continue
            if node.marked or (about(node) and subjects[about(node)] == 1):
                continue
            end = end_of(self._data, node)
            self._splices = [each for each in self._splices if not node.start <= each.offset < end]
            self._cut(node)

    def _add(self, missing: Mapping[Name, Value]) -> None:
        """Put properties into a description of ours: the one that is there, so that edits do not pile up."""
        subjects = {subject for node in self._nodes if (subject := about(node)) is not None}
        if len(subjects) > 1:
            raise UnsafeError("its XMP describes several resources")
        for node in self._nodes:
            if about(node) is not None and any(key.startswith(_OURS) for key in keys_of(node)):
                self._extend(node, missing)
                return
        self._describe(subjects.pop() if subjects else "", missing)

    def _extend(self, node: Element, missing: Mapping[Name, Value]) -> None:
        tag = start_tag(self._data, node)
        bound = dict(chain(self._root.prefixes, self._rdf.prefixes, node.prefixes))
        spelled = _Spelled(missing, bound, self._prefixes)
        attributes = b"".join(tag.gap + each for each in (*spelled.declarations, *spelled.attributes))
        self._replace(tag.last, tag.last, attributes)
        if spelled.arrays:
            line = self._line_in(node)
            self._append(node, spelled.elements(_prefix_of(tag.name), line))

    def _describe(self, subject: str, missing: Mapping[Name, Value]) -> None:
        """Add a description, with declarations of its own: those around it do not matter."""
        rdf = _prefix_of(start_tag(self._data, self._rdf).name)
        line = self._line_in(self._rdf)
        # An attribute needs a prefix, which elements in the default namespace do without.
        declared = [] if rdf else [b'xmlns:rdf="%b"' % _RDF_URI.encode()]
        rdf = rdf or b"rdf:"
        spelled = _Spelled(missing, {rdf[:-1].decode(): _RDF_URI}, self._prefixes)
        heads = [*declared, b'%babout="%b"' % (rdf, _attribute_value(subject)), *spelled.declarations]
        gap = line + b"  " if line else b" "
        start = b"%b<%bDescription " % (line, rdf) + gap.join(heads)
        start += b"".join((_deeper(line) or b" ") + each for each in spelled.attributes)
        inner = spelled.elements(rdf, _deeper(line))
        ending = b">%b%b</%bDescription>" % (inner, line, rdf) if inner else b"/>"
        self._append(self._rdf, start + ending)


class _Spelled:
    """Properties to add, in XML. Declarations go first: ExifTool reads attributes in their order.

    Attributes:
        declarations: of the namespaces that have no prefix yet.
        attributes: the texts.
        arrays: names with their prefixes, and items.
    """

    def __init__(
        self, properties: Mapping[Name, Value], bound: dict[str | None, str | None], used: Sequence[Binding]
    ) -> None:
        """Spell properties for a place.

        Args:
            properties: names and values.
            bound: the prefixes that have a meaning there, with their namespaces.
            used: the prefixes that have one anywhere in the packet.
        """
        self._bound = dict(bound)
        self._used = used
        self.declarations: list[bytes] = []
        self.attributes: list[bytes] = []
        self.arrays: list[tuple[bytes, tuple[str, ...]]] = []
        for name, value in properties.items():
            written = f"{self._prefix(name.namespace)}:{name.name}".encode()
            if isinstance(value, str):
                self.attributes.append(b'%b="%b"' % (written, _attribute_value(value)))
            else:
                self.arrays.append((written, value))

    def _prefix(self, namespace: str) -> str:
        for prefix, uri in self._bound.items():
            if prefix and uri == namespace:
                return prefix
        prefix = next(each for each in self._candidates(namespace) if each not in self._bound)
        self._bound[prefix] = namespace
        self.declarations.append(f'xmlns:{prefix}="'.encode() + _attribute_value(namespace) + b'"')
        return prefix

    def _candidates(self, namespace: str) -> Iterator[str]:
        """Yield prefixes: Exiv2 gives a packet up that has two of them for one namespace, as xap and xmp."""
        yield from (prefix for prefix, uri in self._used if prefix and uri == namespace)
        others = {prefix for prefix, _ in self._used}
        preferred = PREFIXES.get(namespace, "ns")
        numbered = (f"{preferred}{number}" for number in count(1))
        yield from (each for each in chain([preferred], numbered) if each not in others)

    def elements(self, rdf: bytes, line: bytes) -> bytes:
        """Return the arrays as elements, with ``line`` before each and ``rdf`` before names of RDF."""
        inside = _deeper(line)
        return b"".join(
            b"%b<%b>%b<%bBag>%b%b</%bBag>%b</%b>"
            % (line, name, inside, rdf, _items(rdf, items, _deeper(inside)), inside, rdf, line, name)
            for name, items in self.arrays
        )


def _items(rdf: bytes, texts: Iterable[str], line: bytes) -> bytes:
    return b"".join(b"%b<%bli>%b</%bli>" % (line, rdf, _text(text), rdf) for text in texts)


def _prefix_of(name: bytes) -> bytes:
    """Return what stands before the local name: a prefix with its colon, or nothing."""
    return b"".join(name.rpartition(b":")[:2])


def _deeper(line: bytes) -> bytes:
    """Return the line break and indentation of a child, one space deeper as Adobe writes it."""
    return line + b" " if line else b""


def _text(value: str) -> bytes:
    """Escape an element's text; a carriage return would be read as a line feed."""
    if (wrong := _NOT_XML.search(value)) is not None:
        raise ValueError(f"XML cannot hold the character {wrong[0]!r} of {value!r}")
    value = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return value.replace("\r", "&#13;").encode()


def _attribute_value(value: str, quote: bytes = b'"') -> bytes:
    """Escape an attribute's value; white space but for spaces would be read as spaces."""
    escaped = _text(value).replace(b"\n", b"&#10;").replace(b"\t", b"&#9;")
    return escaped.replace(quote, b"&quot;" if quote == b'"' else b"&apos;")
