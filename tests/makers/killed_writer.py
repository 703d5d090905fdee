"""Writes scores into a folder of photos, over and over, until it is killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from dpiqa_desktop.engine.store import Store
from dpiqa_desktop.metadata.plan import Verdict
from dpiqa_desktop.metadata.targets import Settings
from dpiqa_desktop.metadata.write import Writer
from dpiqa_desktop.metadata.write_journal import WriteJournal

_NOON = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
VERDICTS = (Verdict(0.7321, 4, "dpiqa_lite", "6f63", _NOON), Verdict(0.12, 1, "dpiqa_lite", "6f63", _NOON))


def write_all(folder: Path, database: Path, verdict: Verdict) -> None:
    """Write a verdict into every photo of a folder, in a run of its own."""
    store, journal = Store(database), WriteJournal(database)
    photos = sorted(str(path) for path in folder.iterdir() if path.suffix in (".jpg", ".png", ".webp"))
    for _ in Writer(store, journal, Settings()).write_all((photo, verdict) for photo in photos):
        pass
    store.close()
    journal.close()


def main(folder: Path, database: Path) -> None:
    """For each line, which holds seconds, fork a child that works for ever, and kill it after them."""
    for line in sys.stdin:
        child = os.fork()
        while child == 0:
            for verdict in VERDICTS:
                write_all(folder, database, verdict)
        time.sleep(float(line))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        sys.stdout.write("killed\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
