"""The marks of this user as they stand in the store, for work on files; called in its thread."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from dpiqa_desktop.engine.marks import Flag, Marks
from dpiqa_desktop.engine.store import default_database
from dpiqa_desktop.gui.outcome_table import Row, shown
from dpiqa_desktop.gui.photo_item import UNMARKED, PhotoItem

_CONTEXT = "KeptMarks"


@dataclass(frozen=True)
class Standing:
    """Paths of photos by whether they have a flag now.

    Attributes:
        flagged: they have it.
        unflagged: all others.
        outdated: those among the others that had it before another program changed the file.
    """

    flagged: Sequence[str]
    unflagged: Sequence[str]
    outdated: Sequence[str]


@contextlib.contextmanager
def kept_marks() -> Iterator[Marks]:
    """Open the store of marks for a while."""
    with contextlib.closing(Marks(default_database())) as marks:
        yield marks


def as_they_stand(items: Collection[PhotoItem], marks: Marks) -> list[PhotoItem]:
    """Return photos with their marks as they stand now: their files may have changed since they were shown.

    Raises:
        StoreError: it cannot be looked up.
    """
    now = marks.as_they_stand({item.path: item.mark for item in items if item.mark != UNMARKED})
    return [item.but(mark=now.get(item.path, item.mark)) for item in items]


def standing(items: Collection[PhotoItem], flag: Flag, marks: Marks) -> Standing:
    """Sort photos by a flag, as their marks stand now.

    Raises:
        StoreError: it cannot be looked up.
    """
    now = as_they_stand(items, marks)
    return Standing(
        flagged=[item.path for item in now if item.mark.in_force.flag == flag],
        unflagged=[item.path for item in now if item.mark.in_force.flag != flag],
        outdated=[item.path for item in now if item.mark.outdated and item.mark.flag == flag],
    )


def outdated_row(path: str) -> Row:
    """Tell of a photo that it stays, as its mark is outdated."""
    text = "stays: another program has changed it since you marked it; mark it again"
    return Row("failed", path, QCoreApplication.translate(_CONTEXT, text))


def not_rejected_row(path: str, other: str) -> Row:
    """Tell of a rejected photo that it stays, as ``other``, one of its files, is not rejected."""
    text = QCoreApplication.translate(_CONTEXT, "stays, as {name}, the same photo, is not rejected")
    return Row("failed", path, text.format(name=shown(os.path.basename(other))))


def no_longer_rows(path: str, other: str) -> list[Row]:
    """Tell of a photo that it stays, as ``other``, one of its files or itself, has lost its flag by now."""
    return [outdated_row(other)] + ([not_rejected_row(path, other)] if path != other else [])
