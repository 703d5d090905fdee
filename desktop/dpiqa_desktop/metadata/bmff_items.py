"""The items of a HEIF file: what there is, where its bytes are, and which describes which.

EXIF and XMP are items that refer by ``cdsc`` to the image they describe (ISO/IEC 23008-12, annex A).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from dpiqa_desktop.metadata.bmff_boxes import Box, Field
from dpiqa_desktop.metadata.embedded import UnsafeError

IN_FILE, IN_IDAT = 0, 1  # construction methods: offsets count from the start of the file, or of the box idat


@dataclass(frozen=True)
class Kind:
    """A kind of metadata.

    Attributes:
        name: for the user's eyes.
        item_type: of the items that hold it.
        content_type: of those whose type is ``mime``; else empty.
    """

    name: str
    item_type: bytes
    content_type: bytes = b""


EXIF = Kind("EXIF", b"Exif")
XMP = Kind("XMP", b"mime", b"application/rdf+xml")


class Item(NamedTuple):
    """An entry of ``iinf``.

    Attributes:
        item_type: four characters.
        content_type: of one whose type is ``mime``; else empty.
        plain: whether its bytes are as they are, neither encrypted nor compressed.
    """

    item_type: bytes
    content_type: bytes
    plain: bool


class Extent(NamedTuple):
    """A run of an item's bytes; its offset counts from the base of the location."""

    offset: Field
    length: Field


class Location(NamedTuple):
    """An entry of ``iloc``.

    Attributes:
        method: ``IN_FILE``, ``IN_IDAT`` or 2, inside another item.
        elsewhere: whether the bytes are in another file (a data_reference_index other than 0).
        base: added to the extents' offsets.
        extents: in the order in which they make up the item.
    """

    method: int
    elsewhere: bool
    base: Field
    extents: tuple[Extent, ...]

    def spans(self, start: int) -> tuple[tuple[int, int], ...]:
        """First byte and first byte behind of each extent, in the file, if offsets count from ``start``."""
        starts = [start + self.base.value + extent.offset.value for extent in self.extents]
        return tuple((at, at + extent.length.value) for at, extent in zip(starts, self.extents, strict=True))


@dataclass(frozen=True)
class Locations:
    """``iloc``: its entries by item, and how it writes them.

    Attributes:
        version: 0 to 2.
        offset, length, base, index: sizes of the numbers in bytes, 0, 4 or 8.
        count: the field that says how many entries there are.
        entries: by the number of the item.
    """

    version: int
    offset: int
    length: int
    base: int
    index: int
    count: Field
    entries: dict[int, Location]


@dataclass(frozen=True)
class Reference:
    """An entry of ``iref``: an item has something to do with others."""

    kind: bytes
    source: int
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Items:
    """What the ``meta`` box of a file says.

    Attributes:
        meta: the box.
        boxes: those in it.
        idat: the one of them with items' bytes; None if there is none.
        primary: the number of the item that is the photo; None if none is named.
        count: the field that says how many items there are; None if the file has no table of them.
        entries: the items by their numbers.
        locations: where they are; None if the file does not say so.
        wide_references: whether the numbers of items in ``iref`` have four bytes instead of two.
        references: which has to do with which.
        groups: numbers of groups of items.
    """

    meta: Box
    boxes: tuple[Box, ...]
    idat: Box | None
    primary: int | None
    count: Field | None
    entries: dict[int, Item]
    locations: Locations | None
    wide_references: bool
    references: tuple[Reference, ...]
    groups: frozenset[int]

    def of_kind(self, kind: Kind) -> list[int]:
        """The numbers of all items of a kind, whichever image they describe."""
        return [
            number
            for number, item in self.entries.items()
            if (item.item_type, item.content_type) == (kind.item_type, kind.content_type)
        ]

    def described(self) -> dict[int, set[int]]:
        """The images that items describe, all by their numbers."""
        images: dict[int, set[int]] = {}
        for reference in self.references:
            if reference.kind == b"cdsc":
                images.setdefault(reference.source, set()).update(reference.targets)
        return images

    def describing_photo(self, kind: Kind) -> int | None:
        """The number of the item of a kind that describes the photo; None if there is none.

        One without reference counts too, for it can only be meant for the photo. One that describes another
        image, as iPhones' XMP of a gain map does, does not.

        Raises:
            UnsafeError: there are several.
        """
        images = self.described()
        own = [number for number in self.of_kind(kind) if self.primary in images.get(number, {self.primary})]
        if len(own) > 1:
            raise UnsafeError(f"has {kind.name} twice")
        return own[0] if own else None

    def location(self, number: int) -> Location:
        """Where an item is.

        Raises:
            UnsafeError: the file does not say it.
        """
        if self.locations is None or number not in self.locations.entries:
            raise UnsafeError("is damaged: a part of it is nowhere")
        return self.locations.entries[number]

    def here(self) -> list[int]:
        """The numbers of the items whose bytes are in this file, but not inside other items."""
        entries = self.locations.entries.items() if self.locations else ()
        return [
            number
            for number, location in entries
            if not location.elsewhere and location.method in (IN_FILE, IN_IDAT)
        ]

    def in_file(self) -> list[tuple[int, Location]]:
        """Those of them whose location counts from the start of the file."""
        places = [(number, self.location(number)) for number in self.here()]
        return [(number, location) for number, location in places if location.method == IN_FILE]

    def spans(self, number: int) -> tuple[tuple[int, int], ...]:
        """First byte and first byte behind of each piece of an item, in the file, which may end before.

        Raises:
            UnsafeError: it is inside another item, in another file, or nowhere.
        """
        location = self.location(number)
        if location.elsewhere or location.method not in (IN_FILE, IN_IDAT):
            raise UnsafeError("has metadata inside of something else")
        if location.method == IN_FILE:
            return location.spans(0)
        spans = location.spans(self.idat.body) if self.idat else ()
        if self.idat is None or any(end > self.idat.end for _, end in spans):
            raise UnsafeError("is damaged: a part of it is nowhere")
        return spans
