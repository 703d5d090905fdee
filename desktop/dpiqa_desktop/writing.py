"""What ``dpiqa-batch --write`` does with a run's scores: stars, files, a summary; and ``--undo`` of that."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Generator, Iterable
from datetime import datetime, timezone

from dpiqa_desktop.console import Console
from dpiqa_desktop.engine.backends import Backend
from dpiqa_desktop.engine.stars import is_about_unit
from dpiqa_desktop.engine.store import Store
from dpiqa_desktop.metadata.plan import Policy, Verdict, summary
from dpiqa_desktop.metadata.replace_file import ReplaceError, check_replaceable
from dpiqa_desktop.metadata.targets import Listing, NotWritten, Settings, ToWrite, UpToDate, plan_photo
from dpiqa_desktop.metadata.undo import TakenBack
from dpiqa_desktop.metadata.undo import undo as take_back
from dpiqa_desktop.metadata.write import Outcome, Writer, Written
from dpiqa_desktop.metadata.write_journal import Entry, WriteJournal
from dpiqa_desktop.options import BatchOptions
from dpiqa_desktop.records import RankedPhoto
from dpiqa_plugin.errors import UsageError


class Writing:
    """Writes scores and stars into photos or sidecars, or says what it would write.

    Args:
        options: of the run; it is to write.
        backend: whose scores these are.
        store: of the scores.
        journal: what can be undone; None to say what would be written.
        console: is told every failure, and in the end how it went.

    Raises:
        UsageError: the metric's scores cannot be written: they are not 0 to 1, or lower ones are better.
    """

    def __init__(
        self,
        options: BatchOptions,
        backend: Backend,
        store: Store,
        journal: WriteJournal | None,
        console: Console,
    ) -> None:
        if backend.lower_better or not is_about_unit(backend.score_range):
            raise UsageError(
                f"--write writes scores from 0 to 1, higher is better, and those of {options.metric} are "
                "others; use --csv for them, or a metric of ours"
            )
        self._model, _, self._model_hash = backend.identity.rpartition("-")
        self._reject_below = options.reject_below
        policy = Policy(options.overwrite_ratings, options.keywords, options.labels, options.microsoft_rating)
        assert options.write != "none"
        self._settings = Settings(options.write, options.sidecar, policy, keep_mtime=not options.touch)
        self._writer = Writer(store, journal, self._settings) if journal else None
        self._console = console
        self._outcomes: Counter[str] = Counter()

    def write_all(self, photos: Iterable[RankedPhoto]) -> None:
        """Show the stars, then write."""
        # By path, so that a folder's photos come one after the other.
        verdicts = {photo.path: self._verdict(photo) for photo in sorted(photos, key=lambda p: p.path)}
        self._console.stars(Counter(verdict.stars for verdict in verdicts.values()))
        listing = Listing()
        if self._writer is None:
            outcomes: Generator[list[Outcome], None, None] = (
                self._planned(photo, verdict, listing) for photo, verdict in verdicts.items()
            )
        else:
            outcomes = self._writer.write_all(verdicts.items())
        with contextlib.closing(outcomes):
            for of_one in self._console.counted(outcomes, len(verdicts), "writing"):
                self._count(of_one)

    def write_one(self, photo: RankedPhoto) -> None:
        """Write at once, as photos arrive, and other files of theirs meanwhile."""
        verdict = self._verdict(photo)
        if self._writer is None:
            self._count(self._planned(photo.path, verdict, Listing()))
        else:
            self._count(self._writer.write(photo.path, verdict))

    def finish(self) -> int:
        """Say how it went; how many files could not be written."""
        count = self._outcomes
        verb = "would be written" if self._writer is None else "written"
        text = f"{count['written']:,} {'file' if count['written'] == 1 else 'files'} {verb}"
        if count["made"]:
            text += f", {count['made']:,} of them new sidecars"
        for outcome, words in (
            ("rating kept", "without our stars, as you rated them or they cannot be read"),
            ("up to date", "up to date"),
            ("failed", "failed"),
        ):
            if count[outcome]:
                text += f", {count[outcome]:,} {words}"
        self._console.say(text)
        if self._writer is not None and self._writer.run is not None:
            self._console.say(f"to take this back: dpiqa-batch --undo {self._writer.run}")
        return count["failed"]

    def _planned(self, photo: str, verdict: Verdict, listing: Listing) -> list[Outcome]:
        return [
            self._would_write(planned) if isinstance(planned, ToWrite) else planned
            for planned in plan_photo(photo, verdict, self._settings, listing)
        ]

    def _would_write(self, planned: ToWrite) -> Outcome:
        change = planned.change
        try:
            if change.state is not None:
                check_replaceable(change.path)
        except ReplaceError as error:
            return NotWritten.because(change.path, error)
        text = summary(change.said, change.wanted)
        self._console.would_write(change.path, text, planned.rating_kept)
        return Written(change.path, text, change.state is None, planned.rating_kept)

    def _count(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, NotWritten):
                self._outcomes["failed"] += 1
                cure = "; --write auto makes a sidecar for it" if outcome.sidecar_would_do else ""
                self._console.failed(outcome.path, outcome.reason + cure)
                continue
            self._outcomes["up to date" if isinstance(outcome, UpToDate) else "written"] += 1
            self._outcomes["made"] += isinstance(outcome, Written) and outcome.made
            self._outcomes["rating kept"] += outcome.rating_kept

    def _verdict(self, photo: RankedPhoto) -> Verdict:
        rejected = self._reject_below is not None and photo.score < self._reject_below
        scored_at = datetime.fromtimestamp(photo.scored_at, timezone.utc)
        stars = -1 if rejected else photo.stars
        return Verdict(
            photo.score, stars, self._model, self._model_hash, scored_at, uncertainty=photo.uncertainty
        )


def undo(entries: Iterable[Entry], journal: WriteJournal, store: Store, console: Console) -> int:
    """Take back what was written; how many files could not be.

    Raises:
        JournalError: the journal fails.
    """
    taken_back = failed = 0
    for outcome in take_back(entries, journal, store):
        if isinstance(outcome, TakenBack):
            taken_back += 1
            console.taken_back(outcome.path, outcome.removed, outcome.exactly)
        else:
            failed += 1
            console.failed(outcome.path, outcome.reason)
    if not taken_back + failed:
        console.say("there is nothing to take back")
    return failed
