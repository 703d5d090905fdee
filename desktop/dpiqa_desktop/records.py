"""Collects the engine's events and writes them as CSV and JSON lines, whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from dpiqa_desktop.events import Event, Failed, Scored
from dpiqa_plugin.atomic import replacing
from dpiqa_plugin.errors import ReportError

CSV_COLUMNS = ("path", "metric", "score", "error")


@dataclass
class Results:
    """What came of a run so far.

    Attributes:
        metric: whose scores these are.
        lower_better: a lower score is a better photo.
        scored, failed: the events, in the order they came.
    """

    metric: str
    lower_better: bool
    scored: list[Scored] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """Keep an event."""
        if isinstance(event, Scored):
            self.scored.append(event)
        else:
            self.failed.append(event)

    def ranked(self) -> list[Scored]:
        """The scored photos, best first; equal scores by path."""
        sign = 1 if self.lower_better else -1
        return sorted(self.scored, key=lambda photo: (sign * photo.score, photo.path))


def write_csv(results: Results, path: str) -> None:
    """Write ``CSV_COLUMNS``: the scored photos best first, then what failed, with an empty score.

    UTF-8; the bytes of a name that are not UTF-8 are written as they are.

    Raises:
        ReportError: the file could not be written; one that was there before is as it was.
    """

    def write(file: TextIO) -> None:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(CSV_COLUMNS)
        rows.writerows((photo.path, results.metric, _digits(photo.score), "") for photo in results.ranked())
        rows.writerows((photo.path, results.metric, "", photo.reason) for photo in results.failed)

    _write_whole(path, write)


def write_json(results: Results, path: str) -> None:
    """Write a JSON object a line: ``path``, ``metric``, and ``score`` or ``error``, in the order of the CSV.

    Pure ASCII; the bytes of a name that are not UTF-8 are escaped as ``\\\\udc80`` to ``\\\\udcff``, as
    Python does.

    Raises:
        ReportError: as for ``write_csv``.
    """

    def write(file: TextIO) -> None:
        for photo in results.ranked():
            _write_line(
                file, {"path": photo.path, "metric": results.metric, "score": float(_digits(photo.score))}
            )
        for failure in results.failed:
            _write_line(file, {"path": failure.path, "metric": results.metric, "error": failure.reason})

    _write_whole(path, write)


def _digits(score: float) -> str:
    """Return all that a float32 holds, and no more."""
    return f"{score:.7g}"


def _write_line(file: TextIO, row: dict[str, str | float]) -> None:
    file.write(json.dumps(row) + "\n")


def _write_whole(path: str, write: Callable[[TextIO], None]) -> None:
    # Python reads names from the system with this handler of what is not UTF-8; only it writes them back
    # unchanged.
    unchanged = sys.getfilesystemencodeerrors()
    target = Path(os.path.realpath(path))  # a link to a report stays a link
    try:
        with (
            replacing(target) as beside,
            beside.open("w", encoding="utf-8", errors=unchanged, newline="") as file,
        ):
            write(file)
    except OSError as error:
        raise ReportError(f"cannot write {path}: {error.strerror or error}") from error
