"""Getting results out: the table as CSV; picked photos copied, rejected ones moved to another folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Sequence
from typing import Literal

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QWidget

from dpiqa_desktop import organise, relocate
from dpiqa_desktop.engine.marks import Flag, Marks
from dpiqa_desktop.engine.photos_together import Families, spoken_for, together
from dpiqa_desktop.engine.stars import StarRule
from dpiqa_desktop.engine.store import Store, default_database
from dpiqa_desktop.events import Failed
from dpiqa_desktop.gui.bridge import Ready
from dpiqa_desktop.gui.counted import files, photos
from dpiqa_desktop.gui.file_work import FileWork, Stopped
from dpiqa_desktop.gui.kept_marks import (
    Standing,
    kept_marks,
    no_longer_rows,
    not_rejected_row,
    outdated_row,
    standing,
)
from dpiqa_desktop.gui.outcome_table import Row, shown
from dpiqa_desktop.gui.photo_item import UNMARKED, PhotoItem
from dpiqa_desktop.gui.work_dialog import Counts, Steps, WorkDialog
from dpiqa_desktop.journal import Journal
from dpiqa_desktop.photo_places import real_path
from dpiqa_desktop.records import RankedPhoto, Report, write_csv
from dpiqa_plugin.errors import DPIQAError, ReportError

_CSV_START = b"path,"
_UNSCORED = "not scored yet"


def report_of(items: Sequence[PhotoItem], ready: Ready, rule: StarRule) -> Report:
    """The results so far, as ``dpiqa-batch`` reports them; stars are the score's, not the user's.

    What the user has marked is in it although it has no score yet, as what failed is.
    """
    scored = [
        RankedPhoto(
            item.path,
            item.score,
            item.our_stars,
            item.burst,
            item.best_of_burst,
            item.captured_at,
            uncertainty=item.uncertainty,
        )
        for item in items
        if item.score is not None and item.our_stars is not None
    ]
    sign = 1 if ready.lower_better else -1
    scored.sort(key=lambda photo: (sign * photo.score, photo.path))
    failed = tuple(
        Failed(item.path, item.reason or _UNSCORED)
        for item in items
        if item.reason is not None or (item.score is None and item.mark != UNMARKED)
    )
    return Report(ready.metric, ready.lower_better, rule, tuple(scored), failed)


def ask_for_csv(folder: str, parent: QWidget | None = None) -> str | None:
    """Ask where the table is to go; None if the user thinks better of it."""
    title = parent.tr("Export a table") if parent is not None else ""
    name = os.path.join(folder, "scores.csv")
    path, _ = QFileDialog.getSaveFileName(parent, title, name, "CSV (*.csv)")
    if not path:
        return None
    return path if os.path.splitext(path)[1] else path + ".csv"


class CsvExport(QObject):
    """Writes the table outside the window's thread.

    Args:
        say: is told how it went, for the user's eyes.
        parent: of the object.
    """

    def __init__(self, say: Callable[[str], object], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._say = say
        self._path = ""
        self._work = FileWork(self)
        self._work.ended.connect(self._ended)

    @property
    def running(self) -> bool:
        """Whether it is at it."""
        return self._work.running

    def start(self, path: str, items: Sequence[PhotoItem], ready: Ready, rule: StarRule) -> None:
        """Write it; a table that was there is replaced, another file is not."""
        if self._work.running:
            return
        self._path = path
        items = tuple(items)
        self._work.start(lambda stopped: _write(path, items, ready, rule))

    def _ended(self, why: str | None) -> None:
        done = self.tr("The table is in {path}").format(path=shown(self._path))
        self._say(done if why is None else why)


def _write(
    path: str, items: Sequence[PhotoItem], ready: Ready, rule: StarRule
) -> Generator[None, None, None]:
    try:
        with open(path, "rb") as file:
            start = file.read(len(_CSV_START))
    except FileNotFoundError:
        start = b""
    except OSError as error:
        raise ReportError(f"cannot write {shown(path)}: {error.strerror}") from error
    if start not in (b"", _CSV_START):
        raise ReportError(
            f"{shown(path)} is a file of another kind, and is not replaced; choose another name"
        )
    own_stars = {item.path: item.mark.in_force.stars for item in items}
    flags = {item.path: item.mark.in_force.flag for item in items}
    write_csv(report_of(items, ready, rule), path, {"own_stars": own_stars, "flag": flags})
    yield


def copy_picks_dialog(
    items: Sequence[PhotoItem], folder: str, to: str, parent: QWidget | None = None
) -> WorkDialog:
    """Return a dialog that asks before it copies the picked photos, with all that belongs to them.

    Args:
        items: all photos that are open.
        folder: that is open.
        to: where they go; its name is kept below ``folder``.
        parent: of the dialog.
    """
    return WorkDialog(_Relocating("copy", items, folder, to), parent)


def move_rejects_dialog(
    items: Sequence[PhotoItem], folder: str, to: str, parent: QWidget | None = None
) -> WorkDialog:
    """Return a dialog that asks before it moves the rejected photos; otherwise as ``copy_picks_dialog``."""
    return WorkDialog(_Relocating("move", items, folder, to), parent)


def ask_for_folder(folder: str, parent: QWidget) -> str | None:
    """Ask where photos are to go; None if the user thinks better of it."""
    return QFileDialog.getExistingDirectory(parent, parent.tr("Choose a folder"), folder) or None


class _Relocating(QObject):
    """The task of both dialogs."""

    def __init__(
        self, kind: Literal["move", "copy"], items: Sequence[PhotoItem], folder: str, to: str
    ) -> None:
        super().__init__()
        flag: Flag = "picked" if kind == "copy" else "rejected"
        self._kind: Literal["move", "copy"] = kind
        self._items, self._flag = {item.path: item for item in items}, flag
        self._chosen = [item.path for item in items if item.mark.flag == flag]
        self._folder = folder
        self._to = to
        self._families: Families = {}
        self._plan: organise.Plan | None = None
        self._run: int | None = None
        self.title = self.tr("Copy picked photos") if kind == "copy" else self.tr("Move rejected photos")

    @property
    def total(self) -> int:
        return len(self._chosen)

    @property
    def can_take_back(self) -> bool:
        return self._run is not None

    def plan(self, stopped: Stopped) -> Steps:
        with kept_marks() as marks:
            now = standing(self._items.values(), self._flag, marks)
        yield from ([outdated_row(path)] for path in now.outdated)
        families = dict(together(now.flagged))
        for path, other in self._staying(families, now).items():
            del families[path]
            yield [not_rejected_row(path, other)]
        self._families = families
        going = {member for members in families.values() for member in members}
        chosen = [path for path in now.flagged if path in going]
        try:
            plan = self._plan = organise.plan_chosen(self._kind, chosen, [self._folder], self._to)
        except DPIQAError as error:
            # Its texts are the command line's, and this window has no such option.
            raise DPIQAError(str(error).removeprefix("--to ")) from error
        for photo in plan.photos:
            yield [self._row(operation) for operation in photo.operations]
        yield [Row("failed", left.path, left.reason) for left in plan.left]

    def carry_out(self, stopped: Stopped) -> Steps:
        assert self._plan is not None
        plan, self._run = self._plan, None
        # A photo's files are told one by one when all of them are done, so only then is there a stop.
        last = {photo.operations[-1].source for photo in plan.photos}
        with (
            kept_marks() as marks,
            contextlib.closing(Store(default_database())) as store,
            contextlib.closing(
                relocate.apply(plan, journal := Journal(store.connection), self._why_not(marks))
            ) as outcomes,
        ):
            for outcome in outcomes:
                done = isinstance(outcome, organise.Operation) and outcome.kind != "keep"
                if done and self._run is None:
                    self._run = journal.latest()
                yield [self._row(outcome)]
                if stopped() and (isinstance(outcome, organise.NotDone) or outcome.source in last):
                    break

    def take_back(self, stopped: Stopped) -> Steps:
        assert self._run is not None
        # To the end: of an undo it is not told where a photo ends.
        with (
            contextlib.closing(Store(default_database())) as store,
            contextlib.closing(relocate.undo(Journal(store.connection), self._run)) as outcomes,
        ):
            for outcome in outcomes:
                if isinstance(outcome, organise.NotDone):
                    yield [Row("failed", outcome.path, outcome.reason)]
                elif outcome.kind == "remove":
                    yield [Row("change", outcome.target, self.tr("copy removed"), gone=True)]
                else:
                    yield [Row("change", outcome.target, self.tr("back where it was"))]

    def question(self, counts: Counts) -> str:
        if not self._chosen:
            picked = self._kind == "copy"
            return self.tr("No photo is picked.") if picked else self.tr("No photo is rejected.")
        text = self.tr("{photos}, {files} with what belongs to them, would be copied to {to}.")
        if self._kind == "move":
            text = self.tr("{photos}, {files} with what belongs to them, would be moved to {to}.")
        said = text.format(
            photos=photos(len(self._plan.photos) if self._plan else 0),
            files=files(counts["change"]),
            to=shown(self._to),
        )
        return said + self._failures(counts)

    def button(self, counts: Counts) -> str:
        text = self.tr("&Copy {files}") if self._kind == "copy" else self.tr("&Move {files}")
        return text.format(files=files(counts["change"]))

    def result(self, counts: Counts) -> str:
        text = (
            self.tr("{files} copied to {to}.") if self._kind == "copy" else self.tr("{files} moved to {to}.")
        )
        return text.format(files=files(counts["change"]), to=shown(self._to)) + self._failures(counts)

    def result_of_taking_back(self, counts: Counts) -> str:
        text = self.tr("As before: {files}.").format(files=files(counts["change"]))
        return text + self._failures(counts)

    def _why_not(self, marks: Marks) -> Callable[[organise.PlannedPhoto], list[organise.NotDone]]:
        """What says why a photo stays when its turn comes: others may be replaced while some go."""
        # A plan has real paths.
        families = {real_path(one): path for path, members in self._families.items() for one in members}

        def why_not(photo: organise.PlannedPhoto) -> list[organise.NotDone]:
            # Of a photo that has got another file since, not all are known.
            path = next(families[file.source] for file in photo.operations if file.source in families)
            family = {path: self._families[path]}
            items = [self._items[member] for member in family[path] if member in self._items]
            staying = self._staying(family, standing(items, self._flag, marks))
            rows = (row for path, other in staying.items() for row in no_longer_rows(path, other))
            return [organise.NotDone(row.path, row.text) for row in rows]

        return why_not

    def _staying(self, families: Families, now: Standing) -> dict[str, str]:
        """The photos that have not the flag, and the file by which that is so.

        RAW and JPEG are one photo: what is not rejected is not moved with it. To copy more harms nobody.
        """
        if self._kind == "move":
            return dict(spoken_for(families, now.unflagged))
        flagged = set(now.flagged)
        return {path: path for path, members in families.items() if flagged.isdisjoint(members)}

    def _failures(self, counts: Counts) -> str:
        if not counts["failed"]:
            return ""
        return " " + self.tr("Left as they are: {files}.").format(files=files(counts["failed"]))

    def _row(self, outcome: organise.Operation | organise.NotDone) -> Row:
        if isinstance(outcome, organise.NotDone):
            return Row("failed", outcome.path, outcome.reason)
        if outcome.kind == "keep":
            return Row("same", outcome.source, "")
        return Row("change", outcome.source, f"→ {shown(outcome.target)}", gone=outcome.kind == "move")
