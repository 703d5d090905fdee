"""3 x 3 convolutions in float32 with a fourth or fifth of the multiplications, on CPUs without gradients.

(Those whose weights are in bfloat16 are left to `programs`.)

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv 1509.09308. F(4x4, 3x3) is done
here: tiles of 6 x 6 positions are transformed, multiplied by transformed weights, and transformed back to
4 x 4 results, whose channels lie last; error 2e-6 of the result's deviation. The transformed weights, four
times as many, are kept. Large maps whose positions lie together go to NNPACK, where torch was built with it
(not on Windows): F(6x6, 3x3), error 5e-6. The direct sum's error is 1e-6.

Milliseconds on two cores with AVX-512, in the layout that the way likes best:

    channels    positions    direct   in bfloat16   F(4x4)   NNPACK
    128         512 x 512     348        171         328      143
    512         128 x 128     365        172         152      112
    320          64 x 64       34         17          17       15
    2048 > 512   64 x 64      400        200         145      136
    640          32 x 32       34         17          15        -

To change a large map's layout costs as much as to convolve it, so that none is changed for NNPACK.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dpiqa_plugin.models.inference import is_plain_inference
from dpiqa_plugin.models.kept import Kept
from dpiqa_plugin.models.programs import Programs, convolved

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
_LEAST_SIDE = 32
_LEAST_SIDE_FOR_NNPACK = 64
_AT_A_TIME = 8 << 20  # numbers to transform; of fewer, the weights would be read too often


class WinogradConv2d(nn.Conv2d):
    """A convolution that takes the short way where there is one; its transformed weights are kept.

    With weights in bfloat16 it takes and gives float32, too, and multiplies in bfloat16.
    """

    transformed: Kept[Tensor]
    laid_out: Kept[Tensor]
    programs: Programs

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # its name in torch
        """See ``nn.Conv2d``."""
        if self.programs.may_run([self], input):
            return self.programs.run(convolved, [self], input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        if self.weight.dtype == torch.bfloat16 and input.dtype == torch.float32:
            return super().forward(input.bfloat16()).float()
        if not _is_worthwhile(self, input):
            return super().forward(input)
        suits_nnpack = input.is_contiguous() and min(input.shape[-2:]) >= _LEAST_SIDE_FOR_NNPACK
        if suits_nnpack and torch._nnpack_available():  # asked each time: torch readies it then
            weight = self.laid_out.get([self.weight], lambda: self.weight.contiguous())
            return _convolve_by_nnpack(input, weight, self.bias)
        weight = self.transformed.get([self.weight], lambda: _transformed(self.weight))
        return _convolve(input, weight, cast(Tensor, self.bias))


def shorten(part: nn.Module) -> None:
    """Let every convolution of ``part`` that gains from it become a `WinogradConv2d`."""
    for layer in part.modules():
        if type(layer) is nn.Conv2d and _is_suited(layer):
            layer.__class__ = WinogradConv2d  # in place: parameters, names and hooks stay
            cast(WinogradConv2d, layer).transformed = Kept()
            cast(WinogradConv2d, layer).laid_out = Kept()
            cast(WinogradConv2d, layer).programs = Programs()


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
    # What torch itself convolves with on phones; it has no public name. It takes several photos at once, but
    # then holds all their tiles, and is three times as slow.
    results = [torch._nnpack_spatial_convolution(photo[None], weight, bias, 1, 1) for photo in sample]
    return results[0] if len(results) == 1 else torch.cat(results)


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
    rows = max(1, _AT_A_TIME // (len(weight) * across * max(weight.shape[1:])))
    photos = max(1, rows // down)
    for start in range(0, count, photos):
        of_photos = slice(start, start + photos)
        for first in range(0, down, rows):
            of_rows = slice(first, first + rows)
            _convolve_rows(padded[of_photos, _STEP * first :], weight, result[of_photos, of_rows])
    cropped = result.view(count, down * _STEP, across * _STEP, -1)[:, :height, :width]
    return cropped.add_(bias).permute(0, 3, 1, 2)


def _convolve_rows(sample: Tensor, weight: Tensor, result: Tensor) -> None:
    """Fill rows of tiles (N, rows, 4, across, 4, O) from what lies under them in (N, height, width, C)."""
    photos, rows, _, across, _, _ = result.shape
    channels = sample.shape[3]
    photo, down, right, _ = sample.stride()
    tiles = sample.as_strided(
        (_TILE, _TILE, photos, rows, across, channels),
        (down, right, photo, _STEP * down, _STEP * right, 1),
    )
    places = _by_place(_INPUT) @ tiles.reshape(_TILE**2, -1)
    products = torch.bmm(places.view(_TILE**2, photos * rows * across, channels), weight)
    back = (_by_place(_OUTPUT) @ products.view(_TILE**2, -1)).view(_STEP, _STEP, photos, rows, across, -1)
    result.copy_(back.permute(2, 3, 0, 4, 1, 5))


def _by_place(matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """A transform along rows and columns at once."""
    single = torch.tensor(matrix, dtype=torch.float32)
    return torch.kron(single, single)
