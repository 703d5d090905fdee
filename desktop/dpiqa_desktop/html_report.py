"""The results as one web page that needs nothing else: thumbnails inside, no request of any kind."""

from __future__ import annotations

import base64
import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from html import escape
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import TextIO
from urllib.parse import quote_from_bytes

from dpiqa_desktop.console import printable
from dpiqa_desktop.engine.machine import usable_cores
from dpiqa_desktop.engine.stars import StarRule, Thresholds
from dpiqa_desktop.engine.thumbnail import thumbnail
from dpiqa_desktop.events import Failed
from dpiqa_desktop.records import RankedPhoto, Report, clock_time, report_file
from dpiqa_plugin.errors import PhotoError

_THUMBNAIL_SIDE = 160
_BINS = 40
_BIN_WIDTH, _HISTOGRAM_HEIGHT = 10, 60  # units of the drawing, which is stretched to the page


def write_html(report: Report, path: str) -> None:
    """Write one page to look through the photos: histogram, filters, thumbnails, and what failed.

    It fetches nothing, and a content security policy holds it to that; a photo's link leads to the file,
    relative to the page where both are on one drive, so that they can be moved together. A photo that can no
    longer be read gets a placeholder. A photo takes 6 kB on average, 3 to 11; the page is written as the
    thumbnails come, so that memory does not grow with it.

    Raises:
        ReportError: the file could not be written; one that was there before is as it was.
    """
    with report_file(path) as beside, beside.open("w", encoding="utf-8", newline="\n") as file:
        _write_page(report, os.path.dirname(os.path.abspath(path)), file)


def _write_page(report: Report, folder: str, file: TextIO) -> None:
    scale, common = _Scale.of(report.photos), _common_folder(report.photos)
    file.write(_head(report))
    file.write(_summary(report))
    if report.photos:
        file.write(_controls(report, scale))
        file.write('<main><ol id="photos" role="list">\n')
        for photo, picture in _with_pictures(report.photos):
            file.write(_tile(photo, picture, scale, _link(photo.path, folder), common))
        file.write("</ol></main>\n")
    file.write(_failures(report.failed))
    file.write(f"<script>{_asset('html_report.js')}</script>\n</body>\n</html>\n")


@dataclass(frozen=True)
class _Scale:
    """How the run's scores are shown: lowest and highest of them, and digits behind the point."""

    low: float
    high: float
    decimals: int

    @classmethod
    def of(cls, photos: Iterable[RankedPhoto]) -> _Scale:
        scores = [photo.score for photo in photos] or [0.0]
        largest = max(abs(score) for score in scores)
        return cls(min(scores), max(scores), 3 if largest < 10 else 2 if largest < 100 else 1)

    def text(self, score: float) -> str:
        return f"{score:.{self.decimals}f}"

    def bin(self, score: float) -> int:
        if self.low == self.high:
            return 0
        return min(int((score - self.low) / (self.high - self.low) * _BINS), _BINS - 1)


def _head(report: Report) -> str:
    style, script = _asset("html_report.css"), _asset("html_report.js")
    # Hashes, not 'unsafe-inline': even markup that slipped through escaping could not run or fetch anything.
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{_count(len(report.photos), "photo")} by {_text(report.metric)}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
"""


def _summary(report: Report) -> str:
    failed = ""
    if report.failed:
        failed = f'<li><a href="#failed"><b>{len(report.failed):,}</b> could not be scored</a></li>'
    direction = "lower is better" if report.lower_better else "higher is better"
    return f"""\
