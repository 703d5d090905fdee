"""Which photos a step sees: fixed by seed and step alone, whatever was run or killed before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch


class View(NamedTuple):
    """One photo of a list, as it is or mirrored left to right."""

    photo: int
    flipped: bool


@dataclass(frozen=True)
class Batches:
    """Micro-batches of one process, from one step to the end of the run; a DataLoader's ``batch_sampler``.

    An epoch visits every photo once in a new order; those that fill no whole step at its end are left out.

    Attributes:
        photos: how many there are.
        epochs: passes over them.
        batch_size: photos a step, of all processes together.
        micro_batch: photos of one process in one forward.
        flips: whether half of the views, drawn anew in each epoch, are mirrored.
        seed: of orders and flips.
        first_step: where to begin: 0, or the number of steps already done.
        process, processes: which of how many.
    """

    photos: int
    epochs: int
    batch_size: int
    micro_batch: int
    flips: bool
    seed: int
    first_step: int = 0
    process: int = 0
    processes: int = 1

    @property
    def steps_per_epoch(self) -> int:
        """Updates of the weights in one pass."""
        return self.photos // self.batch_size

    @property
    def steps(self) -> int:
        """Updates of the weights in the whole run."""
        return self.epochs * self.steps_per_epoch

    def __len__(self) -> int:
        """Give the number of micro-batches of this process."""
        per_step = self.batch_size // (self.micro_batch * self.processes)
        return (self.steps - self.first_step) * per_step

    def __iter__(self) -> Iterator[list[View]]:
        """Give the micro-batches in order; those of one step, of all processes, share no photo."""
        views: list[View] = []
        for step in range(self.first_step, self.steps):
            epoch, place = divmod(step, self.steps_per_epoch)
            if not views or place == 0:
                views = self._epoch(epoch)
            batch = views[place * self.batch_size :][: self.batch_size]
            stride = self.micro_batch * self.processes
            for start in range(self.process * self.micro_batch, self.batch_size, stride):
                yield batch[start : start + self.micro_batch]

    def _epoch(self, epoch: int) -> list[View]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = torch.randperm(self.photos, generator=generator)
        flipped = torch.rand(self.photos, generator=generator) < (0.5 if self.flips else 0.0)
        return [View(*pair) for pair in zip(order.tolist(), flipped.tolist(), strict=True)]
