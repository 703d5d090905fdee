"""What keys and buttons say of photos: stars, picks, rejects; each can be undone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoStack

from dpiqa_desktop.gui import counted
from dpiqa_desktop.gui.photo_item import UNMARKED, Flag, Mark, PhotoItem
from dpiqa_desktop.gui.photo_model import PhotoModel
from dpiqa_desktop.gui.undo import SetMarks

_Said = tuple[int | None, Flag | None, int | None, int | None]
"""What a ``Mark`` is made of: stars, flag, and when each was given."""


class Marking(QObject):
    """Marks the photos that the user means.

    Args:
        model: of all photos.
        stack: takes what was done.
        meant: gives the photos that are selected or looked at.
        parent: of the object.

    Signals:
        said: what was done, in a few words.
    """

    said = Signal(str)

    def __init__(
        self,
        model: PhotoModel,
        stack: QUndoStack,
        meant: Callable[[], Sequence[PhotoItem]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._model = model
        self._stack = stack
        self._meant = meant

    def slots(self) -> dict[str, Callable[..., object]]:
        """By the names in the table of actions."""
        rating = {f"stars_{stars}": partial(self.rate, stars) for stars in range(6)}
        return {
            **rating,
            "unrate": partial(self.rate, None),
            "pick": partial(self.flag, "picked"),
            "reject": partial(self.flag, "rejected"),
            "unflag": partial(self.flag, None),
            "keep_best": self.keep_best,
        }

    def rate(self, stars: int | None) -> None:
        """Give 0 to 5 stars; None leaves it to the score again."""
        text = self.tr("stars") if stars is None else counted.stars(stars)
        now = time.time_ns()
        self._set(((item, _with_stars(item.mark.in_force, stars, now)) for item in self._meant()), text)

    def flag(self, flag: Flag | None) -> None:
        """Pick, reject, or neither."""
        names = {"picked": self.tr("pick"), "rejected": self.tr("reject"), None: self.tr("unflag")}
        now = time.time_ns()
        self._set(((item, _with_flag(item.mark.in_force, flag, now)) for item in self._meant()), names[flag])

    def keep_best(self) -> None:
        """In the bursts of the photos meant: pick the best, reject the others."""
        bursts = {item.burst for item in self._meant() if item.burst is not None}
        if not bursts:
            self.said.emit(self.tr("This photo is in no burst"))
            return
        flags: dict[bool, Flag] = {True: "picked", False: "rejected"}
        now = time.time_ns()
        wanted = (
            (item, _with_flag(item.mark.in_force, flags[item.best_of_burst], now))
            for item in self._model.items()
            if item.burst in bursts
        )
        self._set(wanted, self.tr("keep the best"))

    def flag_by_score(self, items: Iterable[PhotoItem], reject_below: float, pick_from: float) -> None:
        """Flag photos by two scores, reaching the second is enough; those that have a flag keep it.

        Of a metric whose lower scores are better, those above the first are rejected.
        """
        wanted: list[tuple[PhotoItem, _Said]] = []
        now = time.time_ns()
        sign = -1 if self._model.lower_better else 1
        picked = 0
        for item in items:
            if item.score is None or item.mark.in_force.flag is not None:
                continue
            if sign * item.score < sign * reject_below:
                wanted.append((item, _with_flag(item.mark.in_force, "rejected", now)))
            elif sign * item.score >= sign * pick_from:
                wanted.append((item, _with_flag(item.mark.in_force, "picked", now)))
                picked += 1
        self._set(wanted, self.tr("flag by score"))
        said = self.tr("{picked} picked, {rejected} rejected; photos that had a flag kept it")
        self.said.emit(said.format(picked=f"{picked:,}", rejected=f"{len(wanted) - picked:,}"))

    def apply(self, marks: Mapping[str, Mark], text: str) -> None:
        """Set marks as one step that can be undone; those that are so already are given anew."""
        items = [(self._model.item(path), mark) for path, mark in marks.items()]
        self._set(((item, _said(mark)) for item, mark in items if item is not None), text)

    def _set(self, wanted: Iterable[tuple[PhotoItem, _Said]], text: str) -> None:
        before, after, again = {}, {}, {}
        # Of thousands at once many are equal: to look them up takes a fifth of making them.
        mark_of: dict[_Said, Mark] = {}
        for item, said in wanted:
            mark = mark_of.get(said)
            if mark is None:
                mark = mark_of[said] = Mark(*said)
            if item.mark != mark:
                before[item.path], after[item.path] = item.mark, mark
            elif mark != UNMARKED:
                again[item.path] = mark
        if again:  # of the file as it is now, and nothing that the user could want to undo
            self._model.set_marks(again)
        if after:
            self._stack.push(SetMarks(self._model, before, after, text))


def _said(mark: Mark) -> _Said:
    return mark.stars, mark.flag, mark.stars_at, mark.flag_at


def _with_stars(mark: Mark, stars: int | None, now: int) -> _Said:
    return stars, mark.flag, None if stars is None else now, mark.flag_at


def _with_flag(mark: Mark, flag: Flag | None, now: int) -> _Said:
    return mark.stars, flag, mark.stars_at, None if flag is None else now
