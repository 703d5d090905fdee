"""The window: puts the parts together, and hands on what one of them has to tell the others."""

from __future__ import annotations

import os
from collections.abc import Callable

from PySide6.QtCore import QSettings
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QUndoStack
from PySide6.QtWidgets import QFileDialog, QMainWindow, QMessageBox, QVBoxLayout, QWidget

from dpiqa_desktop.engine.marks import Marks
from dpiqa_desktop.gui.actions import make_actions
from dpiqa_desktop.gui.bridge import Bridge
from dpiqa_desktop.gui.filter_bar import FilterBar
from dpiqa_desktop.gui.marking import Marking
from dpiqa_desktop.gui.marks_keeper import MarksKeeper
from dpiqa_desktop.gui.message_bar import MessageBar
from dpiqa_desktop.gui.photo_filter import PhotoFilter, Sort, Wanted
from dpiqa_desktop.gui.photo_item import Mark
from dpiqa_desktop.gui.photo_loader import PhotoLoader
from dpiqa_desktop.gui.photo_model import PhotoModel
from dpiqa_desktop.gui.quality_map import QualityMaps
from dpiqa_desktop.gui.recent_folders import recent_folders
from dpiqa_desktop.gui.scoring import Scoring
from dpiqa_desktop.gui.scoring_bar import ScoringBar
from dpiqa_desktop.gui.thumbnails import Thumbnails
from dpiqa_desktop.gui.views import Views
from dpiqa_plugin import __version__
from dpiqa_plugin.cards import CARDS

_DEVICES = ("auto", "cpu", "cuda", "mps")


