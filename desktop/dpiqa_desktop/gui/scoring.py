"""Opening and scoring as the window sees it: what the bridge tells goes to model, bars and messages."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from dpiqa_desktop.engine.backends import Backend
from dpiqa_desktop.engine.stars import StarRule, check_stars_fit, default_rule
from dpiqa_desktop.events import Progress
from dpiqa_desktop.gui.bridge import Bridge, Job, Opened, Ready
from dpiqa_desktop.gui.counted import photos
from dpiqa_desktop.gui.empty_page import EmptyPage
from dpiqa_desktop.gui.message_bar import MessageBar
from dpiqa_desktop.gui.photo_model import PhotoModel
from dpiqa_desktop.gui.recent_folders import remember_folder
from dpiqa_desktop.gui.scoring_bar import ScoringBar
from dpiqa_plugin.errors import UsageError


class Scoring(QObject):
    """One folder at a time.

    Args:
        bridge: does it.
        model: takes the photos and their scores.
        bar, messages, empty: say how it goes.
        star_rule: gives what the user wants for scores of a range.
        parent: of the object.

    Signals:
        state_changed: it began, was paused, or ended.
        failures_wanted: the user wants to see what could not be scored.
        model_ready: ``Ready``, another model gives the scores from now on, or the same one again.
    """

    state_changed = Signal()
    failures_wanted = Signal()
    model_ready = Signal(object)

    def __init__(
        self,
        bridge: Bridge,
        model: PhotoModel,
        bar: ScoringBar,
        messages: MessageBar,
        empty: EmptyPage,
        star_rule: Callable[[tuple[float, float] | None], StarRule],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._bridge, self._model = bridge, model
        self._bar, self._messages, self._empty = bar, messages, empty
        self._star_rule = star_rule
        self._job: Job | None = None
        self._last: Progress | None = None
        self.ready: Ready | None = None
        """The model that gave the scores; None before it is known."""
        bridge.opened.connect(self._opened)
        bridge.ready.connect(self._model_ready)
        bridge.told.connect(model.take)
        bridge.progressed.connect(self._progressed)
        bridge.notice.connect(lambda text: messages.say(text))
        bridge.bursts.connect(model.set_bursts)
        bridge.ended.connect(self._ended)
        bar.pause_wanted.connect(self.pause_or_go_on)
        bar.cancel_wanted.connect(bridge.cancel)
        bar.model_chosen.connect(self.choose_model)

    @property
    def paths(self) -> tuple[str, ...]:
        """What is open: folders, or single photos."""
        return () if self._job is None else self._job.paths

    @property
    def folder(self) -> str | None:
        """What is open; of several things the folder that all of them are in."""
        return _common(self.paths) if self.paths else None

    def open(self, paths: Sequence[str], recursive: bool) -> None:
        """Show the photos of folders, and these photos, and score them; those of others are forgotten."""
        if tuple(paths) != self.paths:
            self._model.open(())
            self._empty.show_opening(paths[0])
        metric, device = self._bar.chosen()
        before, self._job = self._job, Job(tuple(paths), recursive, metric, device)
        self._last = None
        if before is None or replace(before, recursive=recursive) != self._job:
            self.ready = None
        self._bar.show_busy(self.tr("Looking for photos…"))
        self._bridge.start(self._job)
        self.state_changed.emit()

    def choose_model(self, metric: str, device: str) -> None:
        """Score with another model, or elsewhere."""
        self._bar.choose(metric, device)
        if self._job is not None and (metric, device) != (self._job.metric, self._job.device):
            if metric != self._job.metric:
                self._model.forget_scores()
            self._messages.clear()
            self.open(self._job.paths, self._job.recursive)

    def give_stars(self) -> None:
        """Give them anew: the user wants another rule."""
        ready = self.ready
        if ready is None:
            return
        rule = self._star_rule(ready.score_range)
        try:
            check_stars_fit(rule, ready.metric, ready.score_range)
        except UsageError:  # it was meant for another model
            rule = default_rule(ready.score_range)
        self._model.set_star_rule(rule, ready.lower_better)

    def pause_or_go_on(self) -> None:
        """The one that it is not."""
        if self._bridge.paused:
            self._bridge.resume()
        else:
            self._bridge.pause()
        self._bar.show_paused(self._bridge.paused)
        if self._last is not None:
            self._bar.show_progress(self._last, self._bridge.paused)
        self.state_changed.emit()

    def backend(self) -> Backend:
        """The model that is chosen; called in any thread but the window's.

        Raises:
            DPIQAError: it cannot be had.
        """
        return self._bridge.backend(*self.chosen())

    def chosen(self) -> tuple[str, str]:
        """Metric and device of what is open."""
        assert self._job is not None
        return self._job.metric, self._job.device

    def _opened(self, opened: Opened) -> None:
        assert self._job is not None
        if list(opened.photos) != [item.path for item in self._model.items()]:
            self._model.open(opened.photos, opened.marks)
        if not opened.photos:
            self._empty.show_no_photos(self._job.paths, self._job.recursive)
            return
        for path in reversed(self._job.paths):
            if os.path.isdir(path):
                remember_folder(path)
        self._bar.show_busy(self.tr("Making {metric} ready…").format(metric=self._job.metric))

    def _model_ready(self, ready: Ready) -> None:
        self.ready = ready
        self.give_stars()
        self.model_ready.emit(ready)

    def _progressed(self, progress: Progress) -> None:
        self._last = progress
        self._bar.show_progress(progress, self._bridge.paused)

    def _ended(self, why: str | None) -> None:
        self._bar.show_idle(self._outcome())
        if why is not None:
            if self._model.items():  # of a folder that was there until now
                self._messages.say(why, self.tr("Try again"), self._try_again)
            else:
                self._empty.show_failure(why)
        elif self._last is not None and self._last.failed:
            failed, total = self._last.failed, self._last.total
            text = self.tr("{failed} of {total} photos could not be scored.")
            text = text.format(failed=f"{failed:,}", total=f"{total:,}")
            reasons = {item.reason for item in self._model.items() if item.reason is not None}
            if len(reasons) == 1:  # a full GPU, a card that was pulled
                text += " " + self.tr("Each for this reason: {reason}").format(reason=next(iter(reasons)))
            self._messages.say(text, self.tr("Show them"), self.failures_wanted.emit)
        self.state_changed.emit()

    def _outcome(self) -> str:
        if self._last is None or self.ready is None:
            return ""
        scored = self._last.done - self._last.failed
        if self._last.done < self._last.total:
            said = self.tr("stopped at {done} of {total}")
            return said.format(done=f"{self._last.done:,}", total=f"{self._last.total:,}")
        said = self.tr("{photos} scored by {model}")
        return said.format(photos=photos(scored), model=self.ready.description)

    def _try_again(self) -> None:
        if self._job is not None:
            self.open(self._job.paths, self._job.recursive)


def _common(paths: Sequence[str]) -> str:
    """The folder that all of these are in, or the only one; on Windows' several drives the first's."""
    try:
        return os.path.commonpath(paths)
    except ValueError:
        return os.path.dirname(paths[0])
