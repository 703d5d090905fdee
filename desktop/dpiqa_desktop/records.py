"""Collects the engine's events, ranks them, and writes CSV, JSON lines and Parquet, whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

from dpiqa_desktop.engine.stars import StarRule, assign_stars
from dpiqa_desktop.events import Event, Failed, Scored
from dpiqa_plugin.atomic import replacing
from dpiqa_plugin.errors import MissingExtraError, ReportError

COLUMNS = (
    "path",
    "metric",
    "score",
    "uncertainty",
    "stars",
    "burst",
    "best_of_burst",
    "captured_at",
    "error",
)

Row = dict[str, Any]
"""A photo's values by the names in ``COLUMNS``."""


@dataclass(frozen=True)
class RankedPhoto:
    """A scored photo and its standing among the others of the run.

    Attributes:
        path: as found; bytes of the name that are not UTF-8 are in it as surrogates.
        score: on the metric's own scale.
        stars: 1 to 5, by the run's rule.
        burst: number of its burst, from 1; None if it is not part of one.
        best_of_burst: the best score of its burst; False if it is not part of one.
        captured_at: the camera's clock, in seconds since 1970 as that clock showed it: no time zone is known.
            None if the file does not tell.
        scored_at: seconds since 1970, UTC.
        uncertainty: see ``Scored``.
    """

    path: str
    score: float
    stars: int
    burst: int | None = None
    best_of_burst: bool = False
    captured_at: float | None = None
    scored_at: float = field(default=0.0, compare=False)
    uncertainty: float | None = None


@dataclass(frozen=True)
class Report:
    """A finished run, ready to be written in any form.

    Attributes:
        metric: whose scores these are.
        lower_better: a lower score is a better photo.
        rule: what the stars mean.
        photos: best first, equal scores by path.
        failed: in the order they came.
    """

    metric: str
    lower_better: bool
    rule: StarRule
    photos: tuple[RankedPhoto, ...]
    failed: tuple[Failed, ...]


@dataclass
class Results:
    """What came of a run so far.

    Attributes:
        metric: whose scores these are.
        lower_better: a lower score is a better photo.
        outcomes: the last that was told of each path, in the order they first came.
    """

    metric: str
    lower_better: bool
    outcomes: dict[str, Scored | Failed] = field(default_factory=dict)

    @property
    def scored(self) -> list[Scored]:
        """The photos that have a score."""
        return [outcome for outcome in self.outcomes.values() if isinstance(outcome, Scored)]

    @property
    def failed(self) -> list[Failed]:
        """What could not be scored or listed."""
        return [outcome for outcome in self.outcomes.values() if isinstance(outcome, Failed)]

    def add(self, event: Event) -> None:
        """Keep what became of a photo; a photo that was changed and scored again counts once."""
        if isinstance(event, (Scored, Failed)):
            self.outcomes[event.path] = event

    def report(self, rule: StarRule, bursts: Sequence[Sequence[str]] = ()) -> Report:
        """Rank what there is so far.

        Args:
            rule: what gives the stars.
            bursts: each the paths of scored photos, two or more; numbered in this order. No photo is in two.
        """
        sign = 1 if self.lower_better else -1
        ranked = sorted(self.scored, key=lambda photo: (sign * photo.score, photo.path))
        stars = assign_stars([photo.score for photo in ranked], rule, self.lower_better)
        burst_of = {path: number for number, burst in enumerate(bursts, 1) for path in burst}
        best_known: set[int] = set()
        photos = []
        for photo, its_stars in zip(ranked, stars, strict=True):
            burst = burst_of.get(photo.path)
            best = burst is not None and burst not in best_known  # the first to come is the best
            if burst is not None:
                best_known.add(burst)
            photos.append(
                RankedPhoto(
                    photo.path,
                    photo.score,
                    its_stars,
                    burst,
                    best,
                    photo.captured_at,
                    photo.scored_at,
                    photo.uncertainty,
                )
            )
        return Report(self.metric, self.lower_better, rule, tuple(photos), tuple(self.failed))


def write_csv(report: Report, path: str, more: Mapping[str, Mapping[str, object]] | None = None) -> None:
    """Write ``COLUMNS``: the scored photos best first, then what failed, with nothing but its reason.

    UTF-8, lines end as RFC 4180 has it, with CR LF: with LF alone, Python before 3.13 leaves a name with a CR
    unquoted. The bytes of a name that are not UTF-8 are written as they are. ``best_of_burst`` is ``true`` or
    ``false``, ``captured_at`` as ISO 8601 without a zone. No value is altered for the sake of spreadsheets
    that take a leading ``=``, ``+``, ``-`` or ``@`` for a formula, because a path must lead back to its file;
    Python's csv module and ExifTool leave them, too.

    Args:
        report: of a run.
        path: of the file.
        more: further columns, by name, of what others know: values by path.

    Raises:
        ReportError: the file could not be written; one that was there before is as it was.
    """
    more = more or {}
    with report_file(path) as beside, _open_text(beside) as file:
        rows = csv.DictWriter(file, [*COLUMNS, *more])
        rows.writeheader()
        for row in _rows(report):
            row |= {name: of.get(row["path"]) for name, of in more.items()}
            if row["best_of_burst"] is not None:
                row["best_of_burst"] = "true" if row["best_of_burst"] else "false"
            rows.writerow(row)


