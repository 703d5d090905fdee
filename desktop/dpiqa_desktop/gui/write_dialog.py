"""Writing scores and ratings into files: what would change, the question, the result; and taking it back."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence, Set
from datetime import datetime, timezone
from functools import partial
from itertools import takewhile

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QWidget

from dpiqa_desktop.engine.marks import changed_at
from dpiqa_desktop.engine.stars import is_about_unit
from dpiqa_desktop.engine.store import Store, default_database, file_state
from dpiqa_desktop.gui.bridge import Ready
from dpiqa_desktop.gui.counted import files, photos
from dpiqa_desktop.gui.file_work import Stopped
from dpiqa_desktop.gui.kept_marks import kept_marks
from dpiqa_desktop.gui.outcome_table import Row
from dpiqa_desktop.gui.photo_item import Mark, PhotoItem
from dpiqa_desktop.gui.settings import BY_KEY, Settings, translated
from dpiqa_desktop.gui.verdicts import Turn, is_rated, unchanged_since, verdict_of
from dpiqa_desktop.gui.work_dialog import Counts, Steps, WorkDialog
from dpiqa_desktop.metadata.plan import Verdict, summary
from dpiqa_desktop.metadata.replace_file import ReplaceError, check_replaceable
from dpiqa_desktop.metadata.targets import Listing, NotWritten, Planned, ToWrite, plan_photo
from dpiqa_desktop.metadata.targets import Settings as WriteSettings
from dpiqa_desktop.metadata.undo import TakenBack, undo
from dpiqa_desktop.metadata.write import Judge, Outcome, Writer, Written
from dpiqa_desktop.metadata.write_journal import WriteJournal
from dpiqa_plugin.errors import PhotoError, StoreError


class WriteDialog(WorkDialog):
    """Asks before it writes scores, stars and rejects of these photos.

    Args:
        items: those without a score that the user has not rated are left out.
        ready: the model that gave the scores; None writes what the user has said only.
        settings: where to write, to begin with; what is chosen here is kept there.
        parent: of the dialog.
    """

    def __init__(
        self,
        items: Sequence[PhotoItem],
        ready: Ready | None,
        settings: Settings,
        parent: QWidget | None = None,
    ) -> None:
        self._settings = settings
        self.where, self.naming = _choice("files/where", settings), _choice("files/sidecar", settings)
        task = _Writing(items, ready, settings.writing())
        super().__init__(task, parent, _row(self.where, self.naming))
        self._writing = task
        self.where.currentIndexChanged.connect(self._choose)
        self.naming.currentIndexChanged.connect(self._choose)

    def _choose(self) -> None:
        self._settings.set_value("files/where", self.where.currentData())
        self._settings.set_value("files/sidecar", self.naming.currentData())
        self._writing.settings = self._settings.writing()
        self.plan_again()


def take_back_dialog(parent: QWidget | None = None) -> WorkDialog:
    """Return a dialog that asks before it takes back the latest run that wrote, ``dpiqa-batch``'s too."""
    return WorkDialog(_TakingBack(), parent)


