"""Small pictures of photos: made in a few threads, kept in memory and on the disk within bounds.

A picture that is asked for comes in up to two steps: what the camera put into the file, at once; then, unless
it was big enough, the photo itself scaled down. What was asked for last is made first, because that is what
the user has just scrolled to.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import xxhash
from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QPixmap

from dpiqa_desktop.engine.store import file_state
from dpiqa_desktop.engine.thumbnail import embedded_thumbnail, thumbnail
from dpiqa_desktop.gui.photo_loader import jpeg_image

SIDE = 384
"""Pixels of the longer side on the disk: the largest tile on a common screen, a medium one on a fine one."""

_SMALL = SIDE // 2

_MEMORY = 64 << 20  # bytes of decoded pictures: 650 small landscapes, some screens full
_DISK = 1 << 30  # bytes: 40,000 pictures
_MOST_WAITING = 600  # asked for and not made yet; more is forgotten, and asked for again when it is seen
_WORKERS = 2  # decoding them is half the work of scoring, which goes on meanwhile
_TELL_MS = 40


class Thumbnails(QObject):
    """Gives pictures that are there, and makes those that are not.

    Args:
        folder: for those kept on the disk; made if missing. None keeps none.
        parent: of the object.
        memory, disk: bytes of pictures kept there, about.

    Signals:
        ready: paths whose picture is there now, or will never be; some at a time.
    """

    ready = Signal(list)
    _made = Signal(str, QImage, bool)  # path, null if there is none, whether a better one is to come

    def __init__(
        self, folder: Path | None, parent: QObject | None = None, memory: int = _MEMORY, disk: int = _DISK
    ) -> None:
        super().__init__(parent)
        self._disk = _DiskCache(folder, disk) if folder is not None else None
        self._memory = memory
        self._bytes = 0
        self._side = SIDE
        self._pictures: OrderedDict[str, QPixmap] = OrderedDict()
        self._failed: set[str] = set()
        self._asked: set[str] = set()
        self._lock = threading.Lock()
        self._quick: deque[str] = deque()
        self._slow: deque[str] = deque()
        self._closed = False
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="thumbnail")
        self._made.connect(self._keep, Qt.ConnectionType.QueuedConnection)
        self._news: list[str] = []
        self._telling = QTimer(self, singleShot=True, interval=_TELL_MS)
        self._telling.timeout.connect(self._tell)
        if self._disk is not None:
            self._pool.submit(self._disk.prune)

    def picture(self, path: str) -> QPixmap | None:
        """The picture, if it is there; if not it is made, and ``ready`` tells when."""
        found = self._pictures.get(path)
        if found is not None:
            self._pictures.move_to_end(path)
        elif path not in self._failed:
            self._ask(path)
        return found

    def set_side(self, pixels: int) -> None:
        """Say how large they are shown: small ones take a quarter of the memory, so that more are kept."""
        side = _SMALL if pixels <= _SMALL else SIDE
        if side != self._side:
            self._side = side
            self.forget()

    def has_failed(self, path: str) -> bool:
        """There is no picture of it, and none will come."""
        return path in self._failed

    def want(self, paths: Iterable[str]) -> None:
        """Make these in good time, after all that is being waited for."""
        for path in paths:
            if path not in self._pictures and path not in self._failed:
                self._ask(path, first=False)

    def forget(self) -> None:
        """Drop all that is kept in memory or waited for: another folder is shown."""
        with self._lock:
            self._quick.clear()
            self._slow.clear()
        for kept in (self._pictures, self._failed, self._asked):
            kept.clear()
        self._bytes = 0

    def close(self) -> None:
        """Stop; waits for the pictures at hand."""
        self._closed = True
        with self._lock:
            self._quick.clear()
            self._slow.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _ask(self, path: str, first: bool = True) -> None:
        if path in self._asked or self._closed:
            return
        self._asked.add(path)
        with self._lock:
            (self._quick.append if first else self._quick.appendleft)(path)
            forgotten = [self._quick.popleft() for _ in range(len(self._quick) - _MOST_WAITING)]
        self._asked.difference_update(forgotten)
        # A task takes whatever is first when it begins, not the photo that it was submitted for.
        self._pool.submit(self._make_next)

    def _make_next(self) -> None:
        """Make one picture, in a thread of the pool."""
        with self._lock:
            if self._quick:
                path, quick = self._quick.pop(), True
            elif self._slow:
                path, quick = self._slow.pop(), False
            else:
                return
        try:
            data, finished = self._quickly(path) if quick else (self._slowly(path), True)
            image = QImage() if data is None else _fitted(jpeg_image(data), self._side)
        except Exception:  # whatever a decoder comes up with: the tile says that there is no picture
            image, finished = QImage(), True
        if not finished:
            with self._lock:
                self._slow.append(path)
        if (finished or not image.isNull()) and not self._closed:
            with contextlib.suppress(RuntimeError):  # the window was closed, and its objects with it
                self._made.emit(path, image, not finished)
        if not finished and not self._closed:
            with contextlib.suppress(RuntimeError):
                self._pool.submit(self._make_next)

    def _quickly(self, path: str) -> tuple[bytes | None, bool]:
        """What there is without decoding the photo, and whether it is good enough."""
        kept = self._disk.find(path) if self._disk is not None else None
        if kept is not None:
            return kept, True
        return embedded_thumbnail(path), False

    def _slowly(self, path: str) -> bytes:
        data = thumbnail(path, SIDE)
        if self._disk is not None:
            self._disk.keep(path, data)
        return data

    def _keep(self, path: str, image: QImage, more_to_come: bool) -> None:
        if path not in self._asked:  # of a folder that is not shown any more
            return
        if not more_to_come:
            self._asked.discard(path)
        if image.isNull():
            self._failed.add(path)
        else:
            self._put(path, QPixmap.fromImage(image))
        self._news.append(path)
        if not self._telling.isActive():
            self._telling.start()

    def _put(self, path: str, picture: QPixmap) -> None:
        before = self._pictures.pop(path, None)
        self._pictures[path] = picture
        self._bytes += _size(picture) - (0 if before is None else _size(before))
        while self._bytes > self._memory and len(self._pictures) > 1:
            self._bytes -= _size(self._pictures.popitem(last=False)[1])

    def _tell(self) -> None:
        news, self._news = self._news, []
        self.ready.emit(news)


class _DiskCache:
    """JPEG files by what tells a photo's file from an earlier one of its name; used by several threads."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most

    def find(self, path: str) -> bytes | None:
        """The picture, if it is kept.

        Raises:
            OSError: the photo is not there.
        """
        kept = self._place(path)
        try:
            data = kept.read_bytes()
        except OSError:
            return None
        with contextlib.suppress(OSError):
            os.utime(kept)  # the oldest are the first to go
        return data or None

    def keep(self, path: str, data: bytes) -> None:
        """Keep a picture; a disk that is full costs time later, no more."""
        with contextlib.suppress(OSError):
            place = self._place(path)
            place.parent.mkdir(parents=True, exist_ok=True)
            # Not flushed, as scores' files are: a picture that a power cut took is made again.
            beside = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
            beside.write_bytes(data)
            os.replace(beside, place)

    def prune(self) -> None:
        """Above the limit, remove what was not used for the longest time, down to four fifths of it."""
        with contextlib.suppress(OSError):
            files = [(status.st_mtime, status.st_size, path) for path, status in self._files()]
            total = sum(size for _, size, _ in files)
            if total <= self._most:
                return
            for _, size, path in sorted(files):
                if total <= 0.8 * self._most:
                    return
                path.unlink(missing_ok=True)
                total -= size

    def _files(self) -> Iterable[tuple[Path, os.stat_result]]:
        for path in self._folder.glob("*/*.jpg"):
            with contextlib.suppress(OSError):  # another window may be pruning, too
                yield path, path.stat()

    def _place(self, path: str) -> Path:
        state = file_state(path)
        key = b"%d %d %d " % (SIDE, state.size, state.mtime_ns) + os.fsencode(os.path.abspath(path))
        name = xxhash.xxh3_128_hexdigest(key)
        return self._folder / name[:2] / f"{name}.jpg"


def _fitted(image: QImage, side: int) -> QImage:
    if max(image.width(), image.height()) <= side:
        return image
    return image.scaled(
        side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )


def _size(picture: QPixmap) -> int:
    return picture.width() * picture.height() * 4
