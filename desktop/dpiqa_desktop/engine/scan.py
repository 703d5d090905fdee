"""Which photos to score: walks folders, not lost in symlink loops, not stopped by what it may not read."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from dpiqa_desktop.engine.companions import RAW_SUFFIXES
from dpiqa_desktop.engine.photo_file import HEIF_SUFFIXES
from dpiqa_desktop.engine.raw import SCANNED_SUFFIXES
from dpiqa_desktop.events import Failed
from dpiqa_plugin.errors import DPIQAError, UsageError

_Item = TypeVar("_Item")

PHOTO_SUFFIXES = (
    frozenset({".bmp", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
    | HEIF_SUFFIXES
    | SCANNED_SUFFIXES
)
"""What a file in a folder is called if it is a photo."""


_RENDERED_SUFFIXES = PHOTO_SUFFIXES - RAW_SUFFIXES


class ScanStoppedError(DPIQAError):
    """A scan was stopped: what it had found is not told, as a photo is all its files."""


@dataclass(frozen=True)
class Found:
    """The outcome of a scan.

    Attributes:
        photos: paths without repetition; in a folder by name, its own photos before those of its subfolders.
        unreadable: folders that could not be listed, with the reason.
        paired: RAW files left out because a JPEG, HEIC or the like of the same name was found beside them:
            they are one photo, which gets one score.
    """

    photos: tuple[str, ...]
    unreadable: tuple[Failed, ...]
    paired: int = 0


def scan(
    paths: Sequence[str],
    may_be_empty: bool = False,
    recursive: bool = True,
    stopped: Callable[[], bool] = lambda: False,
) -> Found:
    """List the photos under ``paths``: folders are walked, files are taken whatever they are called.

    RAW and JPEG of one name are one photo however they were found; a RAW file without its JPEG in ``paths``
    is taken, also if one is beside it.

    Not ``recursive``: of folders only what is in them, without their subfolders.

    Symlinks are followed, and a folder that several of them lead to is walked once. Names that begin with a
    dot are left out, as ``ls`` does: cameras' and macOS's ``._IMG_1.JPG`` are no photos. Of each photo only
    the name is kept (about 200 bytes: a million photos take 200 MB), so the total is known before the first
    score.

    Raises:
        UsageError: a path does not exist, or there is no photo at all and there must be.
        ScanStoppedError: ``stopped``, which is asked before each folder and each of its files, says so.
    """
    missing = [path for path in _going_on(paths, stopped) if not os.path.lexists(path)]
    if missing:
        raise UsageError(f"no such file or folder: {', '.join(missing)}")
    photos: dict[str, str] = {}  # by absolute path: what is named twice, in two ways, is one photo
    unreadable: list[Failed] = []
    walked: set[tuple[int, int]] = set()
    for path in _going_on(paths, stopped):
        if not os.path.isdir(path):
            photos.setdefault(os.path.abspath(path), path)
            continue
        for item in _walk(path, walked, recursive, stopped):
            if isinstance(item, Failed):
                unreadable.append(item)
                continue
            for photo in item:
                photos.setdefault(os.path.abspath(photo), photo)
    if not photos and not unreadable and not may_be_empty:
        endings = " ".join(sorted(PHOTO_SUFFIXES))
        raise UsageError(f"no photos in {', '.join(paths)}; looked for names that end in {endings}")
    # Named files, too: the shell makes ``shoot/*`` of a folder.
    alone = without_paired_raw(list(photos))
    return Found(tuple(photos[path] for path in alone), tuple(unreadable), len(photos) - len(alone))


def _going_on(items: Iterable[_Item], stopped: Callable[[], bool]) -> Iterator[_Item]:
    for item in items:
        if stopped():
            raise ScanStoppedError("the folders were not listed to their end: open them again")
        yield item


def _walk(
    top: str, walked: set[tuple[int, int]], recursive: bool, stopped: Callable[[], bool]
) -> Iterator[list[str] | Failed]:
    """Yield each folder's photos, or why it is unreadable; ``walked``: device and inode of those seen."""
    # A stack, not recursion: a folder tree may be deeper than Python's recursion limit.
    # Links come last, so that a folder is known by its own name if that is below ``top``, too.
    folders, linked = [top], deque[str]()
    while folders or linked:
        folder = folders.pop() if folders else linked.popleft()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in walked:
                continue
            walked.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as listing:
                names = (entry for entry in _going_on(listing, stopped) if not entry.name.startswith("."))
                entries = sorted(names, key=lambda entry: entry.name)
        except OSError as error:
            yield Failed(folder, f"cannot list this folder: {error.strerror}")
            continue
        inner, photos = list[os.DirEntry[str]](), list[str]()
        for entry in _going_on(entries, stopped):
            if _is_folder(entry):
                inner.append(entry)
            elif _suffix(entry.name) in PHOTO_SUFFIXES:
                photos.append(entry.path)
        yield photos
        if not recursive:
            continue
        folders.extend(entry.path for entry in reversed(inner) if not entry.is_symlink())
        linked.extend(entry.path for entry in inner if entry.is_symlink())


def without_paired_raw(photos: Sequence[str], also: Sequence[str] = ()) -> list[str]:
    """Leave out RAW files beside a JPEG, HEIC or the like of their name, in ``photos`` or ``also``."""
    raw = {path for path in photos if _suffix(path) in RAW_SUFFIXES}
    stems = {_stem(path) for path in raw}  # these only: of a million JPEGs, all would take 140 MB
    paired = stems.intersection(
        _stem(path) for path in chain(photos, also) if _suffix(path) in _RENDERED_SUFFIXES
    )
    return [path for path in photos if path not in raw or _stem(path) not in paired]


def _stem(path: str) -> str:
    return os.path.splitext(path)[0]


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # e.g. a symlink to itself: if it is called like a photo, decoding tells what is wrong
        return False
