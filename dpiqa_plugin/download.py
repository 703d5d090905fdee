"""Fetch a weights file into the cache: one process at a time, resumed, checked, put in place in one step."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dpiqa_plugin import drive_transfer, fingerprint, http_transfer, weights_file
from dpiqa_plugin.atomic import flush_to_disk
from dpiqa_plugin.errors import WeightsError
from dpiqa_plugin.http_transfer import TransferError

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class DriveFile:
    """A public file on Google Drive."""

    drive_id: str

    @property
    def page(self) -> str:
        """Address to open in a browser."""
        return f"https://drive.google.com/file/d/{self.drive_id}/view"

    def __str__(self) -> str:
        return f"Google Drive id {self.drive_id}"

    def fetch(self, folder: Path, name: str) -> Path:
        """See `drive_transfer.fetch`."""
        return drive_transfer.fetch(self.drive_id, folder, name)


@dataclass(frozen=True)
class WebFile:
    """A file at an http(s) address."""

    page: str

    def __str__(self) -> str:
        return self.page

    def fetch(self, folder: Path, name: str) -> Path:
        """See `http_transfer.fetch`."""
        return http_transfer.fetch(self.page, folder, name)


def download(source: DriveFile | WebFile, target: Path, min_size: int = 0) -> None:
    """Fetch ``source`` to ``target``, unless another process has just done so; record its SHA-256 beside it.

    ``target`` appears whole or not at all. Until then everything lies in the folder ``<target>.part``; it is
    kept when the transfer breaks, and the next call goes on from there.

    Args:
        source: where the file is published.
        target: where it belongs; its directory is made.
        min_size: in bytes; a shorter file is refused.

    Raises:
        WeightsError: it could not be fetched or is not a weights file. Names file, source and where to put it
            by hand.
        MissingExtraError: gdown is not installed.
    """
    try:
        with _turn(target):
            if not target.exists():
                _fetch_and_publish(source, target, min_size)
    except TransferError as error:
        raise _failure(source, target, str(error)) from error
    except OSError as error:
        full = error.errno in _DISK_FULL
        reason = (
            f"the disk is full at {target.parent}" if full else f"{target.parent} cannot be written ({error})"
        )
        raise _failure(source, target, reason) from error


def _fetch_and_publish(source: DriveFile | WebFile, target: Path, min_size: int) -> None:
    folder = target.with_name(f"{target.name}.part")
    folder.mkdir(exist_ok=True)
    fetched = source.fetch(folder, target.name)
    fault = weights_file.fault(fetched, min_size)
    if fault is None:
        fetched.chmod(folder.stat().st_mode & 0o666)  # gdown makes files that only their owner may read
        flush_to_disk(fetched)
        os.replace(fetched, target)
    shutil.rmtree(folder)  # also when faulty: resuming would never mend it
    if fault is not None:
        raise TransferError(f"what came {fault}")
    fingerprint.record(target)


@contextlib.contextmanager
def _turn(target: Path) -> Iterator[None]:
    """Wait until no other process is fetching the same file."""
    import filelock  # torch brings it

    target.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(target.with_name(f"{target.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        sys.stderr.write(f"Waiting for another process that is downloading {target.name}\n")
        lock.acquire()
    with lock:
        lock.release()  # `with` has counted a second time
        yield


def _failure(source: DriveFile | WebFile, target: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"Could not download {target.name} ({source}): {reason}. "
        f"By hand: get it from {source.page} with a browser and save it as {target}"
    )
