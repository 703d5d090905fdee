"""Put a file in place in one step: readers see the old one or the whole new one, never a part."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path beside ``target`` to write to; it becomes ``target`` if the block ends well, else it goes.

    The name is random, so that two processes doing the same do not meet; the last one wins. The file
    may be read by those who may read any new one; safetensors makes its own for their owner alone.
    """
    # Cut, because names may have 255 bytes, and a character up to four.
    temporary = target.with_name(f".{target.name[:60]}.{secrets.token_hex(4)}")
    try:
        temporary.touch()
        mode = stat.S_IMODE(temporary.stat().st_mode)
        temporary.unlink()  # who does not write it shall fail, and not leave nothing in its place
        yield temporary
        temporary.chmod(mode)
        flush_to_disk(temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Wait until the content is on the disk, so that a power cut after a rename leaves no empty file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
