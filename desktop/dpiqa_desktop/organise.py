"""Which photos to move or copy by their scores, and to which names: a plan as data; nothing is written here.

The disk is only listed, and read where a copy's name is taken, to see whether the same file has it already.
``relocate`` carries a plan out.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from dpiqa_desktop.engine.companions import group_by_photo, stem
from dpiqa_desktop.free_names import FreeNames
from dpiqa_desktop.photo_places import Place, Places, is_inside, real_path
from dpiqa_plugin.errors import UsageError

Kind = Literal["move", "copy", "keep", "remove"]


@dataclass(frozen=True)
class Operation:
    """One file, planned or done.

    Attributes:
        kind: ``"move"`` and ``"copy"`` go from source to target; ``"keep"`` is a copy that is not needed, for
            the same file is at the target already; ``"remove"``, only when undoing, takes a copy away:
            ``target`` is the original.
        source, target: absolute paths.
    """

    kind: Kind
    source: str
    target: str


@dataclass(frozen=True)
class NotDone:
    """A file that is left where it is; ``reason`` goes on from its name and is for the user's eyes."""

    path: str
    reason: str


@dataclass(frozen=True)
class PlannedPhoto:
    """A photo with all that belongs to it; goes as a whole or not at all.

    Attributes:
        stem: what the names of all its files begin with.
        number: 1, or what is put after the stem because the names without it, or with lower ones, are taken.
        operations: one a file.
    """

    stem: str
    number: int
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Plan:
    """What is to be done, in this order.

    Attributes:
        what: the request in words, for the journal.
        to: the target folder, absolute; it may not exist yet.
        photos: what goes.
        left: what was asked for and cannot go, with the reason.
    """

    what: str
    to: str
    photos: tuple[PlannedPhoto, ...]
    left: tuple[NotDone, ...]

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All files, for a dry run."""
        return tuple(operation for photo in self.photos for operation in photo.operations)


def plan_move(
    scored: Iterable[tuple[str, float]], worse_than: float, lower_better: bool, roots: Sequence[str], to: str
) -> Plan:
    """Plan to move photos that score worse than ``worse_than``: below it, or above it if lower is better.

    A photo of several scored files, RAW and JPEG, goes only if all of them score worse. Photos inside ``to``
    are left alone. Symbolic links, and photos reached through a linked folder, are not moved: what they lead
    to may be in use elsewhere.

    Args:
        scored: paths as ``engine.scan`` found them, and their scores.
        roots: the folders and files that were scanned.
        to: target folder. Below it, photos keep the folders that they have below their root.

    Raises:
        UsageError: ``to`` cannot be the target of these roots.
    """
    target = checked_target(to, roots)
    sign = 1 if lower_better else -1
    chosen = [photo for photo in _gather(scored, roots, target) if photo.best(sign) > sign * worse_than]
    chosen.sort(key=lambda photo: (photo.folder, photo.stem))
    what = f"move photos that score worse than {worse_than:g} to {target}"
    return _plan("move", what, target, chosen)


def plan_copy(
    scored: Iterable[tuple[str, float]], best: int, lower_better: bool, roots: Sequence[str], to: str
) -> Plan:
    """Plan to copy the ``best`` best photos. One of several scored files counts once, by its best score.

    Of equal scores the first path wins. Photos inside ``to`` are left alone and do not count. Symbolic links
    count but are not copied. Arguments and errors as for ``plan_move``.
    """
    target = checked_target(to, roots)
    sign = 1 if lower_better else -1
    ranked = sorted(
        _gather(scored, roots, target), key=lambda photo: (photo.best(sign), photo.folder, photo.stem)
    )
    return _plan("copy", f"copy the best {best} photos to {target}", target, ranked[:best])


def plan_chosen(kind: Literal["move", "copy"], chosen: Iterable[str], roots: Sequence[str], to: str) -> Plan:
    """Plan to move or copy just these photos, with all that belongs to them; by folder and name.

    Arguments and errors as for ``plan_move``.
    """
    target = checked_target(to, roots)
    photos = sorted(
        _gather(((path, 0.0) for path in chosen), roots, target), key=lambda photo: (photo.folder, photo.stem)
    )
    return _plan(kind, f"{kind} chosen photos to {target}", target, photos)


def next_free(photo: PlannedPhoto) -> PlannedPhoto:
    """Plan anew a photo one of whose names was taken after it had been planned: the next number, for all."""
    first = photo.operations[0]
    kind: Kind = "move" if first.kind == "move" else "copy"
    sources = tuple(operation.source for operation in photo.operations)
    folder = os.path.dirname(first.target)
    return _named(FreeNames(), kind, photo.stem, sources, folder, photo.number + 1)


@dataclass
class _Photo:
    """A photo with its companions, where it is and what it scored.

    Attributes:
        folder: its real folder.
        stem: common beginning of its files' names.
        below: its folder's path below the root.
        names: of all its files.
        problem: why it cannot go, if so.
        scores: of those of its files that have one.
    """

    folder: str
    stem: str
    below: str
    names: tuple[str, ...]
    problem: str | None
    scores: list[float]

    def best(self, sign: int) -> float:
        """The best member's score, turned so that lower is better."""
        return min(sign * score for score in self.scores)


