"""The window: puts the parts together, and hands on what one of them has to tell the others."""

from __future__ import annotations

import os
from collections.abc import Callable

from PySide6.QtCore import QSize
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QUndoStack
from PySide6.QtWidgets import QFileDialog, QMainWindow, QMessageBox, QToolBar, QVBoxLayout, QWidget

from dpiqa_desktop.engine.marks import Marks
from dpiqa_desktop.gui.actions import make_actions
from dpiqa_desktop.gui.bridge import Bridge, Ready
from dpiqa_desktop.gui.burst_list import BurstList
from dpiqa_desktop.gui.counted import photos
from dpiqa_desktop.gui.file_actions import FileActions
from dpiqa_desktop.gui.filter_bar import FilterBar
from dpiqa_desktop.gui.histogram import Histogram
from dpiqa_desktop.gui.marking import Marking
from dpiqa_desktop.gui.marks_keeper import MarksKeeper
from dpiqa_desktop.gui.message_bar import MessageBar
from dpiqa_desktop.gui.photo_filter import PhotoFilter, Wanted
from dpiqa_desktop.gui.photo_item import Mark
from dpiqa_desktop.gui.photo_loader import PhotoLoader
from dpiqa_desktop.gui.photo_model import PhotoModel
from dpiqa_desktop.gui.quality_map import QualityMaps
from dpiqa_desktop.gui.recent_folders import recent_folders
from dpiqa_desktop.gui.scorer import Scorer
from dpiqa_desktop.gui.scoring import Scoring
from dpiqa_desktop.gui.scoring_bar import ScoringBar
from dpiqa_desktop.gui.settings import Settings, apply_theme
from dpiqa_desktop.gui.settings_dialog import SettingsDialog
from dpiqa_desktop.gui.shortcut_sheet import ShortcutSheet
from dpiqa_desktop.gui.side_panels import SidePanels
from dpiqa_desktop.gui.thumbnails import Thumbnails
from dpiqa_desktop.gui.views import Views
from dpiqa_desktop.gui.window_state import restore_state, save_state
from dpiqa_plugin import __version__
from dpiqa_plugin.cards import CARDS

_DEVICES = ("auto", "cpu", "cuda", "mps")
_MOST_NAMED = 3  # in the title, of several folders


