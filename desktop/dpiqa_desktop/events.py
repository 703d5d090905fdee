"""What the engine tells while it works: the only thing that the console and the records consume."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scored:
    """A photo got its score.

    Attributes:
        path: as found; bytes of the name that are not UTF-8 are in it as surrogates (``os.fsencode`` gives
            them back).
        score: the metric's own scale; the back end says which way is better.
    """

    path: str
    score: float


@dataclass(frozen=True)
class Failed:
    """A photo or folder could not be read or scored; ``reason`` is for the user's eyes."""

    path: str
    reason: str


Event = Scored | Failed
