"""What the paper's models start from: Stable Diffusion 1.5 and EfficientNet-B7 of ImageNet."""

from __future__ import annotations

import urllib.error
from pathlib import Path
from typing import Any

from torch import Tensor

from dpiqa_plugin.checkpoint import load_state_dict
from dpiqa_plugin.errors import WeightsError
from dpiqa_plugin.models.student import Student
from dpiqa_plugin.models.teacher import Teacher

STABLE_DIFFUSION = "stable-diffusion-v1-5/stable-diffusion-v1-5"
_PARTS = ["unet/config.json", "unet/*.safetensors", "vae/config.json", "vae/*.safetensors"]


def load_stable_diffusion(teacher: Teacher, source: str = STABLE_DIFFUSION) -> None:
    """Fill the teacher's U-Net and the encoder half of its VAE.

    Args:
        teacher: of the published size.
        source: a folder in the layout of diffusers, with ``unet`` and ``vae`` in it, or a name on the Hugging
            Face hub, from where about 3.8 GB are fetched once.

    Raises:
        WeightsError: it is not to be had, or is of another size.
    """
    from diffusers import AutoencoderKL, UNet2DConditionModel

    folder = _folder_of(source)
    unet = _pretrained(UNet2DConditionModel, folder, "unet").state_dict()
    vae = _pretrained(AutoencoderKL, folder, "vae").state_dict()
    try:
        teacher.unet.load_state_dict(unet)
        teacher.vae.load_state_dict({name: vae[name] for name in teacher.vae.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise WeightsError(
            f"{folder} does not hold Stable Diffusion 1.5 ({str(error).splitlines()[0]}); "
            f"give a folder or a name of it, such as {STABLE_DIFFUSION}"
        ) from error


def load_imagenet_trunk(student: Student, path: Path | None = None) -> None:
    """Fill the student's trunk with torchvision's ImageNet weights.

    Args:
        student: of the published size.
        path: of torchvision's file (``efficientnet_b7_lukemelas-c5b4e57e.pth``), or None to fetch it, 255 MB,
            from download.pytorch.org.

    Raises:
        WeightsError: it is not to be had, or is of another network.
    """
    features = student.base_model.get_submodule("features")
    expected = {f"features.{name}": tuple(x.shape) for name, x in features.state_dict().items()}
    tensors = load_state_dict(path, expected, ("classifier.",)) if path else _published_trunk()
    features.load_state_dict({name.removeprefix("features."): tensors[name] for name in expected})


def _published_trunk() -> dict[str, Tensor]:
    from torchvision.models import EfficientNet_B7_Weights

    weights = EfficientNet_B7_Weights.IMAGENET1K_V1
    try:
        return dict(weights.get_state_dict(progress=True, check_hash=True))
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise WeightsError(
            f"{weights.url} could not be fetched: {error}. Fetch it by other means and pass --trunk FILE"
        ) from error


def _folder_of(source: str) -> Path:
    if Path(source).is_dir():
        return Path(source)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source, allow_patterns=_PARTS))
    except Exception as error:  # of requests, httpx or httpx2, depending on the version of huggingface_hub
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"{source} could not be had from the Hugging Face hub: {reason}. "
            "Download it by other means and pass its folder: --base DIR"
        ) from error


def _pretrained(kind: Any, folder: Path, part: str) -> Any:
    try:
        model, report = kind.from_pretrained(folder, subfolder=part, output_loading_info=True)
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(
            f"{folder / part} cannot be read: {str(error).splitlines()[0]}; download it again"
        ) from error
    if missing := report["missing_keys"]:  # diffusers would go on with random numbers in their place
        raise WeightsError(f"{folder / part} lacks {', '.join(sorted(missing)[:3])}; download it again")
    return model
