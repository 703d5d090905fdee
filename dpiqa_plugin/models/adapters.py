"""DP-IQA's text adapter (paper, section 3.3): a residual that fits CLIP's prompt embeddings to the task.

The image adapter needs no code of ours: it is diffusers' ``FullAdapter``, as in T2I-Adapter.
"""

from __future__ import annotations

from torch import Tensor, nn


class TextAdapter(nn.Module):
    """c' = c + gamma * MLP(c), with an MLP of one hidden layer of the same width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, embeddings: Tensor, gamma: Tensor) -> Tensor:
        """Adapt embeddings (prompts, width) by ``gamma`` (width), which belongs to the teacher."""
        adapted: Tensor = embeddings + gamma * self.fc(embeddings)
        return adapted
