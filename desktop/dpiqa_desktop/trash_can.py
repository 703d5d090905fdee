"""The system's trash: files go there, and come back where the trash says where they came from.

That is so where it follows freedesktop.org's specification, version 1.0: Linux and the BSDs. Windows and
macOS offer other programs no simple way to take a file out again: there the user does it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import urllib.parse
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from dpiqa_desktop import placing
from dpiqa_desktop.placing import PlacingError, Seen, Step

CAN_GIVE_BACK = sys.platform not in ("win32", "darwin")
"""Whether ``give_back`` works here."""

_INFO = ".trashinfo"

_Candidate = tuple[int, str, str]  # when it was thrown away, the file, what says where from


@dataclass(frozen=True)
class Thrown:
    """A file in the trash.

    Attributes:
        path: absolute, where it was.
        seen: what it looked like, which tells it from others that had that name.
    """

    path: str
    seen: Seen


def throw_away(path: str) -> Thrown:
    """Move a file to the trash.

    Raises:
        PlacingError: it stays where it is; the reason is for the user's eyes.
    """
    from send2trash import send2trash

    path = os.path.abspath(path)
    seen = placing.look(path)
    if seen is None:
        raise PlacingError(path, "it is gone: deleted, moved or renamed since")
    try:
        send2trash(path)
    except Exception as error:  # each system's way to have no trash has its own
        reason = error.strerror if isinstance(error, OSError) else None
        raise PlacingError(path, reason or str(error) or type(error).__name__) from error
    return Thrown(path, seen)


def give_back(thrown: Sequence[Thrown]) -> Generator[Thrown | PlacingError, None, None]:
    """Put files back where they were, never over another one; yield what became of each.

    A ``PlacingError`` says that one is not in the trash any more, or that its name is taken: it stays there.
    """
    found = _all_from({one.path for one in thrown})
    for one in thrown:
        yield _given_back(one, found.get(one.path, ()))


def _given_back(thrown: Thrown, candidates: Sequence[_Candidate]) -> Thrown | PlacingError:
    try:
        for _, file, info in sorted(candidates, reverse=True):
            if thrown.seen.same_content(placing.look(file)):
                _put_back(file, thrown)
                with contextlib.suppress(OSError):  # a leftover that desktops pass over
                    os.unlink(info)
                return thrown
    except PlacingError as error:
        return error
    return PlacingError(thrown.path, "it is not in the trash any more")


def _put_back(file: str, thrown: Thrown) -> None:
    folder = os.path.dirname(thrown.path)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise PlacingError(thrown.path, error.strerror or str(error)) from error
    temporary = f".dpiqa-{secrets.token_hex(6)}.part"
    step = Step(file, thrown.path, temporary, keep=False, before=placing.look_closely(file))
    placing.check_ready(step)
    try:
        placed = placing.place(step)
    except placing.NameTakenError:
        raise
    except PlacingError:
        placing.put_back(step)
        raise
    placing.remove_source(placed)


def _all_from(paths: Set[str]) -> dict[str, list[_Candidate]]:
    """Find files in trashes that came from these paths. Each trash is read once: thousands may be in it."""
    trashes = {
        trash: top for folder in {os.path.dirname(path) for path in paths} for trash, top in _trashes(folder)
    }
    found: defaultdict[str, list[_Candidate]] = defaultdict(list)
    for trash, top in trashes.items():
        with contextlib.suppress(OSError), os.scandir(trash / "info") as listing:
            for entry in listing:
                path = _came_from(Path(entry.path), top) if entry.name.endswith(_INFO) else ""
                if path in paths:
                    file = trash / "files" / entry.name.removesuffix(_INFO)
                    found[path].append((entry.stat().st_mtime_ns, str(file), entry.path))
    return found


def _trashes(folder: str) -> Iterator[tuple[Path, Path]]:
    """Yield the trashes that a folder's files may be in, and what paths in each are relative to."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    yield data / "Trash", data
    top = Path(os.path.realpath(folder))
    while not top.is_mount() and top != top.parent:
        top = top.parent
    yield top / ".Trash" / str(os.getuid()), top
    yield top / f".Trash-{os.getuid()}", top


def _came_from(info: Path, top: Path) -> str:
    """The path of a file in the trash before it came there; "" if that cannot be read."""
    with contextlib.suppress(OSError):
        for line in info.read_bytes().splitlines():
            if line.startswith(b"Path="):
                named = urllib.parse.unquote_to_bytes(line.removeprefix(b"Path="))
                return os.path.normpath(os.path.join(top, os.fsdecode(named)))
    return ""
