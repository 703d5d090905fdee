"""The SHA-256 kept beside a weights file: recorded on its first use, checked on every later one.

The whole file is hashed each time, not just its date compared: a load reads it anyway, and hashing takes
about 0.7 s per gigabyte (measured, one core).
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from dpiqa_plugin.atomic import replacing
from dpiqa_plugin.errors import WeightsError

_BLOCK = 1 << 20


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def record_path(path: Path) -> Path:
    """Where the record of a file lies: beside it, in the format of ``sha256sum``."""
    return path.with_name(f"{path.name}.sha256")


def record(path: Path) -> None:
    """Write the file's SHA-256 beside it, replacing an earlier record, where that can be written.

    A cache may lie on a read-only disk: its files are used without a record.
    """
    with contextlib.suppress(OSError), replacing(record_path(path)) as temporary, temporary.open("w") as file:
        file.write(f"{sha256(path)}  {path.name}\n")


def of(path: Path) -> str:
    """SHA-256 of a weights file: as recorded beside it, else computed now."""
    with contextlib.suppress(OSError):
        if recorded := record_path(path).read_text(errors="replace").split()[:1]:
            return recorded[0]
    return sha256(path)


def check(path: Path) -> None:
    """Compare the file with its record, if it has one.

    Raises:
        WeightsError: the content is not what was recorded.
    """
    try:
        recorded = record_path(path).read_text(errors="replace").split()[:1]
    except FileNotFoundError:
        return
    if recorded != [sha256(path)]:
        raise WeightsError(
            f"{path} has changed since its SHA-256 was recorded: it is damaged or was replaced. "
            "If it was downloaded, delete it to have it fetched again; "
            f"if you replaced it on purpose, delete {record_path(path)}"
        )
