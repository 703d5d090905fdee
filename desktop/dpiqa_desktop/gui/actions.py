"""All that the window can do, in one table: menus, toolbar, shortcuts and the sheet on ``?`` come from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QToolBar

Menu = Literal["file", "edit", "photo", "view", "help"]

_CONTEXT = "Actions"


def _(text: str) -> str:
    return text  # marks it for translation


MENUS: Mapping[Menu, str] = {
    "file": _("&File"),
    "edit": _("&Edit"),
    "photo": _("&Photo"),
    "view": _("&View"),
    "help": _("&Help"),
}


@dataclass(frozen=True)
class ActionRow:
    """One thing that can be done.

    Attributes:
        name: of the action, and of its slot.
        text: in English, for the menu; translated where it is shown.
        menu: where it is; rows follow each other as in this table.
        keys: shortcuts, in Qt's portable words; any of them will do.
        short: text on the toolbar; None if it is not there.
        checkable: it is on or off; the slot gets which.
        group: of several checkable ones of a group, one is on.
        line: a line goes before it in the menu.
    """

    name: str
    text: str
    menu: Menu
    keys: tuple[str, ...] = ()
    short: str | None = None
    checkable: bool = False
    group: str | None = None
    line: bool = False


# fmt: off
ACTIONS: tuple[ActionRow, ...] = (
    ActionRow("open", _("&Open folder…"), "file", ("Ctrl+O",), short=_("Open")),
    ActionRow("recursive", _("With su&bfolders"), "file", checkable=True),
    ActionRow("reload", _("Look for new photos"), "file", ("F5",)),
    ActionRow("write", _("&Write scores and ratings…"), "file", ("Ctrl+S",), short=_("Write…"), line=True),
    ActionRow("undo_writing", _("Take back what was written…"), "file"),
    ActionRow("export_csv", _("Export a &table (CSV)…"), "file", ("Ctrl+E",), line=True),
    ActionRow("copy_picks", _("&Copy picked photos to…"), "file"),
    ActionRow("move_rejects", _("&Move rejected photos to…"), "file"),
    ActionRow("trash", _("Move rejected photos to the &trash…"), "file", ("Del", "Ctrl+Backspace")),
    ActionRow("settings", _("&Settings…"), "file", ("Ctrl+,",), line=True),
    ActionRow("quit", _("&Quit"), "file", ("Ctrl+Q",), line=True),

    ActionRow("undo", _("&Undo"), "edit", ("Ctrl+Z",)),
    ActionRow("redo", _("&Redo"), "edit", ("Ctrl+Shift+Z", "Ctrl+Y")),
    ActionRow("select_all", _("Select &all"), "edit", ("Ctrl+A",), line=True),
    ActionRow("find", _("&Find by name"), "edit", ("Ctrl+F",)),
    ActionRow("show_all", _("Show all photos"), "edit", ("Ctrl+Shift+F",)),

    ActionRow("pick", _("&Pick"), "photo", ("P",), short=_("Pick")),
    ActionRow("reject", _("&Reject"), "photo", ("X",), short=_("Reject")),
    ActionRow("unflag", _("&Unflag"), "photo", ("U",), short=_("Unflag")),
    ActionRow("stars_5", _("5 stars"), "photo", ("5",), line=True),
    ActionRow("stars_4", _("4 stars"), "photo", ("4",)),
    ActionRow("stars_3", _("3 stars"), "photo", ("3",)),
    ActionRow("stars_2", _("2 stars"), "photo", ("2",)),
    ActionRow("stars_1", _("1 star"), "photo", ("1",)),
    ActionRow("stars_0", _("No stars"), "photo", ("0",)),
    ActionRow("unrate", _("Leave the stars to the score"), "photo", ("Backspace",)),
    ActionRow("keep_best", _("Keep the best of the burst, reject the rest"), "photo", ("B",), line=True),
    ActionRow("apply_thresholds", _("Pick and reject by the histogram"), "photo", ("Ctrl+Return",)),

    ActionRow("grid", _("&Grid"), "view", ("G",), short=_("Grid"), checkable=True, group="view"),
    ActionRow("loupe", _("&Loupe"), "view", ("E",), short=_("Loupe"), checkable=True, group="view"),
    ActionRow("compare", _("&Compare"), "view", ("C",), short=_("Compare"), checkable=True, group="view"),
    ActionRow("zoom", _("&Zoom to 100 % or fit"), "view", ("Z",), line=True),
    ActionRow("quality_map", _("&Quality map"), "view", ("M",)),
    ActionRow("larger", _("Larger tiles"), "view", ("Ctrl++", "Ctrl+="), line=True),
    ActionRow("smaller", _("Smaller tiles"), "view", ("Ctrl+-",)),
    ActionRow("pause", _("P&ause scoring"), "view", ("Ctrl+P",), line=True),
    ActionRow("cancel", _("&Stop scoring"), "view", ("Ctrl+.",)),

    ActionRow("shortcuts", _("&Keyboard shortcuts"), "help", ("?", "F1")),
    ActionRow("about", _("&About dpiqa"), "help"),
)
# fmt: on

OTHER_KEYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (_("Next and previous photo"), ("Right", "Left")),
    (_("First and last photo"), ("Home", "End")),
    (_("Select up to a photo"), ("Shift+Right", "Shift+Left")),
    (_("Open a photo"), ("Return", "Space")),
    (_("Loupe and comparison: 100 % or fit"), ("Space",)),
    (_("Back to the grid"), ("Esc",)),
    (_("Loupe and comparison: larger, smaller"), ("+", "-")),
    (_("Loupe and comparison: move"), ("Shift+Up", "Shift+Down")),
    (_("Comparison: keep this photo, reject the others"), ("K",)),
    (_("Comparison: lock or unlock zoom"), ("L",)),
)
"""Keys that the views themselves know, for the sheet: text in English, and keys."""


def translated(text: str) -> str:
    """A text of these tables in the user's language."""
    return QCoreApplication.translate(_CONTEXT, text)


