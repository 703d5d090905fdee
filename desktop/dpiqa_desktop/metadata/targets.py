"""Which files are to say what is to be said of a photo: itself, its RAW files, their sidecars."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from dpiqa_desktop.engine.companions import companions, composed, group_by_photo, is_photo, stem
from dpiqa_desktop.metadata import sidecar
from dpiqa_desktop.metadata.embedded import UnsafeError
from dpiqa_desktop.metadata.file_change import Decide, FileChange, embedded_change, sidecar_change
from dpiqa_desktop.metadata.plan import Policy, Said, Verdict, Wanted, changes, has_users_rating
from dpiqa_desktop.metadata.read import said_by_photo, said_by_sidecar
from dpiqa_desktop.metadata.replace_file import ReplaceError
from dpiqa_plugin.errors import PhotoError

Where = Literal["auto", "embed", "sidecar"]

_FOLDERS_AT_HAND = 8


@dataclass(frozen=True)
class Settings:
    """How a run writes.

    Attributes:
        where: ``"embed"``: into the photo, or not at all. ``"sidecar"``: beside it. ``"auto"``: into the
            photo where nothing can be lost, unless it has a sidecar of its own; else beside it.
        naming: of sidecars; None takes the one that is there, else Adobe's.
        policy: what is written.
        keep_mtime: files keep the time of their last change.
    """

    where: Where = "auto"
    naming: sidecar.Naming | None = None
    policy: Policy = field(default_factory=Policy)
    keep_mtime: bool = True


@dataclass(frozen=True)
class ToWrite:
    """A file that has to change.

    Attributes:
        change: how.
        rating_kept: the photographer's rating stays, here or in another of the photo's files.
    """

    change: FileChange
    rating_kept: bool


@dataclass(frozen=True)
class UpToDate:
    """A file that says everything already."""

    path: str
    rating_kept: bool


@dataclass(frozen=True)
class NotWritten:
    """A file that is left as it is.

    Attributes:
        reason: for the user's eyes.
        sidecar_would_do: not with ``"embed"``; with ``"auto"`` a sidecar would be written instead.
    """

    path: str
    reason: str
    sidecar_would_do: bool = False

    @classmethod
    def because(cls, path: str, error: Exception) -> NotWritten:
        """With an error's reason, without the path that some errors begin with."""
        if isinstance(error, ReplaceError):
            return cls(path, error.reason)
        return cls(path, (error.strerror if isinstance(error, OSError) else None) or str(error))


Planned = ToWrite | UpToDate | NotWritten


class Listing:
    """Which files belong to a photo; lists a folder once as long as its photos come one after the other.

    Or together with those of a few other folders, as links into them do. May be used by several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folders: dict[str, _Folder] = {}  # the one that was asked for last is the last

    def files_of(self, photo: str) -> tuple[str, ...]:
        """The names of all files that are the same photo.

        Raises:
            OSError: its folder cannot be listed.
        """
        with self._lock:
            return self._folder(photo).files_of(os.path.basename(photo))

    def files_now(self, photo: str) -> list[str]:
        """As ``files_of``, and XMP sidecars that somebody has made since the folder was listed.

        To list it anew for each of its thousands of photos would take longer than to move them.

        Raises:
            OSError: its folder cannot be listed.
        """
        name = os.path.basename(photo)
        with self._lock:
            folder = self._folder(photo)
            files = {name, *folder.files_of(name)}
        return sorted(files.union(folder.sidecars_since(name, files)))

    def _folder(self, photo: str) -> _Folder:
        folder = os.path.dirname(photo)
        known = self._folders.pop(folder, None) or _Folder(folder)
        self._folders[folder] = known
        if len(self._folders) > _FOLDERS_AT_HAND:
            del self._folders[next(iter(self._folders))]
        return known


class _Folder:
    def __init__(self, folder: str) -> None:
        self._path = folder
        self._names = os.listdir(folder or ".")
        self._asked = False

    def files_of(self, name: str) -> tuple[str, ...]:
        if self._asked and is_photo(name):
            return self._by_stem.get(stem(name), (name,))
        # Who asks for one photo only does not wait until thousands are sorted.
        self._asked = True
        return companions(name, self._names)

    def sidecars_since(self, name: str, files: Set[str]) -> Iterator[str]:
        """Yield those of a photo, of which ``files`` are known, that were not its when this was listed."""
        photos = [file for file in files if file == name or is_photo(file)]
        usual = {sidecar.sidecar_name(photo, naming) for photo in photos for naming in sidecar.NAMINGS}
        for possible in usual - files:
            if not os.path.lexists(os.path.join(self._path, possible)):
                continue
            # What was listed with the photo is another's, or one of these files in other letters.
            if sidecar.find(possible, self._names) is None or name not in self._names:
                yield possible

    @cached_property
    def _by_stem(self) -> dict[str, tuple[str, ...]]:
        return group_by_photo(self._names)


def newcomer(photo: str, known: Iterable[str], listing: Listing) -> str | None:
    """The name of a file that belongs to a photo and is not among ``known``, the paths of its files.

    Raises:
        OSError: its folder cannot be listed.
    """
    names = {composed(os.path.basename(path)) for path in known}
    folder = os.path.dirname(photo)
    for name in listing.files_now(photo):
        if composed(name) not in names and os.path.isfile(os.path.join(folder, name)):
            return name
    return None


def names_to_lock(photo: str) -> set[str]:
    """Paths that stand for all that is written for a photo, as ``writing_alone`` takes them.

    Its files' common name, as ``IMG_1.xmp`` is of several; here and where links lead; and the file itself,
    which may have another name (a hard link).
    """
    real = os.path.realpath(photo)
    names = {name_of_all(os.path.abspath(photo)), name_of_all(real)}
    with contextlib.suppress(OSError):
        names.add(os.path.join(os.path.dirname(real), f"inode {os.stat(real).st_ino}"))
    return names


def name_of_all(path: str) -> str:
    """The path without what tells a photo's files apart: ``IMG_1`` of ``IMG_1.CR2`` and ``IMG_1.CR2.xmp``."""
    folder, name = os.path.split(path)
    base, suffix = os.path.splitext(name)
    return os.path.join(folder, stem(base if suffix.lower() == ".xmp" else name))


