"""Temporary files that killed writers left: looked for once in each folder, whose list costs time."""

from __future__ import annotations

import threading

from dpiqa_desktop.metadata.replace_file import remove_strays


class Strays:
    """What one run has looked for; for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cleared: set[str] = set()

    def clear(self, folder: str) -> None:
        """Remove them from a folder, the first time that it is named."""
        with self._lock:
            if folder not in self._cleared:
                self._cleared.add(folder)
                remove_strays(folder)
