"""What a fault of ours leaves behind: a file that can be attached to a bug report as it is."""

from __future__ import annotations

import platform
import sys
import traceback
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from dpiqa_plugin import __version__


def write_crash_log(error: BaseException, arguments: Sequence[str]) -> str:
    """Write down what happened; return in a sentence where, or the report itself if that fails."""
    report = _report(error, arguments)
    try:
        path = _folder() / f"crash-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(report, encoding="utf-8", errors="backslashreplace")
    except OSError:
        return report
    return f"This is a fault of dpiqa. Please report it with the file {path}"


def _report(error: BaseException, arguments: Sequence[str]) -> str:
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return (
        f"dpiqa {__version__}, Python {sys.version}, {platform.platform()}\n"
        f"arguments: {list(arguments)!r}\n\n{trace}"
    )


def _folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_log_dir("dpiqa", appauthor=False))
