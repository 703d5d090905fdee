"""What goes with a photo that is moved or thrown away, and who has a say in that."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from dpiqa_desktop.engine.companions import companions

Families = Mapping[str, tuple[str, ...]]
"""By photo: all its files, RAW and sidecars, itself among them. A file is in one family only."""


def together(paths: Iterable[str]) -> Families:
    """Look up what belongs to photos; one whose folder cannot be listed is alone.

    Two paths that are the same photo give one family, under the first of them.
    """
    names: dict[str, list[str]] = {}
    families: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for path in sorted(paths):
        if path in taken:
            continue
        folder = os.path.dirname(path)
        if folder not in names:
            names[folder] = _files_in(folder)
        families[path] = companions(path, names[folder])
        taken |= set(families[path])
    return families


def spoken_for(families: Families, others: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the photos of whose files one is among ``others``, and that one."""
    kept = set(others)
    for path, members in families.items():
        for member in members:
            if member in kept:
                yield path, member
                break


def _files_in(folder: str) -> list[str]:
    try:
        with os.scandir(folder or os.curdir) as listing:
            return [entry.name for entry in listing if entry.is_file()]
    except OSError:
        return []
