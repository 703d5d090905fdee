"""Put a file in place in one step: readers see the old one or the whole new one, never a part."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path beside ``target`` to write to; it becomes ``target`` if the block ends well, else it goes.

    The name is random, so that two processes doing the same do not meet; the last one wins.
    """
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        yield temporary
        flush_to_disk(temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Wait until the content is on the disk, so that a power cut after a rename leaves no empty file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
