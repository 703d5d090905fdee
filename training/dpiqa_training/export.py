"""Trained ``dpiqa_lite`` weights in the form that is bundled: float16 safetensors and OpenVINO IR."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor, nn

from dpiqa_plugin.models.lite import Lite, LiteJudgement
from dpiqa_plugin.openvino_ir import save_ir
from dpiqa_plugin.preprocess import LITE_INPUT_SIZE


def export_lite(model: Lite, folder: Path) -> None:
    """Write ``lite.safetensors``, ``lite.xml`` and ``lite.bin`` from the same float16-rounded weights."""
    folder.mkdir(parents=True, exist_ok=True)
    # Rounded once, so that torch and OpenVINO compute with equal weights; batch norm's counters stay.
    rounded = {name: x.half() if x.is_floating_point() else x for name, x in model.state_dict().items()}
    model.load_state_dict(rounded)
    save_file({name: x.cpu().contiguous() for name, x in rounded.items()}, folder / "lite.safetensors")
    save_ir(_Judging(model.cpu()).eval(), LITE_INPUT_SIZE, folder / "lite.xml", LiteJudgement._fields)


class _Judging(nn.Module):
    """The model with all three outputs."""

    def __init__(self, model: Lite) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> LiteJudgement:
        return self.model.judge(image)
