"""Puts a changed photo or sidecar in the place of the old one: the only code that does.

What is promised:

- At every moment the name leads to the old file or to the whole new one, after ``kill -9`` too, and after a
  power cut as far as the disk keeps what it says it has written. What may be left is a temporary file beside
  it, which ``strays`` removes.
- The new file has been flushed, read back and compared before it takes the old one's place, and has all that
  ``belongings`` carries; else it is thrown away and the old file has not been touched.
- What another program wrote since the caller read the file is not lost: content, identity, size and times are
  compared, and at any difference nothing is done.

What is not:

- A program that writes to the file in the instant between our last look at it and the replacement loses what
  it wrote. One of ours does not, if both use ``process_lock.writing_alone``.
- Other names of the same file (hard links) keep the old content: the given name becomes a file of its own.
- What is read back may come from the system's memory, not from the disk: a disk that keeps other bytes than
  it was given, and says nothing, is not found out. To make the system forget them first cost a quarter more
  time.
- Where a file system has no hard links, a new sidecar's name is held by an empty file for an instant, and
  ``kill -9`` at that instant leaves the empty file.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import xxhash

from dpiqa_desktop.metadata.belongings import NotKeptError, carry
from dpiqa_desktop.metadata.splice import Splice, inverse, spliced
from dpiqa_desktop.metadata.strays import made_and_locked, temporary_name
from dpiqa_desktop.placing import PlacingError, give_name, sync_folder
from dpiqa_plugin.errors import DPIQAError

_BLOCK = 1 << 20
_CHANGED = "was changed by another program in the meantime and stays as it is; run it again"
_NOT_READ_BACK = "was not written: the new file does not read back as it was written; is its disk failing?"
# Windows says "no permission" of a file that is open; elsewhere it is the sticky bit of a shared folder.
_IN_USE = "is open in another program" if os.name == "nt" else "may not be replaced in its folder"
_NO_TIMES = "was not written: its time of modification cannot be kept"
_REASONS = {
    errno.ENOSPC: "was not written: its disk is full. Free some space and run it again",
    errno.EDQUOT: "was not written: your share of its disk is used up. Free some space and run it again",
    errno.EFBIG: "was not written: it would be larger than its disk or a limit allows",
    errno.EROFS: "was not written: its disk is read-only",
    errno.ENOENT: "is no longer there",
    errno.ENOTDIR: "is no longer there",
    errno.EEXIST: "is there already",
    errno.ELOOP: "is a symbolic link that leads nowhere",
}


class ReplaceError(DPIQAError):
    """A file could not be replaced, made or removed; it is as it was.

    Args:
        path: the file.
        reason: half a sentence that goes on from it.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True)
class Version:
    """What a file was when it was read or written.

    Attributes:
        size: bytes.
        mtime_ns: last change, ns since 1970. The content decides whether two versions are the same.
        content: XXH3 of the content, 16 bytes, as ``engine.store.content_hash`` gives.
    """

    size: int
    mtime_ns: int
    content: bytes

    def same_content(self, other: Version) -> bool:
        """Tell whether the two have the same bytes."""
        return (self.size, self.content) == (other.size, other.content)


def version_of(file: BinaryIO) -> Version:
    """Read an open file from its start to its end.

    Take this before reading what is to be changed: whatever another program writes after that, the
    replacement will notice.

    Raises:
        OSError: it cannot be read.
    """
    status = os.fstat(file.fileno())
    file.seek(0)
    digest = xxhash.xxh3_128()
    size = 0
    while block := file.read(_BLOCK):
        digest.update(block)
        size += len(block)
    return Version(size, status.st_mtime_ns, digest.digest())


