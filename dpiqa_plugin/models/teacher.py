"""DP-IQA's teacher: photo quality from Stable Diffusion 1.5's U-Net features, steered by quality prompts.

Paper: Fu et al., "DP-IQA: Utilizing Diffusion Prior for Blind Image Quality Assessment in the Wild", arXiv
2405.19996. Written afresh on diffusers' own blocks after the paper and the published checkpoints' parameter
names; none of the authors' code is used.

Code: Apache-2.0. Published weights: the authors', CC BY-NC-SA 4.0.

It differs from the authors' in one thing: they sample the VAE's posterior, so their scores change from run
to run; here its mean is used. The VAE's decoder is not built and the U-Net's output convolution is not run:
DP-IQA never needs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.models.adapter import FullAdapter
from torch import Tensor, nn

from dpiqa_plugin.errors import WeightsError
from dpiqa_plugin.models.adapters import TextAdapter
from dpiqa_plugin.models.decoder import QualityFeatureDecoder
from dpiqa_plugin.models.kept import Kept
from dpiqa_plugin.models.latent_encoder import LatentEncoder, build_latent_encoder
from dpiqa_plugin.models.precision import multiply_in_bfloat16
from dpiqa_plugin.models.prediction import QualityPrediction
from dpiqa_plugin.models.squash import squash
from dpiqa_plugin.models.sublayers import KeysValues, cross_attentions
from dpiqa_plugin.models.unet_features import (
    branches,
    build_unet,
    keys_and_values,
    stream_type,
    up_block_features,
)
from dpiqa_plugin.models.winograd import shorten
from dpiqa_plugin.preprocess import DPIQA_INPUT_SIZE
from dpiqa_plugin.weights_file import about, is_safetensors

VAE_STRIDE = 8
MAP_CHANNELS = 8
VAE_RANGES = ("unit", "signed")


@dataclass(frozen=True)
class TeacherConfig:
    """Widths of the parts; the defaults are Stable Diffusion 1.5's and the paper's.

    Attributes:
        image_size: side in pixels of the square that photos are squashed to; a multiple of 64.
        unet_channels: of the U-Net's four levels, and of the image adapter's four maps.
        unet_layers: residual blocks a level.
        vae_channels: of the encoder's four levels.
        vae_layers: residual blocks a level.
        norm_groups: of every group norm; divides all channels.
        prompt_shape: number of prompts and their width.
        decoder_width: channels of the quality feature decoder.
        vae_range: what the VAE is fed: ``unit`` is 0..1, as the published weights were trained, ``signed`` is
            -1..1, as the VAE itself was.
    """

    image_size: int = DPIQA_INPUT_SIZE
    unet_channels: tuple[int, int, int, int] = (320, 640, 1280, 1280)
    unet_layers: int = 2
    vae_channels: tuple[int, int, int, int] = (128, 256, 512, 512)
    vae_layers: int = 2
    norm_groups: int = 32
    prompt_shape: tuple[int, int] = (1485, 768)
    decoder_width: int = 512
    vae_range: str = "unit"

    def __post_init__(self) -> None:
        if self.vae_range not in VAE_RANGES:
            raise ValueError(f"vae_range must be one of {VAE_RANGES}, got {self.vae_range!r}")

    @property
    def map_size(self) -> int:
        """Side of the latent, and of the feature map."""
        return self.image_size // VAE_STRIDE


REDUCED = TeacherConfig(
    image_size=64,
    unet_channels=(16, 16, 32, 32),
    unet_layers=1,
    vae_channels=(8, 8, 16, 16),
    vae_layers=1,
    norm_groups=8,
    prompt_shape=(12, 24),
    decoder_width=32,
)
"""The same code at a size that a CPU runs in milliseconds."""


def config_of(weights: Path) -> TeacherConfig:
    """Read from a file of weights what ``dpiqa-train`` says in it; any other file is as published.

    Raises:
        WeightsError: the file says what this version does not know.
    """
    if not weights.is_file() or not is_safetensors(weights):
        return TeacherConfig()
    said = about(weights).get("vae_range", VAE_RANGES[0])
    if said not in VAE_RANGES:
        raise WeightsError(f"{weights} was trained with an unknown vae_range, {said!r}; update dpiqa")
    return TeacherConfig(vae_range=said)


class Teacher(nn.Module):
    """Latent encoder, image adapter, text adapter, U-Net features, quality feature decoder.

    Built with random weights; load a state dict and set the prompt embeddings afterwards.
    """

    prompt_embeddings: Tensor | None
    vae: LatentEncoder
    QFD: QualityFeatureDecoder

    def __init__(self, config: TeacherConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TeacherConfig()
        width = config.prompt_shape[1]
        self.gamma = nn.Parameter(torch.ones(width))
        self.vae = build_latent_encoder(config.vae_channels, config.vae_layers, config.norm_groups)
        self.unet = build_unet(config.unet_channels, config.unet_layers, config.norm_groups, width)
        self.text_adapter = TextAdapter(width)
        self.img_adapter = FullAdapter(channels=list(config.unet_channels))
        self.QFD = QualityFeatureDecoder(
            config.unet_channels, config.decoder_width, MAP_CHANNELS, config.map_size
        )
        self.register_buffer("prompt_embeddings", None, persistent=False)
        # 37 million numbers for the published config: 148 MB, half of it in float16.
        self._kept_prompts: Kept[KeysValues] = Kept()
        shorten(self)
        self.computes_in = torch.float32

    def set_prompt_embeddings(self, embeddings: Tensor) -> None:
        """Set the condition: CLIP's embeddings of the prompts, shape ``config.prompt_shape``."""
        if tuple(embeddings.shape) != self.config.prompt_shape:
            raise ValueError(
                f"embeddings must have shape {self.config.prompt_shape}, got {tuple(embeddings.shape)}"
            )
        self.prompt_embeddings = embeddings.to(self.gamma)

    @torch.inference_mode(False)  # or the weights would not count their changes, and nothing could be kept
    @torch.no_grad()
    def compute_in(self, dtype: torch.dtype) -> None:
        """Convert the weights so that scores come faster, within some thousandths; see `precision`.

        What rounding took from the weights does not come back with float32. To go back, ask for float32 here:
        ``float()`` converts the weights and leaves the VAE's attention as it is. In any type, photos and
        predictions are float32, and the layers after the map compute in it: a score is one number, and
        bfloat16's steps are 1/256 below 1.

        Args:
            dtype: float32; float16, which all before the map then is; or bfloat16, in which attention, the
                U-Net's `branches`, the image adapter's two smallest maps and the decoder's of small maps
                multiply. With the parity tests' weights all this together moved the scores of 22 photos by
                0.0023 at most. The rest is as fast in float32 by `winograd`, or small. What then comes of the
                weights is kept: see `Programs` for which of their changes are noticed.
        """
        self.float()
        if self.computes_in == torch.bfloat16 and _lies_channels_last(self.unet.conv_in.weight):
            self.to(memory_format=torch.channels_last)  # those layers, too, that bfloat16 had laid otherwise
        self.vae.attends_in_bfloat16 = dtype == torch.bfloat16
        if dtype == torch.float16:
            for part in (self.vae, self.unet, self.img_adapter, *self.QFD.before_the_score()):
                nn.Module.to(part, dtype)  # diffusers' own warns of float16, whatever the model
        elif dtype == torch.bfloat16:
            small_maps = [each for block in self.img_adapter.body[2:] for each in block.modules()]
            of_adapter = [layer for layer in small_maps if isinstance(layer, nn.Conv2d)]
            layers = [*branches(self.unet), *of_adapter]
            multiply_in_bfloat16([*layers, *self.QFD.of_small_maps()])
            for layer in layers:
                layer.to(memory_format=torch.contiguous_format)  # else its program would hold a copy
        elif dtype != torch.float32:
            raise ValueError(f"dtype must be float32, float16 or bfloat16, got {dtype}")
        self.computes_in = dtype

    def forward(self, image: Tensor, latent: Tensor | None = None) -> QualityPrediction:
        """Judge a batch of photos.

        Args:
            image: RGB, shape (N, 3, H, W), range 0..1, any size; squashed to 512 x 512 here. It goes to the
                VAE as it is, neither scaled to -1..1 nor normalised: the published weights were trained so.
            latent: what `encode` gave for these photos; computed if None.

        Returns:
            score (N, 1), MOS/100 of the training data, about 0..1, higher is better; map (N, 8, 64, 64).

        Raises:
            RuntimeError: the prompt embeddings have not been set.
        """
        prediction: QualityPrediction = self.QFD(self.features(image, latent))
        return prediction

    def encode(self, image: Tensor) -> Tensor:
        """Give the VAE's latents (N, 4, 64, 64) of photos as in `forward`. No training changes them."""
        image = squash(image, self.config.image_size)
        latent: Tensor = self.vae(image if self.config.vae_range == "unit" else image * 2 - 1)
        return latent

    def features(self, image: Tensor, latent: Tensor | None = None) -> list[Tensor]:
        """Outputs of the four up blocks, 0 to 3: (N, C, S, S) with S = 16, 32, 64, 64."""
        if self.prompt_embeddings is None:
            raise RuntimeError("the teacher has no prompt embeddings yet; call set_prompt_embeddings first")
        image = squash(image, self.config.image_size)
        latent = self.encode(image) if latent is None else latent
        residuals = self.img_adapter(image.to(stream_type(self.unet)))
        prompts = self._prompts(self.prompt_embeddings)
        return up_block_features(self.unet, latent, prompts, residuals)

    def _prompts(self, embeddings: Tensor) -> KeysValues:
        sources = [embeddings, self.gamma, *self.text_adapter.parameters()]
        for attention in cross_attentions(self.unet):
            sources += [attention.to_k.weight, attention.to_v.weight]
        return self._kept_prompts.get(
            sources, lambda: keys_and_values(self.unet, self.text_adapter(embeddings, self.gamma))
        )


def _lies_channels_last(weight: Tensor) -> bool:
    return weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
