"""A change of the EXIF and XMP of a HEIF file as splices.

Changed metadata go into an ``mdat`` box of their own at the end of the file, where their location then
points; what was there before stays as slack, and nothing moves. There, a later change of the same length
overwrites them. In a box with images that is done only where nothing can be appended, so that the box stays
the same as a whole. Only an item that is new makes the tables in ``meta`` longer, so that what follows them
moves; then all locations are corrected, which is certain where nothing but ``iloc`` knows positions.
Anything else is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dpiqa_desktop.metadata.bmff_additions import Placed, entering, free_numbers
from dpiqa_desktop.metadata.bmff_boxes import Box, Outline
from dpiqa_desktop.metadata.bmff_items import EXIF, IN_FILE, IN_IDAT, XMP, Items, Kind, Location
from dpiqa_desktop.metadata.embedded import UnsafeError
from dpiqa_desktop.metadata.splice import Splice

# Parts that stay right if the file becomes longer. Others are refused: the video of a motion photo (mpvd, or
# boxes from a second ftyp on) and Samsung's sefd are looked for from the end of the file.
_LENGTHENABLE = {b"ftyp", b"meta", b"mdat", b"free", b"skip", b"wide", b"moov"}
_MOVABLE = _LENGTHENABLE - {b"moov"}  # its sample tables hold positions
# Parts of meta, none of which but iloc holds positions (ISO/IEC 14496-12, 8.11 and 8.18).
_POSITIONLESS = {
    b"hdlr", b"dinf", b"pitm", b"iinf", b"iloc", b"iref", b"iprp", b"ipro", b"idat", b"grpl", b"free", b"skip"
}  # fmt: skip
_MOST_PIECES = 16  # of EXIF or XMP; each is compared with every piece of everything else


@dataclass(frozen=True)
class Change:
    """What becomes of the photo's EXIF or XMP.

    Attributes:
        old: what the item holds; empty if it is empty or there is none.
        new: what it is to hold.
    """

    kind: Kind
    old: bytes
    new: bytes


def splices(top: Outline, items: Items, changes: Sequence[Change]) -> tuple[Splice, ...]:
    """Plan a change of a file.

    Args:
        top: of the file; nothing may follow its boxes.
        items: what its ``meta`` says.
        changes: one a kind at most, each with ``new`` other than ``old``.

    Raises:
        UnsafeError: it cannot be done for certain.
    """
    _require_firm_ground(top, items)
    done: list[Splice] = []
    leaving: list[Change] = []
    for change in changes:
        number = items.describing_photo(change.kind)
        if number is None:
            _require_addable(items, change.kind)
        else:
            _require_unshared(top, items, number, change.kind)
        if number is not None and len(change.new) == len(change.old) and _stays(top, items, number):
            done += _overwriting(items.spans(number), change)
        else:
            leaving.append(change)
    if leaving:
        done += _appending(top, items, leaving)
    return tuple(sorted(done, key=lambda splice: (splice.offset, len(splice.old) > 0)))


def _stays(top: Outline, items: Items, number: int) -> bool:
    """Whether an item is overwritten: it is apart from images, or cannot go elsewhere."""
    location = items.location(number)
    if location.method != IN_FILE or len(location.extents) != 1:
        return True
    try:
        _require_lengthenable(top)
    except UnsafeError:
        return True
    metadata = {*items.of_kind(EXIF), *items.of_kind(XMP)}
    others = [span for other in items.here() if other not in metadata for span in items.spans(other)]
    ((start, end),) = items.spans(number)
    home = next(box for box in (*top.boxes, *items.boxes) if box.body <= start and end <= box.end)
    return not any(home.body <= first < home.end for first, _ in others)


def _overwriting(spans: Iterable[tuple[int, int]], change: Change) -> Iterator[Splice]:
    """Put bytes in the place of as many others, piece by piece."""
    at = 0
    for start, end in spans:
        old, new = (whole[at : at + end - start] for whole in (change.old, change.new))
        if old != new:
            yield Splice(start, old, new)
        at += end - start


def _appending(top: Outline, items: Items, leaving: Sequence[Change]) -> list[Splice]:
    """Put items into a box of their own at the end of the file."""
    _require_lengthenable(top)
    draft = entering(items, _new(items, _placed(items, leaving, 0)))
    growth = sum(len(splice.new) - len(splice.old) for splice in draft)
    placed = _placed(items, leaving, top.size + growth + 8)
    done = list(entering(items, _new(items, placed)))
    if growth:
        _require_kinds(top.boxes, _MOVABLE)
        _require_kinds(items.boxes, _POSITIONLESS)
        done += _shifting(items, {item.number for item in placed}, growth)
    for item in placed:
        if item.number in items.entries:
            done += _pointing(items.location(item.number), item)
    payload = b"".join(change.new for change in leaving)
    done.append(Splice(top.size, b"", (8 + len(payload)).to_bytes(4, "big") + b"mdat" + payload))
    return done


def _placed(items: Items, leaving: Sequence[Change], at: int) -> list[Placed]:
    """Where items will be that follow each other from ``at`` on; new ones get free numbers."""
    placed, free = [], free_numbers(items)
    for change in leaving:
        number = items.describing_photo(change.kind)
        number = next(free) if number is None else number
        placed.append(Placed(number, change.kind, at, len(change.new)))
        at += len(change.new)
    return placed


def _new(items: Items, placed: Sequence[Placed]) -> list[Placed]:
    return [item for item in placed if item.number not in items.entries]


def _pointing(location: Location, item: Placed) -> Iterator[Splice]:
    """Let an item's location say that it is elsewhere now."""
    if location.method != IN_FILE or len(location.extents) != 1:
        raise UnsafeError(f"has {item.kind.name} in pieces or within its tables, where no more fits")
    extent = location.extents[0]
    yield from extent.length.holding(item.length)
    if extent.offset.size:
        yield from extent.offset.holding(item.start - location.base.value)
    else:
        yield from location.base.holding(item.start)