def replace_spliced(
    path: str,
    splices: Sequence[Splice],
    before: Version,
    keep_mtime: bool,
    verify: Callable[[BinaryIO], None],
) -> Version:
    """Put a file with ``splices`` applied in its own place.

    A symbolic link stays one, and the file it leads to is replaced. A file that nobody may write is left
    alone, also for root, who could: cameras mark the photos so that their owner wants to keep.

    Args:
        path: the file.
        splices: in ascending order, none overlapping another.
        before: what the file was when the splices were made for it.
        keep_mtime: let it keep its time of modification, and of access.
        verify: called with the new file, open for reading and flushed to the disk; whatever it raises goes
            on to the caller, and the old file stays.

    Returns:
        what the file is now.

    Raises:
        ReplaceError: it was not replaced, and says why.
        KeyboardInterrupt: at any moment: only the content tells whether it was replaced before.
        ValueError: the splices do not fit ``before``.
    """
    target, status = _look(path)
    with _temporary(path, target, 0o600) as new:
        with _opened(path, target) as original:
            _write_spliced(path, original, splices, before, new)
            _carry(path, original, status, new)
        with _blaming(path, _NO_TIMES):
            if keep_mtime:
                _set_times(new.path, status)
            os.fsync(new.file.fileno())
        content = _read_back(path, new.path, splices, before)
        with _blaming(path), open(new.path, "rb") as file:
            verify(file)
        with _blaming(path, _NO_TIMES):
            new.close_on_windows()
            if keep_mtime:  # again: reading the new file has set when it was read
                _set_times(new.path, status)
            written = os.lstat(new.path)
        _check_unchanged(path, target, status)
        with _blaming(path, _IN_USE):
            os.replace(new.path, target)
        _sync_folder_of(target)
    return Version(written.st_size, written.st_mtime_ns, content)


def create_new(path: str, content: bytes) -> Version:
    """Make a file, whole from the first moment, if there is none; its permissions are as of any new file.

    Raises:
        ReplaceError: there is one already, or it cannot be made.
    """
    with _blaming(path):
        target = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    with _temporary(path, target, 0o666) as new, _blaming(path):
        _write(new.file, [content])
        os.fsync(new.file.fileno())
        with open(new.path, "rb", buffering=0) as file:
            written = version_of(file)
        if written.content != xxhash.xxh3_128_digest(content):
            raise ReplaceError(path, _NOT_READ_BACK)
        new.close_on_windows()
        give_name(new.path, target)
        _sync_folder_of(target)
    return written


def remove_file(path: str, before: Version) -> None:
    """Remove a file that is what it was, and never anything else.

    Raises:
        ReplaceError: it was changed, is gone, is read-only or cannot be removed.
    """
    target, status = _look(path)
    with _opened(path, target) as file, _blaming(path):
        now = version_of(file)
    if not now.same_content(before):
        raise ReplaceError(path, _CHANGED)
    _check_unchanged(path, target, status)
    with _blaming(path, _IN_USE):
        os.unlink(target)
    _sync_folder_of(target)


@dataclass(frozen=True)
class _Temporary:
    path: str
    file: io.FileIO

    def close_on_windows(self) -> None:
        """Windows renames no open file; elsewhere the file's lock is of use until it has been renamed."""
        if os.name == "nt":
            self.file.close()


class _Hashed(io.BufferedReader):
    """A file that hashes what is read of it: all of its content, if that is read once from start to end."""

    def __init__(self, path: str) -> None:
        super().__init__(open(path, "rb", buffering=0))  # noqa: SIM115
        self._digest = xxhash.xxh3_128()

    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(size)
        self._digest.update(block)
        return block

    def content(self) -> bytes:
        """The hash so far."""
        return self._digest.digest()


def check_replaceable(path: str) -> None:
    """Tell early that a file may not be replaced; later something else may still hinder it.

    Raises:
        ReplaceError: it is no regular file, is gone or read-only, or its folder is.
    """
    target, _ = _look(path)
    if not os.access(os.path.dirname(target), os.W_OK):
        raise ReplaceError(path, "cannot be written: no permission to make a file in its folder")


