"""What the user asked ``dpiqa-batch`` for, checked once where it is made."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dpiqa_plugin.errors import UsageError

DEFAULT_METRIC = "dpiqa_lite"


@dataclass(frozen=True)
class BatchOptions:
    """One run of ``dpiqa-batch``.

    Attributes:
        paths: folders and files to score.
        metric: a no-reference metric's name in pyiqa.
        device: ``"auto"``, ``"cpu"``, or a torch device, e.g. ``"cuda:1"``.
        batch_size: photos to a call of the model; None leaves it to the back end.
        top: how many of the best the table shows; None for all.
        csv: file to write the results to; None for none.
        json: the same as JSON lines.
        quiet: show failures only.

    Raises:
        UsageError: a number below 1, or a report that cannot be written where it should go.
    """

    paths: tuple[str, ...]
    metric: str = DEFAULT_METRIC
    device: str = "auto"
    batch_size: int | None = None
    top: int | None = None
    csv: str | None = None
    json: str | None = None
    quiet: bool = False

    def __post_init__(self) -> None:
        for option, number in (("--batch-size", self.batch_size), ("--top", self.top)):
            if number is not None and number < 1:
                raise UsageError(f"{option} must be 1 or more, got {number}")
        for option, path in (("--csv", self.csv), ("--json", self.json)):
            if path is not None:
                _check_report_target(option, path)


def _check_report_target(option: str, path: str) -> None:
    """Find out before a long run, not after it, that its results have nowhere to go."""
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise UsageError(f"{option} {path}: there is no folder {folder}; create it first")
    if os.path.exists(path) and not os.path.isfile(path):
        raise UsageError(f"{option} {path}: is not a regular file; give the name of a file to write")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{option} {path}: the folder {folder} is not writable; choose another place")
