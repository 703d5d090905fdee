"""Which photos show the same moment or are copies of one another, and which of them is the best."""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dpiqa_desktop.engine.likeness import distance

GAP_SECONDS = 4.0
"""Longest pause inside a burst. Bursts of 3 to 20 a second need 0.33 s; many cameras write whole seconds; a
second try by hand takes a few. It can be generous, because time alone never makes a burst."""

ALIKE = 18
"""Most bits between a photo and the one before it, or the first of the burst. Of unrelated pairs 0.13 % are
as near, of pairs from neighbouring but different scenes 0.4 %."""

UNLIKE = 24
"""Most bits between any photo of a burst and its first: what ends a panning series. With both limits and no
look at the time, hand-held series with deliberate faults (BIQ2021) kept 62 % of their pairs and got no wrong
one; 47 % if all had to be ``ALIKE`` the first."""

NEAR_IDENTICAL = 6
"""Most bits between photos that no capture time brings together. Finds all copies that were resized,
compressed, blurred or made grey, 90 % of those brightened by a stop; of unrelated photos, 0.03 in a million
pairs are as near."""

# Unrelated photos are rarely near each other in time, so few bursts are open at once: several cameras'.
_MOST_OPEN = 16

_BANDS = 4
_BAND_BITS = 64 // _BANDS
_FLIPS = (0, *(1 << bit for bit in range(_BAND_BITS)))
# Fingerprints to a bucket at most; among 8,000 unrelated photos the fullest held 17.
_BUCKET = 32


@dataclass(frozen=True)
class Shot:
    """A scored photo.

    Attributes:
        path: unlike any other's. Files in one folder whose names differ only in the ending are one
            photograph in several formats (RAW and JPEG).
        score: the metric's own scale.
        captured_at: seconds of the camera's clock, with fractions if it has any; None if unknown.
        likeness: its fingerprint; None if unknown or blank: such a photo is in no burst.
    """

    path: str
    score: float
    captured_at: float | None
    likeness: int | None


@dataclass(frozen=True)
class Burst:
    """Two or more photographs that are alike.

    Attributes:
        members: indices into the shots, by capture time, those without it last; then by path.
        best: the index of the best score; of equal scores the first path.
    """

    members: tuple[int, ...]
    best: int


@dataclass(frozen=True)
class _Frame:
    """One photograph: its files' indices, and what they agree on."""

    members: tuple[int, ...]
    path: str
    captured_at: float | None
    likeness: int


def group_bursts(shots: Sequence[Shot], lower_better: bool) -> list[Burst]:
    """Group shots that are close in time and alike, and any that are near-identical.

    Each shot is in one burst at most. The outcome does not depend on the order of ``shots``; bursts come in
    the order of their first members. The work grows with the number of shots, whatever they look like.
    """
    groups = _join_duplicates(_sweep(sorted(_frames(shots), key=_order)))
    bursts = [_burst(group, shots, lower_better) for group in groups if len(group) > 1]
    return sorted(bursts, key=lambda burst: _order(shots[burst.members[0]]))


def _order(photo: Shot | _Frame) -> tuple[bool, float, str]:
    """By capture time, those without it last; then by path."""
    return (photo.captured_at is None, photo.captured_at or 0.0, photo.path)


def _frames(shots: Sequence[Shot]) -> Iterable[_Frame]:
    """Put the files of one photograph together; drop those that cannot be compared."""
    files: defaultdict[str, list[int]] = defaultdict(list)
    for index in sorted(range(len(shots)), key=lambda index: shots[index].path):
        files[os.path.splitext(shots[index].path)[0]].append(index)
    for members in files.values():
        mates = [shots[index] for index in members]
        fingerprints = [mate.likeness for mate in mates if mate.likeness is not None]
        times = [mate.captured_at for mate in mates if mate.captured_at is not None]
        if fingerprints:
            yield _Frame(tuple(members), mates[0].path, min(times, default=None), fingerprints[0])