def _look(path: str) -> tuple[str, os.stat_result]:
    """Return the path without symbolic links, and the status, of a file that may be replaced."""
    with _blaming(path):
        target = os.path.realpath(path, strict=True)
        status = os.lstat(target)
        if not stat.S_ISREG(status.st_mode):
            raise ReplaceError(path, "is not a regular file")
        if not status.st_mode & 0o222 or not os.access(target, os.W_OK):
            raise ReplaceError(path, "is read-only and stays as it is")
    return target, status


def _opened(path: str, target: str) -> _Hashed:
    with _blaming(path, "cannot be read: no permission"):
        return _Hashed(target)


@contextlib.contextmanager
def _temporary(path: str, target: str, mode: int) -> Iterator[_Temporary]:
    """Make a file beside ``target``; it is gone at the end, unless it has been renamed."""
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, temporary_name(name))
    try:
        with _blaming(path, "was not written: no permission to make a file in its folder"):
            file = made_and_locked(temporary, mode)
        try:
            yield _Temporary(temporary, file)
        finally:
            with contextlib.suppress(OSError):  # its content was flushed before, or is not wanted
                file.close()
    finally:
        with contextlib.suppress(OSError):  # as a stray it goes later
            os.unlink(temporary)


def _check_unchanged(path: str, target: str, status: os.stat_result) -> None:
    with _blaming(path):
        if _traits(os.lstat(target)) != _traits(status):
            raise ReplaceError(path, _CHANGED)


def _write_spliced(
    path: str, original: _Hashed, splices: Sequence[Splice], before: Version, new: _Temporary
) -> None:
    with _blaming(path):
        try:
            _write(new.file, spliced(original, splices))
            content = original.content()
        except ValueError:
            original.seek(0)
            if version_of(original).same_content(before):
                raise
            raise ReplaceError(path, _CHANGED) from None
    if content != before.content:
        raise ReplaceError(path, _CHANGED)


def _carry(path: str, original: _Hashed, status: os.stat_result, new: _Temporary) -> None:
    try:
        carry(original.fileno(), status, new.file.fileno(), new.path)
    except NotKeptError as error:
        raise ReplaceError(path, f"was not written: {error}") from error


def _write(file: io.FileIO, blocks: Iterable[bytes]) -> None:
    for block in blocks:
        rest = memoryview(block)
        while rest:
            rest = rest[file.write(rest) :]


def _read_back(path: str, temporary: str, splices: Sequence[Splice], before: Version) -> bytes:
    """Raise unless the new file has every splice's new bytes, and is the old file once they are taken back.

    That compares each byte by way of one hash, of which only the new file has to be read.

    Returns:
        the hash of the new content.
    """
    digest = xxhash.xxh3_128()
    with _blaming(path), _Hashed(temporary) as file:
        try:
            for block in spliced(file, inverse(splices)):
                digest.update(block)
        except ValueError:
            digest.reset()
        if digest.digest() != before.content:
            raise ReplaceError(path, _NOT_READ_BACK)
        return file.content()


def _set_times(path: str, status: os.stat_result) -> None:
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _traits(status: os.stat_result) -> tuple[int, ...]:
    """What changes when somebody replaces, writes, renames or marks a file."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _sync_folder_of(path: str) -> None:
    # If it fails there is nothing to take back: whichever file a power cut leaves, it is a whole one.
    with contextlib.suppress(PlacingError):
        sync_folder(os.path.dirname(path))


@contextlib.contextmanager
def _blaming(path: str, denied: str = "was not written: no permission") -> Iterator[None]:
    """Turn the system's errors into ours, about ``path``; ``denied`` says what no permission means here."""
    try:
        yield
    except OSError as error:
        if isinstance(error, PermissionError):
            reason = denied
        else:
            reason = _REASONS.get(error.errno or 0) or f"was not written: {error.strerror or error}"
        raise ReplaceError(path, reason) from error
