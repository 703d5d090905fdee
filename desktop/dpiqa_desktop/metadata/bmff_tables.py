"""The tables of a HEIF file's ``meta`` box, read with their bounds kept.

ISO/IEC 14496-12, 8.11: item information (``iinf``), locations (``iloc``), references (``iref``) and primary
item (``pitm``).
"""

from __future__ import annotations

from io import BytesIO
from typing import BinaryIO

from dpiqa_desktop.metadata.bmff_boxes import LARGEST_TABLE, Box, Field, children, content, only
from dpiqa_desktop.metadata.bmff_items import IN_FILE, Extent, Item, Items, Location, Locations, Reference
from dpiqa_desktop.metadata.embedded import UnsafeError


class _Cursor:
    """Reads a table from its start, number by number.

    Args:
        table: its bytes.
        at: where they begin in the file.
    """

    def __init__(self, table: bytes, at: int) -> None:
        self._table, self._at, self._read = table, at, 0

    @property
    def left(self) -> int:
        return len(self._table) - self._read

    def number(self, size: int) -> int:
        end = self._read + size
        if end > len(self._table):
            raise UnsafeError("is damaged: a table in it ends too early")
        number = int.from_bytes(self._table[self._read : end], "big")
        self._read = end
        return number

    def field(self, size: int) -> Field:
        return Field(self._at + self._read, size, self.number(size))

    def characters(self, count: int) -> bytes:
        return self.number(count).to_bytes(count, "big")

    def rest(self) -> bytes:
        start, self._read = self._read, len(self._table)
        return self._table[start:]

    def text(self) -> bytes:
        """What comes before the next NUL; all that is left if there is none, as some writers leave it out."""
        text, nul, _ = self._table[self._read :].partition(b"\0")
        self._read += len(text) + len(nul)
        return text


def read_items(file: BinaryIO, meta: Box) -> Items:
    """Read the tables in a ``meta`` box.

    Raises:
        UnsafeError: they are damaged, or too large to be real.
        OSError: they cannot be read.
    """
    # The version and flags of a full box come before the content of meta.
    boxes = children(file, min(meta.body + 4, meta.end), meta.end)
    count, entries = _entries(_table(file, boxes, b"iinf"))
    wide, references = _references(_table(file, boxes, b"iref"))
    return Items(
        meta=meta,
        boxes=boxes,
        idat=only(boxes, b"idat"),
        primary=_primary(_table(file, boxes, b"pitm")),
        count=count,
        entries=entries,
        locations=_locations(_table(file, boxes, b"iloc")),
        wide_references=wide,
        references=references,
        groups=_groups(file, boxes),
    )


def _table(file: BinaryIO, boxes: tuple[Box, ...], kind: bytes) -> _Cursor | None:
    box = only(boxes, kind)
    if box is None:
        return None
    return _Cursor(content(file, box.body, box.end, LARGEST_TABLE), box.body)


def _version(table: _Cursor, newest: int) -> int:
    """Read what a full box begins with: its version, of which ``newest`` is the last known, and flags."""
    version = table.number(4) >> 24
    if version > newest:
        raise UnsafeError("has a table of a kind that is not known yet")
    return version


def _primary(table: _Cursor | None) -> int | None:
    if table is None:
        return None
    return table.number(4 if _version(table, 1) else 2)


def _groups(file: BinaryIO, boxes: tuple[Box, ...]) -> frozenset[int]:
    """Read the numbers of the groups in ``grpl`` (8.18), which no item may share."""
    box = only(boxes, b"grpl")
    groups = children(file, box.body, box.end) if box else ()
    # Version and flags, then the number.
    heads = [content(file, group.body, min(group.body + 8, group.end), 8) for group in groups]
    return frozenset(int.from_bytes(head[4:], "big") for head in heads)


def _entries(table: _Cursor | None) -> tuple[Field | None, dict[int, Item]]:
    if table is None:
        return None, {}
    count = table.field(4 if _version(table, 2) else 2)  # ExifTool's sample has version 2
    inner = table.rest()
    entries: dict[int, Item] = {}
    for box in children(BytesIO(inner), 0, len(inner)):
        number, item = _item(_Cursor(inner[box.body : box.end], 0))
        if box.kind != b"infe" or number in entries:
            raise UnsafeError("is damaged: its table of items contradicts itself")
        entries[number] = item
    if len(entries) != count.value:
        raise UnsafeError("is damaged: its table of items contradicts itself")
    return count, entries


def _item(entry: _Cursor) -> tuple[int, Item]:
    """Read the content of ``infe`` (8.11.6). Before version 2 all have a MIME type, and no other."""
    version = _version(entry, 3)
    number = entry.number(4 if version == 3 else 2)
    protected = entry.number(2)
    item_type = entry.characters(4) if version >= 2 else b"mime"
    entry.text()  # its name
    if item_type != b"mime":
        return number, Item(item_type, b"", not protected)
    content_type, encoding = entry.text(), entry.text()
    return number, Item(item_type, content_type, not protected and not encoding)


def _locations(table: _Cursor | None) -> Locations | None:
    """Read ``iloc`` (8.11.3)."""
    if table is None:
        return None
    version = _version(table, 2)
    sizes = table.number(2)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    if version == 0:
        index = 0
    if not {offset, length, base, index} <= {0, 4, 8}:
        raise UnsafeError("is damaged: its table of locations contradicts itself")
    count = table.field(4 if version == 2 else 2)
    entries: dict[int, Location] = {}
    for _ in range(count.value):
        number = table.number(4 if version == 2 else 2)
        method = table.number(2) & 15 if version else IN_FILE
        elsewhere = table.number(2) != 0
        base_field = table.field(base)
        extents = []
        extent_count = table.number(2)
        # Extents that take no bytes in the table would come by the billion.
        if number in entries or (extent_count > 1 and not offset + length + index):
            raise UnsafeError("is damaged: its table of locations contradicts itself")
        for _ in range(extent_count):
            table.number(index)
            extents.append(Extent(table.field(offset), table.field(length)))
        entries[number] = Location(method, elsewhere, base_field, tuple(extents))
    if table.left:
        raise UnsafeError("is damaged: its table of locations contradicts itself")
    return Locations(version, offset, length, base, index, count, entries)


def _references(table: _Cursor | None) -> tuple[bool, tuple[Reference, ...]]:
    """Read ``iref`` (8.11.12)."""
    if table is None:
        return False, ()
    width = 4 if _version(table, 1) else 2
    inner = table.rest()
    references = []
    for box in children(BytesIO(inner), 0, len(inner)):
        entry = _Cursor(inner[box.body : box.end], 0)
        source = entry.number(width)
        targets = tuple(entry.number(width) for _ in range(entry.number(2)))
        references.append(Reference(box.kind, source, targets))
    return width == 4, tuple(references)
