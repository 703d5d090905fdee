"""Shows a run on a terminal: the table on stdout, everything else on stderr."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO, TypeVar

from dpiqa_desktop.events import Event, Failed, Notice, Progress, Scored
from dpiqa_plugin.errors import ReportError

if TYPE_CHECKING:
    from tqdm import tqdm

    from dpiqa_desktop.organise import Operation
    from dpiqa_desktop.records import RankedPhoto, Results

T = TypeVar("T")

# Controls (a newline, a terminal's escape sequences), surrogates, and line and paragraph separators.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DONE = {"move": "moved", "copy": "copied", "keep": "kept", "remove": "removed"}


class Console:
    """Progress bar, failures as they happen, closing line, table.

    The bar is drawn only on a terminal, so that logs and pipes stay readable.

    Args:
        quiet: tell of nothing but failures and notices.
        live: print photos as they are scored, instead of a bar now and a table at the end.
    """

    def __init__(self, quiet: bool, live: bool = False) -> None:
        self._quiet = quiet
        self._live = live
        self._bar: tqdm[None] | None = None

    def start(self, photos: int, paired: int, description: str) -> None:
        """Say what is about to be done and open the progress bar."""
        from tqdm import tqdm

        self.say(f"{_count(photos)}, {description}")
        if paired:
            self.say(f"RAW files left out because they have a JPEG or HEIC beside them: {paired:,}")
        self._bar = tqdm(
            total=photos,
            # The engine's own figures: tqdm's would count what was in the store as scored at lightning speed.
            bar_format="{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]",
            disable=True if self._quiet or self._live else None,  # None: wherever stderr is not a terminal
            file=sys.stderr,
            dynamic_ncols=True,
        )

    def show(self, event: Event) -> None:
        """Move the bar; tell of a failure or a notice at once."""
        if isinstance(event, Progress) and self._bar is not None:
            self._bar.set_postfix_str(_pace(event), refresh=False)
            self._bar.update(event.done - self._bar.n)
        elif isinstance(event, Scored) and self._live:
            self._line(f"{_score(event)}  {printable(event.path)}")
        elif isinstance(event, Failed):
            self.failed(event.path, event.reason)
        elif isinstance(event, Notice):
            self.notice(event.text)

    def notice(self, text: str) -> None:
        """Tell what went wrong but cost no score, also if quiet."""
        self._write(f"notice: {printable(text)}")

    def failed(self, path: str, reason: str) -> None:
        """Tell what could not be done with a file, also if quiet."""
        self._write(f"failed: {printable(path)}: {printable(reason)}")

    def finish(self, results: Results, seconds: float, interrupted: bool) -> None:
        """Close the bar and say how it went."""
        fresh = sum(not photo.known for photo in results.scored)
        self.finish_counted(fresh, len(results.scored) - fresh, len(results.failed), seconds, interrupted)

    def finish_counted(self, fresh: int, known: int, failed: int, seconds: float, interrupted: bool) -> None:
        """Close the bar and say how it went, where the photos are too many to be held."""
        if self._bar is not None:
            self._bar.close()
        outcome = f"{_count(fresh)} scored"
        if known:
            outcome += f", {known:,} known from before"
        if failed:
            outcome += f", {failed:,} failed"
        stopped = "interrupted: " if interrupted else ""
        self.say(f"{stopped}{outcome} in {seconds:.1f} s ({fresh / max(seconds, 1e-9):.1f} photos/s)")

    def table(self, photos: Sequence[RankedPhoto]) -> None:
        """Print score with its uncertainty, stars, burst and path, a line a photo, in the order given."""
        if self._live:
            return
        for photo in photos:
            self._line(f"{_score(photo)}  {'*' * photo.stars:<5}  {_burst(photo)}{printable(photo.path)}")

    def operation(self, operation: Operation, planned: bool) -> None:
        """Print a file that was moved, copied, left (the same is there already) or removed, or will be."""
        verb = f"would {operation.kind}" if planned else _DONE[operation.kind]
        self._line(f"{verb} {printable(operation.source)} -> {printable(operation.target)}")

    def stars(self, photos: Mapping[int, int]) -> None:
        """Say how many photos get how many stars, before that is written anywhere."""
        counts = [f"{'*' * stars} {photos[stars]:,}" for stars in (5, 4, 3, 2, 1) if photos.get(stars)]
        counts += [f"rejected {photos[-1]:,}"] if photos.get(-1) else []
        self.say(f"stars: {', '.join(counts)}")

    def counted(self, items: Iterable[T], total: int, what: str) -> Iterator[T]:
        """Yield items behind a progress bar of their own, drawn where ``start`` draws one."""
        from tqdm import tqdm

        hidden = True if self._quiet or self._live else None
        self._bar = tqdm(total=total, desc=what, unit="photo", disable=hidden, file=sys.stderr)
        with self._bar:
            for item in items:
                yield item
                self._bar.update()

    def would_write(self, path: str, summary: str, rating_kept: bool) -> None:
        """Print what would be written into a file."""
        kept = " (your rating is kept)" if rating_kept else ""
        self._line(f"would write {printable(path)}: {printable(summary)}{kept}")

    def taken_back(self, path: str, removed: bool, exactly: bool) -> None:
        """Print what was taken back."""
        how = (
            "removed"
            if removed
            else "as it was"
            if exactly
            else "without what was written; others changed it"
        )
        self._line(f"{printable(path)}: {how}")

    def _line(self, text: str) -> None:
        """Print a line of the result; if the reader, ``head`` for one, has seen enough, that is fine."""
        if self._quiet:
            return
        try:
            print(text, flush=True)
        except BrokenPipeError:
            _flush_to_nowhere(sys.stdout)
        except OSError as error:
            _flush_to_nowhere(sys.stdout)
            raise ReportError(f"the results cannot be printed: {error.strerror or error}") from error

    def say(self, line: str) -> None:
        """Tell the user something by the way, unless quiet."""
        if not self._quiet:
            self._write(line)

    def _write(self, line: str) -> None:
        try:
            if self._bar is None:
                print(line, file=sys.stderr)
            else:
                self._bar.write(line, file=sys.stderr)
        except OSError:  # nobody listens any more, or a full disk does: no reason to lose a run
            _flush_to_nowhere(sys.stderr)


def _flush_to_nowhere(stream: TextIO) -> None:
    """Spare the user Python's second complaint, when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _pace(progress: Progress) -> str:
    from tqdm import tqdm

    if progress.eta is None:
        return ""
    return f"{progress.rate:.1f} photos/s, ETA {tqdm.format_interval(progress.eta)}"


def _score(photo: Scored | RankedPhoto) -> str:
    uncertainty = "" if photo.uncertainty is None else f" ±{photo.uncertainty:.2f}"
    return f"{photo.score:9.4f}{uncertainty}"


def _burst(photo: RankedPhoto) -> str:
    if photo.burst is None:
        return ""
    return f"[burst {photo.burst}{', best' if photo.best_of_burst else ''}] "


def printable(text: str) -> str:
    """Make a name safe to print on one line of any terminal; letters of every script and emoji stay."""
    return "".join(_escaped(c) if unicodedata.category(c) in _UNPRINTABLE else c for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as os.fsdecode keeps it
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def _count(photos: int) -> str:
    return "1 photo" if photos == 1 else f"{photos:,} photos"
