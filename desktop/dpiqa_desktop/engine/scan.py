"""Which photos to score: walks folders, not lost in symlink loops, not stopped by what it may not read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dpiqa_desktop.events import Failed
from dpiqa_plugin.errors import UsageError

PHOTO_SUFFIXES = frozenset({".bmp", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""What a file in a folder is called if it is a photo. What is inside decides how it is decoded."""


@dataclass(frozen=True)
class Found:
    """The outcome of a scan.

    Attributes:
        photos: paths without repetition; in a folder by name, its own photos before those of its subfolders.
        unreadable: folders that could not be listed, with the reason.
    """

    photos: tuple[str, ...]
    unreadable: tuple[Failed, ...]


def scan(paths: Sequence[str]) -> Found:
    """List the photos under ``paths``: folders are walked, files are taken whatever they are called.

    Symlinks are followed, and a folder that several of them lead to is walked once. Names that begin with a
    dot are left out, as ``ls`` does: cameras' and macOS's ``._IMG_1.JPG`` are no photos. Of each photo only
    the name is kept (about 200 bytes: a million photos take 200 MB), so the total is known before the first
    score.

    Raises:
        UsageError: a path does not exist, or there is no photo at all.
    """
    missing = [path for path in paths if not os.path.lexists(path)]
    if missing:
        raise UsageError(f"no such file or folder: {', '.join(missing)}")
    photos: dict[str, None] = {}
    unreadable: list[Failed] = []
    walked: set[tuple[int, int]] = set()
    for path in paths:
        if not os.path.isdir(path):
            photos[path] = None
            continue
        for item in _walk(path, walked):
            if isinstance(item, Failed):
                unreadable.append(item)
            else:
                photos[item] = None
    if not photos and not unreadable:
        endings = " ".join(sorted(PHOTO_SUFFIXES))
        raise UsageError(f"no photos in {', '.join(paths)}; looked for names that end in {endings}")
    return Found(tuple(photos), tuple(unreadable))


def _walk(top: str, walked: set[tuple[int, int]]) -> Iterator[str | Failed]:
    """Yield photos and unreadable folders; ``walked`` holds device and inode of every folder seen so far."""
    # A stack, not recursion: a folder tree may be deeper than Python's recursion limit.
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in walked:
                continue
            walked.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as listing:
                entries = sorted((e for e in listing if not e.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            yield Failed(folder, f"cannot list this folder: {error.strerror}")
            continue
        for entry in entries:
            if not _is_folder(entry) and os.path.splitext(entry.name)[1].lower() in PHOTO_SUFFIXES:
                yield entry.path
        folders.extend(entry.path for entry in reversed(entries) if _is_folder(entry))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # e.g. a symlink to itself: if it is called like a photo, decoding tells what is wrong
        return False