def all_files(photo: str, listing: Listing) -> Iterator[str]:
    """Yield the paths of all files of a photo as they are now; of a link, also of those where it leads.

    Raises:
        OSError: its folder, or the one that a link leads to, cannot be listed.
    """
    folder = os.path.dirname(photo)
    yield from (os.path.join(folder, name) for name in listing.files_now(photo))
    if os.path.islink(photo):
        yield from all_files(os.path.realpath(photo), listing)


def plan_photo(photo: str, verdict: Verdict, settings: Settings, listing: Listing) -> list[Planned]:
    """Work out what changes in the files of a photo: itself, and RAW files of its name.

    Nothing is raised for what is wrong with a file: it is told in a ``NotWritten``.
    """
    try:
        family = _Family(photo, listing)
    except OSError as error:
        return [NotWritten.because(photo, error)]
    replaces = settings.policy.overwrite_ratings or verdict.replaces_rating
    keep = not replaces and family.has_users_rating()

    def decide(said: Said) -> Wanted:
        return changes(said, verdict, settings.policy, keep)

    planned: dict[str, Planned] = {}
    for member in family.members:
        outcome = _plan(family, member, settings, decide, keep)
        if outcome is not None:
            # A JPEG's and its RAW file's sidecar may be the same file.
            planned.setdefault(_path(outcome), outcome)
    return list(planned.values())


def said_by_all(photo: str, listing: Listing) -> Iterator[Said]:
    """Yield what a photo, RAW files of its name and their sidecars say, where that can be understood.

    Raises:
        OSError: its folder, or the one that a link leads to, cannot be listed.
    """
    return filter(None, _Family(photo, listing).documents())


