"""Where and when Python looks for cycles of objects that nobody uses any more."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

from PySide6.QtCore import QTimer

_EVERY_MS = 1000
_COLLECT_AFTER = (20_000, 100)
"""New objects before the new ones are looked through, and such looks before those that outlived one are, too.
All objects never are: with 10,000 photos that took up to 100 ms, in the midst of whatever the user did, and
cycles are few."""


@contextlib.contextmanager
def collecting_in_this_thread() -> Iterator[None]:
    """Collect garbage in turns of this thread's event loop, and in no other thread.

    Python would collect in whatever thread makes the next object. Objects of Qt's must die in their own: a
    timer or a pixmap that goes in another thread while the window is at work can crash it.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    timer = QTimer()
    timer.timeout.connect(_collect)
    timer.start(_EVERY_MS)
    try:
        yield
    finally:
        timer.stop()
        if was_enabled:
            gc.enable()


def _collect() -> None:
    new, looks, _ = gc.get_count()
    if looks > _COLLECT_AFTER[1]:
        gc.collect(1)
    elif new > _COLLECT_AFTER[0]:
        gc.collect(0)
