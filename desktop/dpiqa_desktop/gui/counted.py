"""Numbers of things in a sentence: "1 photo", "2,000 photos"."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

_CONTEXT = "Counted"


def photos(count: int) -> str:
    """So many photos."""
    if count == 1:
        return QCoreApplication.translate(_CONTEXT, "1 photo")
    return QCoreApplication.translate(_CONTEXT, "{count} photos").format(count=f"{count:,}")


def files(count: int) -> str:
    """So many files."""
    if count == 1:
        return QCoreApplication.translate(_CONTEXT, "1 file")
    return QCoreApplication.translate(_CONTEXT, "{count} files").format(count=f"{count:,}")


def stars(count: int) -> str:
    """So many stars."""
    if count == 1:
        return QCoreApplication.translate(_CONTEXT, "1 star")
    return QCoreApplication.translate(_CONTEXT, "{count} stars").format(count=count)
