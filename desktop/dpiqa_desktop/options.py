"""What the user asked ``dpiqa-batch`` for, checked once where it is made."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from dpiqa_plugin.errors import UsageError

DEFAULT_METRIC = "dpiqa_lite"
# How each report begins: by that an earlier one is known, which a new one may replace.
_REPORT_STARTS = {"csv": b"path,", "json": b'{"path"', "parquet": b"PAR1", "html": b"<!doctype html>"}
BACKENDS = ("auto", "openvino", "torch")


@dataclass(frozen=True)
class BatchOptions:
    """One run of ``dpiqa-batch``.

    Attributes:
        paths: folders and files to score; none if ``undo``.
        quiet: show failures only.
        metric: a no-reference metric's name in pyiqa.
        device: ``"auto"``, ``"cpu"``, or a torch device, e.g. ``"cuda:1"``.
        backend: one of ``BACKENDS``.
        batch_size: photos to a call of the model; None leaves it to the back end.
        max_pixels: larger photos are refused, in millions; None for the engine's limit.
        force: score again what the store knows.
        watch: go on with new photos.
        top: how many of the best the table shows; None for all.
        stars: rule as ``parse_stars`` takes it; None for the metric's default.
        csv, json, parquet, html: file to write the results to; None for none.
        move_below: photos that score worse are moved to ``to``.
        copy_top: as many of the best photos are copied to ``to``.
        to: a folder.
        dry_run: move and copy nothing.
        undo: number of a run that moved or copied, or ``"latest"``: take it back, and do nothing else.

    Raises:
        UsageError: a number out of range, options that do not go together, or a report that cannot be written
            where it should go.
    """

    paths: tuple[str, ...]
    quiet: bool = False
    metric: str = DEFAULT_METRIC
    device: str = "auto"
    backend: str = "auto"
    batch_size: int | None = None
    max_pixels: float | None = None
    force: bool = False
    watch: bool = False
    top: int | None = None
    stars: str | None = None
    csv: str | None = None
    json: str | None = None
    parquet: str | None = None
    html: str | None = None
    move_below: float | None = None
    copy_top: int | None = None
    to: str | None = None
    dry_run: bool = False
    undo: str | None = None

    def __post_init__(self) -> None:
        self._check_combination()
        for option in ("batch_size", "top", "copy_top"):
            number = getattr(self, option)
            if number is not None and number < 1:
                raise UsageError(f"{_dashed(option)} must be 1 or more, got {number}")
        if self.move_below is not None and not math.isfinite(self.move_below):
            raise UsageError(f"--move-below must be a score, got {self.move_below}")
        if self.max_pixels is not None and not 0 < self.max_pixels < math.inf:
            raise UsageError(f"--max-pixels must be above 0 and finite, got {self.max_pixels:g}")
        targets = {o: getattr(self, o) for o in _REPORT_STARTS if getattr(self, o) is not None}
        for option, path in targets.items():
            _check_report_target(option, path)
        if len({os.path.realpath(path) for path in targets.values()}) < len(targets):
            raise UsageError("two reports cannot be the same file; give each a name of its own")

    def _check_combination(self) -> None:
        sorting = [option for option in ("move_below", "copy_top") if getattr(self, option) is not None]
        if self.undo:
            if self.paths or sorting:
                raise UsageError("--undo takes no folders and goes with no other work")
            if self.undo != "latest" and not (self.undo.isdecimal() and len(self.undo) < 10):
                raise UsageError(f"--undo takes the number of a run, got {self.undo}")
            return
        if not self.paths:
            raise UsageError("give a folder or a file to score; dpiqa-batch --help lists the options")
        if len(sorting) > 1:
            raise UsageError("--move-below and --copy-top are two runs: choose one")
        if sorting and self.to is None:
            raise UsageError(f"{_dashed(sorting[0])} needs --to DIR, the folder where the photos go")
        if not sorting and (self.to is not None or self.dry_run):
            option = "--dry-run" if self.dry_run else "--to"
            raise UsageError(f"{option} goes with --move-below or --copy-top")
        if sorting and self.watch:
            raise UsageError(
                f"{_dashed(sorting[0])} does not go with --watch: which are best shows at the end"
            )


def _dashed(option: str) -> str:
    return "--" + option.replace("_", "-")


def _check_report_target(option: str, path: str) -> None:
    """Find out before a long run, not after it, that its results have nowhere to go, or would replace a file.

    ``--csv *.jpg`` makes a photo the target: whatever is there is replaced only if it is a report itself.
    """
    start, option = _REPORT_STARTS[option], _dashed(option)
    folder = os.path.dirname(path) or "."
    if not path:
        raise UsageError(f"{option} needs the name of a file")
    if not os.path.isdir(folder):
        raise UsageError(f"{option} {path}: there is no folder {folder}; create it first")
    if os.path.exists(path) and not os.path.isfile(path):
        raise UsageError(f"{option} {path}: is not a regular file; give the name of a file to write")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{option} {path}: the folder {folder} is not writable; choose another place")
    if os.path.exists(path) and os.path.getsize(path) and not _starts_with(path, start):
        raise UsageError(
            f"{option} {path}: is a file of another kind, and is not replaced; choose another name"
        )


def _starts_with(path: str, start: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(start)) == start
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); choose another name") from error
