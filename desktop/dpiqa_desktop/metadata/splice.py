"""A change of a file as the few bytes that differ: small enough to keep, and to be taken back from.

All else of a photo is never re-encoded, re-ordered or even parsed: it is copied as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Splice:
    """Bytes of a file that give way to others.

    Attributes:
        offset: where they begin, in the file as it is before any splice.
        old: what is there; empty to insert.
        new: what comes there; empty to take out.
    """

    offset: int
    old: bytes
    new: bytes


def inverse(splices: Sequence[Splice]) -> tuple[Splice, ...]:
    """The splices that lead from the changed file back to the one before.

    Args:
        splices: in ascending order, none overlapping another.
    """
    back, shift = [], 0
    for splice in splices:
        back.append(Splice(splice.offset + shift, splice.new, splice.old))
        shift += len(splice.new) - len(splice.old)
    return tuple(back)


def spliced(file: BinaryIO, splices: Sequence[Splice]) -> Iterator[bytes]:
    """Yield the changed file in blocks.

    Args:
        file: seekable; read from its start.
        splices: in ascending order, none overlapping another.

    Raises:
        ValueError: they are out of order, or the file does not have their old bytes: it is another file.
        OSError: it cannot be read.
    """
    at = 0
    for splice in splices:
        if splice.offset < at:
            raise ValueError(f"the splice at {splice.offset} is out of order")
        yield from _copied(file, at, splice.offset)
        if file.read(len(splice.old)) != splice.old:
            raise ValueError(f"the file has other bytes at {splice.offset} than the splice says")
        if splice.new:
            yield splice.new
        at = splice.offset + len(splice.old)
    yield from _copied(file, at, None)


def _copied(file: BinaryIO, start: int, end: int | None) -> Iterator[bytes]:
    file.seek(start)
    while end is None or start < end:
        block = file.read(_BLOCK if end is None else min(_BLOCK, end - start))
        if not block:
            if end is not None:
                raise ValueError(f"the file ends at {start}, before the splice at {end}")
            return
        yield block
        start += len(block)
