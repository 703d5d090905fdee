"""Where the window's log goes: faults that cost one photo its picture, and nobody a message of their own."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

import platformdirs

_LOGGER = logging.getLogger("dpiqa_desktop")
_MOST_BYTES = 1 << 20  # then it is kept once more, as window.log.1


@contextlib.contextmanager
def logged_to_file() -> Iterator[Path]:
    """Write what this program logs to the file whose path is given; there is none before there is a fault.

    A log that cannot be written costs nothing but the log.
    """
    path = Path(platformdirs.user_log_dir("dpiqa", appauthor=False)) / "window.log"
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(
        path, maxBytes=_MOST_BYTES, backupCount=1, encoding="utf-8", delay=True, errors="backslashreplace"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    _LOGGER.addHandler(handler)
    try:
        yield path
    finally:
        _LOGGER.removeHandler(handler)
        handler.close()
