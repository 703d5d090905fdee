"""The boxes that ISO base media files are made of (ISO/IEC 14496-12, 4.2), found by seeking over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from dpiqa_desktop.metadata.embedded import UnsafeError
from dpiqa_desktop.metadata.splice import Splice

_MOST_BOXES = 10_000  # in one container; a panorama of a thousand tiles has a box of information for each
LARGEST_TABLE = 1 << 20  # bytes; 16 to 20 an item, so for 50,000 items
LARGEST_PAYLOAD = 16 << 20  # bytes of EXIF or XMP


# Named tuples here and for the items: a phone's photo of 50 tiles has hundreds, and is read in half the time.
class Field(NamedTuple):
    """A number in the file, most significant byte first.

    Attributes:
        offset: where it begins in the file.
        size: in bytes; 0 for one that is not stored, and then 0.
        value: what is there.
    """

    offset: int
    size: int
    value: int

    def holding(self, value: int) -> tuple[Splice, ...]:
        """The splice that puts another value there; none if it is the same.

        Raises:
            UnsafeError: the field is too small for it.
        """
        if value == self.value:
            return ()
        if not 0 <= value < 256**self.size:
            raise UnsafeError("has no room for a larger number where its metadata is located")
        return (Splice(self.offset, self.value.to_bytes(self.size, "big"), value.to_bytes(self.size, "big")),)


class Box(NamedTuple):
    """A box of a file.

    Attributes:
        kind: its four characters, or the 16 bytes of the extended type of a ``uuid`` box.
        start: of its header, in the file.
        body: where its content begins.
        end: first byte behind it.
        size: the field that says how long it is, header included; 0 for "to the end of the file".
    """

    kind: bytes
    start: int
    body: int
    end: int
    size: Field

    @property
    def name(self) -> str:
        """For the user's eyes."""
        printable = self.kind.isascii() and self.kind.decode("ascii").isprintable()
        return repr(self.kind.decode("ascii")) if printable else self.kind.hex()


@dataclass(frozen=True)
class Outline:
    """The boxes at the top of a file, as far as they can be told.

    Attributes:
        boxes: in the order of the file, the first being ``ftyp``.
        fault: why the rest of the file is none; None if they fill it to its last byte.
        size: of the file.
    """

    boxes: tuple[Box, ...]
    fault: UnsafeError | None
    size: int

    def only(self, kind: bytes) -> Box | None:
        """The one box of a kind; see :func:`only`."""
        return only(self.boxes, kind)


def outline(file: BinaryIO) -> Outline:
    """Find the boxes at the top of a file. One that was cut short still shows those that are whole.

    Raises:
        UnsafeError: it is of another format.
        OSError: it cannot be read.
    """
    size = file.seek(0, 2)
    found: list[Box] = []
    fault = None
    try:
        for box in _walk(file, 0, size):
            found.append(box)  # noqa: PERF402 - those before a fault count
    except UnsafeError as error:
        fault = error
    if not found or found[0].kind != b"ftyp":
        raise UnsafeError("is not HEIF, AVIF or CR3")
    return Outline(tuple(found), fault, size)


def children(file: BinaryIO, start: int, end: int) -> tuple[Box, ...]:
    """Find the boxes that fill a part of a file.

    Raises:
        UnsafeError: they do not fill it to the last byte, or are too many.
        OSError: it cannot be read.
    """
    found = tuple(_walk(file, start, end))
    if any(box.size.value == 0 for box in found):
        raise UnsafeError("is damaged: an inner box has no size")
    return found


def _walk(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    for _ in range(_MOST_BOXES):
        if start == end:
            return
        box = _box(file, start, end)
        yield box
        start = box.end
    raise UnsafeError("has too many boxes")


def _box(file: BinaryIO, start: int, end: int) -> Box:
    file.seek(start)
    header = file.read(min(32, end - start))
    if len(header) < 8:
        raise UnsafeError("is damaged: a box is cut short, or something follows the last")
    size, kind, body = Field(start, 4, int.from_bytes(header[:4], "big")), header[4:8], start + 8
    if size.value == 1:
        size, body = Field(start + 8, 8, int.from_bytes(header[8:16], "big")), start + 16
    if kind == b"uuid":
        kind, body = header[body - start : body - start + 16], body + 16
    box_end = start + size.value if size.value else end
    if not body <= box_end <= end:
        raise UnsafeError("is damaged: a box is cut short, or something follows the last")
    return Box(kind, start, body, box_end, size)


def only(boxes: Iterable[Box], kind: bytes) -> Box | None:
    """The one box of a kind; None if there is none.

    Raises:
        UnsafeError: there are several, and readers differ on which counts.
    """
    found = [box for box in boxes if box.kind == kind]
    if len(found) > 1:
        raise UnsafeError(f"is damaged: it has two boxes {found[0].name}")
    return found[0] if found else None


def content(file: BinaryIO, start: int, end: int, most: int) -> bytes:
    """Read a part of a file.

    Args:
        most: bytes that such a part may have.

    Raises:
        UnsafeError: it has more, or the file ends before.
        OSError: it cannot be read.
    """
    if end - start > most:
        raise UnsafeError(f"has more than {most} bytes of metadata in one place")
    file.seek(start)
    data = file.read(end - start)
    if len(data) != end - start:
        raise UnsafeError("is damaged: it ends too early")
    return data
