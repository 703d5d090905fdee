"""One file from one name to another, never replacing another: the only code that moves and removes photos.

All of it goes through ``os``, so that a test can let any single call fail. What is promised:

- A name that exists is never replaced. Where a file system has hard links, a file gets its new name by
  ``link``, which fails if the name is taken; where it has none (FAT, exFAT), an empty file is made under the
  name, which fails likewise, and then replaced by a rename.
- Across file systems a copy is written under a temporary name, flushed, read back and compared before it gets
  its name, and the original goes only after that.

What is not: another program that writes into the empty file within the few microseconds that it exists, or
replaces a photo between our last look at it and its removal, can lose what it wrote.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dpiqa_plugin.errors import DPIQAError

# What systems answer where something does not exist or is not allowed. Hard links: Linux and macOS on FAT,
# Windows on exFAT, Linux for other people's files (fs.protected_hardlinks). Modes: FAT again.
_UNSUPPORTED = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_BLOCK = 1 << 20
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class PlacingError(DPIQAError):
    """A file could not be moved, copied or removed; it is where it was.

    Args:
        path: the file.
        reason: half a sentence that goes on from it.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class NameTakenError(PlacingError):
    """There is a file of that name already."""


class GoneError(PlacingError):
    """The file is under neither of its names, though both folders are there: somebody removed it."""


class StaysError(PlacingError):
    """The file is where it was, and what is under its new name stays: only the user knows what it is."""


@dataclass(frozen=True)
class Seen:
    """What a file looked like.

    Attributes:
        size: bytes.
        mtime_ns: last change, ns since 1970.
        mode: permission bits.
    """

    size: int
    mtime_ns: int
    mode: int

    def same_content(self, other: Seen | None) -> bool:
        """Tell whether nobody has written to the file between the two looks, as far as that shows."""
        return other is not None and (self.size, self.mtime_ns) == (other.size, other.mtime_ns)


@dataclass(frozen=True)
class Step:
    """One file on its way.

    Attributes:
        source, target: absolute paths.
        temporary: name that a copy has, in its folder, until it is whole.
        keep: the source stays: a copy, not a move.
        before: the source as it was when this began.
        after: the target as it was when it had been placed; None before that.
        sha256: of the content, if it was read.
        inode: the source's when it was placed; None before that, and from the journal.
        ctime_ns: of the source before it was read for a copy. None otherwise: what is written to one of a
            file's names is under the others, too, and each that comes or goes would seem to be a change.
    """

    source: str
    target: str
    temporary: str
    keep: bool
    before: Seen
    after: Seen | None = None
    sha256: bytes | None = None
    inode: int | None = None
    ctime_ns: int | None = None

    def backwards(self) -> Step:
        """Return the way back, for a step whose target was placed or may have been."""
        there = self.after or self.before
        return replace(self, source=self.target, target=self.source, before=there, after=self.before)


def look(path: str) -> Seen | None:
    """Return what is at ``path``, None if there is nothing.

    Raises:
        PlacingError: it is no regular file, or cannot be looked at.
    """
    with _blaming(path):
        status = _status(path)
    if status is None:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise PlacingError(path, "is not a regular file")
    return Seen(status.st_size, status.st_mtime_ns, stat.S_IMODE(status.st_mode))


def look_closely(path: str) -> Seen:
    """Return what is at ``path``.

    Raises:
        PlacingError: there is nothing, or no regular file, or it cannot be looked at.
    """
    seen = look(path)
    if seen is None:
        raise PlacingError(path, "is no longer there")
    return seen


def check_ready(step: Step) -> None:
    """Raise if ``place`` would have no chance; changes nothing.

    Raises:
        NameTakenError: there is something under the target's name.
        PlacingError: the source is gone or was changed, or one of the two cannot be looked at.
    """
    if not step.before.same_content(look_closely(step.source)):
        raise PlacingError(step.source, "was changed in the meantime")
    with _blaming(step.source):
        taken = _status(step.target) is not None
    if taken:
        raise NameTakenError(step.source, f"cannot have the name {step.target}, which is taken")


def place(step: Step) -> Step:
    """Let the file have its target's name; the source may be gone then (without hard links) or still there.

    Returns:
        the step with ``after``, ``inode`` and, if the content was read, ``sha256``.

    Raises:
        NameTakenError: there is something under the target's name; nothing was done.
        PlacingError: it could not be done; what it came to, ``put_back`` undoes.
    """
    with _blaming(step.source):
        try:
            before = os.lstat(step.source)
            copied = step.keep or not give_name(step.source, step.target)
            sha256 = _copy(step) if copied else step.sha256
        except FileExistsError as error:
            raise NameTakenError(
                step.source, f"cannot have the name {step.target}, which is taken"
            ) from error
    ctime_ns = before.st_ctime_ns if copied and before.st_nlink == 1 else None
    after = look_closely(step.target)
    return replace(step, after=after, sha256=sha256, inode=before.st_ino, ctime_ns=ctime_ns)


