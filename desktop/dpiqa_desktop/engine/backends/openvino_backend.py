"""``dpiqa_lite`` and the students on OpenVINO: scores on a CPU without torch."""

from __future__ import annotations

from typing import Any

import numpy as np

from dpiqa_desktop.engine.backends import Judgement
from dpiqa_desktop.engine.machine import usable_cores
from dpiqa_plugin import fingerprint
from dpiqa_plugin.cards import ModelCard
from dpiqa_plugin.errors import WeightsError
from dpiqa_plugin.locate import find_weights
from dpiqa_plugin.openvino_ir import IDENTITY
from dpiqa_plugin.preprocess import DPIQA_INPUT_SIZE, LITE_INPUT_SIZE


class OpenVINOBackend:
    """``dpiqa_lite`` from its ONNX file, a student from OpenVINO's IR; see ``Backend``.

    Every photo is an inference of its own, on as many streams as OpenVINO finds best: on 2 cores that took 45
    ms a photo and 180 MB, where one request of 8 photos took 56 ms and 600 MB; and a score does not depend on
    which other photos are in the batch. Compiling takes 0.4 s, 0.2 s from a cache on the disk: too little to
    keep one.

    Args:
        card: of ``dpiqa_lite`` or a student.
        cores: to use, wherever the system puts them; None for all, each thread on a core of its own. It
            changes no score.

    Raises:
        WeightsError: its weights cannot be had.
        MissingExtraError: they are yet to be converted, and torch is not installed.
    """

    lower_better = False

    def __init__(self, card: ModelCard, cores: int | None = None) -> None:
        weights = find_weights(card)
        if card.architecture == "lite":
            self.input_size: int | None = LITE_INPUT_SIZE
            self._model = weights.with_suffix(".onnx")
            self._cure = "Reinstall dpiqa"
        else:
            from dpiqa_plugin.student_conversion import student_ir

            self.input_size = DPIQA_INPUT_SIZE
            self._model = student_ir(weights)
            self._cure = f"Delete {self._model.parent} to have it made again"
        self.score_range: tuple[float, float] | None = card.score_range
        self._sha256 = fingerprint.of(weights)
        self.identity = f"{card.metric}-{self._sha256[:12]}"
        self._cores = cores
        self.batch_size = 4 * (cores or usable_cores())  # there are at most as many streams as cores
        self.description = f"{card.metric} on OpenVINO, CPU"

    def load(self) -> None:
        """See ``Backend.load``."""
        from dpiqa_plugin.unwatched_openvino import openvino

        # In float32 even where the CPU has bfloat16, which OpenVINO would choose there: other scores than
        # elsewhere.
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        if self._cores is not None:
            # Not pinned: a second process would pin its threads to the very same cores.
            settings |= {"INFERENCE_NUM_THREADS": str(self._cores), "ENABLE_CPU_PINNING": "NO"}
        core = openvino.Core()
        try:
            network = core.read_model(self._model)
            # Scores are kept under the name of these weights.
            if not network.has_rt_info(IDENTITY) or network.get_rt_info(IDENTITY).astype(str) != self._sha256:
                raise WeightsError(f"the model {self._model} was made of other weights. {self._cure}")
            network.reshape({"photo": [1, self.input_size, self.input_size, 3]})
            self._requests = openvino.AsyncInferQueue(core.compile_model(network, "CPU", settings))
            self._says_how_sure = any("deviation" in output.names for output in network.outputs)
        except RuntimeError as error:
            raise WeightsError(f"cannot load the model {self._model}: {error}. {self._cure}") from error

    def judge(self, photos: list[np.ndarray], maps: bool = False) -> Judgement:
        """See ``Backend.judge``."""
        scores = np.full(len(photos), np.nan, dtype=np.float32)
        uncertainties = scores.copy() if self._says_how_sure else None
        kept: list[np.ndarray] = [np.empty(0)] * len(photos)

        def keep(request: Any, index: int) -> None:
            scores[index] = request.get_tensor("score").data[0, 0]
            if uncertainties is not None:
                uncertainties[index] = request.get_tensor("deviation").data[0, 0]
            if maps:
                kept[index] = request.get_tensor("map").data[0].copy()  # the request's own is used again

        self._requests.set_callback(keep)
        for index, photo in enumerate(photos):
            self._requests.start_async({"photo": photo[None]}, index)
        self._requests.wait_all()
        return Judgement(scores, np.stack(kept) if maps else None, uncertainties)
