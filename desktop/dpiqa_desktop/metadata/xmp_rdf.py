"""What the elements of an XMP packet mean: which nodes describe the photo, and what values they give it.

XMP is RDF in XML (ISO 16684-1:2012, clause 7 and annex C). A property's key is its name as expat gives it:
namespace URI, ``BETWEEN``, local name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from dpiqa_desktop.metadata.embedded import UnsafeError
from dpiqa_desktop.metadata.xmp_tree import BETWEEN, SPACE, Document, Element

RDF = f"http://www.w3.org/1999/02/22-rdf-syntax-ns#{BETWEEN}"

DPIQA = "http://dpiqa.github.io/ns/1.0/"
"""The namespace of our own properties."""

PREFIXES = {
    DPIQA: "dpiqa",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/lightroom/1.0/": "lr",
    "http://ns.microsoft.com/photo/1.0/": "MicrosoftPhoto",
    "http://www.digikam.org/ns/1.0/": "digiKam",
}
"""What namespaces are called in what we write, unless the prefix is taken."""

_SPACE = SPACE.decode()
_META = (f"adobe:ns:meta/{BETWEEN}xmpmeta", f"adobe:ns:meta/{BETWEEN}xapmeta")
_ABOUT = (f"{RDF}about", "about")  # the first writers of XMP left its namespace out
_ARRAYS = (f"{RDF}Bag", f"{RDF}Seq")


def rdf_of(document: Document) -> Element:
    """Return the one element ``rdf:RDF``, which is the root or in ``x:xmpmeta``.

    Raises:
        UnsafeError: there is none, or several.
    """
    root = document.root
    candidates = root.children() if root.name in _META else [root]
    found = [element for element in candidates if element.name == f"{RDF}RDF"]
    if len(found) != 1:
        raise UnsafeError("its XMP has no rdf:RDF where it belongs, or several")
    return found[0]


def about(node: Element) -> str | None:
    """Return the resource that a node below ``rdf:RDF`` describes, which is the photo: mostly ``""``.

    None if the node is something else: of another type than ``rdf:Description``, or known by ``rdf:nodeID``.
    """
    if node.name != f"{RDF}Description":
        return None
    identity = [(key, value) for key, value in node.pairs() if key.startswith(RDF) or BETWEEN not in key]
    if not identity:
        return ""
    return identity[0][1] if len(identity) == 1 and identity[0][0] in _ABOUT else None


def attributes_of(node: Element) -> Iterator[tuple[int, str, str]]:
    """Yield the properties that a node has as attributes: place among the attributes, key and value."""
    for place, (key, value) in enumerate(node.pairs()):
        if key not in _ABOUT:
            yield place, key, value


def keys_of(node: Element) -> list[str]:
    """Return the keys of all properties that a node has."""
    return [key for _, key, _ in attributes_of(node)] + [child.name for child in node.children()]


def value_of(element: Element) -> Value | None:
    """Return the value of a property's element: its text, or an array's texts.

    None if it has another shape: a structure, a reference, a qualifier such as ``xml:lang``, ``rdf:Alt``.
    """
    if element.attributes:
        return None
    if not any(isinstance(part, Element) for part in element.content):
        return element.text()
    children = element.children()
    array = children[0]
    if len(children) > 1 or array.name not in _ARRAYS or array.attributes:
        return None
    items = array.children()
    if not (is_blank(element) and is_blank(array) and all(map(_is_plain_item, items))):
        return None
    return tuple(item.text() for item in items)


def _is_plain_item(item: Element) -> bool:
    return item.name == f"{RDF}li" and not item.attributes and not item.children()


def is_blank(element: Element) -> bool:
    """Tell whether no text but white space stands directly in an element."""
    return not element.text().strip(_SPACE)


def is_marked(element: Element) -> bool:
    """Tell whether a comment, CDATA section or processing instruction stands anywhere in an element."""
    return element.marked or any(map(is_marked, element.children()))


@dataclass(frozen=True)
class Name:
    """A property: namespace URI and local name."""

    namespace: str
    name: str

    @classmethod
    def of(cls, key: str) -> Name:
        """Return the name that expat gives as ``key``."""
        namespace, _, name = key.rpartition(BETWEEN)
        return cls(namespace, name)

    @property
    def key(self) -> str:
        """The name as expat gives it."""
        return f"{self.namespace}{BETWEEN}{self.name}"

    def __str__(self) -> str:
        return f"{PREFIXES.get(self.namespace, self.namespace)}:{self.name}"


@dataclass(frozen=True)
class Items:
    """A change of an array whose order means nothing.

    Attributes:
        add: texts to be in it afterwards; one that is there already is not added again.
        remove: texts to be in it no more, unless ``add`` has them, too.

    An array that loses its last item goes itself.
    """

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


Value = str | tuple[str, ...]
Change = str | Items | None
"""The new value of a simple property, a change of an array, or None to take either out."""


def changed(name: Name, value: Value | None, change: Change) -> Value | None:
    """Return a property's value after a change; None if it is not there.

    Raises:
        UnsafeError: the change is of a text, and the property an array, or the other way round.
    """
    if change is not None and value is not None and isinstance(change, str) != isinstance(value, str):
        raise UnsafeError(f"its XMP has {name} {'as a text' if isinstance(value, str) else 'as an array'}")
    if not isinstance(change, Items):
        return change
    there, gone = set(value or ()), set(change.remove) - set(change.add)
    kept = (item for item in value or () if item not in gone)
    return (*kept, *dict.fromkeys(item for item in change.add if item not in there)) or None


@dataclass(frozen=True)
class Contents:
    """All that a packet says, in a form that two packets can be compared by.

    Attributes:
        frame: what stands around the nodes.
        subjects: what the nodes describe, but for the usual "".
        entries: every node that isn't the photo's, and every property, with all that is in it.
        apart: the values of the properties that were asked for apart, by key; None for one of another shape.
    """

    frame: object
    subjects: frozenset[str]
    entries: Counter[object]
    apart: dict[str, list[Value | None]]


def contents(document: Document, apart: Collection[str]) -> Contents:
    """Gather what a packet says.

    Args:
        document: the packet.
        apart: keys of the properties that are to be held apart from the others.
    """
    rdf, root = rdf_of(document), document.root
    around = [] if root is rdf else [part for part in root.content if part is not rdf]
    frame = _form(root, around), _form(rdf, [rdf.text().strip(_SPACE)])
    subjects = set()
    entries: Counter[object] = Counter()
    values: dict[str, list[Value | None]] = defaultdict(list)
    for node in rdf.children():
        subject = about(node)
        if subject is None:
            entries[_form(node)] += 1
            continue
        subjects.add(subject)
        if not is_blank(node):
            entries[subject, node.text().strip(_SPACE)] += 1
        for _, key, value in attributes_of(node):
            if key in apart:
                values[key].append(value)
            else:
                entries[subject, key, value] += 1
        for child in node.children():
            if child.name in apart:
                values[child.name].append(value_of(child))
            else:
                entries[subject, child.name, _form(child)] += 1
    return Contents(frame, frozenset(subjects - {""}), entries, values)


def _form(element: Element, content: Sequence[Element | str] | None = None) -> object:
    """Return all that is in an element, but for white space between child elements; hashable."""
    parts = element.content if content is None else content
    nested = any(not isinstance(part, str) for part in parts)
    inner = tuple(
        part if isinstance(part, str) else _form(part)
        for part in parts
        if not (nested and isinstance(part, str) and not part.strip(_SPACE))
    )
    return element.name, frozenset(element.pairs()), inner