<header>
<h1>Photo scores</h1>
<ul class="facts">
<li><b>{len(report.photos):,}</b> scored</li>{failed}
<li>{_text(report.metric)}, {direction}</li>
<li>stars {_what_stars_mean(report.rule)}</li>
<li><time>{datetime.now():%Y-%m-%d %H:%M}</time></li>
</ul>
</header>
"""


def _what_stars_mean(rule: StarRule) -> str:
    if isinstance(rule, Thresholds):
        return "at scores of " + ", ".join(f"{score:g}" for score in rule.scores)
    return "by rank in this run, at " + ", ".join(f"{percent:g}" for percent in rule.percents) + " %"


def _controls(report: Report, scale: _Scale) -> str:
    counts = [sum(photo.stars == stars for photo in report.photos) for stars in range(6)]
    chips = "".join(
        f'<button type="button" class="chip" data-stars="{stars}" aria-pressed="false"'
        f' aria-label="{stars} of 5 stars, {_count(counts[stars], "photo")}">'
        f'<span class="star">★</span>{stars} <small>{counts[stars]:,}</small></button>'
        for stars in range(5, 0, -1)
    )
    if any(photo.burst is not None for photo in report.photos):
        chips += (
            '<button type="button" class="chip" id="bursts" aria-pressed="false">One photo per burst</button>'
        )
    by_time = ""
    if any(photo.captured_at is not None for photo in report.photos):
        by_time = '<option value="time">Capture time</option>'
    # Hidden until the script, without which it does nothing, shows it.
    return f"""\
<section id="controls" aria-label="Filter and sort" hidden>
{_histogram(report.photos, scale) if scale.low < scale.high else ""}
<div class="row">
<div class="chips" role="group" aria-label="Stars to show">{chips}</div>
<input type="search" id="text" placeholder="Name or folder" aria-label="Show names or folders with">
<label class="sort">Sort <select id="sort"><option value="best">Best first</option>
<option value="worst">Worst first</option><option value="name">Name</option>{by_time}
<option value="folder">Folder</option></select></label>
</div>
<p class="row"><span id="shown" role="status"></span>
<button type="button" id="clear" hidden>Show all</button></p>
</section>
"""


def _histogram(photos: Iterable[RankedPhoto], scale: _Scale) -> str:
    counts = [0] * _BINS
    for photo in photos:
        counts[scale.bin(photo.score)] += 1
    bars = "".join(_bar(index, count / max(counts)) for index, count in enumerate(counts))
    slider = f'type="range" min="0" max="{_BINS}"'
    return f"""\
<div id="histogram" data-low="{scale.low!r}" data-high="{scale.high!r}" data-decimals="{scale.decimals}">
<svg viewBox="0 0 {_BINS * _BIN_WIDTH} {_HISTOGRAM_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">\
{bars}</svg>
<div class="sliders"><input id="low" {slider} value="0" aria-label="Lowest score to show">
<input id="high" {slider} value="{_BINS}" aria-label="Highest score to show"></div>
<div class="ends"><span>{scale.text(scale.low)}</span><output id="range" for="low high"></output>\
<span>{scale.text(scale.high)}</span></div>
</div>"""


def _bar(index: int, share: float) -> str:
    height = max(share * _HISTOGRAM_HEIGHT, 2.0) if share else 0.0  # one photo among thousands is seen, too
    return (
        f'<rect x="{index * _BIN_WIDTH + 1}" y="{_HISTOGRAM_HEIGHT - height:.1f}" '
        f'width="{_BIN_WIDTH - 2}" height="{height:.1f}"/>'
    )


@dataclass(frozen=True)
class _Picture:
    """A thumbnail as a ``data:`` URI, or why there is none."""

    source: str | None
    problem: str = ""


def _with_pictures(photos: Iterable[RankedPhoto]) -> Iterator[tuple[RankedPhoto, _Picture]]:
    """Make thumbnails in threads, a few ahead of the one that is asked for."""
    cores = usable_cores()
    pool = ThreadPoolExecutor(cores, thread_name_prefix="thumbnail")
    coming = iter(photos)
    window: deque[tuple[RankedPhoto, Future[_Picture]]] = deque()
    try:
        while True:
            for photo in islice(coming, 4 * cores - len(window)):
                window.append((photo, pool.submit(_picture, photo.path)))
            if not window:
                return
            photo, picture = window.popleft()
            yield photo, picture.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _picture(path: str) -> _Picture:
    try:
        jpeg = thumbnail(path, _THUMBNAIL_SIDE)
    except PhotoError as error:
        return _Picture(None, str(error))
    return _Picture("data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii"))


def _tile(photo: RankedPhoto, picture: _Picture, scale: _Scale, link: str, common: str) -> str:
    if picture.source is None:
        mat = f'<span class="missing" title="{_text(picture.problem)}">no preview</span>'
    else:
        mat = f'<img src="{picture.source}" alt="" loading="lazy" decoding="async">'
    where, name = os.path.split(photo.path)
    where = where[len(common) :].lstrip(os.sep)  # narrow as a tile is, what differs must be seen
    details = f'<span class="folder"><bdi>{_text(where)}</bdi></span>'
    data = f'data-bin="{scale.bin(photo.score)}" data-stars="{photo.stars}"'
    if photo.captured_at is not None:
        data += f' data-time="{photo.captured_at!r}"'
        details = f"<time>{clock_time(photo.captured_at):%Y-%m-%d %H:%M:%S}</time>{details}"
    badge = ""
    if photo.burst is not None:
        kind, label = ("best", f"Best of burst {photo.burst}") if photo.best_of_burst else ("rest", "")
        data += f' data-burst="{kind}"'
        badge = f'<span class="badge">{label or f"Burst {photo.burst}"}</span>'
    return f"""\
