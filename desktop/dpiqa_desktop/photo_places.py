"""Where photos really are, and what of their path they keep: of paths as a scan of folders gave them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A folder of photos.

    Attributes:
        folder: its real path.
        below: its path below the root that it was found under, which is what it keeps.
        linked: it is reached through a link, so that it is really somewhere else.
    """

    folder: str
    below: str
    linked: bool


class Places:
    """Finds the place of a path as the scan gave it; each folder is looked at once."""

    def __init__(self, roots: Sequence[str], to: str) -> None:
        self._roots = [(root, real_path(root)) for root in roots]
        self._to = to
        self._known: dict[str, Place | None] = {}

    def of(self, path: str) -> Place | None:
        """Return the place, None if it is inside the target folder.

        Raises:
            ValueError: ``path`` is below none of the roots.
        """
        if any(path == root for root, _ in self._roots):
            folder = os.path.dirname(real_path(path))
            return None if is_inside(folder, self._to) else Place(folder, "", linked=False)
        folder = os.path.dirname(path)
        if folder not in self._known:
            self._known[folder] = self._look_up(folder)
        return self._known[folder]

    def _look_up(self, folder: str) -> Place | None:
        for root, real_root in self._roots:
            below = _below(folder, root)
            if below is not None:
                real = os.path.realpath(folder)
                linked = real != os.path.normpath(os.path.join(real_root, below))
                return None if is_inside(real, self._to) else Place(real, below, linked)
        raise ValueError(f"{folder} is below none of the scanned {[root for root, _ in self._roots]}")


def _below(folder: str, root: str) -> str | None:
    """Return ``folder`` relative to ``root``, by their names alone, None if it is not below it."""
    separators = os.sep + (os.altsep or "")
    start = root.rstrip(separators)
    if folder.rstrip(separators) == start:
        return ""
    if not folder.startswith(start) or folder[len(start)] not in separators:
        return None
    below = os.path.normpath(folder[len(start) :].lstrip(separators))
    return None if below.split(os.sep)[0] == os.pardir else below


def real_path(path: str) -> str:
    """Return the real path of a folder, or of a file that may itself be a link, which is not followed."""
    if os.path.isdir(path):
        return os.path.realpath(path)
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder or os.curdir), name)


def is_inside(path: str, folder: str) -> bool:
    """Tell whether ``path`` is ``folder`` or below it, whatever the two are called: case, mounts."""
    try:
        wanted = os.stat(folder)
    except OSError:
        return path == folder or path.startswith(os.path.join(folder, ""))
    while True:
        try:
            if os.path.samestat(os.stat(path), wanted):
                return True
        except OSError:
            pass
        if os.path.dirname(path) == path:
            return False
        path = os.path.dirname(path)
