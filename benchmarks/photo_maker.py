"""Large JPEGs for the benchmarks: the example photos enlarged, with grain."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples" / "photos"


def make_jpegs(folder: Path, count: int, size: tuple[int, int], distinct: int = 12) -> list[Path]:
    """Write ``count`` JPEGs of ``size`` and return their paths.

    ``distinct`` of them are rendered; the others have the same pixels and a few bytes of their own after the
    end of the image, so that no two files have the same content.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources = sorted(EXAMPLES.glob("*.jpg"))
    rendered = [_jpeg(sources[i % len(sources)], size, seed=i) for i in range(min(distinct, count))]
    paths = [folder / f"{index:05d}.jpg" for index in range(count)]
    for index, path in enumerate(paths):
        path.write_bytes(rendered[index % len(rendered)] + index.to_bytes(4, "big"))
    return paths


def _jpeg(source: Path, size: tuple[int, int], seed: int) -> bytes:
    with Image.open(source) as image:
        large = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    noise = np.random.Generator(np.random.PCG64(seed)).normal(0, 6, (size[1] // 4, size[0] // 4, 3))
    # One tile of grain, repeated: sixteen times faster to draw, and no worse for a JPEG encoder.
    grain = np.tile(noise.astype(np.int16), (5, 5, 1))[: size[1], : size[0]]
    pixels = np.clip(np.asarray(large, dtype=np.int16) + grain, 0, 255).astype(np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", quality=92)
    return encoded.getvalue()