def _sweep(frames: Sequence[_Frame]) -> list[list[_Frame]]:
    """Split frames, in order, into groups by time and likeness; what has no capture time stays alone.

    Several groups are open at a time, because the photos of two cameras alternate.
    """
    groups: list[list[_Frame]] = []
    still_open: deque[list[_Frame]] = deque(maxlen=_MOST_OPEN)
    for frame in frames:
        home = _nearest_open(frame, still_open)
        if home is None:
            home = []
            groups.append(home)
        else:
            still_open.remove(home)  # to the end: the one that waited longest is the first to be forgotten
        home.append(frame)
        still_open.append(home)
    return groups


def _nearest_open(frame: _Frame, groups: Iterable[list[_Frame]]) -> list[_Frame] | None:
    nearest, least = None, ALIKE + 1
    for group in groups:
        first, last = group[0], group[-1]
        if frame.captured_at is None or last.captured_at is None:
            continue
        if frame.captured_at - last.captured_at > GAP_SECONDS:
            continue
        to_first = distance(frame.likeness, first.likeness)
        bits = min(to_first, distance(frame.likeness, last.likeness))
        if bits < least and to_first <= UNLIKE:
            nearest, least = group, bits
    return nearest


def _join_duplicates(groups: list[list[_Frame]]) -> list[list[_Frame]]:
    """Add each frame that is still alone to the group of its near-identical frame, if there is one.

    Groups that time has made stay apart: two series of one scene are two choices to make.
    """
    joined = [group for group in groups if len(group) > 1]
    known = _Fingerprints()
    for number, group in enumerate(joined):
        for frame in group:
            known.add(frame.likeness, number)
    for frame in (group[0] for group in groups if len(group) == 1):
        near = ((bits, number) for bits, number in known.near(frame.likeness))
        fitting = [
            (bits, number)
            for bits, number in near
            if distance(frame.likeness, joined[number][0].likeness) <= UNLIKE
        ]
        number = min(fitting)[1] if fitting else len(joined)
        if not fitting:
            joined.append([])
        joined[number].append(frame)
        known.add(frame.likeness, number)
    return joined


class _Fingerprints:
    """Finds fingerprints within ``NEAR_IDENTICAL`` bits without comparing all.

    Of two within 7 bits, one of four bands differs by one bit at most, so looking up each band and its 16
    neighbours misses none, but for buckets that overflow: those keep their newest, to bound the work.
    """

    def __init__(self) -> None:
        self._groups: dict[int, int] = {}
        self._buckets: defaultdict[int, list[int]] = defaultdict(list)

    def add(self, fingerprint: int, group: int) -> None:
        """Remember the first group that a fingerprint came with."""
        if fingerprint not in self._groups:
            self._groups[fingerprint] = group
            for key in _bands(fingerprint):
                bucket = self._buckets[key]
                bucket.append(fingerprint)
                del bucket[:-_BUCKET]

    def near(self, fingerprint: int) -> Iterable[tuple[int, int]]:
        """Yield bits of difference and group, some more than once."""
        if fingerprint in self._groups:
            yield 0, self._groups[fingerprint]
            return
        bucket_of, nothing = self._buckets.get, ()
        for key in _bands(fingerprint):
            for flip in _FLIPS:
                for other in bucket_of(key ^ flip, nothing):
                    # Not distance(): a call for each of a hundred candidates would double the time.
                    bits = (fingerprint ^ other).bit_count()
                    if bits <= NEAR_IDENTICAL:
                        yield bits, self._groups[other]


def _bands(fingerprint: int) -> list[int]:
    """A key a band: its number above its bits."""
    mask = (1 << _BAND_BITS) - 1
    return [band << _BAND_BITS | fingerprint >> band * _BAND_BITS & mask for band in range(_BANDS)]


def _burst(group: list[_Frame], shots: Sequence[Shot], lower_better: bool) -> Burst:
    members = sorted((index for frame in group for index in frame.members), key=lambda i: _order(shots[i]))
    sign = 1 if lower_better else -1
    best = min(members, key=lambda index: (sign * shots[index].score, shots[index].path))
    return Burst(tuple(members), best)