class MainWindow(QMainWindow):
    """All of the application that is seen.

    Args:
        marks: keeps what the photographer says; closed with the window.
        thumbnails: gives the tiles their pictures; closed with the window.
    """

    def __init__(self, marks: Marks, thumbnails: Thumbnails) -> None:
        super().__init__()
        self._marks = MarksKeeper(marks, self)
        self.model = PhotoModel(self._marks, self)
        self.photos = PhotoFilter(self.model, self)
        self.bridge = Bridge(self._marks.all_below, self)
        self.undo_stack = QUndoStack(self)
        self.messages = MessageBar()
        self.filter_bar = FilterBar()
        self.scoring_bar = ScoringBar(tuple(CARDS), _DEVICES)
        self.thumbnails = thumbnails
        self._loader = PhotoLoader(parent=self)
        self._maps = QualityMaps(lambda: self.scoring.backend(), self)
        self.views = Views(self.model, self.photos, thumbnails, self._loader, self._maps)
        self.scoring = Scoring(
            self.bridge, self.model, self.scoring_bar, self.messages, self.views.empty, self
        )
        self.marking = Marking(self.model, self.undo_stack, self.views.meant, self)
        self.actions_by_name = make_actions(self, self._slots())
        self._lay_out()
        self._connect()
        self._restore()
        self._enable()

    def open(self, path: str) -> None:
        """Show and score the photos of a folder; of a file, those of its folder."""
        folder = os.path.abspath(path)
        if os.path.isfile(folder):
            folder = os.path.dirname(folder)
        self.undo_stack.clear()
        self.messages.clear()
        self.thumbnails.forget()
        self._loader.clear()
        self._maps.clear()
        self.views.show_grid()
        name = os.path.basename(folder) or folder
        self.setWindowTitle(f"{name.encode('utf-8', 'replace').decode()} \N{EM DASH} dpiqa")
        self.scoring.open(folder, self.actions_by_name["recursive"].isChecked())

    def choose_folder(self) -> None:
        """Ask for a folder, and open it."""
        recent = recent_folders()
        start = os.path.dirname(recent[0]) if recent else os.path.expanduser("~")
        folder = QFileDialog.getExistingDirectory(self, self.tr("Open a folder of photos"), start)
        if folder:
            self.open(folder)

    def reload(self) -> None:
        """Look for new photos, and score them."""
        if self.scoring.folder is not None:
            self.messages.clear()
            self.scoring.open(self.scoring.folder, self.actions_by_name["recursive"].isChecked())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Take what lies on a disk."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Open it."""
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.open(paths[0])
        if len(paths) > 1:
            self.messages.say(self.tr("One folder can be open at a time: it is the first of these."))

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Keep how the window looks, and end what works for it."""
        settings = QSettings()
        settings.setValue("window/geometry", self.saveGeometry())
        settings.setValue("window/state", self.saveState())
        settings.setValue("window/side", self.views.grid.side)
        settings.setValue("window/sort", self.photos.sort_order.by)
        settings.setValue("window/turned", self.photos.sort_order.turned)
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
            "undo": self.undo_stack.undo,
            "redo": self.undo_stack.redo,
            "find": self._find,
            "show_all": self.filter_bar.clear,
            "pause": self.scoring.pause_or_go_on,
            "cancel": self.bridge.cancel,
            "about": self._about,
        }
        for name in (
            "write",
            "undo_writing",
            "export_csv",
            "copy_picks",
            "move_rejects",
            "trash",
            "settings",
            "apply_thresholds",
            "shortcuts",
        ):
            own[name] = lambda: None
        return own | self.views.slots() | self.marking.slots()

    def _lay_out(self) -> None:
        self.setWindowTitle("dpiqa")
        self.setAcceptDrops(True)
        self.resize(1200, 800)
        central = QWidget()
        layout = QVBoxLayout(central)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.messages)
        layout.addWidget(self.filter_bar)
        layout.addWidget(self.views, 1)
        self.setCentralWidget(central)
        self.statusBar().addWidget(self.scoring_bar, 1)
        self.statusBar().setSizeGripEnabled(False)

    def _connect(self) -> None:
        views, bar = self.views, self.filter_bar
        self.scoring.state_changed.connect(self._enable)
        self.scoring.failures_wanted.connect(lambda: bar.set_wanted(Wanted(state="failed")))
        self.scoring.range_changed.connect(bar.set_score_range)
        self.scoring_bar.model_chosen.connect(self._keep_model)
        self._marks.failed.connect(lambda text: self.messages.say(text))
        self.model.scores_changed.connect(self._say_count)
        self.marking.said.connect(self.messages.remark)
        views.compare.marks_chosen.connect(self._keep_compared)
        views.view_changed.connect(self._view_changed)
        views.empty.open_wanted.connect(self.choose_folder)
        views.empty.folder_chosen.connect(self.open)
        views.empty.show_all_wanted.connect(bar.clear)
        views.grid.side_changed.connect(bar.size_slider.setValue)
        bar.wanted_changed.connect(self.photos.want)
        bar.sort_changed.connect(self.photos.sort_by)
        bar.side_changed.connect(views.grid.set_side)
        self.photos.shown_changed.connect(self._say_count)
        self.undo_stack.indexChanged.connect(self._enable)

    def _restore(self) -> None:
        settings = QSettings()
        self.restoreGeometry(settings.value("window/geometry", b""))
        self.restoreState(settings.value("window/state", b""))
        self.views.grid.set_side(int(settings.value("window/side", self.views.grid.side)))
        turned = bool(settings.value("window/turned", False, bool))
        self.filter_bar.set_sort(Sort(settings.value("window/sort", "folder"), turned))
        self.actions_by_name["recursive"].setChecked(True)
        metric, device = settings.value("model/metric", "dpiqa_lite"), settings.value("model/device", "auto")
        self.scoring_bar.choose(metric, device)
        self.views.empty.show_start(recent_folders())
        self._view_changed("grid")

    def _enable(self) -> None:
        """Grey out what makes no sense now."""
        stack, running, there = self.undo_stack, self.bridge.running, bool(self.model.items())
        undo, redo = self.actions_by_name["undo"], self.actions_by_name["redo"]
        undo.setEnabled(stack.canUndo())
        redo.setEnabled(stack.canRedo())
        undo.setText(self.tr("&Undo {what}").format(what=stack.undoText()).strip())
        redo.setText(self.tr("&Redo {what}").format(what=stack.redoText()).strip())
        for name in ("pause", "cancel"):
            self.actions_by_name[name].setEnabled(running)
        pause = self.tr("&Go on scoring") if self.bridge.paused else self.tr("P&ause scoring")
        self.actions_by_name["pause"].setText(pause)
        self.actions_by_name["reload"].setEnabled(self.scoring.folder is not None)
        for name in self.views.slots() | self.marking.slots():
            self.actions_by_name[name].setEnabled(there)
        self.filter_bar.setVisible(there)

    def _view_changed(self, view: str) -> None:
        self.actions_by_name[view].setChecked(True)
        self.filter_bar.size_slider.setEnabled(view == "grid")

    def _say_count(self) -> None:
        self.filter_bar.say_count(self.photos.rowCount(), self.model.rowCount())
        self._enable()

    def _keep_compared(self, marks: dict[str, Mark]) -> None:
        self.marking.apply(marks, self.tr("keep one of %n photo(s)", "", len(marks)))
        self.views.show_grid()

    def _keep_model(self, metric: str, device: str) -> None:
        QSettings().setValue("model/metric", metric)
        QSettings().setValue("model/device", device)
        self._maps.set_backend(self.scoring.backend)

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
