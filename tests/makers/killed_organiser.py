"""Moves or copies photos and takes it back, for ever, until it is killed, or kills itself at any call."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from makers.photo_folders import Disk, contents, journal_at, on  # the path first

from dpiqa_desktop.journal import Journal
from dpiqa_desktop.organise import Plan, plan_copy, plan_move
from dpiqa_desktop.relocate import apply, undo


def plan(folder: Path, kind: str) -> Plan:
    """Plan to move or copy every JPEG in ``folder/photos`` to ``folder/out``."""
    scored = [(path, 0.0) for path in contents(folder / "photos") if path.endswith(".jpg")]
    roots, out = [str(folder / "photos")], str(folder / "out")
    if kind == "copy":
        return plan_copy(scored, len(scored), False, roots, out)
    return plan_move(scored, 1, False, roots, out)


def organise_until_killed(folder: Path, disk: str, kind: str) -> None:
    """Organise and undo, over and over; say ``ready`` before."""
    with journal_at(folder / "scores.db") as journal, on(Disk(disk)):
        _say("ready")
        while True:
            _there_and_back(folder, kind, journal)


def die_at_every_call(folder: Path, disk: str, kind: str, calls: int) -> None:
    """Fork for each of ``calls`` calls to the disk; the child dies before it. Wait for a line after each."""
    for call in range(1, calls + 1):
        child = os.fork()
        if child == 0:
            die = Disk(disk, at=call, what=lambda name: os.kill(os.getpid(), signal.SIGKILL))
            with journal_at(folder / "scores.db") as journal, on(die):
                _there_and_back(folder, kind, journal)
            os._exit(1)
        _, status = os.waitpid(child, 0)
        _say("killed" if os.WIFSIGNALED(status) else f"call {call} was never made")
        sys.stdin.readline()


def _there_and_back(folder: Path, kind: str, journal: Journal) -> None:
    list(apply(plan(folder, kind), journal))
    list(undo(journal))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    name, folder, *arguments = sys.argv[1:]
    {"until_killed": organise_until_killed, "at_every_call": die_at_every_call}[name](
        Path(folder), arguments[0], arguments[1], *map(int, arguments[2:])
    )
