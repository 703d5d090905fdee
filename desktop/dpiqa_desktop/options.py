"""What the user asked ``dpiqa-batch`` for, checked once where it is made."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, fields
from typing import Literal

from dpiqa_desktop.metadata.sidecar import Naming
from dpiqa_plugin.errors import UsageError

DEFAULT_METRIC = "dpiqa_lite"
# How each report begins: by that an earlier one is known, which a new one may replace.
_REPORT_STARTS = {"csv": b"path,", "json": b'{"path"', "parquet": b"PAR1", "html": b"<!doctype html>"}
WriteMode = Literal["auto", "embed", "sidecar", "none"]
WRITE: tuple[WriteMode, ...] = ("auto", "embed", "sidecar", "none")
_HOW_TO_WRITE = (
    "sidecar", "reject_below", "overwrite_ratings", "keywords", "labels", "microsoft_rating", "touch",
)  # fmt: skip
BACKENDS = ("auto", "openvino", "torch")
_FOR_RAY = ("out", "column", "part_size", "num_cpus", "num_gpus")
_ALSO_WITH_RAY = (
    "paths", "quiet", "metric", "device", "backend", "batch_size", "max_pixels", "ray", *_FOR_RAY,
)  # fmt: skip
_RAY_ADDRESS = re.compile(r"(auto|local|ray://.*|[\w.-]+:\d+|\[[0-9a-fA-F:.]+\]:\d+)")


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
        write: where scores and stars are written, one of ``WRITE``.
        sidecar: naming of sidecars, one of ``NAMINGS``; None takes the one that is there, else Adobe's.
        reject_below: photos that score worse are rejected, instead of one star.
        overwrite_ratings: our stars replace the photographer's ratings.
        keywords, labels, microsoft_rating: write these, too.
        touch: files get a new time of change; else they keep theirs.
        sync: take over scores that files carry before scoring.
        dry_run: change, move and copy nothing.
        undo: take a run back, and do nothing else: its number, a folder (all that was written there), or
            ``"latest"``.
        ray: score ``paths``, one only, on a Ray cluster: its address, see ``is_ray_address``, or empty for
            the one that runs here, or a new one on this machine; None for no cluster.
        out: folder, also in object storage, for the scores of a cluster.
        column: of Parquet files in ``paths``, with photos' bytes or paths.
        part_size: photos to a part of the output; None for the default.
        num_cpus, num_gpus: what each of the cluster's models gets; None for what suits it.

    Raises:
        UsageError: a number out of range, options that do not go together, a report that cannot be written
            where it should go, or the current folder is gone.
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
    write: WriteMode = "none"
    sidecar: Naming | None = None
    reject_below: float | None = None
    overwrite_ratings: bool = False
    keywords: bool = False
    labels: bool = False
    microsoft_rating: bool = False
    touch: bool = False
    sync: bool = False
    dry_run: bool = False
    undo: str | None = None
    ray: str | None = None
    out: str | None = None
    column: str | None = None
    part_size: int | None = None
    num_cpus: int | None = None
    num_gpus: float | None = None

    def __post_init__(self) -> None:
        _check_current_folder()
        self._check_combination()
        for option in ("batch_size", "top", "copy_top", "part_size", "num_cpus"):
            number = getattr(self, option)
            if number is not None and number < 1:
                raise UsageError(f"{_dashed(option)} must be 1 or more, got {number}")
        for option in ("move_below", "reject_below"):
            number = getattr(self, option)
            if number is not None and not math.isfinite(number):
                raise UsageError(f"{_dashed(option)} must be a score, got {number}")
        gpus = self.num_gpus or 0
        if not 0 <= gpus < math.inf or (gpus > 1 and gpus % 1):  # Ray shares one out, but not a second
            raise UsageError(f"--num-gpus must be a whole number from 0, or a part of one, got {gpus:g}")
        if self.max_pixels is not None and not 0 < self.max_pixels < math.inf:
            raise UsageError(f"--max-pixels must be above 0 and finite, got {self.max_pixels:g}")
        targets = {o: getattr(self, o) for o in _REPORT_STARTS if getattr(self, o) is not None}
        for option, path in targets.items():
            _check_report_target(option, path)
        if len({os.path.realpath(path) for path in targets.values()}) < len(targets):
            raise UsageError("two reports cannot be the same file; give each a name of its own")

    def _check_combination(self) -> None:
        sorting = [option for option in ("move_below", "copy_top") if getattr(self, option) is not None]
        if self.ray is not None:
            self._check_ray()
            return
        for option in _FOR_RAY:
            if getattr(self, option) is not None:
                raise UsageError(f"{_dashed(option)} goes with --ray")
        if self.undo:
            self._check_undo(sorting)
            return
        if not self.paths:
            raise UsageError("give a folder or a file to score; dpiqa-batch --help lists the options")
        if len(sorting) > 1:
            raise UsageError("--move-below and --copy-top are two runs: choose one")
        if sorting and self.to is None:
            raise UsageError(f"{_dashed(sorting[0])} needs --to DIR, the folder where the photos go")
        if not sorting and self.to is not None:
            raise UsageError("--to goes with --move-below or --copy-top")
        if not sorting and self.write == "none" and self.dry_run:
            raise UsageError("--dry-run goes with --write, --move-below or --copy-top")
        if self.write == "none":
            for option in _HOW_TO_WRITE:
                value = getattr(self, option)
                if value is not None and value is not False:
                    raise UsageError(f"{_dashed(option)} goes with --write auto, embed or sidecar")
        if sorting and self.watch:
            raise UsageError(
                f"{_dashed(sorting[0])} does not go with --watch: which are best shows at the end"
            )

    def _check_ray(self) -> None:
        for field in fields(self):
            if field.name not in _ALSO_WITH_RAY and getattr(self, field.name) != field.default:
                raise UsageError(
                    f"{_dashed(field.name)} does not go with --ray, which only writes scores to --out"
                )
        if len(self.paths) != 1 or not self.out:
            raise UsageError("--ray takes one folder, file or address to score, and --out DIR for the scores")
        if self.device.startswith("cuda:"):
            raise UsageError("with --ray it is Ray that chooses the GPU: --device cuda")

    def _check_undo(self, sorting: list[str]) -> None:
        if self.paths or sorting or self.write != "none" or self.dry_run or self.sync or self.watch:
            raise UsageError("--undo takes one run or folder behind it, and goes with no other work")
        assert self.undo is not None
        number = self.undo == "latest" or (self.undo.isdecimal() and len(self.undo) < 10)
        if not number and not os.path.isdir(self.undo):
            raise UsageError(f"--undo takes the number of a run, or a folder, and {self.undo} is neither")
        if self.undo.isdecimal() and os.path.isdir(self.undo):
            raise UsageError(
                f"--undo {self.undo} may be run {self.undo} or the folder of that name here: write "
                f"{os.path.join(os.curdir, self.undo)} for the folder, and go to another one for the run"
            )


def is_ray_address(text: str) -> bool:
    """Whether what follows ``--ray`` is an address (``HOST:PORT``, auto, local), and no source of photos."""
    return _RAY_ADDRESS.fullmatch(text) is not None


def _dashed(option: str) -> str:
    return "--" + option.replace("_", "-")


def _check_current_folder() -> None:
    """In a folder that was removed, relative names fail one by one, some of them after the run."""
    try:
        os.getcwd()
    except OSError as error:
        raise UsageError("the current folder was removed; change to another one first") from error


def _check_report_target(option: str, path: str) -> None:
    """Find out before a long run, not after it, that its results have nowhere to go, or would replace a file.

    ``--csv *.jpg`` makes a photo the target: whatever is there is replaced only if it is a report itself.
    """
    start, option = _REPORT_STARTS[option], _dashed(option)
    if not path:
        raise UsageError(f"{option} needs the name of a file")
    folder = os.path.dirname(os.path.realpath(path))  # a link to a report stays a link
    if not os.path.isdir(folder):
        raise UsageError(f"{option} {path}: there is no folder {folder}; create it first")
    try:
        os.stat(path)
    except FileNotFoundError:
        pass
    except OSError as error:  # too long a name, a link to itself
        raise UsageError(f"{option} {path}: {error.strerror}; choose another name") from error
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
