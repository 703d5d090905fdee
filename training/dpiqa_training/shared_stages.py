"""``dpiqa_lite`` in several processes: a share of the photos each, losses of the whole step.

Each process runs the trunk on its share of a step's photos and ladders. The means that the head takes are
then gathered, and every process decodes all of them: dropout, PLCC and the ladders' ranking are those of the
whole step, so losses are those of one process.
"""

from __future__ import annotations

from accelerate import Accelerator
from torch import Tensor, nn

from dpiqa_plugin.models.lite import EarlyStages, Lite, pooled_map


class SharedStages(nn.Module):
    """The trained stages on this process's share of a step, and the head on what all of them found.

    Args:
        model: its late stages and its head are run.
        accelerator: of this process.
    """

    def __init__(self, model: Lite, accelerator: Accelerator) -> None:
        super().__init__()
        self.model = model
        self._accelerator = accelerator
        self._own = slice(accelerator.process_index, None, accelerator.num_processes)

    def forward(self, early: EarlyStages) -> tuple[Tensor, Tensor]:
        """Give score and deviation, (N, 1) each, of all photos of a step, which every process draws alike."""
        own = EarlyStages(*(x[self._own] for x in early))
        statistics, quality_map = self.model.late_features(own)
        gathered = (self._of_all(x, len(early.map)) for x in (statistics, pooled_map(quality_map)))
        score, deviation = self.model.head.decode(*gathered)
        return score, deviation

    def _of_all(self, own: Tensor, count: int) -> Tensor:
        processes = self._accelerator.num_processes
        if processes == 1:
            return own
        placed = own.new_zeros(count, own.shape[1])
        placed[self._own] = own
        whole = self._accelerator.reduce(placed.detach().float(), "sum").to(own.dtype)
        # Of the trunk's gradient each process has the part of its own photos: they must be added up, and the
        # mean over all processes will be taken. The head's is the same in all.
        gathered: Tensor = whole + processes * (placed - placed.detach())
        return gathered