def _plan(kind: Kind, what: str, to: str, chosen: Iterable[_Photo]) -> Plan:
    names = FreeNames()
    photos: list[PlannedPhoto] = []
    left: list[NotDone] = []
    for photo in chosen:
        sources = tuple(os.path.join(photo.folder, name) for name in photo.names)
        if photo.problem is not None:
            left += (NotDone(source, photo.problem) for source in sources)
        else:
            folder = os.path.normpath(os.path.join(to, photo.below))
            photos.append(_named(names, kind, photo.stem, sources, folder, 1))
    return Plan(what, to, tuple(photos), tuple(left))


def _named(
    names: FreeNames, kind: Kind, stem: str, sources: tuple[str, ...], folder: str, number: int
) -> PlannedPhoto:
    """Plan a photo into ``folder``, with names that are free there, from ``number`` on."""
    given = names.choose(stem, sources, folder, number, may_be_there=kind == "copy")
    operations = (
        Operation("keep" if name in given.same else kind, source, os.path.join(folder, name))
        for source, name in zip(sources, given.names, strict=True)
    )
    return PlannedPhoto(stem, given.number, tuple(operations))


def checked_target(to: str, roots: Sequence[str]) -> str:
    """Return the target folder's real path.

    The folder above it must be there: a card that is not plugged in must not become a folder on the system's
    disk.

    Raises:
        UsageError: it cannot be the target of these roots.
    """
    if not to:
        raise UsageError("--to needs the name of a folder")
    target = os.path.realpath(to)
    if os.path.lexists(target) and not os.path.isdir(target):
        raise UsageError(f"--to {to}: is not a folder; give the name of one")
    if not os.path.isdir(os.path.dirname(target)):
        raise UsageError(f"--to {to}: there is no folder {os.path.dirname(target)}; create it first")
    for root in roots:
        if is_inside(real_path(root), target):
            raise UsageError(
                f"--to {to}: {root} is inside it; choose a folder beside or below what is scored"
            )
    return target


def _gather(scored: Iterable[tuple[str, float]], roots: Sequence[str], to: str) -> list[_Photo]:
    """Group scored files by photo, without those inside ``to``."""
    places = Places(roots, to)
    by_folder: dict[Place, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for path, score in scored:
        place = places.of(path)
        if place is not None:
            by_folder[place][os.path.basename(path)].append(score)
    photos: dict[tuple[str, str], _Photo] = {}
    for place, scores in by_folder.items():
        for photo in _photos_of(place, scores):
            # One photo may have been found twice: below a folder, and named itself. The first counts.
            known = photos.setdefault((photo.folder, photo.stem), photo)
            if known is not photo:
                known.scores += photo.scores
    return list(photos.values())


def _photos_of(place: Place, scores: dict[str, list[float]]) -> Iterator[_Photo]:
    files, links, problem = _list(place.folder)
    groups = group_by_photo(files, [name for name in scores if name in files])
    by_stem: dict[str, list[float]] = defaultdict(list)
    for name, values in scores.items():
        if name in files:
            by_stem[stem(name)] += values
        else:
            gone = problem or "is no longer there"
            yield _Photo(place.folder, name, place.below, (name,), gone, values)
    for key, values in by_stem.items():
        obstacle = _obstacle(place, groups[key], links)
        yield _Photo(place.folder, key, place.below, groups[key], obstacle, values)


def _obstacle(place: Place, names: Sequence[str], links: frozenset[str]) -> str | None:
    if place.linked:
        return "is reached through a linked folder; score the folder it is in to organise it"
    linked = [name for name in names if name in links]
    if linked:
        return f"is not organised because {linked[0]} is a symbolic link"
    return None


def _list(folder: str) -> tuple[frozenset[str], frozenset[str], str | None]:
    """Return the names of a folder's files and links, of the links, and why it cannot be listed, if so."""
    files, links = set(), set()
    try:
        with os.scandir(folder) as listing:
            for entry in listing:
                if entry.is_symlink():
                    links.add(entry.name)
                elif entry.is_file():
                    files.add(entry.name)
    except OSError as error:
        return frozenset(), frozenset(), f"is in a folder that cannot be listed: {error.strerror}"
    return frozenset(files | links), frozenset(links), None
