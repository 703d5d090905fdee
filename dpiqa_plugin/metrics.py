"""The modules that pyiqa builds for our metrics: photos in, scores out.

pyiqa's registry holds these classes from the moment pyiqa is imported, so the models themselves, with
diffusers, torchvision and timm, are imported only by the one that is built.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import torch  # noqa: TID253  # only pyiqa imports this file, and has imported torch itself
from torch import Tensor, nn  # noqa: TID253

from dpiqa_plugin.cards import CARDS
from dpiqa_plugin.checkpoint import build_filled
from dpiqa_plugin.errors import MissingExtraError
from dpiqa_plugin.locate import find_weights
from dpiqa_plugin.prompt_embeddings import load_prompt_embeddings
from dpiqa_plugin.teacher_conversion import DECODER_PREFIXES, load_teacher

if TYPE_CHECKING:
    from dpiqa_plugin.models.prediction import QualityPrediction
    from dpiqa_plugin.models.teacher import Teacher, TeacherConfig

PRECISIONS = ("auto", "exact")
_log = logging.getLogger(__name__)
_NEVER_RUN = ("text_encoder.", *DECODER_PREFIXES)


class _Metric(nn.Module):
    """A model as a measure: frozen, always in eval mode, and only its score comes out.

    Its state dict has the model's own keys, so that pyiqa's ``load_weights`` takes a published file. (That
    runs whatever program a file holds; the option ``weights`` does not.)
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        # As a loss it gives gradients for the photo; its own would double the memory for nothing.
        self.model = model.requires_grad_(False)
        self.eval()

    def forward(self, image: Tensor) -> Tensor:
        """Score a batch of photos.

        Args:
            image: RGB or grey, shape (N, 3, H, W) or (N, 1, H, W), range 0..1, any size.

        Returns:
            Shape (N, 1), about 0..1, higher is better.
        """
        return self.predict(image).score

    def predict(self, image: Tensor) -> QualityPrediction:
        """Give all that the model says of the photos that `forward` scores."""
        # As pyiqa sets it, but without TF32: its 10 bits of mantissa would show in the third decimal.
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            prediction: QualityPrediction = self.model(image.expand(-1, 3, -1, -1))
        return prediction

    def train(self, mode: bool = True) -> _Metric:
        """Stay in eval mode, also as the loss inside a module that is trained."""
        return super().train(False)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return the model's own, without a prefix for being inside this module."""
        return self.model.state_dict(*args, **kwargs)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for key in [key for key in state_dict if key.startswith(prefix)]:
            value, name = state_dict.pop(key), key.removeprefix(prefix)
            if not name.startswith(_NEVER_RUN):
                state_dict[f"{prefix}model.{name}"] = value
        super()._load_from_state_dict(state_dict, prefix, *args)


class DPIQALite(_Metric):
    """``dpiqa_lite``, the bundled model.

    Args:
        weights: see `find_weights`.

    Raises:
        MissingExtraError: timm is not installed.
        WeightsError: the weights cannot be found or do not fit.
    """

    def __init__(self, weights: str | os.PathLike[str] | None = None) -> None:
        with _needs_extra("The metric dpiqa_lite in pyiqa"):
            from dpiqa_plugin.models.lite import load_lite
        super().__init__(load_lite(find_weights(CARDS["dpiqa_lite"], weights)))


class DPIQAStudent(_Metric):
    """``dpiqa_student``: DP-IQA's student.

    Args:
        weights: see `find_weights`.

    Raises:
        MissingExtraError: torchvision is not installed.
        WeightsError: the weights cannot be found, fetched or do not fit.
    """

    def __init__(self, weights: str | os.PathLike[str] | None = None) -> None:
        with _needs_extra("The metric dpiqa_student"):
            from dpiqa_plugin.models.student import Student
        path = find_weights(CARDS["dpiqa_student"], weights)
        super().__init__(build_filled(Student, path))


class DPIQA(_Metric):
    """``dpiqa``: DP-IQA's teacher.

    Args:
        weights: see `find_weights`.
        prompt_embeddings: see `load_prompt_embeddings`.
        precision: ``"exact"`` is float32 throughout, the numbers of the authors' code. ``"auto"`` is within
            0.005 of it and faster: it computes in float16 on a GPU with tensor cores, and multiplies in
            bfloat16 on a CPU that can; elsewhere, and once a gradient is asked for, it is ``"exact"``. The
            weights are rounded for that at the first photo, or the move to the GPU.
        config: of the model; if None, the published one or what the file says that `dpiqa-train` wrote.

    Raises:
        MissingExtraError: diffusers or transformers is not installed.
        WeightsError: the weights or the embeddings cannot be found, fetched or do not fit.
        ValueError: unknown precision.
    """

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        prompt_embeddings: str | os.PathLike[str] | None = None,
        precision: str = "auto",
        config: TeacherConfig | None = None,
    ) -> None:
        if precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {PRECISIONS}, got {precision!r}")
        with _needs_extra("The metric dpiqa"):
            from dpiqa_plugin.models.teacher import Teacher, config_of
        # Whatever may be missing is asked for before gigabytes are fetched or read.
        embeddings = None if prompt_embeddings is None else load_prompt_embeddings(prompt_embeddings)
        path = find_weights(CARDS["dpiqa"], weights)
        if embeddings is None:
            embeddings = load_prompt_embeddings()
        config = config or config_of(path)
        teacher = build_filled(lambda: Teacher(config), path, load_teacher)
        teacher.set_prompt_embeddings(embeddings)
        super().__init__(teacher.to(memory_format=torch.channels_last))  # 5 % on a CPU
        self.precision = precision

    def predict(self, image: Tensor) -> QualityPrediction:
        """Score photos; see the base class."""
        if torch.is_grad_enabled() and image.requires_grad:
            self.precision = "exact"  # from now on: gradients in half precision are noise
        self._settle(image.device)
        prediction = super().predict(image)
        if self.model.computes_in == torch.float16 and _has_overflown(prediction.score, image):
            _log.warning(
                "%s overflow in float16; going on with precision='exact', slower", type(self).__name__
            )
            self.precision = "exact"
            return self.predict(image)
        return prediction

    def _settle(self, device: torch.device) -> None:
        """Compute as the precision says on this device."""
        from dpiqa_plugin.models.precision import fast_type

        dtype = torch.float32 if self.precision == "exact" else fast_type(device)
        if dtype != self.model.computes_in:
            cast("Teacher", self.model).compute_in(dtype)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> DPIQA:
        # Before a move, so that no more than half the weights ever lies on a GPU.
        place = fn(torch.empty(0, device=next(self.model.parameters()).device)).device
        if place.type == "cuda":
            self._settle(place)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self


def _has_overflown(score: Tensor, image: Tensor) -> bool:
    return not score.isfinite().all() and bool(image.isfinite().all())


@contextlib.contextmanager
def _needs_extra(feature: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(feature, "pyiqa") from error
