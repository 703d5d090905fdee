"""The splices between two versions of one block of metadata, as few bytes as is cheap to find.

A journal keeps the splices of every photo: whole EXIF blocks, up to 64 kB with a thumbnail, would make it a
hundred times larger than it needs to be.
"""

from __future__ import annotations

from dpiqa_desktop.metadata.splice import Splice

_STEP = 64


def differences(offset: int, old: bytes, new: bytes) -> tuple[Splice, ...]:
    """What changes between ``old`` and ``new``.

    Blocks that were changed in a few places and appended to, as EXIF is, give several small splices; others,
    as XMP with text put into the middle, one without the common beginning and end.

    Args:
        offset: where ``old`` begins in the file.
        old: not empty.
        new: what it becomes.
    """
    common = min(len(old), len(new))
    changed = [at for at in range(0, common, _STEP) if old[at : at + _STEP] != new[at : at + _STEP]]
    if len(changed) * _STEP * 4 > common:
        return _one(offset, old, new)
    # The last step goes with what is appended: a splice that only inserted at the block's end would be at the
    # same place as one that puts a new block there, and their order would count.
    whole = max(0, common - 1) // _STEP * _STEP
    splices = [
        Splice(offset + at, old[at : at + _STEP], new[at : at + _STEP]) for at in changed if at < whole
    ]
    if old[whole:] != new[whole:]:
        splices.append(Splice(offset + whole, old[whole:], new[whole:]))
    return tuple(splices)


def _one(offset: int, old: bytes, new: bytes) -> tuple[Splice, ...]:
    common = min(len(old), len(new))
    start = 0
    while start + _STEP <= common and old[start : start + _STEP] == new[start : start + _STEP]:
        start += _STEP
    left = common - start
    end = 0
    while (
        end + _STEP <= left
        and old[len(old) - end - _STEP : len(old) - end] == (new[len(new) - end - _STEP : len(new) - end])
    ):
        end += _STEP
    return (Splice(offset + start, old[start : len(old) - end], new[start : len(new) - end]),)
