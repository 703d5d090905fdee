"""Makes JPEGs as large as cameras' out of small photos, with detail and grain down to the pixel.

python benchmarks/large_photos.py FOLDER OUT [--size 6000x4000]
"""
# a command's output

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

QUALITY = 92
_GRAIN = 5.0  # deviation in levels: a 24-megapixel JPEG gets 7 to 14 MB, as cameras' have
# The photo's own fine detail is laid over the enlargement at these magnifications, because an enlarged photo
# alone has none left that a decoder could lose.
_DETAIL = {4: 0.5, 2: 0.5, 1: 0.35}


def enlarge(photo: Image.Image, size: tuple[int, int], seed: int) -> Image.Image:
    """Enlarge an RGB photo to ``size`` (the long side first; portraits stay portraits)."""
    width, height = size if photo.width >= photo.height else size[::-1]
    grain = np.random.default_rng(seed).normal(0, _GRAIN, (height, width)).astype(np.float32)
    for magnification, strength in _DETAIL.items():
        grain += strength * _tiled_detail(photo.convert("L"), magnification, width, height)
    pixels = np.asarray(photo.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)
    return Image.fromarray(np.clip(pixels + grain[..., None], 0, 255).astype(np.uint8))


def _tiled_detail(grey: Image.Image, magnification: int, width: int, height: int) -> np.ndarray:
    large = grey.resize((grey.width * magnification, grey.height * magnification), Image.Resampling.BICUBIC)
    smooth = large.filter(ImageFilter.GaussianBlur(2 * magnification))
    detail = np.asarray(large, dtype=np.float32) - np.asarray(smooth, dtype=np.float32)
    tile = np.block([[detail, detail[:, ::-1]], [detail[::-1], detail[::-1, ::-1]]])
    repeats = (-(-height // tile.shape[0]), -(-width // tile.shape[1]))
    return np.tile(tile, repeats)[:height, :width]


def main() -> None:
    """Write a JPEG into OUT for each PNG in FOLDER."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="with PNGs")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--size", default="6000x4000", help="long side x short side")
    arguments = parser.parse_args()
    long_side, short_side = map(int, arguments.size.split("x"))
    arguments.out.mkdir(parents=True, exist_ok=True)
    for seed, path in enumerate(sorted(arguments.folder.glob("*.png"))):
        with Image.open(path) as image:
            large = enlarge(image.convert("RGB"), (long_side, short_side), seed)
        target = arguments.out / f"{path.stem}_{arguments.size}.jpg"
        large.save(target, quality=QUALITY)
        print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
