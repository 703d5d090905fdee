"""Moving rejected photos, with their RAW files and sidecars, to the system's trash."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from itertools import takewhile

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from dpiqa_desktop.engine.marks import Marks
from dpiqa_desktop.engine.photos_together import Families, spoken_for, together
from dpiqa_desktop.gui.counted import files, photos
from dpiqa_desktop.gui.file_work import Stopped
from dpiqa_desktop.gui.kept_marks import (
    kept_marks,
    no_longer_rows,
    not_rejected_row,
    outdated_row,
    standing,
)
from dpiqa_desktop.gui.outcome_table import Row, shown
from dpiqa_desktop.gui.photo_item import Mark, PhotoItem
from dpiqa_desktop.gui.work_dialog import Counts, Steps, WorkDialog
from dpiqa_desktop.metadata.targets import Listing, name_of_all, newcomer
from dpiqa_desktop.placing import PlacingError
from dpiqa_desktop.process_lock import LockError, writing_alone
from dpiqa_desktop.trash_can import CAN_GIVE_BACK, Thrown, give_back, throw_away
from dpiqa_plugin.errors import StoreError


def trash_dialog(items: Sequence[PhotoItem], parent: QWidget | None = None) -> WorkDialog:
    """Return a dialog that asks before it moves the rejected ones of these photos to the trash.

    Args:
        items: all photos that are open.
        parent: of the dialog.
    """
    return WorkDialog(_Trashing(items), parent)


class _Trashing(QObject):
    """The task: a photo goes with all its files, the photo itself first; if that fails, the rest stays."""

    def __init__(self, items: Sequence[PhotoItem]) -> None:
        super().__init__()
        self._items = {item.path: item for item in items}
        self._rejected = [item.path for item in items if item.mark.flag == "rejected"]
        self._families: Families = {}
        self._thrown: list[Thrown] = []
        self._marks: dict[str, Mark] = {}
        self.title = self.tr("Move rejected photos to the trash")
        self.total = len(self._rejected)

    @property
    def can_take_back(self) -> bool:
        return CAN_GIVE_BACK and bool(self._thrown)

    def plan(self, stopped: Stopped) -> Steps:
        with kept_marks() as marks:
            now = standing(self._items.values(), "rejected", marks)
        yield from ([outdated_row(path)] for path in now.outdated)
        families = dict(together(now.flagged))
        for path, other in list(spoken_for(families, now.unflagged)):
            del families[path]
            yield [not_rejected_row(path, other)]
        self._families = families
        for path, members in families.items():
            yield [Row("change", member, self._what(path, member)) for member in members]

    def carry_out(self, stopped: Stopped) -> Steps:
        listing = Listing()
        with kept_marks() as marks:
            for path, members in takewhile(lambda _: not stopped(), self._families.items()):
                try:
                    # Or what our writers write for it would stay behind.
                    with writing_alone(*(name_of_all(member) for member in members)):
                        rows = self._throw_away_at_its_turn(path, members, marks, listing)
                except LockError as error:
                    rows = [Row("failed", path, str(error))]
                with contextlib.suppress(StoreError):  # then they are outdated, should their names come back
                    self._marks |= marks.forget(row.path for row in rows if row.gone)
                yield rows

    def _throw_away_at_its_turn(
        self, path: str, members: Sequence[str], marks: Marks, listing: Listing
    ) -> list[Row]:
        # Another program may replace a photo while others go, or write a sidecar for it.
        items = [self._items[member] for member in members if member in self._items]
        unflagged = standing(items, "rejected", marks).unflagged
        if unflagged:
            return no_longer_rows(path, unflagged[0])
        try:
            name = newcomer(path, members, listing)
        except OSError as error:
            return [Row("failed", path, error.strerror or str(error))]
        if name is not None:
            text = self.tr("stays, as {name} has come to it since this was planned; try again")
            return [Row("failed", path, text.format(name=shown(name)))]
        return self._throw_away(path, members)

    def _throw_away(self, path: str, members: Sequence[str]) -> list[Row]:
        rows: list[Row] = []
        for member in sorted(members, key=lambda member: member != path):
            try:
                self._thrown.append(throw_away(member))
            except PlacingError as error:
                rows.append(Row("failed", member, error.reason))
                break
            rows.append(Row("change", member, self.tr("is in the trash"), gone=True))
        return rows

    def take_back(self, stopped: Stopped) -> Steps:
        # In the order they went: if a photo cannot come back, its sidecar is no use alone, but harms nobody.
        thrown, self._thrown = self._thrown, []
        with contextlib.closing(give_back(thrown)) as outcomes:
            for one, outcome in zip(thrown, outcomes, strict=False):
                if isinstance(outcome, PlacingError):
                    self._thrown.append(one)
                    yield [Row("failed", one.path, outcome.reason)]
                else:
                    self._give_back_mark(one.path)
                    yield [Row("change", one.path, self.tr("back where it was"))]
                if stopped():
                    break

    def question(self, counts: Counts) -> str:
        if not self._rejected:
            return self.tr("No photo is rejected. X rejects the one that is selected.")
        text = self.tr(
            "{photos} would go to the system's trash, {files} in all: RAW files, sidecars and what else "
            "belongs to a photo go with it."
        )
        back = self.tr("The system's trash can give them back; Undo here cannot.")
        if CAN_GIVE_BACK:
            back = self.tr("Undo gives them back, as long as the trash is not emptied.")
        said = text.format(photos=photos(len(self._families)), files=files(counts["change"])) + " " + back
        if counts["failed"]:
            said += " " + self.tr("Staying: {photos}.").format(photos=photos(counts["failed"]))
        return said

    def button(self, counts: Counts) -> str:
        return self.tr("Move {files} to the &trash").format(files=files(counts["change"]))

    def result(self, counts: Counts) -> str:
        said = self.tr("In the trash: {files}.").format(files=files(counts["change"]))
        if counts["failed"]:
            said += " " + self.tr("Not moved: {files}.").format(files=files(counts["failed"]))
        return said

    def result_of_taking_back(self, counts: Counts) -> str:
        said = self.tr("Back where they were: {files}.").format(files=files(counts["change"]))
        if counts["failed"]:
            said += " " + self.tr("Not given back: {files}.").format(files=files(counts["failed"]))
        return said

    def _give_back_mark(self, path: str) -> None:
        if path in self._marks:
            with contextlib.suppress(StoreError), kept_marks() as marks:
                marks.set({path: self._marks.pop(path)})

    def _what(self, photo: str, member: str) -> str:
        if member == photo:
            return self.tr("rejected")
        return self.tr("belongs to {name}").format(name=shown(os.path.basename(photo)))