class MainWindow(QMainWindow):
    """All of the application that is seen.

    Args:
        marks: keeps what the photographer says; closed with the window.
        thumbnails: gives the tiles their pictures; closed with the window.
        scorer: gives the scores; it outlives the window.
    """

    def __init__(self, marks: Marks, thumbnails: Thumbnails, scorer: Scorer) -> None:
        super().__init__()
        self._marks = MarksKeeper(marks, self)
        self.model = PhotoModel(self._marks, self)
        self.photos = PhotoFilter(self.model, self)
        self.bridge = Bridge(self._marks.all_below, scorer, self)
        self.undo_stack = QUndoStack(self)
        self.settings = Settings(self)
        self.messages = MessageBar()
        self.histogram = Histogram()
        self.bursts = BurstList()
        self.filter_bar = FilterBar()
        self.scoring_bar = ScoringBar(tuple(CARDS), _DEVICES)
        self.thumbnails = thumbnails
        self._loader = PhotoLoader(parent=self)
        self._maps = QualityMaps(lambda: self.scoring.backend(), self)
        self.views = Views(self.model, self.photos, thumbnails, self._loader, self._maps)
        self.scoring = Scoring(
            self.bridge,
            self.model,
            self.scoring_bar,
            self.messages,
            self.views.empty,
            self.settings.star_rule,
            self,
        )
        self.marking = Marking(self.model, self.undo_stack, self.views.meant, self)
        self.files = FileActions(
            self.model, self.scoring, self.settings, self.messages, self.undo_stack, self.reload, self
        )
        self.actions_by_name = make_actions(self, self._slots())
        self._filter_row = QToolBar(self.tr("Filter"))
        self._lay_out()
        self._connect()
        self._restore()
        self._enable()

    def open(self, *paths: str) -> None:
        """Show and score the photos of folders, and photos; of a file that comes alone, its folder's."""
        opened = list(dict.fromkeys(map(os.path.abspath, paths)))
        if len(opened) == 1 and os.path.isfile(opened[0]):
            opened = [os.path.dirname(opened[0])]
        self.undo_stack.clear()
        self.messages.clear()
        self.thumbnails.forget()
        self._loader.clear()
        self._maps.clear()
        self.views.show_grid()
        names = ", ".join(os.path.basename(path) or path for path in opened[:_MOST_NAMED])
        names += ", …" if len(opened) > _MOST_NAMED else ""
        self.setWindowTitle(f"{names.encode('utf-8', 'replace').decode()} \N{EM DASH} dpiqa")
        self.scoring.open(opened, self.actions_by_name["recursive"].isChecked())

    def choose_folder(self) -> None:
        """Ask for a folder, and open it."""
        recent = recent_folders()
        start = os.path.dirname(recent[0]) if recent else os.path.expanduser("~")
        folder = QFileDialog.getExistingDirectory(self, self.tr("Open a folder of photos"), start)
        if folder:
            self.open(folder)

    def reload(self) -> None:
        """Look for new photos, and score them."""
        if self.scoring.paths:
            self.messages.clear()
            self.scoring.open(self.scoring.paths, self.actions_by_name["recursive"].isChecked())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Take what lies on a disk."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Open all of it."""
        event.acceptProposedAction()
        self.open(*(url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()))

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Keep how the window looks, and end what works for it."""
        self.views.show_grid()
        self._panels.make_way(False)  # also where there were no photos: they are kept as they are now
        save_state(self, self.filter_bar, self.photos.sort_order, self.actions_by_name["recursive"])
        for part in (self.bridge, self._marks, self._maps, self._loader, self.thumbnails):
            part.close()
        super().closeEvent(event)

    def _slots(self) -> dict[str, Callable[..., object]]:
        """By the names in the table of actions."""
        own: dict[str, Callable[..., object]] = {
            "open": self.choose_folder,
            "recursive": lambda _: self.reload(),
            "reload": self.reload,
            "quit": self.close,
            "find": self._find,
            "show_all": self.filter_bar.clear,
            "pause": self.scoring.pause_or_go_on,
            "cancel": self.bridge.cancel,
            "apply_thresholds": self._apply_thresholds,
            "settings": lambda: SettingsDialog(self.settings, self).open(),
            "shortcuts": lambda: ShortcutSheet(self).open(),
            "about": self._about,
        }
        return own | self.views.slots() | self.marking.slots() | self.files.slots()

    def _lay_out(self) -> None:
        self.setWindowTitle("dpiqa")
        self.setAcceptDrops(True)
        self.resize(QSize(1200, 800).boundedTo(self.screen().availableSize()))
        central = QWidget()
        layout = QVBoxLayout(central)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.messages)
        layout.addWidget(self.views, 1)
        self.setCentralWidget(central)
        self.addToolBarBreak()
        self.addToolBar(self._filter_row)
        self._filter_row.setObjectName("filter")
        self._filter_row.setMovable(False)
        self._filter_row.addWidget(self.filter_bar)
        self._panels = SidePanels(
            self,
            (
                ("scores", self.tr("Scores"), self.histogram),
                ("bursts", self.tr("Bursts"), self.bursts),
            ),
            self.menuBar(),
        )
        self.statusBar().addWidget(self.scoring_bar, 1)
        self.statusBar().setSizeGripEnabled(False)

    def _connect(self) -> None:
        views, bar = self.views, self.filter_bar
        self.scoring.state_changed.connect(self._enable)
        self.scoring.failures_wanted.connect(lambda: bar.set_wanted(Wanted(state="failed")))
        self.scoring.model_ready.connect(self._take_model)
        self.scoring_bar.model_chosen.connect(self._keep_model)
        self.settings.changed.connect(self._setting_changed)
        self.histogram.thresholds_changed.connect(self.settings.set_thresholds)
        self.histogram.apply_wanted.connect(self._apply_thresholds)
        self.bursts.chosen.connect(views.grid.set_current)
        self.bursts.compare_wanted.connect(views.show_compare)
        self._marks.failed.connect(lambda text: self.messages.say(text))
        self.model.scores_changed.connect(self._scores_changed)
        self.model.bursts_changed.connect(lambda: self.bursts.show_bursts(self.model.bursts()))
        self._marks.corrected.connect(self.model.show_marks)
        self.marking.said.connect(self.messages.remark)
        views.compare.marks_chosen.connect(self._keep_compared)
        views.view_changed.connect(self._show_surroundings)
        views.empty.open_wanted.connect(self.choose_folder)
        views.empty.folder_chosen.connect(self.open)
        views.empty.show_all_wanted.connect(bar.clear)
        views.grid.side_changed.connect(bar.size_slider.setValue)
        bar.wanted_changed.connect(self.photos.want)
        bar.sort_changed.connect(self.photos.sort_by)
        bar.side_changed.connect(views.grid.set_side)
        bar.chosen_by_mouse.connect(views.take_keyboard)
        self.photos.shown_changed.connect(self._say_count)
        self.undo_stack.indexChanged.connect(self._enable)

    def _restore(self) -> None:
        restore_state(self, self.filter_bar, self.actions_by_name["recursive"])
        self.scoring_bar.choose(self.settings.metric, self.settings.device)
        self.histogram.set_thresholds(*self.settings.thresholds)
        apply_theme(self.settings.theme)
        self.views.empty.show_start(recent_folders())
        self.views.empty.setFocus()

    def _enable(self) -> None:
        """Grey out what makes no sense now."""
        stack, running, there = self.undo_stack, self.bridge.running, bool(self.model.items())
        undo, redo = self.actions_by_name["undo"], self.actions_by_name["redo"]
        undo.setText(self.tr("&Undo {what}").format(what=stack.undoText()).strip())
        redo.setText(self.tr("&Redo {what}").format(what=stack.redoText()).strip())
        for name in ("pause", "cancel"):
            self.actions_by_name[name].setEnabled(running)
        pause = self.tr("&Go on scoring") if self.bridge.paused else self.tr("P&ause scoring")
        self.actions_by_name["pause"].setText(pause)
        self.actions_by_name["reload"].setEnabled(bool(self.scoring.paths))
        for name in self.views.slots() | self.marking.slots() | self.files.slots():
            self.actions_by_name[name].setEnabled(there)
        self.actions_by_name["apply_thresholds"].setEnabled(there)
        undo.setEnabled(stack.canUndo())
        redo.setEnabled(stack.canRedo())
        self.actions_by_name["undo_writing"].setEnabled(True)  # of a run of dpiqa-batch, too
        self._show_surroundings()

    def _show_surroundings(self) -> None:
        """The photo has the window for itself; the panels come back with the grid."""
        self.actions_by_name[self.views.view].setChecked(True)
        grid = self.views.view == "grid" and bool(self.model.items())
        self._panels.make_way(not grid)
        self._filter_row.setVisible(grid)

    def _say_count(self) -> None:
        self.filter_bar.say_count(self.photos.rowCount(), self.model.rowCount())
        self._enable()

    def _keep_compared(self, marks: dict[str, Mark]) -> None:
        self.marking.apply(marks, self.tr("keep one of {photos}").format(photos=photos(len(marks))))
        self.views.show_grid()

    def _keep_model(self, metric: str, device: str) -> None:
        if metric in CARDS and device in _DEVICES:  # others when they have shown that they are there
            self.settings.set_model(metric, device)
        self._maps.set_backend(self.scoring.backend)

    def _setting_changed(self, key: str) -> None:
        if key.startswith("model/"):
            self.scoring.choose_model(self.settings.metric, self.settings.device)
        elif key == "scores/stars":
            self.scoring.give_stars()
        elif key == "window/theme":
            apply_theme(self.settings.theme)
        elif key.startswith("scores/") and self.histogram.thresholds != self.settings.thresholds:
            self.histogram.set_thresholds(*self.settings.thresholds)

    def _take_model(self, ready: Ready) -> None:
        self.settings.set_model(*self.scoring.chosen())
        self.histogram.set_scale(ready.score_range, ready.lower_better)
        if ready.score_range is not None:
            self.filter_bar.set_score_range(*ready.score_range)

    def _scores_changed(self) -> None:
        self.histogram.set_scores([item.score for item in self.model.items() if item.score is not None])
        self._say_count()

    def _apply_thresholds(self) -> None:
        self.marking.flag_by_score(self.model.items(), *self.histogram.thresholds)

    def _find(self) -> None:
        self.views.show_grid()
        self.filter_bar.text.setFocus()
        self.filter_bar.text.selectAll()

    def _about(self) -> None:
        text = self.tr(
            "dpiqa {version}\n\nScores photos by their technical quality, on this computer.\n"
            "Code and bundled model: Apache License 2.0."
        )
        QMessageBox.about(self, self.tr("About dpiqa"), text.format(version=__version__))
