"""What the window and the process that scores say to each other, pickled; no Qt here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Ready:
    """The model that scores.

    Attributes:
        metric: its name.
        description: what runs where, one line.
        identity: name and weights; scores of equal identity can be compared.
        lower_better: a lower score is a better photo.
        score_range: lowest and highest score, about; None if not known.
    """

    metric: str
    description: str
    identity: str
    lower_better: bool
    score_range: tuple[float, float] | None


@dataclass(frozen=True)
class Score:
    """Asks for scores.

    Attributes:
        photos: paths.
        metric, device: see ``create_backend``.
        database: of the score store.
        force: score again what the store knows.
    """

    photos: tuple[str, ...]
    metric: str
    device: str
    database: Path
    force: bool = False


@dataclass(frozen=True)
class Describe:
    """Asks what a model is like: a ``Description``."""

    metric: str
    device: str


@dataclass(frozen=True)
class Description:
    """The attributes of a ``Backend``."""

    description: str
    identity: str
    input_size: int | None
    lower_better: bool
    score_range: tuple[float, float] | None
    batch_size: int


@dataclass(frozen=True)
class Look:
    """Asks for a ``Judgement`` of pixels that are at hand; see ``Backend.judge``."""

    metric: str
    device: str
    photos: list[np.ndarray]
    maps: bool


@dataclass(frozen=True)
class Hold:
    """Asks to score no more photos than those at hand, or, without ``held``, to go on."""

    held: bool


@dataclass(frozen=True)
class Cancel:
    """Asks to end after the photos at hand."""


Request = Score | Describe | Look | Hold | Cancel

ENDED = "ended"
"""The last message of a number; its value is None, or for the user's eyes why it ended before its end."""


@dataclass(frozen=True)
class Fault:
    """An exception that nobody expected, as text: tracebacks cannot be sent."""

    summary: str
    trace: str
