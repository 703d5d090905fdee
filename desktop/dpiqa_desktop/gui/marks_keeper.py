"""Keeps marks without making the window wait for the disk."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from PySide6.QtCore import QObject, Signal

from dpiqa_desktop.engine.marks import Mark, Marks
from dpiqa_desktop.gui.counted import photos


class MarksKeeper(QObject):
    """Writes marks in a thread of its own, one change after the other.

    Args:
        marks: the store of them; closed with this.
        parent: of the object.

    Signals:
        failed: marks could not be kept, or not as they were given; why, for the user's eyes.
        corrected: marks that are kept otherwise than they were given, by path, see ``Marks.set``.
    """

    failed = Signal(str)
    corrected = Signal(object)

    def __init__(self, marks: Marks, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._marks = marks
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="marks")

    def all_below(self, folder: str) -> dict[str, Mark]:
        """See ``Marks.all_below``; what was set before is in it."""
        return self._pool.submit(self._marks.all_below, folder).result()

    def set(self, marks: Mapping[str, Mark]) -> None:
        """Keep these as soon as may be; how that went is told by the signals."""
        self._pool.submit(self._marks.set, dict(marks)).add_done_callback(self._done)

    def close(self) -> None:
        """Keep what is still waiting, and close the store."""
        self._pool.shutdown(wait=True)
        self._marks.close()

    def _done(self, future: Future[dict[str, Mark]]) -> None:
        error = future.exception()
        if error is not None:
            self.failed.emit(str(error))
        elif future.result():
            self.corrected.emit(future.result())
            text = self.tr("Changed by other programs: {photos}. Earlier marks do not count.")
            self.failed.emit(text.format(photos=photos(len(future.result()))))
