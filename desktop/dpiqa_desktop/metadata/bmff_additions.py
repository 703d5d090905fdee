"""New items of metadata in the tables of a HEIF file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from dpiqa_desktop.metadata.bmff_boxes import only
from dpiqa_desktop.metadata.bmff_items import Items, Kind, Locations
from dpiqa_desktop.metadata.embedded import UnsafeError
from dpiqa_desktop.metadata.splice import Splice

_HIDDEN = 1  # flag of infe: not an image to show


@dataclass(frozen=True)
class Placed:
    """An item of metadata, and where its bytes will be in the file.

    Attributes:
        number: its item_ID.
        start: its first byte.
        length: in bytes.
    """

    number: int
    kind: Kind
    start: int
    length: int


def free_numbers(items: Items) -> Iterator[int]:
    """Numbers above those of all items that neither a group has nor a reference to what is not there."""
    taken = set(items.groups)
    if items.locations:
        taken.update(items.locations.entries)
    for reference in items.references:
        taken.update((reference.source, *reference.targets))
    return (number for number in count(max(items.entries, default=0) + 1) if number not in taken)


def entering(items: Items, new: Sequence[Placed]) -> Iterator[Splice]:
    """Enter items into the tables, as descriptions of the photo; the tables grow, and ``meta`` with them.

    Only the lengths of the splices' bytes depend on anything but where the items will be.

    Raises:
        UnsafeError: the tables are missing or their numbers too small.
    """
    if not new:
        return
    iinf, iloc, iref = (only(items.boxes, kind) for kind in (b"iinf", b"iloc", b"iref"))
    if iinf is None or iloc is None or items.count is None or items.locations is None:
        raise UnsafeError("has no tables to enter new metadata into")
    if items.primary is None or items.primary not in items.entries:
        raise UnsafeError("is damaged: it does not say which image is the photo")
    wide = items.wide_references if iref else max(items.primary, new[-1].number) > 0xFFFF
    grown = [
        (iinf, b"".join(_information(item) for item in new)),
        (iloc, b"".join(_location(items.locations, item) for item in new)),
    ]
    references = b"".join(_reference(item, items.primary, wide) for item in new)
    if iref:
        grown.append((iref, references))
    else:
        references = _box(b"iref", bytes([wide, 0, 0, 0]) + references)
    for box, entries in grown:
        yield Splice(box.end, b"", entries)
        yield from box.size.holding(box.size.value + len(entries))
    if not iref:
        yield Splice(items.meta.end, b"", references)
    growth = len(references) + sum(len(entries) for box, entries in grown if box is not iref)
    yield from items.meta.size.holding(items.meta.size.value + growth)
    for number in (items.count, items.locations.count):
        yield from number.holding(number.value + len(new))


def _information(item: Placed) -> bytes:
    """An entry ``infe`` (8.11.6): version 2, or 3 for a number of more than two bytes; no name."""
    wide = item.number > 0xFFFF
    content_type = item.kind.content_type and item.kind.content_type + b"\0"
    return _box(
        b"infe",
        bytes([3 if wide else 2, 0, 0, _HIDDEN])
        + _number(item.number, 4 if wide else 2)
        + bytes(2)  # not protected
        + item.kind.item_type
        + b"\0"
        + content_type,
    )


def _location(table: Locations, item: Placed) -> bytes:
    """An entry of ``iloc`` (8.11.3): in this file, in one piece."""
    base, offset = (0, item.start) if table.offset else (item.start, 0)
    return (
        _number(item.number, 4 if table.version == 2 else 2)
        + bytes(2 if table.version else 0)  # construction method
        + bytes(2)  # data reference
        + _number(base, table.base)
        + _number(1, 2)
        + bytes(table.index)
        + _number(offset, table.offset)
        + _number(item.length, table.length)
    )


def _reference(item: Placed, photo: int, wide: bool) -> bytes:
    """An entry of ``iref`` (8.11.12)."""
    width = 4 if wide else 2
    return _box(b"cdsc", _number(item.number, width) + _number(1, 2) + _number(photo, width))


def _box(kind: bytes, content: bytes) -> bytes:
    return _number(8 + len(content), 4) + kind + content


def _number(value: int, size: int) -> bytes:
    if value >= 256**size:
        raise UnsafeError("has no room for a larger number where its metadata is located")
    return value.to_bytes(size, "big")
