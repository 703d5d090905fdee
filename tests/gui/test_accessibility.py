"""Every control of every window and dialog has a name that is read out, and is reached without a mouse."""

from __future__ import annotations

import os

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QDockWidget,
    QLineEdit,
    QMenuBar,
    QScrollBar,
    QToolBar,
    QWidget,
)

from dpiqa_desktop.gui.photo_canvas import PhotoCanvas

CONTROLS = (QAbstractButton, QAbstractItemView, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)
LONG_MS = 60_000


def controls(window: QWidget) -> list[QWidget]:
    """What a user can use of it, without the parts that controls are made of."""
    return [
        widget
        for widget in window.findChildren(QWidget)
        if isinstance(widget, CONTROLS)
        and widget.isVisibleTo(window)
        and not isinstance(widget, QScrollBar)
        and not isinstance(widget.parent(), (*CONTROLS[1:], QMenuBar))
        and widget.window() is window.window()
        and not widget.objectName().startswith("qt_")
    ]


def spoken_name(widget: QWidget) -> str:
    """What a screen reader says of a control."""
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name).strip() if interface is not None else ""


def has_shortcut(widget: QWidget) -> bool:
    """It is a button of an action in a menu: its key, or the menu's, does the same."""
    return isinstance(widget.parent(), (QToolBar, QDockWidget))


def assert_all_named_and_reached(window: QWidget) -> None:
    assert controls(window)
    nameless = [widget for widget in controls(window) if not spoken_name(widget)]
    assert not nameless
    unreached = [
        widget
        for widget in controls(window)
        if not widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and widget.focusProxy() is None
        and not has_shortcut(widget)
    ]
    assert not unreached


@pytest.fixture
def scored(window, make_photos, qtbot):
    window.open(os.path.dirname(make_photos(5)[0]))
    qtbot.waitUntil(lambda: bool(window.model.items()) and not window.bridge.running, timeout=LONG_MS)
    window.views.grid.setFocus()
    return window


def test_the_first_page(window):
    assert_all_named_and_reached(window)


def test_grid_with_all_its_panels_and_a_message(scored):
    scored.messages.say("Something", "Do it", lambda: None)
    assert len(controls(scored)) > 20
    assert_all_named_and_reached(scored)
    assert spoken_name(scored.views.grid) == "Photos"


def test_loupe_and_its_map(scored):
    scored.views.show_loupe()
    scored.views.toggle_map()
    assert_all_named_and_reached(scored)


def test_comparison(scored):
    scored.views.show_compare()
    assert_all_named_and_reached(scored)
    assert all(canvas.accessibleName() for canvas in scored.findChildren(PhotoCanvas) if canvas.isVisible())


@pytest.mark.parametrize("name", ["settings", "shortcuts", "write", "undo_writing", "trash"])
def test_dialogs(name, scored, qtbot):
    scored.marking.flag("rejected")
    scored.actions_by_name[name].trigger()
    (dialog,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible()]
    if hasattr(dialog, "phase"):
        qtbot.waitUntil(lambda: dialog.phase == "planned", timeout=LONG_MS)
    assert_all_named_and_reached(dialog)
    dialog.close()
    qtbot.waitUntil(lambda: not dialog.isVisible(), timeout=LONG_MS)


def test_tab_goes_round_all_controls_of_the_window(scored, qtbot):
    """From the grid through all of them and back to it; nothing holds the keyboard."""
    reached = set()
    for _ in range(80):
        reached.add(QApplication.focusWidget())
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        if QApplication.focusWidget() is scored.views.grid:
            break
    assert QApplication.focusWidget() is scored.views.grid
    wanted = [
        widget
        for widget in controls(scored)
        if widget.isEnabled() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    ]
    missed = [w for w in wanted if w not in reached and w.focusProxy() not in reached]
    assert not missed
