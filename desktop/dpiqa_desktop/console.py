"""Shows a run on a terminal: the table on stdout, everything else on stderr."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dpiqa_desktop.events import Event, Failed

if TYPE_CHECKING:
    from tqdm import tqdm

    from dpiqa_desktop.records import RankedPhoto

# Controls (a newline, a terminal's escape sequences), surrogates, and line and paragraph separators.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


class Console:
    """Progress bar, failures as they happen, closing line, table.

    The bar is drawn only on a terminal, so that logs and pipes stay readable. ``quiet`` leaves nothing but
    failures.
    """

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: tqdm[None] | None = None

    def start(self, photos: int, description: str) -> None:
        """Say what is about to be done and open the progress bar."""
        from tqdm import tqdm

        self._say(f"{_count(photos)}, {description}")
        disable = True if self._quiet else None  # None: wherever stderr is not a terminal
        self._bar = tqdm(total=photos, unit=" photos", disable=disable, file=sys.stderr, dynamic_ncols=True)

    def show(self, event: Event) -> None:
        """Move the bar, and tell of a failure at once."""
        if self._bar is None:
            raise RuntimeError("start() comes before show()")
        if isinstance(event, Failed):
            self._bar.write(f"failed: {printable(event.path)}: {printable(event.reason)}", file=sys.stderr)
        self._bar.update()

    def finish(self, scored: int, failed: int, seconds: float, interrupted: bool) -> None:
        """Close the bar and say how it went."""
        if self._bar is not None:
            self._bar.close()
        outcome = f"{_count(scored)} scored"
        if failed:
            outcome += f", {failed} failed"
        stopped = "interrupted: " if interrupted else ""
        self._say(f"{stopped}{outcome} in {seconds:.1f} s ({scored / max(seconds, 1e-9):.1f} photos/s)")

    def table(self, ranked: Sequence[RankedPhoto]) -> None:
        """Print score and path, a line a photo, in the order given."""
        if self._quiet:
            return
        try:
            for photo in ranked:
                print(f"{photo.score:9.4f}  {printable(photo.path)}")
            sys.stdout.flush()
        except BrokenPipeError:  # the reader, `head` for one, has seen enough
            # Python would complain once more when it flushes at exit: give it somewhere to flush to.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _say(self, line: str) -> None:
        if not self._quiet:
            print(line, file=sys.stderr)


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
