"""The keys that zoom and move photos, the same in loupe and compare; and which key a press means."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from dpiqa_desktop.gui.photo_canvas import PhotoCanvas

KeyTable = dict[tuple[Qt.Key, bool], Callable[[], object]]
"""Key, with Shift or without -> what it does."""

_MOVE = 0.25
"""Of the view, to a press."""

# What a key that is held down repeats. Others must not: the next burst would be decided on by the way.
_REPEATED = frozenset(
    {
        Qt.Key.Key_Left,
        Qt.Key.Key_Right,
        Qt.Key.Key_Up,
        Qt.Key.Key_Down,
        Qt.Key.Key_PageUp,
        Qt.Key.Key_PageDown,
        Qt.Key.Key_Plus,
        Qt.Key.Key_Equal,
        Qt.Key.Key_Minus,
    }
)
_ALLOWED = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier


def zooming_keys(canvas: Callable[[], PhotoCanvas]) -> KeyTable:
    """Z and space go to 100 % and back, + and - zoom, Shift with arrows moves.

    Args:
        canvas: gives the one that is meant.
    """
    return {
        (Qt.Key.Key_Z, False): lambda: canvas().toggle_zoom(),
        (Qt.Key.Key_Space, False): lambda: canvas().toggle_zoom(),
        (Qt.Key.Key_Plus, False): lambda: canvas().zoom_by(1),
        (Qt.Key.Key_Plus, True): lambda: canvas().zoom_by(1),  # a shifted key on most keyboards
        (Qt.Key.Key_Equal, False): lambda: canvas().zoom_by(1),  # the same one on those, not shifted
        (Qt.Key.Key_Minus, False): lambda: canvas().zoom_by(-1),
        (Qt.Key.Key_Left, True): lambda: canvas().move_by(-_MOVE, 0),
        (Qt.Key.Key_Right, True): lambda: canvas().move_by(_MOVE, 0),
        (Qt.Key.Key_Up, True): lambda: canvas().move_by(0, -_MOVE),
        (Qt.Key.Key_Down, True): lambda: canvas().move_by(0, _MOVE),
    }


def act_on(event: QKeyEvent, table: KeyTable) -> bool:
    """Do what a key is for; whether it is for anything. Keys with Ctrl, Alt and the like are others'."""
    if event.modifiers() & ~_ALLOWED:
        return False
    action = table.get((Qt.Key(event.key()), bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)))
    if action is None:
        return False
    if not event.isAutoRepeat() or event.key() in _REPEATED:
        action()
    return True
