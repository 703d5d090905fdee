"""The gradients of one step of ``dpiqa_lite`` in float32, by this process or by those of a launcher."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from dpiqa_plugin.models.lite import EarlyStages, Lite
from dpiqa_training.shared_stages import SharedStages


def gradients() -> dict[str, torch.Tensor]:
    """Of a model, five photos and a loss that are the same in every process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(cpu=True, mixed_precision="no")
    torch.manual_seed(0)
    model = Lite().eval()
    model.trunk.requires_grad_(False).get_submodule("blocks.6").requires_grad_(True)
    torch.nn.init.normal_(model.head.hidden[1].weight, std=0.05)  # it starts blind to the map
    early = EarlyStages(torch.rand(5, 40, 12, 12), torch.rand(5, 304))
    model.head.train()  # dropout must be of the whole step
    shared = accelerator.prepare(SharedStages(model, accelerator))
    torch.manual_seed(1)  # as every step of the recipe does
    score, deviation = shared(early)
    # Of all photos at once, so that no share of them has a loss of its own.
    accelerator.backward(score.std() + deviation.std() + (score[0] * score[4]).sum())
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


if __name__ == "__main__":
    found = gradients()
    torch.save(found, Path(sys.argv[1]) / f"{torch.distributed.get_rank()}.pt")
