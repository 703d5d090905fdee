"""A change of one file, a photo or a sidecar, worked out from what it says; nothing is written here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from dpiqa_desktop.engine.store import FileState, file_state
from dpiqa_desktop.metadata import xmp
from dpiqa_desktop.metadata.difference import differences
from dpiqa_desktop.metadata.embedded import Embedded, UnsafeError
from dpiqa_desktop.metadata.formats import format_of
from dpiqa_desktop.metadata.plan import Said, Wanted
from dpiqa_desktop.metadata.read import open_regular, read_packet, said_by
from dpiqa_desktop.metadata.splice import Splice

Decide = Callable[[Said], Wanted]
"""From what a file says to what of it has to change."""


@dataclass(frozen=True)
class FileChange:
    """A file that is to change, or to be made.

    Attributes:
        path: of the file.
        state: as it was when this was worked out; None if there was no such file.
        splices: what changes; of a file to be made, its content.
        said: what it said.
        wanted: what of that changes.
        verify: raises UnsafeError if an open file does not say what it should.
    """

    path: str
    state: FileState | None
    splices: tuple[Splice, ...]
    said: Said
    wanted: Wanted
    verify: Callable[[BinaryIO], None]


def embedded_change(path: str, decide: Decide) -> FileChange | None:
    """Work out how a photo's own metadata changes; None if it says everything already.

    Raises:
        UnsafeError: it cannot be changed without losing something.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        state = file_state(path)
        kind = format_of(path, file)
        embedded = kind.read(file)
        said = said_by(embedded)
        wanted = decide(said)
        if not wanted:
            return None
        if kind.edit is None:
            raise UnsafeError(f"it is {kind.name}, and is never changed")
        packet = _new_packet(embedded, wanted)
        splices = kind.edit(file, packet if wanted.xmp else None, wanted.exif)

    def verify(changed: BinaryIO) -> None:
        now = kind.read(changed)
        exif = wanted.exif or embedded.exif
        if (now.xmp, now.exif, now.extended_xmp) != (packet, exif, embedded.extended_xmp):
            raise UnsafeError("it would not read back as it was written, and is left as it was")

    return FileChange(path, state, _shortened(splices), said, wanted, verify)


def sidecar_change(path: str, exists: bool, decide: Decide) -> FileChange | None:
    """Work out how a sidecar changes, or what a new one will be; None if it says everything already.

    Raises:
        UnsafeError: it cannot be changed without losing something.
        OSError: it cannot be read.
    """
    state, packet, said = None, b"", Said()
    if exists:
        with open_regular(path) as file:
            state, packet = file_state(path), read_packet(file)
        said = Said(xmp.read(packet))
    wanted = decide(said)
    if not wanted:
        return None
    content = xmp.edit(packet if exists else xmp.EMPTY_SIDECAR, wanted.xmp)

    def verify(changed: BinaryIO) -> None:
        if read_packet(changed) != content:
            raise UnsafeError("it would not read back as it was written, and is left as it was")

    return FileChange(path, state, _shortened([Splice(0, packet, content)]), said, wanted, verify)


def _shortened(splices: Sequence[Splice]) -> tuple[Splice, ...]:
    """The same changes without most of what stays, for the journal; in their order."""
    return tuple(
        part
        for splice in splices
        for part in (
            differences(splice.offset, splice.old, splice.new) if splice.old and splice.new else (splice,)
        )
    )


def _new_packet(embedded: Embedded, wanted: Wanted) -> bytes | None:
    if not wanted.xmp:
        return embedded.xmp
    if embedded.extended_xmp is not None:
        elsewhere = set(wanted.xmp) & set(xmp.read(embedded.extended_xmp))
        if elsewhere:
            names = ", ".join(sorted(name.name for name in elsewhere))
            raise UnsafeError(f"it has {names} in extended XMP, which is never changed")
    return xmp.edit(embedded.xmp or xmp.EMPTY_PACKET, wanted.xmp)