def _shifting(items: Items, but: set[int], growth: int) -> Iterator[Splice]:
    """Correct the locations of what follows ``meta``, except those of some items, now that it has grown."""
    for number, location in items.in_file():
        if number in but:
            continue
        moves = [start >= items.meta.end for start, _ in location.spans(0)]
        if location.base.value and all(moves):
            yield from location.base.holding(location.base.value + growth)
            continue
        for extent, moving in zip(location.extents, moves, strict=True):
            if moving:
                yield from extent.offset.holding(extent.offset.value + growth)


def _require_firm_ground(top: Outline, items: Items) -> None:
    """Refuse a file in which an item goes on behind its end, where it would find what is appended.

    So would an item without a length, which goes on to the end (8.11.3.1). ExifTool means an empty one by it,
    and leaves such where it removes EXIF or XMP: what other readers make of that is not known.
    """
    for location in items.locations.entries.values() if items.locations else ():
        if location.elsewhere or location.method not in (IN_FILE, IN_IDAT):
            raise UnsafeError("has a part in another file or inside of something else")
    for _, location in items.in_file():
        for start, end in location.spans(0):
            if end > top.size:
                raise UnsafeError("is damaged: it ends before its images do")
            if start == end:
                raise UnsafeError("has a part without a length")
            if start < items.meta.end and end > items.meta.start:
                raise UnsafeError("has a part within its tables, which change")


def _require_unshared(top: Outline, items: Items, number: int, kind: Kind) -> None:
    """Refuse metadata whose bytes are others' as well, or not in a box that is meant for them."""
    if any(reference.kind == b"iloc" and number in reference.targets for reference in items.references):
        raise UnsafeError(f"has {kind.name} that is a part of something else")
    own = items.spans(number)
    if len(own) > _MOST_PIECES:
        raise UnsafeError(f"has {kind.name} in more than {_MOST_PIECES} pieces")
    others = [span for other in items.here() if other != number for span in items.spans(other)]
    if any(start < last and first < end for start, end in own for first, last in others) or _overlap(own):
        raise UnsafeError(f"has {kind.name} that is a part of something else")
    homes = [(box.body, box.end) for box in (*top.boxes, *items.boxes) if box.kind in (b"mdat", b"idat")]
    if not all(any(first <= start and end <= last for first, last in homes) for start, end in own):
        raise UnsafeError(f"is damaged: its {kind.name} lies across its parts")


def _overlap(spans: Iterable[tuple[int, int]]) -> bool:
    return any(end > start for (_, end), (start, _) in pairwise(sorted(spans)))


def _require_lengthenable(top: Outline) -> None:
    """Refuse a file in which something counts from the end, or which has none."""
    _require_kinds(top.boxes, _LENGTHENABLE)
    if any(box.kind == b"ftyp" for box in top.boxes[1:]):
        raise UnsafeError("has another file behind it, as motion photos have")
    if top.boxes[-1].size.value == 0:
        raise UnsafeError("has a last part without a length, so that nothing can follow it")


def _require_addable(items: Items, kind: Kind) -> None:
    """Refuse to add what is there already but for another image, unless that is an auxiliary one.

    The XMP of a gain map is its own; that of a tile may be meant for the photo.
    """
    auxiliary = {reference.source for reference in items.references if reference.kind == b"auxl"}
    images = items.described()
    if any(not images[number] <= auxiliary for number in items.of_kind(kind)):
        raise UnsafeError(f"has {kind.name} that describes another of its images")


def _require_kinds(boxes: Iterable[Box], known: set[bytes]) -> None:
    for box in boxes:
        if box.kind not in known:
            raise UnsafeError(f"has a part that may know positions in it, {box.name}")
