"""The encoder half of Stable Diffusion's VAE: photo to latent."""

from __future__ import annotations

from collections.abc import Sequence

from diffusers import AutoencoderKL
from torch import Tensor, nn

LATENT_CHANNELS = 4
_SCALING = 0.18215  # of Stable Diffusion 1.5: brings the latent to unit deviation


class LatentEncoder(nn.Module):
    """``encoder`` and ``quant_conv`` of diffusers' ``AutoencoderKL``, under the same parameter names."""

    def __init__(self, encoder: nn.Module, quant_conv: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.quant_conv = quant_conv

    def forward(self, image: Tensor) -> Tensor:
        """Mean of the posterior, scaled: (N, 3, H, W) to (N, 4, H/8, W/8)."""
        mean, _log_variance = self.quant_conv(self.encoder(image)).chunk(2, dim=1)
        scaled: Tensor = mean * _SCALING
        return scaled


def build_latent_encoder(channels: Sequence[int], layers: int, norm_groups: int) -> LatentEncoder:
    """Take the encoder half out of an ``AutoencoderKL`` of these channels a level."""
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        # The other half is dropped at once: the cheapest that diffusers can build.
        up_block_types=("UpDecoderBlock2D",),
        block_out_channels=tuple(channels),
        layers_per_block=layers,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=norm_groups,
    )
    return LatentEncoder(vae.encoder, vae.quant_conv)