def write_json(report: Report, path: str) -> None:
    """Write a JSON object a line, in the order of the CSV and with its columns as keys.

    A scored photo has no ``error``; what failed has ``path``, ``metric`` and ``error`` only; ``uncertainty``
    is null where the metric gives none. Pure ASCII; the bytes of a name that are not UTF-8 are escaped as
    ``\\\\udc80`` to ``\\\\udcff``, as Python does.

    Raises:
        ReportError: as for ``write_csv``.
    """
    with report_file(path) as beside, _open_text(beside) as file:
        for row in _rows(report):
            unused = COLUMNS[2:-1] if row["error"] else ("error",)
            file.write(json.dumps({name: row[name] for name in COLUMNS if name not in unused}) + "\n")


def write_parquet(report: Report, path: str) -> None:
    r"""Write ``COLUMNS`` as typed columns, in the order of the CSV, missing values as nulls.

    ``captured_at`` is a timestamp in microseconds without a zone. A string must be UTF-8 there, so bytes of a
    name that are not are in ``path`` as ``\xe9``, and one more column, ``path_bytes``, holds the name as the
    system does; it is null where ``path`` says it all.

    Raises:
        MissingExtraError: pyarrow is not installed.
        ReportError: as for ``write_csv``.
    """
    require_parquet()
    import pyarrow as pa
    from pyarrow import parquet

    columns: dict[str, pa.DataType] = {
        "path": pa.string(),
        "metric": pa.string(),
        "score": pa.float64(),
        "uncertainty": pa.float64(),
        "stars": pa.int8(),
        "burst": pa.int32(),
        "best_of_burst": pa.bool_(),
        "captured_at": pa.timestamp("us"),
        "error": pa.string(),
        "path_bytes": pa.binary(),
    }
    rows = [_utf8_row(row) for row in _rows(report)]
    with report_file(path) as beside, beside.open("wb") as file:
        parquet.write_table(pa.Table.from_pylist(rows, schema=pa.schema(columns)), file)


def require_parquet() -> None:
    """Find out before a long run, not after it, whether Parquet can be written.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("--parquet", "parquet") from error


@contextlib.contextmanager
def report_file(path: str) -> Iterator[Path]:
    """Yield a path to write to; it becomes ``path`` if the block ends well. A link to a report stays a link.

    Raises:
        ReportError: it could not be written; a report that was there before is as it was.
    """
    try:
        with replacing(Path(os.path.realpath(path))) as beside:
            yield beside
    except OSError as error:
        raise ReportError(f"cannot write {path}: {error.strerror or error}") from error


def clock_time(captured_at: float) -> datetime:
    """What the camera's clock showed, without a zone."""
    # Not datetime.fromtimestamp: it would read this machine's zone into it, and fails before 1970 on Windows.
    try:
        return datetime(1970, 1, 1) + timedelta(seconds=captured_at)
    except OverflowError:  # as a float, the last instant of 9999 is the first of 10000
        return datetime.max


def _rows(report: Report) -> Iterator[Row]:
    """Every photo once with all ``COLUMNS``, None for what it has not."""
    nothing: Row = dict.fromkeys(COLUMNS)
    for photo in report.photos:
        captured_at = None
        if photo.captured_at is not None:
            captured_at = clock_time(photo.captured_at).isoformat(timespec="microseconds")
        yield nothing | {
            "path": photo.path,
            "metric": report.metric,
            "score": _round_to_float32(photo.score),
            "uncertainty": None if photo.uncertainty is None else _round_to_float32(photo.uncertainty),
            "stars": photo.stars,
            "burst": photo.burst,
            "best_of_burst": photo.best_of_burst,
            "captured_at": captured_at,
        }
    for failure in report.failed:
        yield nothing | {"path": failure.path, "metric": report.metric, "error": failure.reason}


def _utf8_row(row: Row) -> Row:
    name = os.fsencode(row["path"])
    utf8 = name.decode("utf-8", "backslashreplace")
    return row | {
        "path": utf8,
        "path_bytes": None if utf8 == row["path"] else name,
        "captured_at": row["captured_at"] and datetime.fromisoformat(row["captured_at"]),
        # A reason may quote a name.
        "error": row["error"] and row["error"].encode("utf-8", "backslashreplace").decode(),
    }


def _round_to_float32(score: float) -> float:
    """Keep all digits that a float32 holds, and no more: 0.1 instead of 0.10000000149011612."""
    return float(f"{score:.7g}")


def _open_text(path: Path) -> TextIO:
    # Python reads names from the system with this handler of what is not UTF-8; only it writes them back
    # unchanged.
    return path.open("w", encoding="utf-8", errors=sys.getfilesystemencodeerrors(), newline="")