def remove_source(step: Step) -> None:
    """Remove the source of a step that was placed, unless it went with that or was changed since.

    Size and time do not show every change: many programs, ours too, keep a file's time.

    Raises:
        PlacingError: it is there still.
    """
    now = look(step.source)
    if now is None:
        return
    with _blaming(step.source):
        same = step.before.same_content(now) and _is_what_was_placed(step, _status(step.source))
    if not same:
        raise PlacingError(step.source, "was changed while it was being moved")
    with _blaming(step.source):
        os.unlink(step.source)


def put_back(step: Step) -> None:
    """Make it so that the file is at its source only, however far the step had got.

    Removes the target only if it came from there (``_came_from``), or is the empty file that holds a name.

    Raises:
        GoneError: the file is in neither place.
        StaysError: the file is at its source, and something else may be at the target.
        PlacingError: it could not be put back and is at the target.
    """
    with _blaming(step.target):
        _discard_temporaries(step)
    there = look(step.target)
    if look(step.source) is not None:
        if there is None:
            return
        if there.size > 0 and not _came_from(step, there):
            raise StaysError(
                step.target, f"stays: it may be another file, or an older version, than {step.source}"
            )
        with _blaming(step.target):
            os.unlink(step.target)
        return
    if there is None:
        if os.path.isdir(os.path.dirname(step.source)) and os.path.isdir(os.path.dirname(step.target)):
            raise GoneError(step.source, f"is neither there nor at {step.target}")
        raise PlacingError(step.source, f"cannot be looked for: its folder or that of {step.target} is gone")
    if step.keep:  # somebody removed the original while it was being copied: the copy may be all there is
        return
    back = step.backwards()
    if not back.before.same_content(there):
        raise PlacingError(step.target, "has been changed since and stays there")
    remove_source(place(back))


def _came_from(step: Step, there: Seen) -> bool:
    """Whether what is at the target was placed there from the source, which is there still or anew."""
    with _blaming(step.target):
        if _is_one_file(step.source, step.target):
            return True
        # Without a copy it would be the one file. Of a killed run only the content can tell that it made one.
        if step.after is None and not step.keep and not _needs_copy(step):
            return False
    if same_content(step.source, step.target):
        return True
    # The copy that we have just made of what somebody has replaced by a new version.
    just_copied = step.ctime_ns is not None and there.same_content(step.after)
    return just_copied and sha256_of(step.target) == step.sha256


def _needs_copy(step: Step) -> bool:
    """Whether the target is on another file system, which only trying tells for certain."""
    beside = os.path.join(os.path.dirname(step.target), step.temporary)
    try:
        os.link(step.source, beside)
    except OSError as error:
        if error.errno in _UNSUPPORTED | {errno.EMLINK}:
            return os.lstat(step.source).st_dev != os.lstat(step.target).st_dev
        if error.errno == errno.EXDEV:
            return True
        raise
    os.unlink(beside)
    return False


def check_removable(step: Step) -> None:
    """Raise if removing the target of a copy would lose anything.

    Raises:
        PlacingError: the copy, or its original, was changed or is gone, or cannot be read.
    """
    check_unchanged(step)
    original = look(step.source)
    if original is None:
        raise PlacingError(step.target, f"is kept because its original {step.source} is no longer there")
    if original.size != step.before.size or sha256_of(step.source) != step.sha256:
        raise PlacingError(step.target, f"is kept because its original {step.source} was changed since")


def remove_copy(step: Step) -> None:
    """Remove the target of a copy, which ``check_removable`` found nothing against.

    Raises:
        PlacingError: it cannot be removed.
    """
    with _blaming(step.target):
        os.unlink(step.target)


def check_unchanged(step: Step) -> None:
    """Raise unless the target is as it was placed: size, time, and content where that was read.

    Raises:
        PlacingError: it is not, or is gone, or cannot be read.
    """
    now = look_closely(step.target)
    same = now.same_content(step.after) and (step.sha256 is None or sha256_of(step.target) == step.sha256)
    if not same:
        raise PlacingError(step.target, "was changed since and stays as it is")


def same_content(one: str, other: str) -> bool:
    """Tell whether two files are one, or have the same size and SHA-256.

    Raises:
        PlacingError: one of them cannot be read.
    """
    with _blaming(other):
        if _is_one_file(one, other):
            return True
    return look_closely(one).size == look_closely(other).size and sha256_of(one) == sha256_of(other)


def sha256_of(path: str) -> bytes:
    """Read a file and return the SHA-256 of its content.

    Raises:
        PlacingError: it cannot be read.
    """
    digest = hashlib.sha256()
    with _blaming(path), _opened(path, _READ) as file:
        if hasattr(os, "posix_fadvise"):  # from the disk, where that can be had, not from memory
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        while block := os.read(file, _BLOCK):
            digest.update(block)
    return digest.digest()


