"""What a file has beside its content, carried to the one that takes its place: all of it, or an error.

Owner, group and permissions everywhere; on Linux extended attributes, POSIX access lists among them; on
macOS extended attributes (Finder's tags and comments) and access lists, by the system's ``fcopyfile``: that
part has not been run yet. Not carried: on Windows access lists (the new file has what its folder gives),
alternate streams and the time of creation; on macOS that time and flags such as "hidden"; on Linux the flags
of ``chattr``.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import sys
from collections.abc import Iterator

_COPYFILE_ACL, _COPYFILE_XATTR = 1 << 0, 1 << 2  # macOS's copyfile.h
# Signatures over a file's content: the old one's would condemn the new one, and the kernel makes its own.
_OF_THE_CONTENT = frozenset({"security.ima", "security.evm"})


class NotKeptError(Exception):
    """Something cannot be carried over; ``str(error)`` goes after the file's name."""


def carry(source: int, wanted: os.stat_result, target: int, target_path: str) -> None:
    """Give ``target`` all that ``source`` has.

    Args:
        source: descriptor of the file.
        wanted: its status.
        target: descriptor of the new file.
        target_path: the new file's path, for systems that change these by path only.

    Raises:
        NotKeptError: the system refused, or did not do what it said.
    """
    try:
        made = os.fstat(target)
        if (made.st_uid, made.st_gid) != (wanted.st_uid, wanted.st_gid):
            os.chown(target_path, wanted.st_uid, wanted.st_gid)
        if sys.platform == "darwin":
            _carry_on_macos(source, target)
        elif sys.platform == "linux":
            _carry_attributes(source, target)
        # Last, because changing the owner takes the set-id bits away; and not without need, because FAT and
        # some file servers refuse it.
        if os.fstat(target).st_mode != wanted.st_mode:
            os.chmod(target_path, stat.S_IMODE(wanted.st_mode))
        made = os.fstat(target)
    except OSError as error:
        raise NotKeptError(
            f"its owner, permissions or extended attributes cannot be kept ({error.strerror or error})"
        ) from error
    if (made.st_mode, made.st_uid, made.st_gid) != (wanted.st_mode, wanted.st_uid, wanted.st_gid):
        raise NotKeptError("its owner or permissions cannot be kept")


def _carry_attributes(source: int, target: int) -> None:
    wanted, inherited = _attributes(source), _attributes(target)
    for name in inherited.keys() - wanted.keys():  # the folder's default access list, above all
        with _labels_may_stay(name):
            os.removexattr(target, name)
    for name, value in wanted.items():
        if inherited.get(name) != value:
            with _labels_may_stay(name):
                os.setxattr(target, name, value)


def _attributes(descriptor: int) -> dict[str, bytes]:
    try:
        names = os.listxattr(descriptor)
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENOSYS):
            return {}
        raise
    return {name: os.getxattr(descriptor, name) for name in names if name not in _OF_THE_CONTENT}


@contextlib.contextmanager
def _labels_may_stay(name: str) -> Iterator[None]:
    """Let fail what is the system's and not the photographer's: it labels files by its own rules."""
    try:
        yield
    except OSError:
        if not name.startswith("security."):
            raise


def _carry_on_macos(source: int, target: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    library.fcopyfile.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32]
    if library.fcopyfile(source, target, None, _COPYFILE_ACL | _COPYFILE_XATTR) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