<li {data}><a href="{link}" target="_blank" rel="noreferrer" title="{_text(photo.path)}">
<span class="mat">{mat}{badge}</span>
<span class="line"><b>{scale.text(photo.score)}</b>{_uncertainty(photo, scale)}{_stars(photo.stars)}</span>
<span class="name"><bdi>{_text(name)}</bdi></span><span class="details">{details}</span></a></li>
"""


def _uncertainty(photo: RankedPhoto, scale: _Scale) -> str:
    if photo.uncertainty is None:
        return ""
    text = f"{photo.uncertainty:.{scale.decimals - 1}f}"
    return f' <small title="uncertainty: one standard deviation">±{text}</small>'


def _stars(stars: int) -> str:
    rest = f"<i>{'★' * (5 - stars)}</i>" if stars < 5 else ""
    return f'<span class="stars" role="img" aria-label="{stars} of 5 stars">{"★" * stars}{rest}</span>'


def _failures(failed: tuple[Failed, ...]) -> str:
    if not failed:
        return ""
    rows = "".join(
        f"<tr><td><bdi>{_text(failure.path)}</bdi></td><td>{_text(failure.reason)}</td></tr>\n"
        for failure in failed
    )
    return f"""\
<section id="failed">
<h2>{_count(len(failed), "photo or folder", "photos or folders")} could not be scored</h2>
<table><thead><tr><th scope="col">File</th><th scope="col">Reason</th></tr></thead>
<tbody>
{rows}</tbody></table>
</section>
"""


def _common_folder(photos: Iterable[RankedPhoto]) -> str:
    """The folder that all photos are below, as their paths begin; empty if there is none."""
    try:
        return os.path.commonpath({os.path.dirname(photo.path) for photo in photos})
    except ValueError:  # absolute and relative ones, several drives, or no photos
        return ""


def _link(path: str, folder: str) -> str:
    """A URL of the file as seen from ``folder``, made of the bytes of its name."""
    # As the user wrote them, symlinks and all: a browser takes ".." off the page's address in the same way.
    whole = os.path.abspath(path)
    try:
        relative = os.path.relpath(whole, folder)
    except ValueError:  # on another drive of Windows
        return Path(whole).as_uri()
    return quote_from_bytes(os.fsencode(relative.replace(os.sep, "/")))


def _text(text: str) -> str:
    """Any name as text or attribute value: controls and bytes that are not UTF-8 escaped, markup harmless."""
    return escape(printable(text))


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _asset(name: str) -> str:
    return (files("dpiqa_desktop") / name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
