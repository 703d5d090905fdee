"""Ctrl-C that does not get lost while photos are scored."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def noticing_interrupts() -> Iterator[threading.Event]:
    """Give an event that the first Ctrl-C sets, which raises KeyboardInterrupt as ever.

    Python drops an exception that is raised in a weak reference's callback or a destructor: a run that trusts
    it alone would go on. Where SIGINT is ignored or handled by others, and outside the main thread, nothing
    changes and the event is never set.
    """
    interrupted = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # first: set within set would wait for ever
        interrupted.set()
        signal.default_int_handler(number, frame)

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, signal.default_int_handler)