class _Family:
    """A photo, the RAW files of its name, and their sidecars; of a link, also those where it leads."""

    def __init__(self, photo: str, listing: Listing) -> None:
        self._folder, name = os.path.split(photo)
        self._real = _Family(os.path.realpath(photo), listing) if os.path.islink(photo) else None
        names = listing.files_of(photo)
        photos = [other for other in names if other == name or is_photo(other)]
        self._raw = [other for other in photos if sidecar.is_raw(other)]
        self._rendered = [other for other in photos if other not in self._raw]
        self._adobes_is_anothers = {other for other in photos if self._is_anothers(other, listing)}
        self._sidecars = self._now_there(photos, [other for other in names if _is_sidecar(other)])
        # RAW files are judged by the first that was made from them; without one, each by itself.
        judged = self._raw if name in self._rendered[:1] else ()
        self.members = [self._path(member) for member in (name, *judged)]
        self._photos = [self._path(member) for member in photos if member == name or member in self._raw]

    def has_users_rating(self) -> bool:
        """Whether any document of the photo has one, or cannot be read: then it may."""
        return any(said is None or has_users_rating(said) for said in self.documents())

    def documents(self) -> Iterator[Said | None]:
        """Yield what all of the photo's files say; None for one that cannot be read or understood."""
        for photo in self._photos:
            yield _said_or_none(said_by_photo, photo)
        for name in self._sidecars:
            yield _said_or_none(said_by_sidecar, self._path(name))
        if self._real is not None:
            yield from self._real.documents()

    def has_own_sidecar(self, member: str) -> bool:
        """Whether there is one that belongs to no other of the photo's files."""
        name = os.path.basename(member)
        return self._existing(name, "darktable") is not None or (
            self._may_share(name) and not self._raw and self._existing(name, "adobe") is not None
        )

    def sidecar_of(self, member: str, naming: sidecar.Naming | None) -> tuple[str, bool]:
        """The path of a member's sidecar, and whether it is there."""
        name = os.path.basename(member)
        if not self._may_share(name):
            naming = "darktable"  # Adobe's does not tell which photo it is of
        elif naming is None and name not in self._raw and self._existing(name, "darktable"):
            naming = "darktable"  # its own, where the other is the RAW file's
        namings = (naming,) if naming else sidecar.NAMINGS
        for possible in namings:
            existing = self._existing(name, possible)
            if existing is not None:
                return self._path(existing), True
        return self._path(sidecar.sidecar_name(name, namings[0])), False

    def _now_there(self, photos: Sequence[str], listed: Sequence[str]) -> list[str]:
        """The listed sidecars, and those that somebody has made since the folder was listed."""
        possible = {
            sidecar.sidecar_name(photo, naming)
            for photo in photos
            for naming in sidecar.NAMINGS
            if naming == "darktable" or photo not in self._adobes_is_anothers
        }
        return sorted({*listed, *(name for name in possible if os.path.lexists(self._path(name)))})

    def _may_share(self, name: str) -> bool:
        """A RAW file and what was made from it have one sidecar in Adobe's naming; two JPEGs may not."""
        if name in self._adobes_is_anothers:
            return False
        alike = self._rendered or self._raw
        return len(alike) == 1 or name not in alike

    def _is_anothers(self, name: str, listing: Listing) -> bool:
        """Whether Adobe's name for a sidecar is darktable's for another photo.

        As of ``IMG_1.CR2.jpg``, an exported preview: ``IMG_1.CR2.xmp`` is the RAW file's.
        """
        base = os.path.splitext(name)[0]
        return is_photo(base) and any(
            sidecar.are_alike(other, base) and os.path.lexists(self._path(other))
            for other in listing.files_of(self._path(base))
        )

    def _existing(self, name: str, naming: sidecar.Naming) -> str | None:
        wanted = sidecar.sidecar_name(name, naming)
        twins = any(
            other != name and sidecar.are_alike(other, name) for other in (*self._rendered, *self._raw)
        )
        if naming == "darktable" and twins:  # a.JPG and a.jpg: capitals tell whose it is
            return wanted if wanted in self._sidecars else None
        return sidecar.find(wanted, self._sidecars)

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)


def _is_sidecar(name: str) -> bool:
    return name.lower().endswith(".xmp")


def _said_or_none(read: Callable[[str], Said], path: str) -> Said | None:
    try:
        return read(path)
    except (UnsafeError, OSError):
        return None


def _plan(family: _Family, member: str, settings: Settings, decide: Decide, keep: bool) -> Planned | None:
    """None if there is nothing to be said in it."""
    embed = settings.where == "embed"
    try:
        if sidecar.is_raw(member):
            if embed and member != family.members[0]:
                return None  # the JPEG beside it says it
            if embed:
                raise UnsafeError("it is RAW, and is never changed")
        elif embed or (settings.where == "auto" and not family.has_own_sidecar(member)):
            with contextlib.nullcontext() if embed else contextlib.suppress(UnsafeError):
                return _planned(member, embedded_change(member, decide), keep)
        path, exists = family.sidecar_of(member, settings.naming)
        return _plan_sidecar(path, exists, decide, keep)
    except UnsafeError as error:  # with "embed" only
        return NotWritten(member, str(error), sidecar_would_do=True)
    except (PhotoError, OSError) as error:
        return NotWritten.because(member, error)


def _plan_sidecar(path: str, exists: bool, decide: Decide, keep: bool) -> Planned:
    try:
        return _planned(path, sidecar_change(path, exists, decide), keep)
    except (UnsafeError, PhotoError, OSError) as error:
        return NotWritten.because(path, error)


def _planned(path: str, change: FileChange | None, keep: bool) -> ToWrite | UpToDate:
    return UpToDate(path, keep) if change is None else ToWrite(change, keep)


def _path(planned: Planned) -> str:
    return planned.change.path if isinstance(planned, ToWrite) else planned.path
