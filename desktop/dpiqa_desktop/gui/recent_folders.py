"""Which folders were open lately, the last one first."""

from __future__ import annotations

import os

from PySide6.QtCore import QSettings

_KEY = "folders/recent"
_MOST = 10


def recent_folders() -> list[str]:
    """Those that are still there."""
    return [folder for folder in _kept() if os.path.isdir(folder)]


def remember_folder(folder: str) -> None:
    """Put a folder first. One whose name is not text in this system's encoding is not kept."""
    folder = os.path.abspath(folder)
    if folder.isprintable():
        others = [other for other in _kept() if other != folder]
        QSettings().setValue(_KEY, [folder, *others][:_MOST])


def forget_folders() -> None:
    """Empty the list."""
    QSettings().remove(_KEY)


def _kept() -> list[str]:
    value = QSettings().value(_KEY) or []  # of one folder Qt makes a string
    return [value] if isinstance(value, str) else [str(folder) for folder in value]
