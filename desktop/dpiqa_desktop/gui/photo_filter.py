"""Which photos are shown, and in which order.

Not a QSortFilterProxyModel: it calls Python for every comparison, which took 0.4 s of the window's thread for
10,000 photos at every batch of scores. Here Python sorts by keys that it makes once, in some milliseconds.

But a QStringListModel, of empty strings, that says how many rows there are: a view asks that four times a
tile to lay it out, and 40,000 answers by Python took 25 ms.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from PySide6.QtCore import QModelIndex, QObject, QSignalBlocker, QStringListModel, Qt, QTimer, Signal

from dpiqa_desktop.gui.photo_item import PhotoItem
from dpiqa_desktop.gui.photo_model import Index, PhotoModel

SortBy = Literal["score", "name", "captured", "folder"]
FlagWanted = Literal["any", "picked", "rejected", "unflagged"]
StateWanted = Literal["any", "scored", "unscored", "failed"]

_REFRESH_MS = 300
"""While scores come in, photos move to their place three times a second: often enough to look alive."""

_WARM_AT_ONCE = 500
_MOST_SINGLY = 50  # changed photos told one by one; of more, the view looks at all it shows


@dataclass(frozen=True)
class Wanted:
    """Which photos are shown.

    Attributes:
        score_from, score_to: on the metric's scale; None for no limit. With one, photos without a score are
            out.
        least_stars: 0 shows those without stars, too.
        flag, state: what the photographer said, and how far scoring is.
        text: part of the path, in any case of letters.
        burst: number of the only burst that is shown; None for all photos.
        best_of_bursts: of each burst only its best; photos in no burst are shown.
    """

    score_from: float | None = None
    score_to: float | None = None
    least_stars: int = 0
    flag: FlagWanted = "any"
    state: StateWanted = "any"
    text: str = ""
    burst: int | None = None
    best_of_bursts: bool = False

    def accepts(self, item: PhotoItem) -> bool:
        """Whether a photo is shown."""
        return (
            self._accepts_score(item.score)
            and (not self.least_stars or (item.stars or 0) >= self.least_stars)
            and (self.flag == "any" or (item.mark.flag or "unflagged") == self.flag)
            and (self.state == "any" or _state(item) == self.state)
            and (self.burst is None or item.burst == self.burst)
            and (not self.best_of_bursts or item.burst is None or item.best_of_burst)
            and (not self.text or self.text.casefold() in item.path.casefold())
        )

    def _accepts_score(self, score: float | None) -> bool:
        if self.score_from is None and self.score_to is None:
            return True
        low = -math.inf if self.score_from is None else self.score_from
        high = math.inf if self.score_to is None else self.score_to
        return score is not None and low <= score <= high


ALL = Wanted()


@dataclass(frozen=True)
class Sort:
    """The order, or that turned round: ``"score"`` has the best first, ``"folder"`` is that of the scan."""

    by: SortBy = "folder"
    turned: bool = False


class PhotoFilter(QStringListModel):
    """The photos that are wanted, in the order that is wanted.

    Args:
        source: of the photos.
        parent: of the model.

    Signals:
        shown_changed: other photos are shown, or in another order.
    """

    shown_changed = Signal()

    def __init__(self, source: PhotoModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._source = source
        self._wanted = ALL
        self._sort = Sort()
        self._rows: list[int] = []  # of the source
        self._place_of: dict[str, int] = {}
        self._before: list[QModelIndex] = []
        self._paths_before: list[str] = []
        self._to_warm: list[PhotoItem] = []
        self._warming = QTimer(self, singleShot=True, interval=0)
        self._warming.timeout.connect(self._warm_names)
        self._refreshing = QTimer(self, singleShot=True, interval=_REFRESH_MS)
        self._refreshing.timeout.connect(self.refresh)
        source.modelAboutToBeReset.connect(self._remember)
        source.modelReset.connect(self._take_over)
        source.dataChanged.connect(self._source_changed)

    @property
    def wanted(self) -> Wanted:
        """Which photos are shown."""
        return self._wanted

    @property
    def sort_order(self) -> Sort:
        """In which order."""
        return self._sort

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """See Qt; as ``PhotoModel.data``."""
        return self._source.value(self.item_at(index.row()), role)

    def item_at(self, row: int) -> PhotoItem:
        """The photo in a row of this model."""
        return self._source.items()[self._rows[row]]

    def items(self) -> list[PhotoItem]:
        """The photos that are shown, in their order."""
        items = self._source.items()
        return [items[row] for row in self._rows]

    def row_of(self, path: str) -> int | None:
        """Where a photo is shown; None if it is not."""
        return self._place_of.get(path)

    def want(self, wanted: Wanted) -> None:
        """Show these photos."""
        if wanted != self._wanted:
            self._wanted = wanted
            self.refresh()

    def sort_by(self, sort: Sort) -> None:
        """Show them in this order."""
        if sort != self._sort:
            self._sort = sort
            self.refresh()

    def refresh(self) -> None:
        """Filter and sort anew; selection and current photo stay on their photos."""
        self._refreshing.stop()
        rows = self._ordered()
        if rows != self._rows:
            self._remember()
            self._rearrange(rows)

    def _remember(self) -> None:
        """Before rows are others', here or in the source: on which photos views have their eyes."""
        self.layoutAboutToBeChanged.emit()
        self._before = self.persistentIndexList()
        self._paths_before = [self.item_at(index.row()).path for index in self._before]

    def _rearrange(self, rows: list[int]) -> None:
        self._set_rows(rows)
        with QSignalBlocker(self):  # that the layout changes is all that is told
            more = len(self._rows) - self.rowCount()
            if more > 0:
                self.insertRows(self.rowCount(), more)
            places = [self._place_of.get(path) for path in self._paths_before]
            self.changePersistentIndexList(
                self._before, [QModelIndex() if place is None else self.index(place) for place in places]
            )
            if more < 0:
                self.removeRows(len(self._rows), -more)
        self._before, self._paths_before = [], []
        self.layoutChanged.emit()
        self.shown_changed.emit()

    def _take_over(self) -> None:
        """The source has other photos; views stay at those that are still there."""
        self._rearrange(self._ordered())
        self._to_warm = list(self._source.items())
        self._warming.start()

    def _warm_names(self) -> None:
        """Take names apart some at a time, so that to sort by them does not take the time for all."""
        for item in self._to_warm[-_WARM_AT_ONCE:]:
            _natural(item.path)
        del self._to_warm[-_WARM_AT_ONCE:]
        if self._to_warm:
            self._warming.start()

    def _ordered(self) -> list[int]:
        items = self._source.items()
        accepts = self._wanted.accepts
        rows = (
            [row for row, item in enumerate(items) if accepts(item)]
            if self._wanted != ALL
            else range(len(items))
        )
        key = self._key()
        if key is None:
            return list(reversed(rows)) if self._sort.turned else list(rows)
        value_of = {row: key(items[row]) for row in rows}
        # What has no value comes last, whichever way round.
        there = [row for row, value in value_of.items() if value is not None]
        absent = [row for row, value in value_of.items() if value is None]
        there.sort(key=value_of.__getitem__, reverse=self._sort.turned)
        return there + absent

    def _key(self) -> Callable[[PhotoItem], Any] | None:
        """None for the order of the source."""
        if self._sort.by == "score":
            if self._source.lower_better:
                return lambda item: item.score
            return lambda item: None if item.score is None else -item.score
        if self._sort.by == "name":
            return lambda item: _natural(item.path)
        if self._sort.by == "captured":
            return lambda item: item.captured_at
        return None

    def _set_rows(self, rows: Sequence[int]) -> None:
        items = self._source.items()
        self._rows = list(rows)
        self._place_of = {items[row].path: place for place, row in enumerate(self._rows)}

    def _source_changed(self, first: QModelIndex, last: QModelIndex) -> None:
        may_move = self._wanted != ALL or self._sort.by in ("score", "captured")
        # Not restarted while it runs: scores that come all the time would put it off for ever.
        if may_move and not self._refreshing.isActive():
            self._refreshing.start()
        if last.row() - first.row() >= _MOST_SINGLY:
            if self._rows:
                self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1))
            return
        for item in self._source.items()[first.row() : last.row() + 1]:
            place = self._place_of.get(item.path)
            if place is not None:
                self.dataChanged.emit(self.index(place), self.index(place))


def _state(item: PhotoItem) -> StateWanted:
    if item.score is not None:
        return "scored"
    return "unscored" if item.reason is None else "failed"


@lru_cache(maxsize=200_000)
def _natural(path: str) -> tuple[tuple[str, int], ...]:
    """Sorts ``IMG_9`` before ``IMG_10``, in any case of letters."""
    parts = re.findall(r"(\D*)(\d*)", os.path.basename(path).casefold())
    return tuple((text, int(digits or 0)) for text, digits in parts if text or digits)
