"""Back ends without a model: scores that a test can foresee."""

from __future__ import annotations

import numpy as np

from dpiqa_desktop.engine.backends import Judgement


class Brightness:
    """The mean of all pixels, 0..255."""

    description = "brightness"
    lower_better = False
    score_range = (0, 255)

    def __init__(
        self, input_size: int | None = 32, batch_size: int = 4, identity: str = "brightness-1"
    ) -> None:
        self.input_size = input_size
        self.batch_size = batch_size
        self.identity = identity
        self.loads = 0
        self.judged = 0

    def load(self) -> None:
        self.loads += 1

    def judge(self, photos: list[np.ndarray], maps: bool = False) -> Judgement:
        self.judged += len(photos)
        return Judgement(np.array([photo.mean() for photo in photos], dtype=np.float32))


class AfraidOfTheDark(Brightness):
    """Fails a whole call because of one black photo, as runtimes do."""

    def judge(self, photos: list[np.ndarray], maps: bool = False) -> Judgement:
        if not all(photo.any() for photo in photos):
            raise RuntimeError("division by darkness")
        return super().judge(photos)


class Blinded(Brightness):
    """Gives no number for white photos."""

    def judge(self, photos: list[np.ndarray], maps: bool = False) -> Judgement:
        scores = [np.nan if photo.min() == 255 else 1 for photo in photos]
        return Judgement(np.array(scores, dtype=np.float32))
