"""Ctrl-C whose exception Python drops; as a script the batch command, with one at every photo shown."""

from __future__ import annotations

import signal
import sys
import threading
import weakref
from unittest import mock

from dpiqa_desktop.cli import main
from dpiqa_desktop.console import Console


def interrupt(*_shown: object) -> None:
    """Raise SIGINT in a weak reference's callback. Python says that it dropped something."""
    thing = threading.Event()
    watcher = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing  # calls back
    assert watcher() is None


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    with mock.patch.object(Console, "show", interrupt):
        sys.exit(main(sys.argv[1:]))
