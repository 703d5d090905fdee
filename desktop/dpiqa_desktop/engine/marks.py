"""What the photographer said of photos in this program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Flag = Literal["picked", "rejected"]


@dataclass(frozen=True)
class Mark:
    """What the photographer said of a photo.

    Attributes:
        stars: 0 to 5; None if not rated here.
        flag: None if neither picked nor rejected.
    """

    stars: int | None = None
    flag: Flag | None = None
