"""How a photo's light is spread from black to white: what the channels of an ImageNet network hardly tell.

A network that names things learns to see past exposure. What tells it are the ends of the histogram: how much
is clipped, and how far below white the brightest places stay; the step from a thousandth of the area to a
hundredth says more than the one from a tenth to a ninth, hence logarithms.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Float16 holds all of these exactly: weights and constants of the bundled files are rounded to it.
_LEVELS_AND_WIDTHS = (
    *((2, 4), (4, 4), (8, 8), (16, 8)),
    *((level, 16) for level in (24, 36, 52, 70, 90, 110, 130, 150, 170, 186, 200, 210)),
    *((220, 8), (228, 8), (235, 8), (241, 8), (246, 4), (250, 4), (253, 2), (254.5, 1)),
)
_LUMA = (77 / 256, 150 / 256, 29 / 256)
_LEAST_SHARE = 2.0**-12
_STRIDE = 3  # of rows and columns: of 384 x 384 positions 16,384 are looked at

EXPOSURE_STATISTICS = 2 * 3 * len(_LEVELS_AND_WIDTHS)


def exposure_statistics(image: Tensor) -> Tensor:
    """Logarithms of the shares of the area above and below 24 levels.

    Args:
        image: RGB (N, 3, H, W) in 0..1.

    Returns:
        (N, 144): of luma, of the brightest and of the darkest of the three channels the shares above each
        level, then those below; about -8.3 (nothing) to 0 (all). A level is a ramp some grey levels wide, so
        that a slight change of the photo makes a slight change here.
    """
    image = image[..., 1::_STRIDE, 1::_STRIDE] * 255
    red, green, blue = image.unbind(dim=1)
    luma = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    planes = torch.stack([luma, image.amax(dim=1), image.amin(dim=1)], dim=1).flatten(2)
    ramps = (((planes - level) / width + 0.5).clamp(0, 1) for level, width in _LEVELS_AND_WIDTHS)
    above = torch.stack([ramp.mean(dim=2) for ramp in ramps], dim=2).flatten(1)
    return torch.cat([above, 1 - above], dim=1).add(_LEAST_SHARE).log()
