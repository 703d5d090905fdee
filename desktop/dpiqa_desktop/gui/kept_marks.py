"""The marks of this user as they stand in the store, for work on files; called in its thread."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from dpiqa_desktop.engine.marks import Marks
from dpiqa_desktop.engine.store import default_database
from dpiqa_desktop.gui.photo_item import UNMARKED, PhotoItem


@contextlib.contextmanager
def kept_marks() -> Iterator[Marks]:
    """Open the store of marks for a while."""
    with contextlib.closing(Marks(default_database())) as marks:
        yield marks


def as_they_stand(items: Sequence[PhotoItem]) -> list[PhotoItem]:
    """Return photos with their marks as they stand now: their files may have changed since they were shown.

    Raises:
        StoreError: it cannot be looked up.
    """
    with kept_marks() as marks:
        standing = marks.as_they_stand({item.path: item.mark for item in items if item.mark != UNMARKED})
    return [item.but(mark=standing.get(item.path, item.mark)) for item in items]