def make_actions(window: QMainWindow, slots: Mapping[str, Callable[..., object]]) -> dict[str, QAction]:
    """Make an action of every row, with its slot, and give the window its menus and toolbar.

    Raises:
        KeyError: a row has no slot.
    """
    actions: dict[str, QAction] = {}
    groups: dict[str, QActionGroup] = {}
    menus = {name: _add_menu(window, name) for name in MENUS}
    toolbar = _add_toolbar(window)
    toolbar_menu: Menu | None = None
    for row in ACTIONS:
        action = actions[row.name] = QAction(translated(row.text), window)
        action.setObjectName(row.name)
        action.setShortcuts([QKeySequence(key) for key in row.keys])
        action.setCheckable(row.checkable)
        if row.group is not None:
            groups.setdefault(row.group, QActionGroup(window)).addAction(action)
        slot = slots[row.name]
        # Others would be given whether they are checked, too.
        action.triggered.connect(slot if row.checkable else _without_arguments(slot))
        if row.line:
            menus[row.menu].addSeparator()
        menus[row.menu].addAction(action)
        if row.short is not None:
            if toolbar_menu not in (None, row.menu):
                toolbar.addSeparator()
            toolbar_menu = row.menu
            action.setIconText(translated(row.short))
            action.setToolTip(_tip(row))
            toolbar.addAction(action)
    return actions


def _add_menu(window: QMainWindow, name: Menu) -> QMenu:
    menu = window.menuBar().addMenu(translated(MENUS[name]))
    menu.setObjectName(name)
    return menu


def _add_toolbar(window: QMainWindow) -> QToolBar:
    toolbar = window.addToolBar(translated(_("Toolbar")))
    toolbar.setObjectName("toolbar")
    toolbar.setMovable(False)
    toolbar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
    return toolbar


def _without_arguments(slot: Callable[..., object]) -> Callable[[], object]:
    return lambda *_: slot()


def _tip(row: ActionRow) -> str:
    text = translated(row.text).replace("&", "").rstrip("…")
    keys = [QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) for key in row.keys]
    return f"{text} ({keys[0]})" if keys else text
