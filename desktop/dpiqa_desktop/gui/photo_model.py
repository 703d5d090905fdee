"""All photos of the open folder as a Qt model: one row a photo, nothing sorted, nothing filtered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, QTimer, Signal

from dpiqa_desktop.engine.stars import Percentiles, StarRule, Thresholds, assign_stars
from dpiqa_desktop.events import Event, Failed, Scored
from dpiqa_desktop.gui.counted import stars
from dpiqa_desktop.gui.photo_item import UNMARKED, Mark, PhotoItem

Index = QModelIndex | QPersistentModelIndex

ITEM_ROLE = Qt.ItemDataRole.UserRole + 1
"""Gives the ``PhotoItem``."""

_MOST_SINGLY = 50  # rows that are told as they are; of more, all between the first and the last

_TELL_EVERY_MS = 250  # histogram and counts follow the scores at this pace


class KeepsMarks(Protocol):
    """Where marks are kept, see ``MarksKeeper``."""

    def set(self, marks: Mapping[str, Mark]) -> object:
        """Keep the marks of these photos, by path."""


class PhotoModel(QAbstractListModel):
    """The photos, their scores and marks.

    Args:
        marks: keeps what the photographer says, at once; None keeps it in this model only.
        parent: of the model.

    Signals:
        scores_changed: a few times a second while scores come in, and after every other change of scores,
            stars or bursts.
        bursts_changed: other photos are in bursts, or in others.
        marks_changed: of some photos.
    """

    scores_changed = Signal()
    bursts_changed = Signal()
    marks_changed = Signal()

    def __init__(self, marks: KeepsMarks | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept = marks
        self._items: list[PhotoItem] = []
        self._row_of: dict[str, int] = {}
        self._bursts: list[tuple[str, ...]] = []
        self._rule: StarRule = Thresholds()
        self._lower_better = False
        self._regrouping = QTimer(self, singleShot=True, interval=0)  # in a turn of its own
        self._regrouping.timeout.connect(lambda: self.set_bursts(self._bursts))
        self._telling = QTimer(self, singleShot=True, interval=_TELL_EVERY_MS)
        self._telling.timeout.connect(self._tell)

    @property
    def lower_better(self) -> bool:
        """A lower score is a better photo."""
        return self._lower_better

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802
        """See Qt."""
        return 0 if parent.isValid() else len(self._items)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """See Qt; ``ITEM_ROLE`` gives the item."""
        return self.value(self._items[index.row()], role)

    def value(self, item: PhotoItem, role: int) -> Any:
        """What ``data`` gives for a photo, for models that show these in another order."""
        if role == ITEM_ROLE:
            return item
        if role == Qt.ItemDataRole.DisplayRole:
            return item.name
        if role == Qt.ItemDataRole.ToolTipRole:
            outdated = self.tr(
                "Marked before another program changed the file; to let that count, mark it again"
            )
            lines = (_shown(item.path), item.reason, outdated if item.mark.outdated else None)
            return "\n".join(filter(None, lines))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._sentence(item)
        return None

    def items(self) -> Sequence[PhotoItem]:
        """All photos, in the order of their rows."""
        return self._items

    def item(self, path: str) -> PhotoItem | None:
        """The photo of this path, if it is here."""
        row = self._row_of.get(path)
        return None if row is None else self._items[row]

    def bursts(self) -> Sequence[tuple[str, ...]]:
        """The paths of each burst, the best first; the first burst has the number 1."""
        return self._bursts

    def open(self, paths: Sequence[str], marks: Mapping[str, Mark] | None = None) -> None:
        """Show these photos instead; ``marks`` are what was said of them earlier."""
        marks = marks or {}
        self.beginResetModel()
        self._items = [PhotoItem(path, mark=marks.get(path, UNMARKED)) for path in paths]
        self._row_of = {path: row for row, path in enumerate(paths)}
        self._bursts = []
        self.endResetModel()
        self.bursts_changed.emit()
        self._tell()

    def forget(self, paths: Iterable[str]) -> None:
        """Drop photos that are not there any more."""
        gone = set(paths)
        # At once: thousands of rows removed one by one took half a minute.
        self.beginResetModel()
        self._items = [item for item in self._items if item.path not in gone]
        self._row_of = {item.path: row for row, item in enumerate(self._items)}
        self.endResetModel()
        left = [tuple(path for path in burst if path not in gone) for burst in self._bursts]
        self._bursts = [burst for burst in left if len(burst) > 1]
        self._regrouping.start()

    def forget_scores(self) -> None:
        """Drop all scores and failures, before another model gives its own; marks stay."""
        self._items = [
            PhotoItem(item.path, captured_at=item.captured_at, mark=item.mark) for item in self._items
        ]
        self._bursts = []
        self._emit_changed(range(len(self._items)))
        self.bursts_changed.emit()
        self._tell()

    def take(self, events: Sequence[Event]) -> None:
        """Take in what became of photos; other events, and photos that are not here, are passed over."""
        changed = []
        for event in events:
            if not isinstance(event, (Scored, Failed)) or event.path not in self._row_of:
                continue
            row = self._row_of[event.path]
            self._items[row] = self._told(self._items[row], event)
            changed.append(row)
        self._emit_changed(changed)
        if changed and not self._telling.isActive():
            self._telling.start()

    def set_marks(self, marks: Mapping[str, Mark]) -> None:
        """Change what the photographer says of photos, and keep it."""
        if not marks.keys() <= self._row_of.keys():
            marks = {path: mark for path, mark in marks.items() if path in self._row_of}
        if not marks:
            return
        if self._kept is not None:
            self._kept.set(marks)
        self.show_marks(marks)

    def show_marks(self, marks: Mapping[str, Mark]) -> None:
        """Change them as they are kept already."""
        marks = {path: mark for path, mark in marks.items() if path in self._row_of}
        for path, mark in marks.items():
            row = self._row_of[path]
            self._items[row] = self._items[row].but(mark=mark)
        self._emit_changed([self._row_of[path] for path in marks])
        self.marks_changed.emit()

    def set_star_rule(self, rule: StarRule, lower_better: bool = False) -> None:
        """Give our stars by another rule; ``lower_better``: a lower score is a better photo."""
        self._rule, self._lower_better = rule, lower_better
        self._assign_stars()
        self._tell()

    def set_bursts(self, bursts: Sequence[Sequence[str]]) -> None:
        """Say which photos are in a burst together: paths, the best first."""
        self._bursts = [tuple(burst) for burst in bursts]
        place_of = {
            path: (number, path == burst[0]) for number, burst in enumerate(bursts, 1) for path in burst
        }
        changed = []
        for row, item in enumerate(self._items):
            burst, best = place_of.get(item.path, (None, False))
            if item.burst != burst or item.best_of_burst != best:
                self._items[row] = item.but(burst=burst, best_of_burst=best)
                changed.append(row)
        self._emit_changed(changed)
        self.bursts_changed.emit()
        self._tell()

    def _told(self, item: PhotoItem, event: Scored | Failed) -> PhotoItem:
        if isinstance(event, Failed):
            return item.but(score=None, uncertainty=None, our_stars=None, reason=event.reason)
        stars = item.our_stars
        if isinstance(self._rule, Thresholds):
            (stars,) = assign_stars([event.score], self._rule, self._lower_better)
        return item.but(
            score=event.score,
            uncertainty=event.uncertainty,
            our_stars=stars,
            reason=None,
            captured_at=event.captured_at,
            likeness=event.likeness,
        )

    def _tell(self) -> None:
        if isinstance(self._rule, Percentiles):  # every score moves the others'
            self._assign_stars()
        self.scores_changed.emit()

    def _assign_stars(self) -> None:
        scored = [item.score for item in self._items if item.score is not None]
        stars = iter(assign_stars(scored, self._rule, self._lower_better))
        stars_of = [None if item.score is None else next(stars) for item in self._items]
        changed = [row for row, given in enumerate(stars_of) if self._items[row].our_stars != given]
        for row in changed:
            self._items[row] = self._items[row].but(our_stars=stars_of[row])
        self._emit_changed(changed)

    def _emit_changed(self, rows: Sequence[int]) -> None:
        parts = runs(rows) if len(rows) <= _MOST_SINGLY else [(min(rows), max(rows))]
        for first, last in parts:
            self.dataChanged.emit(self.index(first), self.index(last))

    def _sentence(self, item: PhotoItem) -> str:
        """What a screen reader says."""
        parts = [item.name]
        if item.reason is not None:
            parts.append(self.tr("could not be scored: {reason}").format(reason=item.reason))
        elif item.score is None:
            parts.append(self.tr("not scored yet"))
        else:
            parts.append(self.tr("score {score:.2f}").format(score=item.score))
        if item.stars is not None:
            parts.append(stars(item.stars))
        if item.mark.flag is not None:
            parts.append(self.tr("picked") if item.mark.flag == "picked" else self.tr("rejected"))
        if item.mark.outdated:
            parts.append(self.tr("marked before its file was changed"))
        return ", ".join(parts)


def runs(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Put numbers together into first and last of what follows each other."""
    first = last = None
    for row in sorted(rows):
        if last is not None and row > last + 1:
            assert first is not None
            yield first, last
            first = row
        elif first is None:
            first = row
        last = row
    if first is not None and last is not None:
        yield first, last


def _shown(path: str) -> str:
    return path.encode("utf-8", "replace").decode()
