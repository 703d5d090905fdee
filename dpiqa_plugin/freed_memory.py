"""Memory that a program frees, kept for what it asks for next."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # names of mallopt's parameters, from glibc's malloc.h


def keep_freed_memory() -> bool:
    """Let glibc hand freed blocks out again, however large, in this process from now on.

    By default it gives blocks beyond 32 MB back to the system, which clears the pages of the next one at
    their first touch: a tenth of the teacher's time on a CPU. What the process held at most, and the gaps
    that blocks of other sizes leave, it then holds to its end. The main thread alone gains: what others free
    of such size still goes back. Not for libraries to call: that is the program's to decide.

    Returns:
        Whether it could be done: on Linux with glibc. Elsewhere nothing changes.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return False
    return bool(libc.mallopt(_MMAP_MAX, 0) and libc.mallopt(_TRIM_THRESHOLD, -1))