class _Writing(QObject):
    """The task of the dialog; ``settings`` may be replaced between two plans."""

    def __init__(self, items: Sequence[PhotoItem], ready: Ready | None, settings: WriteSettings) -> None:
        super().__init__()
        fits = ready is not None and not ready.lower_better and is_about_unit(ready.score_range)
        self._metric = "" if ready is None or fits else ready.metric
        self._ready = ready if fits else None
        told = [item for item in items if is_rated(item) or (fits and item.score is not None)]
        # By path, so that a folder's photos come one after the other.
        self._items = sorted(told, key=lambda item: item.path)
        self._without = len(items) - len(self._items)
        self._run: int | None = None
        self._said: dict[str, Mark] = {}
        self._replaced: dict[str, set[str]] = {}  # by photo, the files in which its stars replaced a rating
        self.settings = settings
        self.title = self.tr("Write scores and ratings")

    @property
    def total(self) -> int:
        return len(self._items)

    @property
    def can_take_back(self) -> bool:
        return self._run is not None

    def plan(self, stopped: Stopped) -> Steps:
        listing, settings, now = Listing(), self.settings, datetime.now(timezone.utc)
        with kept_marks() as marks:
            for item in takewhile(lambda _: not stopped(), self._items):
                verdict = Turn(item, marks, listing, partial(self._verdict, now)).verdict()
                planned: Sequence[Planned] = (
                    plan_photo(item.path, verdict, settings, listing)
                    if isinstance(verdict, Verdict)
                    else [verdict]
                )
                yield [self._row(_would_be(one) if isinstance(one, ToWrite) else one) for one in planned]

    def carry_out(self, stopped: Stopped) -> Steps:
        with (
            contextlib.closing(Store(default_database())) as store,
            _journal(store) as journal,
            kept_marks() as marks,
        ):
            writer = Writer(store, journal, self.settings)
            begun, listing = deque[Turn](), Listing()

            def judges() -> Iterator[tuple[str, Judge]]:
                for item in takewhile(lambda _: not stopped(), self._items):
                    say = partial(self._verdict, self._scored_at(item, store))
                    begun.append(Turn(item, marks, listing, say, writer.changed_by_others_at))
                    yield item.path, begun[-1].verdict

            outcomes = writer.write_all(judges())
            try:
                with contextlib.closing(outcomes):
                    for of_one in outcomes:
                        self._remember(begun.popleft(), of_one)
                        yield [self._row(outcome) for outcome in of_one]
            finally:
                self._run = writer.run
                self._keep_written(True)

    def take_back(self, stopped: Stopped) -> Steps:
        assert self._run is not None
        self._keep_written(False)
        exactly: set[str] = set()
        try:
            with contextlib.closing(_taken_back(self._run, stopped)) as outcomes:
                for outcome in outcomes:
                    if isinstance(outcome, TakenBack) and outcome.exactly:
                        exactly.add(outcome.path)
                    yield [_row_back(self, outcome)]
        finally:
            self._renew_stars(exactly)

    def question(self, counts: Counts) -> str:
        parts = []
        if self._metric:
            text = self.tr(
                "{metric} gives scores that are not 0 to 1, or lower ones are better: those are not written "
                "into files. Export them as a table, or choose a model of ours."
            )
            parts.append(text.format(metric=self._metric))
        if self._items or not self._metric:
            text = self.tr("{files} would be changed or made").format(files=files(_changes(counts)))
            parts.append(self._files(counts, text))
        if self._without and not self._metric:
            left_out = self.tr("Left out, as neither scored nor rated: {photos}.")
            parts.append(left_out.format(photos=photos(self._without)))
        if _changes(counts):
            parts.append(self.tr("Nothing else in them changes, and it can be taken back."))
        return " ".join(parts)

    def button(self, counts: Counts) -> str:
        return self.tr("&Write {files}").format(files=files(_changes(counts)))

    def result(self, counts: Counts) -> str:
        return self._files(counts, self.tr("{files} written").format(files=files(_changes(counts))))

    def result_of_taking_back(self, counts: Counts) -> str:
        return _say_taken_back(self, counts)

    def _files(self, counts: Counts, first: str) -> str:
        parts = [first]
        for kind, text in (
            ("make", self.tr("{count} of them new sidecars")),
            ("kept", self.tr("in {count} your own rating stays")),
            ("same", self.tr("{count} up to date")),
            ("failed", self.tr("{count} cannot be written and stay as they are")),
        ):
            if counts[kind]:
                parts.append(text.format(count=f"{counts[kind]:,}"))
        return ", ".join(parts) + "."

    def _remember(self, turn: Turn, outcomes: Sequence[Outcome]) -> None:
        """Remember what the photo's files say of its mark now."""
        item = turn.item
        if is_rated(item) and not any(isinstance(one, NotWritten) or one.rating_kept for one in outcomes):
            self._said[item.path] = item.mark
            if turn.replaces_rating:
                written = {os.path.realpath(one.path) for one in outcomes if isinstance(one, Written)}
                self._replaced[item.path] = written

    def _renew_stars(self, exactly: Set[str]) -> None:
        """Stars that were taken back may be written again, if nobody but us has changed the photo's files."""
        listing = Listing()
        again = {}
        for photo, written in self._replaced.items():
            mark = self._said[photo]
            assert mark.stars_at is not None
            since = partial(_changed_at_but, written)
            if written <= exactly and unchanged_since(photo, mark.stars_at, listing, since):
                again[photo] = mark
        if again:
            with contextlib.suppress(StoreError), kept_marks() as marks:
                marks.renew_stars(again)

    def _keep_written(self, written: bool) -> None:
        if self._said:
            with contextlib.suppress(StoreError), kept_marks() as marks:  # else they are shown for longer
                marks.set_written(self._said, written)

    def _scored_at(self, item: PhotoItem, store: Store) -> datetime:
        scored_at = None
        with contextlib.suppress(OSError, PhotoError):  # the writer will say so
            if self._ready is not None:
                judged = store.find(item.path, file_state(item.path), self._ready.identity)
                scored_at = None if judged is None else judged.scored_at
        if scored_at is None:
            return datetime.now(timezone.utc)
        return datetime.fromtimestamp(scored_at, timezone.utc)

    def _verdict(self, scored_at: datetime, item: PhotoItem, replaces_rating: bool) -> Verdict | None:
        if not is_rated(item) and (self._ready is None or item.score is None):
            return None
        return verdict_of(item, self._ready, scored_at, replaces_rating)

    def _row(self, outcome: Outcome) -> Row:
        if isinstance(outcome, NotWritten):
            return Row("failed", outcome.path, self._why_not(outcome))
        if not isinstance(outcome, Written):
            return Row("same", outcome.path, "", kept=outcome.rating_kept)
        text = outcome.summary
        if outcome.made:
            text = self.tr("new sidecar: {text}").format(text=text)
        if outcome.rating_kept:
            text = self.tr("{text}; your own rating stays").format(text=text)
        return Row("make" if outcome.made else "change", outcome.path, text, kept=outcome.rating_kept)

    def _why_not(self, outcome: NotWritten) -> str:
        if not outcome.sidecar_would_do:
            return outcome.reason
        choice = translated(dict(BY_KEY["files/where"].choices)["auto"])
        text = self.tr("{reason}; it gets a sidecar with “{choice}”")
        return text.format(reason=outcome.reason, choice=choice)


