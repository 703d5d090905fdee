"""What the engine tells while it works: all that the console and the records consume."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scored:
    """A photo has its score.

    Attributes:
        path: as found; bytes of the name that are not UTF-8 are in it as surrogates (``os.fsencode`` gives
            them back).
        score: the metric's own scale; the back end says which way is better.
        captured_at: seconds of the camera's clock since 1970, None if the photo does not say.
        likeness: fingerprint of 64 bits, few of which differ in photos that look alike; None for a blank one.
        known: the score was in the store, from this run's path or from the same content elsewhere.
        scored_at: when, in seconds since 1970, UTC.
        uncertainty: the standard deviation, in units of the score, that raters' mean opinion is expected to
            have around it; None if the metric does not say.
    """

    path: str
    score: float
    captured_at: float | None = None
    likeness: int | None = None
    known: bool = False
    scored_at: float = field(default=0.0, compare=False)
    uncertainty: float | None = None


@dataclass(frozen=True)
class Failed:
    """A photo or folder could not be read or scored; ``reason`` is for the user's eyes."""

    path: str
    reason: str


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        done: photos scored, now or earlier, and failed.
        failed: of those.
        total: photos of this run.
        rate: photos scored a second, without those that were in the store; 0 before the first.
        eta: seconds to the end at that rate; None before the first.
    """

    done: int
    failed: int
    total: int
    rate: float
    eta: float | None


@dataclass(frozen=True)
class Notice:
    """Something went wrong that costs no score; ``text`` is for the user's eyes."""

    text: str


Event = Scored | Failed | Progress | Notice
