"""Names in a folder that photos can have without taking another's, or seeming to belong to another.

Folders are only listed, and files read where a name is taken, to see whether the same file has it already.
"""

from __future__ import annotations

import contextlib
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from dpiqa_desktop.engine.companions import ending, stems_claimed
from dpiqa_desktop.placing import PlacingError, same_content


@dataclass(frozen=True)
class Given:
    """Names for a photo's files in another folder.

    Attributes:
        number: 1, or what is put after the stem.
        names: one a file.
        same: those of them that the same file has there already.
    """

    number: int
    names: tuple[str, ...]
    same: frozenset[str]


class FreeNames:
    """Gives out names in target folders, none twice, also where a file system ignores the case of letters."""

    def __init__(self) -> None:
        self._folders: dict[str, _Taken] = {}

    def choose(
        self, stem: str, sources: Sequence[str], folder: str, number: int, may_be_there: bool
    ) -> Given:
        """Choose names in ``folder`` for a photo, with the lowest number, from ``number`` on, that is free.

        Args:
            stem: what the names of all its files begin with, but for the spelling of accents.
            sources: its files.
            may_be_there: names under which the folder has the very same files are as good as free ones.
        """
        taken = self._folders.setdefault(_folded(folder), _Taken())
        taken.look_into(folder)
        while True:
            start = stem if number == 1 else f"{stem}-{number}"
            names = tuple(_numbered(os.path.basename(source), stem, number) for source in sources)
            same = taken.same(sources, names) if may_be_there else frozenset()
            if taken.is_free(start, names) or same:
                break
            number += 1
        taken.add(start, names)
        return Given(number, names, same)


class _Taken:
    """What is taken in one target folder: names, and stems, for a photo must not seem another's companion."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._names: dict[str, str] = {}  # folded name -> path
        self._stems: set[str] = set()
        self._given: set[str] = set()

    def look_into(self, folder: str) -> None:
        """Learn what is in a folder, if that is not known; Sub and sub may be two, and share names here."""
        if folder in self._seen:
            return
        self._seen.add(folder)
        # One that cannot be listed is taken for empty: placing a file there will tell.
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):
                self._names[_folded(name)] = os.path.join(folder, name)
                self._stems |= {_folded(claimed) for claimed in stems_claimed(name)}

    def is_free(self, start: str, names: Sequence[str]) -> bool:
        """Tell whether nothing in the folder has one of the names or could belong to a photo ``start``."""
        folded = {_folded(name) for name in names}
        return (
            _folded(start) not in self._stems
            and folded.isdisjoint(self._names)
            and folded.isdisjoint(self._given)
        )

    def same(self, sources: Sequence[str], names: Sequence[str]) -> frozenset[str]:
        """Return which names the same files have already; none if another file has one of the names."""
        same = set()
        for source, name in zip(sources, names, strict=True):
            there = self._names.get(_folded(name))
            if _folded(name) in self._given or (there is not None and not _is_same(source, there)):
                return frozenset()
            if there is not None:
                same.add(name)
        return frozenset(same)

    def add(self, start: str, names: Sequence[str]) -> None:
        """Take them."""
        self._given |= {_folded(name) for name in names}
        self._stems.add(_folded(start))


def _numbered(name: str, stem: str, number: int) -> str:
    """Put a number after the stem that ``name`` begins with; the rest of it stays as it is spelled."""
    if number == 1:
        return name
    after = ending(name, stem)
    return f"{name.removesuffix(after)}-{number}{after}"


def _is_same(one: str, other: str) -> bool:
    try:
        return same_content(one, other)
    except PlacingError:
        return False


def _folded(name: str) -> str:
    """Return what names have in common that some file system takes for one: case, composed letters."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