def make_folder(path: str) -> bool:
    """Make one folder; return False if it was there.

    Raises:
        PlacingError: it cannot be made.
    """
    with _blaming(path):
        try:
            os.mkdir(path)
        except FileExistsError:
            if os.path.isdir(path):
                return False
            raise PlacingError(path, "is a file where a folder is needed") from None
    sync_folder(os.path.dirname(path))
    return True


def remove_folder(path: str) -> bool:
    """Remove a folder if it is empty; return whether it is gone."""
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:  # not empty, most often
        return False
    return True


def sync_folder(path: str) -> None:
    """Wait until the names in a folder are on the disk; where a folder cannot be flushed, do nothing.

    Raises:
        PlacingError: the disk failed.
    """
    if os.name == "nt":
        return
    with _blaming(path), _opened(path, os.O_RDONLY) as folder:
        try:
            os.fsync(folder)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
                raise


def give_name(source: str, target: str) -> bool:
    """Give ``source`` the name ``target`` too, or instead; return False if that is on another file system.

    Raises:
        FileExistsError: the name is taken.
        OSError: it cannot be done.
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        if error.errno == errno.EEXIST and _is_one_file(source, target):
            return True  # a file server that was asked twice, because its first answer was lost
        if error.errno not in _UNSUPPORTED | {errno.EMLINK}:
            raise
        return _rename_without_links(source, target)
    return True


def _rename_without_links(source: str, target: str) -> bool:
    reserved = os.name != "nt"  # there, a rename refuses to replace by itself
    if reserved:
        os.close(os.open(target, _CREATE, 0o600))
    try:
        os.rename(source, target)
    except OSError as error:
        # A server may have renamed and failed to say so: the name is given up only if the file is not there.
        if reserved and _status(source) is not None and os.lstat(target).st_size == 0:
            os.unlink(target)
        if error.errno == errno.EXDEV:
            return False
        raise
    return True


def _copy(step: Step) -> bytes:
    """Copy by way of a temporary file and return the content's SHA-256."""
    beside = os.path.join(os.path.dirname(step.target), step.temporary)
    with _opened(step.source, _READ) as source:
        copy = os.open(beside, _CREATE, 0o600)
        try:
            try:
                sha256 = _write(source, copy)
                _dress(step, source, beside)
                os.fsync(copy)
            finally:
                os.close(copy)
            status = os.fstat(source)
            if (status.st_size, status.st_mtime_ns) != (step.before.size, step.before.mtime_ns):
                raise PlacingError(step.source, "was changed while it was being copied")
            if sha256_of(beside) != sha256 or sha256 != (step.sha256 or sha256):
                raise PlacingError(step.source, f"does not read back as it was written to {step.target}")
            give_name(beside, step.target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside)
    return sha256


def _write(source: int, copy: int) -> bytes:
    digest = hashlib.sha256()
    while block := os.read(source, _BLOCK):
        digest.update(block)
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(copy, rest) :]
    return digest.digest()


def _dress(step: Step, source: int, copy: str) -> None:
    """Give the copy what goes with the content: owner and extended attributes where possible, mode, times."""
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):
            for name in os.listxattr(source):
                with contextlib.suppress(OSError):
                    os.setxattr(copy, name, os.getxattr(source, name))
    status = os.fstat(source)
    wanted = step.after or step.before
    if hasattr(os, "chown"):
        with contextlib.suppress(OSError):
            os.chown(copy, status.st_uid, status.st_gid)
    with _where_supported():
        os.chmod(copy, wanted.mode & 0o777)
    with _where_supported():
        os.utime(copy, ns=(status.st_atime_ns, wanted.mtime_ns))


def _discard_temporaries(step: Step) -> None:
    for folder in (os.path.dirname(step.target), os.path.dirname(step.source)):
        stray = os.path.join(folder, step.temporary)
        if _status(stray) is not None:
            os.unlink(stray)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            return None
        raise


def _is_what_was_placed(step: Step, status: os.stat_result | None) -> bool:
    """Whether the source's name leads to the file that was placed, with the same content."""
    if status is None or step.inode != status.st_ino:
        return False
    return step.ctime_ns is None or step.ctime_ns == status.st_ctime_ns


def _is_one_file(one: str, other: str) -> bool:
    first, second = _status(one), _status(other)
    return first is not None and second is not None and os.path.samestat(first, second)


@contextlib.contextmanager
def _where_supported() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


@contextlib.contextmanager
def _opened(path: str, flags: int, mode: int = 0o777) -> Iterator[int]:
    descriptor = os.open(path, flags, mode)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _blaming(path: str) -> Iterator[None]:
    """Turn the system's errors into ours, about ``path``."""
    try:
        yield
    except OSError as error:
        other = error.filename2 or error.filename
        where = f": {os.fsdecode(other)}" if isinstance(other, (str, bytes)) and other != path else ""
        raise PlacingError(path, f"{error.strerror or error}{where}") from error
