"""What a weights file is by its own bytes (torch archive, old torch pickle, safetensors); is it whole?"""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

from dpiqa_plugin.errors import WeightsError

ABOUT_KEY = "dpiqa"
"""Entry of a safetensors file's metadata in which ``dpiqa-train`` says, as JSON, what it trained and how."""

_ZIP_START = b"PK\x03\x04"
_ZIP_END = b"PK\x05\x06"  # starts the end record, APPNOTE 4.3.16; torch writes no comment after its 22 bytes
_LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch's own magic number, pickled
_MAX_SAFETENSORS_HEADER = 100_000_000  # the limit of the reference implementation


def is_torch_archive(path: Path) -> bool:
    """Whether the file starts as ``torch.save`` has written since torch 1.6: a zip archive."""
    return _start(path).startswith(_ZIP_START)


def is_safetensors(path: Path) -> bool:
    """Whether the file starts as safetensors: the header's length (8 bytes), then a JSON object."""
    start = _start(path)
    return 2 <= _header_length(start) <= _MAX_SAFETENSORS_HEADER and start[8:9] == b"{"


def about(path: Path) -> dict[str, Any]:
    """Read what ``dpiqa-train`` says of a safetensors file in it; empty if another program wrote it.

    Raises:
        WeightsError: it is damaged.
    """
    with path.open("rb") as file:
        header = file.read(_header_length(file.read(8)))
    try:
        said = json.loads(json.loads(header).get("__metadata__", {}).get(ABOUT_KEY, "{}"))
    except (ValueError, AttributeError) as error:
        raise WeightsError(f"{path} does not say in JSON what it holds ({error}); get it again") from error
    if not isinstance(said, dict):
        raise WeightsError(f"{path} says of itself {said!r}, not what dpiqa-train would; get it again")
    return said


def fault(path: Path, min_size: int = 0) -> str | None:
    """Say why a file cannot hold the weights, or None if it looks whole.

    Reads the start, the end and the table of contents, not the tensors.

    Args:
        path: an existing file.
        min_size: fewest bytes that could be right.

    Returns:
        A clause to follow the file's name, such as ``"is a web page, not a weights file"``.
    """
    start = _start(path).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "is a web page, not a weights file"
    if is_torch_archive(path):
        broken = _archive_is_broken(path)
    elif is_safetensors(path):
        broken = _safetensors_is_broken(path)
    elif _start(path).startswith(_LEGACY_START):
        broken = False  # a stream of pickles: its end shows only when it is read
    else:
        return "is neither a torch nor a safetensors file"
    if broken:
        return "is cut off or damaged"
    size = path.stat().st_size
    if size < min_size:
        return f"is too small to be right ({size:,} bytes, at least {min_size:,} expected)"
    return None


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


def _header_length(start: bytes) -> int:
    return int(struct.unpack("<Q", start[:8])[0]) if len(start) >= 8 else 0


def _archive_is_broken(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, 2) < 22 or (file.seek(-22, 2) and file.read(4) != _ZIP_END):
            return True
        try:
            members = zipfile.ZipFile(file).infolist()
        except (zipfile.BadZipFile, OSError, ValueError):
            return True
    # zipfile forgives bytes put before the archive, which is what resuming a changed file leaves behind.
    return not members or min(member.header_offset for member in members) != 0


def _safetensors_is_broken(path: Path) -> bool:
    with path.open("rb") as file:
        length = _header_length(file.read(8))
        try:
            entries = json.loads(file.read(length))
            data = max(
                (e["data_offsets"][1] for name, e in entries.items() if name != "__metadata__"), default=0
            )
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            return True
        return bool(file.seek(0, 2) != 8 + length + data)
