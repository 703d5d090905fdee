"""CPU time of JPEG decoders for the pixels that the engine needs, as ratios to Pillow's, in one process.

pip install simplejpeg
python benchmarks/large_photos.py FOLDER OUT
python benchmarks/decoders.py OUT [--photos 4] [--repeat 5]

"entropy" is Pillow decoding to grey at 1/8: little more than the Huffman codes that everyone has to read, so
what a decoder could save at most. PyTurboJPEG is not among them: its wheels hold no libjpeg-turbo.
"""
# a command's output

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image

from dpiqa_plugin.preprocess import squash

SIZES = (384, 512)
MARGINS = (1, 2, 3)

_Decoder = Callable[[bytes, int, int], np.ndarray]


def _pillow(content: bytes, size: int, margin: int) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        image.draft(None, (size * margin, size * margin))
        return squash(image, size)


def _pillow_resizing_ycbcr(content: bytes, size: int, margin: int) -> np.ndarray:
    """Convert the colours of the small square only."""
    with Image.open(io.BytesIO(content)) as image:
        image.draft("YCbCr", (size * margin, size * margin))
        return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR).convert("RGB"))


def _pillow_with_a_gap(content: bytes, size: int, margin: int) -> np.ndarray:
    """Average blocks of pixels before the proper resizing."""
    with Image.open(io.BytesIO(content)) as image:
        image.draft(None, (size * margin, size * margin))
        return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0))


def _pillow_in_one_read(content: bytes, size: int, margin: int) -> np.ndarray:
    """Hand libjpeg the whole file instead of 64 KB at a time."""
    with Image.open(io.BytesIO(content)) as image:
        image.draft(None, (size * margin, size * margin))
        image.decodermaxblock = len(content)
        return squash(image, size)


def _simplejpeg(content: bytes, size: int, margin: int) -> np.ndarray:
    """Choose the smallest of the scales M/8; Pillow has 1/8, 2/8, 4/8 and 8/8."""
    least = size * margin
    pixels = simplejpeg.decode_jpeg(content, min_height=least, min_width=least, min_factor=1)
    return squash(Image.fromarray(pixels), size)


def _entropy(content: bytes, size: int, margin: int) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        image.draft("L", (image.width // 8, image.height // 8))
        return np.asarray(image)


DECODERS: dict[str, _Decoder] = {
    "Pillow": _pillow,
    "Pillow, YCbCr": _pillow_resizing_ycbcr,
    "Pillow, reducing_gap": _pillow_with_a_gap,
    "Pillow, one read": _pillow_in_one_read,
    "simplejpeg": _simplejpeg,
    "entropy": _entropy,
}


def _milliseconds(decoder: _Decoder, content: bytes, size: int, margin: int) -> float:
    start = time.process_time()
    decoder(content, size, margin)
    return 1000 * (time.process_time() - start)


def _compare(contents: list[bytes], size: int, margin: int, repeat: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in DECODERS}
    for content in contents:
        rounds = [
            # In turns, so that what else the machine does hits all of them.
            {name: _milliseconds(decoder, content, size, margin) for name, decoder in DECODERS.items()}
            for _ in range(repeat)
        ]
        for name in DECODERS:
            times[name].append(statistics.median(one_round[name] for one_round in rounds))
    reference = statistics.mean(times["Pillow"])
    for name, decoder in DECODERS.items():
        ratio = statistics.mean(times[name]) / reference
        line = f"{size} x {size}, margin {margin}: {name:21} {ratio:5.2f}"
        if name != "entropy":
            line += f"  pixels off the full decode's by {_distance(decoder, contents[0], size, margin):.2f}"
        if name == "Pillow":
            line += f"; {reference:.0f} ms of CPU a photo"
        print(line)


def _distance(decoder: _Decoder, content: bytes, size: int, margin: int) -> float:
    """Mean over the pixels, in levels of 255."""
    full = _pillow(content, size, 1_000_000).astype(int)
    return float(np.abs(decoder(content, size, margin) - full).mean())


def main() -> None:
    """Print a line for each size, margin and decoder: CPU time as a ratio to Pillow's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="with large JPEGs")
    parser.add_argument("--photos", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    contents = [path.read_bytes() for path in sorted(arguments.folder.glob("*.jpg"))[: arguments.photos]]
    print(f"{len(contents)} photos of {sum(map(len, contents)) / 1e6 / len(contents):.1f} MB on average")
    for size in SIZES:
        for margin in MARGINS:
            _compare(contents, size, margin, arguments.repeat)


if __name__ == "__main__":
    main()
