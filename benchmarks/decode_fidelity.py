"""How far scores move because JPEGs are decoded at a reduced scale.

python benchmarks/decode_fidelity.py FOLDER... [--neighbours]

Scores each JPEG of the folders decoded in full and at the margin in use, with dpiqa_lite on OpenVINO. Photos
that are too small to be reduced are counted, but not among the shares: they would only improve them.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence

import numpy as np
from PIL import Image

from dpiqa_desktop.engine import decode as decode_module
from dpiqa_desktop.engine.backends import Backend, create_backend
from dpiqa_desktop.engine.decode import decode
from dpiqa_desktop.engine.scan import scan
from dpiqa_plugin.errors import PhotoError
from dpiqa_plugin.preprocess import LITE_INPUT_SIZE

_FULL = 1e6  # a margin that no photo has


def main() -> int:
    """Print a line a margin; exit code 1 if the margin in use misses the target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", nargs="+", metavar="FOLDER")
    parser.add_argument("--neighbours", action="store_true", help="also smaller and larger margins")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # Pillow's, about damage
    in_use = decode_module.DRAFT_MARGIN
    margins = [1.0, 2.0, 3.0, in_use, 5.0] if arguments.neighbours else [in_use]

    backend = create_backend("dpiqa_lite")
    backend.load()
    differences: dict[float, list[tuple[float, str]]] = {margin: [] for margin in margins}
    photos = failed = 0
    for path in scan(arguments.folders).photos:
        if not _is_jpeg(path):
            continue
        photos += 1
        try:
            scores = _score(backend, path, [_FULL, *margins])
        except PhotoError:
            failed += 1
            continue
        for margin, score in zip(margins, scores[1:], strict=True):
            if _is_reduced(path, margin):
                differences[margin].append((abs(score - scores[0]), path))
    print(f"{photos} JPEGs, {failed} of them not readable")
    met = {margin: _report(margin, differences[margin]) for margin in margins}
    return 0 if met[in_use] else 1


def _score(backend: Backend, path: str, margins: Sequence[float]) -> list[float]:
    pixels = []
    try:
        in_use = decode_module.DRAFT_MARGIN
        for decode_module.DRAFT_MARGIN in margins:
            pixels.append(decode(path, LITE_INPUT_SIZE).pixels)
    finally:
        decode_module.DRAFT_MARGIN = in_use
    return [float(score) for score in backend.judge(pixels).scores]


def _is_jpeg(path: str) -> bool:
    try:
        with Image.open(path) as image:
            return image.format in ("JPEG", "MPO")
    except Exception:  # not ours to report: the run would
        return False


def _is_reduced(path: str, margin: float) -> bool:
    with Image.open(path) as image:
        return min(image.size) >= 2 * LITE_INPUT_SIZE * margin


def _report(margin: float, differences: list[tuple[float, str]]) -> bool:
    """Print what came of a margin; whether 95 % are within 0.01 and all within 0.02."""
    if not differences:
        print(f"margin {margin}: no photo is large enough to be reduced")
        return True
    moved = np.array([difference for difference, _ in differences])
    share = float((moved <= 0.01).mean())
    largest, path = max(differences)
    met = share >= 0.95 and largest <= 0.02
    print(
        f"margin {margin}: {len(moved)} reduced, {share:.1%} within 0.01, "
        f"{float((moved <= 0.005).mean()):.1%} within 0.005, 95 % within "
        f"{np.quantile(moved, 0.95):.4f}, largest {largest:.4f} ({path}): {'met' if met else 'NOT met'}"
    )
    return met


if __name__ == "__main__":
    sys.exit(main())
