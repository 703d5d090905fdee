"""Trains the head of ``dpiqa_lite`` before its trunk is tuned."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from dpiqa_plugin.models.lite import LiteHead
from dpiqa_training.config import LiteConfig
from dpiqa_training.lite_losses import lite_losses

_PHOTOS = 96  # a step
_LADDERS = 16


def warm_up_head(
    head: LiteHead, photos: Tensor, mos: Tensor, weight: Tensor, ladders: Tensor, config: LiteConfig
) -> None:
    """Train the score on the trunk's statistics as they are: the trunk must not follow a random head.

    Args:
        head: changed in place.
        photos: statistics (N, 1168) of the labelled photos.
        mos, weight: (N,).
        ladders: statistics (L, RUNGS, 1168).
        config: the recipe.
    """
    head.train()
    optimizer = torch.optim.AdamW(head.parameters(), lr=config.warm_up_lr, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, config.warm_up_epochs))
    for _ in range(config.warm_up_epochs):
        for chosen in torch.split(torch.randperm(len(mos)).to(mos.device), _PHOTOS):
            rungs = ladders[torch.randint(len(ladders), (_LADDERS,))].flatten(0, 1)
            statistics = torch.cat([photos[chosen], rungs])
            score, deviation = head.decode(statistics, statistics.new_zeros(len(statistics), head.map_width))
            parts = lite_losses(score.squeeze(1), deviation.squeeze(1), mos[chosen], weight[chosen], config)
            optimizer.zero_grad()
            functools.reduce(torch.add, parts.values()).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
