"""Runs ``dpiqa-train export`` and is killed just before a file of a given name gets that name."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from dpiqa_training.cli import main


def die_before(name: str) -> None:
    """Kill this process when a file is about to be renamed to ``name``."""

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.rename" and os.path.basename(arguments[1]) == name:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


if __name__ == "__main__":
    die_before(sys.argv[1])
    sys.exit(main(["export", *sys.argv[2:]]))