class _TakingBack(QObject):
    """Takes the latest run of writing back."""

    def __init__(self) -> None:
        super().__init__()
        self.title = self.tr("Take back what was written")
        self.total = 0
        self.can_take_back = False
        self._run: int | None = None

    def plan(self, stopped: Stopped) -> Steps:
        with contextlib.closing(Store(default_database())) as store, _journal(store) as journal:
            self._run = journal.latest()
            entries = () if self._run is None else journal.entries(self._run)
            for entry in takewhile(lambda _: not stopped(), entries):
                made = entry.before is None
                text = self.tr("was made, and would go") if made else self.tr("would be as it was")
                yield [Row("change", entry.path, text)]

    def carry_out(self, stopped: Stopped) -> Steps:
        assert self._run is not None
        with contextlib.closing(_taken_back(self._run, stopped)) as outcomes:
            yield from ([_row_back(self, outcome)] for outcome in outcomes)

    def take_back(self, stopped: Stopped) -> Steps:
        raise AssertionError("is not offered")

    def question(self, counts: Counts) -> str:
        if not _changes(counts):
            return self.tr("Nothing was written that could be taken back.")
        return self.tr(
            "The latest run wrote {files}. Each will be as it was before, byte for byte, if nobody has "
            "changed it since; else only what was written goes."
        ).format(files=files(_changes(counts)))

    def button(self, counts: Counts) -> str:
        return self.tr("&Take back {files}").format(files=files(_changes(counts)))

    def result(self, counts: Counts) -> str:
        return _say_taken_back(self, counts)

    def result_of_taking_back(self, counts: Counts) -> str:
        raise AssertionError("is not offered")


def _changed_at_but(files: Set[str], path: str) -> int | None:
    """As ``changed_at``; of these, real paths, it is not asked."""
    return None if os.path.realpath(path) in files else changed_at(path)


def _would_be(planned: ToWrite) -> Outcome:
    change = planned.change
    try:
        if change.state is not None:
            check_replaceable(change.path)
    except ReplaceError as error:
        return NotWritten.because(change.path, error)
    return Written(
        change.path, summary(change.said, change.wanted), change.state is None, planned.rating_kept
    )


def _taken_back(run: int, stopped: Stopped) -> Generator[TakenBack | NotWritten, None, None]:
    """Take a run back, file by file."""
    with contextlib.closing(Store(default_database())) as store, _journal(store) as journal:
        yield from undo(takewhile(lambda _: not stopped(), journal.entries(run)), journal, store)


def _row_back(task: QObject, outcome: TakenBack | NotWritten) -> Row:
    if not isinstance(outcome, TakenBack):
        return Row("failed", outcome.path, outcome.reason)
    if outcome.removed:
        return Row("change", outcome.path, task.tr("removed, as it had been made"), gone=True)
    if outcome.exactly:
        return Row("change", outcome.path, task.tr("as it was"))
    text = task.tr("was changed by another program since: only what was written is gone")
    return Row("change", outcome.path, text)


def _say_taken_back(task: QObject, counts: Counts) -> str:
    text = task.tr("As before: {files}.").format(files=files(_changes(counts)))
    if counts["failed"]:
        text += " " + task.tr("Could not be taken back: {files}.").format(files=files(counts["failed"]))
    return text


@contextlib.contextmanager
def _journal(store: Store) -> Iterator[WriteJournal]:
    assert store.database is not None
    with contextlib.closing(WriteJournal(store.database)) as journal:
        yield journal


def _changes(counts: Counts) -> int:
    return counts["change"] + counts["make"]


def _choice(key: str, settings: Settings) -> QComboBox:
    setting = BY_KEY[key]
    box = QComboBox()
    box.setObjectName(os.path.basename(key))
    box.setAccessibleName(translated(setting.text))
    for value, text in setting.choices:
        box.addItem(translated(text), value)
    box.setCurrentIndex(box.findData(settings.value(key)))
    return box


def _row(*boxes: QComboBox) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for box in boxes:
        label = QLabel(box.accessibleName())
        label.setBuddy(box)
        layout.addWidget(label)
        layout.addWidget(box)
        layout.addSpacing(12)
    layout.addStretch(1)
    return row
