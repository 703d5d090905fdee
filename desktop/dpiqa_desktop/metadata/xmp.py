"""Properties of an XMP packet: read, and changed by splicing its text.

One content has many spellings in XMP. An edit keeps the spelling that it finds: it replaces single values,
takes out single attributes and elements, and puts what is new into a description of our own. Then it reads
its result and compares all that it says with what was said before.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from itertools import chain

from dpiqa_desktop.metadata.embedded import UnsafeError
from dpiqa_desktop.metadata.splice import Splice, spliced
from dpiqa_desktop.metadata.xmp_rdf import (
    DPIQA,
    Change,
    Items,
    Name,
    Value,
    about,
    attributes_of,
    changed,
    contents,
    keys_of,
    rdf_of,
    value_of,
)
from dpiqa_desktop.metadata.xmp_splices import Splicer
from dpiqa_desktop.metadata.xmp_tree import Document, before_space, parse

__all__ = ["DPIQA", "EMPTY_PACKET", "EMPTY_SIDECAR", "Change", "Items", "Name", "Value", "edit", "read"]

EMPTY_SIDECAR = b"""\
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
"""
"""A sidecar that says nothing yet."""

EMPTY_PACKET = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    + EMPTY_SIDECAR
    + (b" " * 99 + b"\n") * 30
    + b'<?xpacket end="w"?>'
)
"""A packet to embed that says nothing yet. Of its 3 kB of padding our properties take up to 1 kB; 2 to 4 kB
are what the specification of XMP advises to leave to others."""


def read(packet: bytes) -> dict[Name, Value | None]:
    """Return the photo's properties: texts, and tuples for arrays (``rdf:Bag``, ``rdf:Seq``) of texts.

    Properties of other shapes are None: structures, references, alternatives, anything with a qualifier. So
    are those of nodes that may not be the photo's, as other readers take them for it.

    Raises:
        UnsafeError: it is not certain what the packet says.
    """
    properties: dict[str, Value | None] = {}
    unclear: dict[str, None] = {}
    for node in rdf_of(parse(packet)).children():
        if about(node) is None:
            unclear |= dict.fromkeys(keys_of(node))
            continue
        said = [(key, value) for _, key, value in attributes_of(node)]
        for key, value in chain(said, ((child.name, value_of(child)) for child in node.children())):
            if key in properties:
                raise UnsafeError(f"its XMP has {Name.of(key)} twice")
            properties[key] = value
    return {Name.of(key): value for key, value in (properties | unclear).items()}


def edit(packet: bytes, changes: Mapping[Name, Change]) -> bytes:
    """Return a packet with its properties changed, and every other character as it was.

    If the packet has a wrapper with padding, that takes up the difference in length where it has the room.
    A wrapper marked as read-only (``end="r"``) does not hinder: the mark is for programs that scan files of
    formats they do not know for packets, and some writers set it on every file.

    Args:
        packet: an existing one, ``EMPTY_PACKET`` or ``EMPTY_SIDECAR``.
        changes: what to change; a value that is there already stays in its spelling.

    Raises:
        UnsafeError: a property is there in a form in which it cannot be changed for certain, it is not clear
            which resource to describe, or the result says something else than it should.
        ValueError: a text holds a character that XML cannot.
    """
    document = parse(packet)
    splices = Splicer(document).splices(changes)
    if not splices:
        return packet
    splices += _padding(document, sum(len(splice.new) - len(splice.old) for splice in splices))
    splices.sort(key=lambda splice: (splice.offset, len(splice.old)))  # insertions before what follows them
    edited = b"".join(spliced(BytesIO(document.data), splices)) + document.tail
    _verify(document, parse(edited), changes)
    return edited


def _padding(document: Document, growth: int) -> list[Splice]:
    """Let the white space before ``<?xpacket end=`` take up the growth, but for two bytes at either end."""
    if document.closing is None:
        return []
    start = before_space(document.data, document.closing) + 2
    room = document.closing - 2 - start
    if 0 < growth <= room:
        return [Splice(start, document.data[start : start + growth], b"")]
    return [Splice(start, b"", b" " * -growth)] if growth < 0 < room else []


def _verify(before: Document, after: Document, changes: Mapping[Name, Change]) -> None:
    """Check that a packet says what another said, but for the changes.

    Raises:
        UnsafeError: it does not.
    """
    keys = {name.key for name in changes}
    old, new = contents(before, keys), contents(after, keys)
    if (old.frame, old.subjects, old.entries) != (new.frame, new.subjects, new.entries):
        raise UnsafeError("its XMP would not be the same but for our changes")
    for name, change in changes.items():
        values = old.apart.get(name.key, [])
        wanted = changed(name, values[0] if values else None, change)
        if new.apart.get(name.key, []) != ([] if wanted is None else [wanted]):
            raise UnsafeError(f"its XMP would not have the {name} that it should")
