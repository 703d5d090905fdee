"""How long ``dpiqa_lite`` takes beside the plain EfficientNet-Lite0 that it is built on, on OpenVINO's CPU.

    python benchmarks/lite_speed.py

Each judges one photo at a time on one thread, ours of its own input size, the plain one of 512 x 512, in
turn, so that a busy machine slows both; the ratio is of the medians of CPU time. Needs the extra
``training``.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from dpiqa_plugin.models.lite import BUNDLED_WEIGHTS
from dpiqa_plugin.preprocess import LITE_INPUT_SIZE
from dpiqa_plugin.unwatched_openvino import openvino
from dpiqa_training.trunk_weights import imagenet_classifier

SIDE = 512
ROUNDS = 30
SETTINGS = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}


def main() -> None:
    """Print both times and their ratio."""
    core = openvino.Core()
    lite = core.read_model(BUNDLED_WEIGHTS.with_suffix(".onnx"))
    lite.reshape([1, LITE_INPUT_SIZE, LITE_INPUT_SIZE, 3])
    with tempfile.TemporaryDirectory() as folder:
        plain = core.compile_model(plain_lite0(Path(folder)), "CPU", SETTINGS)
    ours = core.compile_model(lite, "CPU", SETTINGS)
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (1, LITE_INPUT_SIZE, LITE_INPUT_SIZE, 3), dtype=np.uint8)
    pixels = rng.standard_normal((1, 3, SIDE, SIDE), dtype=np.float32)
    times = [(cpu_seconds(ours, photo), cpu_seconds(plain, pixels)) for _ in range(ROUNDS)]
    lite_time, plain_time = (statistics.median(column) for column in zip(*times, strict=True))
    print(
        f"dpiqa_lite {1000 * lite_time:.1f} ms, plain EfficientNet-Lite0 {1000 * plain_time:.1f} ms a photo"
    )
    print(f"ratio {lite_time / plain_time:.2f}")


def plain_lite0(folder: Path) -> Path:
    """Write the ImageNet classifier as OpenVINO's IR."""
    exported = torch.export.export(imagenet_classifier(), (torch.zeros(1, 3, SIDE, SIDE),))
    openvino.save_model(openvino.convert_model(exported), folder / "plain.xml")
    return folder / "plain.xml"


def cpu_seconds(network: openvino.CompiledModel, photo: np.ndarray) -> float:
    """CPU time of one inference, of all threads."""
    start = time.process_time()
    network(photo)
    return time.process_time() - start


if __name__ == "__main__":
    main()
