"""Replaces, makes and removes files, until it is killed, or kills itself at any call to the disk."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from makers.photo_folders import Disk, on  # the path first

from dpiqa_desktop.metadata import belongings, replace_file, strays
from dpiqa_desktop.metadata.replace_file import create_new, remove_file, replace_spliced, version_of
from dpiqa_desktop.metadata.splice import Splice
from dpiqa_desktop.process_lock import writing_alone

SIDECAR = "small.xmp"
SIDECAR_CONTENT = b"<x:xmpmeta/>" * 1000
WORDS = (b"old", b"and new")


def states(folder: Path) -> dict[str, tuple[bytes, bytes]]:
    """Return the two contents that each photo of ``folder`` may have."""
    sizes = {"small.jpg": 10, "medium.jpg": 300_000, "large.jpg": 2_500_000}
    return {
        str(folder / name): tuple(
            b"".join((bytes([size % 251]) * (size // 2), word, os.fsencode(name) * (size // 20)))
            for word in WORDS
        )
        for name, size in sizes.items()
    }  # type: ignore[return-value]


def there_and_back(folder: Path, name: str) -> None:
    """Change a photo and make a sidecar, if there is none; change it back and remove the sidecar."""
    path, sidecar = str(folder / name), str(folder / SIDECAR)
    _toggle(path, states(folder)[path])
    if not os.path.exists(sidecar):
        create_new(sidecar, SIDECAR_CONTENT)
    with open(sidecar, "rb") as file:
        made = version_of(file)
    _toggle(path, states(folder)[path])
    remove_file(sidecar, made)


def _work_for_ever(folder: Path, first: int) -> None:
    photos = list(states(folder).items())
    for path, contents in itertools.cycle(photos[first:] + photos[:first]):
        there_and_back(folder, os.path.basename(path))
        _toggle(path, contents)


def _toggle(path: str, contents: tuple[bytes, bytes]) -> None:
    with open(path, "rb") as file:
        before = version_of(file)
        file.seek(0)
        old = contents.index(file.read())
    offset = next(i for i, (one, other) in enumerate(zip(*contents, strict=False)) if one != other)
    splice = Splice(offset, WORDS[old], WORDS[1 - old])
    replace_spliced(path, [splice], before, keep_mtime=True, verify=lambda file: None)


def die_at_random_moments(folder: Path) -> None:
    """For each line, which holds seconds, fork a child that works for ever, and kill it after them."""
    for number, line in enumerate(sys.stdin):
        child = os.fork()
        if child == 0:
            _work_for_ever(folder, number % 3)  # else a slow machine would never get to the last
        time.sleep(float(line))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        _say("killed")


def die_at_every_call(folder: Path, kind: str, calls: int) -> None:
    """Fork for each of ``calls`` calls to the disk; the child dies before it. Wait for a line after each."""
    for call in range(1, calls + 1):
        child = os.fork()
        if child == 0:
            die = Disk(kind, at=call, what=lambda name: os.kill(os.getpid(), signal.SIGKILL))
            with on(die, replace_file, strays, belongings):
                there_and_back(folder, "small.jpg")
            os._exit(1)
        _, status = os.waitpid(child, 0)
        _say("killed" if os.WIFSIGNALED(status) else f"call {call} was never made")
        sys.stdin.readline()


def count(path: str, times: int) -> None:
    """Add one to the number in a file, ``times`` times, each in a replacement of its own."""
    for _ in range(times):
        with writing_alone(path):
            with open(path, "rb") as file:
                before = version_of(file)
                file.seek(0)
                number = file.read()
            more = b"%d" % (int(number) + 1)
            replace_spliced(
                path, [Splice(0, number, more)], before, keep_mtime=True, verify=lambda file: None
            )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    name, path, *arguments = sys.argv[1:]
    if name == "at_random_moments":
        die_at_random_moments(Path(path))
    elif name == "at_every_call":
        die_at_every_call(Path(path), arguments[0], int(arguments[1]))
    elif name == "count":
        count(path, int(arguments[0]))
