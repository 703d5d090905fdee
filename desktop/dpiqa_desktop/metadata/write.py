"""Writes scores and ratings into photos and sidecars: plan, journal, replace, one file after the other.

Whatever stops it, an error, Ctrl-C, ``kill -9``, a full disk: each file is the old one or the new one, whole.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from dpiqa_desktop.engine.marks import changed_at
from dpiqa_desktop.engine.store import FileState, Store, file_state
from dpiqa_desktop.metadata.embedded import UnsafeError
from dpiqa_desktop.metadata.file_change import FileChange
from dpiqa_desktop.metadata.plan import Verdict, summary
from dpiqa_desktop.metadata.replace_file import (
    ReplaceError,
    create_new,
    replace_spliced,
    version_of,
)
from dpiqa_desktop.metadata.strays import Strays
from dpiqa_desktop.metadata.targets import (
    Listing,
    NotWritten,
    Planned,
    Settings,
    ToWrite,
    UpToDate,
    names_to_lock,
    plan_photo,
)
from dpiqa_desktop.metadata.write_journal import Properties, WriteJournal
from dpiqa_desktop.process_lock import LockError, writing_alone
from dpiqa_plugin.errors import StoreError

# On two cores and one disk, four wrote 1.5 to 1.8 times as much as one, and eight no more than four.
_AT_ONCE = 4
_CHANGED = "it was changed by another program meanwhile; run it again"


@dataclass(frozen=True)
class Written:
    """A file that was changed or made.

    Attributes:
        path: of the file.
        summary: what it says now, for the user's eyes.
        made: there was no such file.
        rating_kept: the photographer's rating stays, here or in another of its files.
    """

    path: str
    summary: str
    made: bool
    rating_kept: bool


Outcome = Written | UpToDate | NotWritten

Judge = Callable[[], Verdict | UpToDate | NotWritten]
"""Says what is to be said of a photo, or why nothing is. Asked under the lock, before and after its files are
read, so that what others have written by then is noticed."""


@dataclass(frozen=True)
class _Left:
    """A file as this run has left it, and when somebody else had changed it last; None if we made it."""

    stamp: tuple[int, ...]
    changed_at: int | None


class Writer:
    """One run that writes.

    Args:
        store: keeps the scores of files whose content changes by what is written.
        journal: what can be undone.
        settings: how.
    """

    def __init__(self, store: Store, journal: WriteJournal, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._journal = journal
        self._strays = Strays()
        self._lock = threading.Lock()
        self._opened: int | None = None
        self._left: dict[str, _Left] = {}  # by real path
        self.run: int | None = None
        """The number by which this run can be undone; None while it has changed nothing."""

    def write_all(
        self, photos: Iterable[tuple[str, Verdict | Judge]]
    ) -> Generator[list[Outcome], None, None]:
        """Do that for many photos, several at a time, as most of it is waiting for the disk; in their order.

        Which files a folder holds is asked once as long as its photos come one after the other.

        Closing the iterator stops after the photos at hand.

        Raises:
            JournalError: the journal fails; every file is the old one or the new one.
        """
        listing = Listing()
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="write") as pool:
            waiting = deque[Future[list[Outcome]]]()
            try:
                for photo, verdict in photos:
                    waiting.append(pool.submit(self._write, photo, verdict, listing))
                    if len(waiting) > 2 * _AT_ONCE:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def write(self, photo: str, verdict: Verdict) -> list[Outcome]:
        """Write what is to be said of a photo into the files that it has now; return what became of each.

        Raises:
            JournalError: the journal fails; the file at hand is as it was.
        """
        return self._write(photo, verdict, Listing())

    def changed_by_others_at(self, path: str) -> int | None:
        """As ``changed_at``, but what this run itself has changed does not count."""
        left = self._left.get(os.path.realpath(path))
        return left.changed_at if left is not None and left.stamp == _stamp(path) else changed_at(path)

    def _write(self, photo: str, verdict: Verdict | Judge, listing: Listing) -> list[Outcome]:
        self._strays.clear(os.path.dirname(os.path.realpath(photo)))
        try:
            with writing_alone(*names_to_lock(photo)):
                if isinstance(verdict, Verdict):
                    return self._carry_out(plan_photo(photo, verdict, self._settings, listing))
                judged = verdict()
                if not isinstance(judged, Verdict):
                    return [judged]
                planned = plan_photo(photo, judged, self._settings, listing)
                if verdict() != judged:
                    return [NotWritten(photo, _CHANGED)]
                return self._carry_out(planned)
        except LockError as error:
            return [NotWritten.because(photo, error)]

    def _carry_out(self, planned: Iterable[Planned]) -> list[Outcome]:
        return [self._carried_out(one) if isinstance(one, ToWrite) else one for one in planned]

    def _carried_out(self, planned: ToWrite) -> Written | NotWritten:
        change = planned.change
        try:
            self._strays.clear(os.path.dirname(os.path.realpath(change.path)))
            before = self.changed_by_others_at(change.path)
            if change.state is None:
                self._make(change)
            else:
                self._replace(change, change.state)
            self._left[os.path.realpath(change.path)] = _Left(_stamp(change.path), before)
        except (UnsafeError, ReplaceError, OSError) as error:
            return NotWritten.because(change.path, error)
        text = summary(change.said, change.wanted)
        return Written(change.path, text, change.state is None, planned.rating_kept)

    def _make(self, change: FileChange) -> None:
        with self._written_down(change, None):
            create_new(change.path, change.splices[0].new)

    def _replace(self, change: FileChange, state: FileState) -> None:
        with open(change.path, "rb") as file:
            before = version_of(file)
        if FileState(before.size, before.mtime_ns) != state:
            raise UnsafeError(_CHANGED)
        keep_mtime = self._settings.keep_mtime
        with self._written_down(change, before.content):
            after = replace_spliced(change.path, change.splices, before, keep_mtime, change.verify)
        with contextlib.suppress(StoreError):  # costs the time to score it again, no more
            now = file_state(change.path)
            self._store.carry_over(change.path, state, now, before.content, after.content)

    @contextlib.contextmanager
    def _written_down(self, change: FileChange, before: bytes | None) -> Iterator[None]:
        """Put a change into the journal, and out again if it does not take place."""
        with self._lock:
            if self._opened is None:
                self._opened = self._journal.start()
        path = os.path.realpath(change.path)
        properties = Properties.of(change.said, change.wanted)
        place = self._journal.write(self._opened, path, before, change.splices, properties)
        try:
            yield
        except (UnsafeError, ReplaceError):  # not at Ctrl-C: then only the file itself knows
            self._journal.drop(place)
            raise
        self.run = self._opened


def _stamp(path: str) -> tuple[int, ...]:
    """What of a file changes with every change of it, links followed; empty if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
