"""``dpiqa_lite`` on OpenVINO: scores on a CPU without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import dpiqa_plugin
from dpiqa_plugin.errors import WeightsError
from dpiqa_plugin.preprocess import LITE_INPUT_SIZE

BUNDLED_MODEL = Path(dpiqa_plugin.__file__).parent / "data" / "lite.xml"


class OpenVINOBackend:
    """``dpiqa_lite`` in OpenVINO's IR; see ``Backend``.

    Every photo is an inference of its own, on as many streams as OpenVINO finds best: on 2 cores that took 45
        ms a
    photo and 180 MB, where one request of 8 photos took 56 ms and 600 MB; and a score does not depend on
    which other photos are in the batch. Compiling takes 0.4 s, 0.2 s from a cache on the disk: too little to
    keep one.

    Args:
        model: an IR with the input ``photo``, uint8 (N, 384, 384, 3), and the output ``score`` (N, 1).

    Raises:
        WeightsError: the file is missing or is no such model.
    """

    input_size: int | None = LITE_INPUT_SIZE
    lower_better = False

    def __init__(self, model: Path = BUNDLED_MODEL) -> None:
        import openvino

        # In float32 even where the CPU has bfloat16, which OpenVINO would choose there: other scores than
        # elsewhere.
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        core = openvino.Core()
        try:
            network = core.read_model(model)
            network.reshape({"photo": [1, LITE_INPUT_SIZE, LITE_INPUT_SIZE, 3]})
            compiled = core.compile_model(network, "CPU", settings)
        except RuntimeError as error:
            raise WeightsError(f"cannot load the model {model}: {error}. Reinstall dpiqa.") from error
        self._requests = openvino.AsyncInferQueue(compiled)
        self._requests.set_callback(_keep_score)
        streams = len(self._requests)
        self.batch_size = 4 * streams
        self.description = f"dpiqa_lite on OpenVINO, CPU, {streams} at a time"

    def score(self, photos: list[np.ndarray]) -> np.ndarray:
        """See ``Backend.score``."""
        scores = np.full(len(photos), np.nan, dtype=np.float32)
        for index, photo in enumerate(photos):
            self._requests.start_async({"photo": photo[None]}, (scores, index))
        self._requests.wait_all()
        return scores


def _keep_score(request: object, place: tuple[np.ndarray, int]) -> None:
    scores, index = place
    scores[index] = request.get_tensor("score").data[0, 0]  # type: ignore[attr-defined]  # openvino's InferRequest
