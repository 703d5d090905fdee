"""3 x 3 convolutions in float32 with a fourth or fifth of the multiplications, on CPUs without gradients.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv 1509.09308. Large maps go to
NNPACK, where torch was built with it (not on Windows): F(6x6, 3x3), with an error of 5e-6 of the result's
deviation. Elsewhere, and for smaller maps, F(4x4, 3x3) is done here: tiles of 6 x 6 positions are
transformed, multiplied by transformed weights, and transformed back to 4 x 4 results; error 2e-6.

CPU seconds on one core with AVX-512; the direct sum's error is 1e-6:

    channels    positions    direct   in bfloat16   F(4x4)   NNPACK
    128         512 x 512     0.76       0.37        0.95     0.32
    512         128 x 128     0.71       0.33        0.33     0.21
    320          64 x 64      0.068      0.034       0.034    0.024
    640          32 x 32      0.070      0.034       0.030    0.035
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dpiqa_plugin.models.inference import is_plain_inference
from dpiqa_plugin.models.kept import Kept

_TILE, _STEP = 6, 4
_INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_WEIGHT = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_OUTPUT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
_CHANNELS = (128, 1280)
"""Of fewer, the transforms cost what they save; more were not measured."""
_LEAST_CHANNELS_HERE = 256
"""The transforms cost more here than in NNPACK: of 128 channels the direct sum is faster."""
_LEAST_SIDE = 32
_LEAST_SIDE_FOR_NNPACK = 64
_IN_CACHE = 2 << 20  # numbers to transform at a time


class WinogradConv2d(nn.Conv2d):
    """A convolution that takes the short way where there is one; its transformed weights are kept."""

    transformed: Kept[Tensor]
    laid_out: Kept[Tensor]

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # its name in torch
        """See ``nn.Conv2d``."""
        if not _is_worthwhile(self, input):
            return super().forward(input)
        # Asked each time: torch readies NNPACK when it is asked.
        if min(input.shape[-2:]) >= _LEAST_SIDE_FOR_NNPACK and torch._nnpack_available():
            weight = self.laid_out.get([self.weight], lambda: self.weight.contiguous())
            return _convolve_by_nnpack(input, weight, self.bias)
        if self.in_channels < _LEAST_CHANNELS_HERE:
            return super().forward(input)
        weight = self.transformed.get([self.weight], lambda: _transformed(self.weight))
        return _convolve(input, weight, cast(Tensor, self.bias))


def shorten(part: nn.Module) -> None:
    """Let every convolution of ``part`` that gains from it become a `WinogradConv2d`."""
    for layer in part.modules():
        if type(layer) is nn.Conv2d and _is_suited(layer):
            layer.__class__ = WinogradConv2d  # in place: parameters, names and hooks stay
            cast(WinogradConv2d, layer).transformed = Kept()
            cast(WinogradConv2d, layer).laid_out = Kept()


def _is_suited(layer: nn.Conv2d) -> bool:
    least, most = _CHANNELS
    shape = (layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups)
    return (
        shape == ((3, 3), (1, 1), (1, 1), (1, 1), 1)
        and layer.padding_mode == "zeros"
        and layer.bias is not None
        and layer.in_channels >= least
        and least <= layer.out_channels <= most
    )


def _is_worthwhile(layer: nn.Conv2d, sample: Tensor) -> bool:
    return min(sample.shape[-2:]) >= _LEAST_SIDE and is_plain_inference(sample, layer.weight)


def _convolve_by_nnpack(sample: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve, keeping the layout: a sum of two layouts costs a CPU as much as a convolution."""
    layout = torch.contiguous_format
    if sample.is_contiguous(memory_format=torch.channels_last):
        layout = torch.channels_last
    # What torch itself convolves with on phones; it has no public name. It takes several photos at once, but
    # then holds all their tiles.
    results = [torch._nnpack_spatial_convolution(photo[None], weight, bias, 1, 1) for photo in sample]
    result = results[0] if len(results) == 1 else torch.cat(results)
    return result.contiguous(memory_format=layout)


def _transformed(weight: Tensor) -> Tensor:
    """(O, C, 3, 3) to (36, C, O); summed in float64, whose cost is paid once."""
    matrix = torch.tensor(_WEIGHT, dtype=torch.float64)
    by_place = torch.einsum("ai,bj,ocij->abco", matrix, matrix, weight.double())
    return by_place.flatten(0, 1).float().contiguous()


def _convolve(sample: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    count, _channels, height, width = sample.shape
    down, across = -(-height // _STEP), -(-width // _STEP)
    margins = (0, 0, 1, 1 + across * _STEP - width, 1, 1 + down * _STEP - height)
    padded = F.pad(sample.permute(0, 2, 3, 1), margins).contiguous()
    result = sample.new_empty(count, down, _STEP, across, _STEP, weight.shape[2])
    rows = max(1, _IN_CACHE // (len(weight) * across * max(weight.shape[1:])))
    for photo, tiles in zip(padded, result, strict=True):
        for first in range(0, down, rows):
            _convolve_rows(photo[_STEP * first :], weight, tiles[first : first + rows])
    cropped = result.view(count, down * _STEP, across * _STEP, -1)[:, :height, :width]
    return cropped.add_(bias).permute(0, 3, 1, 2)


def _convolve_rows(photo: Tensor, weight: Tensor, result: Tensor) -> None:
    """Fill rows of tiles (rows, 4, across, 4, O) from what lies under them in (height, width, C)."""
    rows, _, across, _, _ = result.shape
    channels = photo.shape[2]
    down, right, _ = photo.stride()
    tiles = photo.as_strided(
        (_TILE, _TILE, rows, across, channels), (down, right, _STEP * down, _STEP * right, 1)
    )
    places = _by_place(_INPUT) @ tiles.reshape(_TILE**2, -1)
    products = torch.bmm(places.view(_TILE**2, rows * across, channels), weight)
    back = (_by_place(_OUTPUT) @ products.view(_TILE**2, -1)).view(_STEP, _STEP, rows, across, -1)
    result.copy_(back.permute(2, 0, 3, 1, 4))


def _by_place(matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """A transform along rows and columns at once."""
    single = torch.tensor(matrix, dtype=torch.float32)
    return torch.kron(single, single)
