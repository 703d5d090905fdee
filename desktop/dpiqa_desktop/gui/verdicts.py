"""What is to be said of a photo in its files, as it and its mark stand when it comes to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from PySide6.QtCore import QCoreApplication

from dpiqa_desktop.engine.marks import Marks, changed_at
from dpiqa_desktop.gui.bridge import Ready
from dpiqa_desktop.gui.kept_marks import as_they_stand
from dpiqa_desktop.gui.photo_item import PhotoItem
from dpiqa_desktop.metadata.plan import Verdict
from dpiqa_desktop.metadata.targets import Listing, NotWritten, UpToDate, all_files
from dpiqa_plugin.errors import StoreError


def verdict_of(
    item: PhotoItem, ready: Ready | None, scored_at: datetime, replaces_rating: bool = False
) -> Verdict:
    """What is to be said of a photo: its score if ``ready`` is given, the photographer's rating or else ours.

    Args:
        item: the photo.
        ready: the model that gave the score; None says what the user has said only.
        scored_at: see ``Verdict``.
        replaces_rating: the photographer's stars replace a rating that is there.

    Raises:
        ValueError: there is nothing to be said.
    """
    if ready is None or item.score is None or item.our_stars is None:
        if not is_rated(item):
            raise ValueError(f"{item.path} has neither score nor rating")
        return _by_photographer(Verdict(None, 0, "", "", scored_at), item, replaces_rating)
    model, _, model_hash = ready.identity.rpartition("-")
    verdict = Verdict(item.score, item.our_stars, model, model_hash, scored_at, uncertainty=item.uncertainty)
    return _by_photographer(verdict, item, replaces_rating) if is_rated(item) else verdict


def is_rated(item: PhotoItem) -> bool:
    """Whether the photographer has said something of a photo that a file can say."""
    return item.mark.stars is not None or item.mark.flag == "rejected"


def _by_photographer(verdict: Verdict, item: PhotoItem, replaces_rating: bool) -> Verdict:
    stars = -1 if item.mark.flag == "rejected" else item.mark.stars or 0
    return replace(verdict, stars=stars, rating_by="photographer", replaces_rating=replaces_rating)


def unchanged_since(
    photo: str, moment: int, listing: Listing, changed_at: Callable[[str], int | None] = changed_at
) -> bool:
    """Whether all files of a photo are as they were, as far as can be told."""
    try:
        return all((changed_at(file) or 0) <= moment for file in all_files(photo, listing))
    except OSError:  # whoever works on it will say so
        return False


class Turn:
    """A photo as it stands when it comes to it.

    Args:
        item: the photo, as it was shown.
        marks: as they are kept.
        listing: of its folder.
        verdict_of: see there; is given the photo and whether its stars replace a rating.
        changed_at: when a file was changed last, but not by what is under way.

    Attributes:
        item: the photo, as it stood when ``verdict`` was asked last.
        replaces_rating: its stars were given since any of its files was changed.
    """

    def __init__(
        self,
        item: PhotoItem,
        marks: Marks,
        listing: Listing,
        verdict_of: Callable[[PhotoItem, bool], Verdict | None],
        changed_at: Callable[[str], int | None] = changed_at,
    ) -> None:
        self.item = item
        self.replaces_rating = False
        self._marks = marks
        self._listing = listing
        self._verdict_of = verdict_of
        self._changed_at = changed_at

    def verdict(self) -> Verdict | UpToDate | NotWritten:
        """What is to be said of it, or why nothing is."""
        path = self.item.path
        try:
            (self.item,) = as_they_stand([self.item], self._marks)
        except StoreError as error:
            return NotWritten.because(path, error)
        if is_rated(self.item) and self.item.mark.outdated:
            text = "another program has changed it since you rated it; rate it again"
            return NotWritten(path, QCoreApplication.translate("Turn", text))
        self.replaces_rating = self._are_stars_newest()
        # Without a verdict, what was said of it has gone, as the files say more by now.
        return self._verdict_of(self.item, self.replaces_rating) or UpToDate(path, rating_kept=False)

    def _are_stars_newest(self) -> bool:
        # A threshold or a burst rejects many at a time, whatever their files say; stars go to one photo.
        mark = self.item.mark
        if mark.stars is None or mark.stars_at is None or mark.flag == "rejected":
            return False
        return unchanged_since(self.item.path, mark.stars_at, self._listing, self._changed_at)
