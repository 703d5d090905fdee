"""The 1485 prompts as CLIP's text tower embeds them: computed once, then kept in the cache.

They condition DP-IQA's teacher (paper, section 3.2) and are not in its checkpoints.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpiqa_plugin import fingerprint
from dpiqa_plugin.atomic import replacing
from dpiqa_plugin.checkpoint import read_file
from dpiqa_plugin.errors import MissingExtraError, WeightsError
from dpiqa_plugin.locate import cache_dir
from dpiqa_plugin.prompts import PROMPTS

if TYPE_CHECKING:
    from torch import Tensor

CLIP = "openai/clip-vit-large-patch14"
SHAPE = (len(PROMPTS), 768)
FILENAME = "dpiqa_prompt_embeddings.safetensors"
_KEY = "prompt_embeddings"
_BATCH = 33
_FILES = [
    "config.json",
    "model.safetensors",
    "vocab.json",
    "merges.txt",
    "tokenizer*",
    "special_tokens_map.json",
]

_log = logging.getLogger(__name__)


def load_prompt_embeddings(path: str | os.PathLike[str] | None = None, model: str = CLIP) -> Tensor:
    """Embeddings of `PROMPTS`: float32 on the CPU, shape (1485, 768), not normalised.

    Args:
        path: of a ready ``.pt`` or ``.safetensors`` file that holds one such tensor. None takes the file in
            the cache, or computes it, which downloads CLIP ViT-L/14 (1.7 GB) from the Hugging Face hub.
        model: see `compute_prompt_embeddings`; used only if they must be computed.

    Raises:
        WeightsError: no such file, not that shape, damaged; or the hub could not be reached.
        MissingExtraError: transformers is not installed and they must be computed.
    """
    if path is not None:
        return _read(Path(path).expanduser())
    cached = cache_dir() / FILENAME
    if cached.exists():
        fingerprint.check(cached)
        return _read(cached)
    embeddings = compute_prompt_embeddings(model)
    try:
        save_prompt_embeddings(embeddings, cached)
    except OSError as error:
        _log.warning("%s could not be written, so the prompts will be embedded again: %s", cached, error)
    return embeddings


def save_prompt_embeddings(embeddings: Tensor, path: Path) -> None:
    """Write a file that `load_prompt_embeddings` reads, with its SHA-256 beside it; the directory is made."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(path) as temporary:
            save_file({_KEY: embeddings.contiguous()}, temporary)
    except SafetensorError as error:
        raise OSError(str(error)) from error
    fingerprint.record(path)


def compute_prompt_embeddings(model: str = CLIP, prompts: Sequence[str] = PROMPTS) -> Tensor:
    """Embed prompts by CLIP's text tower with its projection: float32, shape (prompts, projection width).

    Args:
        model: name on the Hugging Face hub, or a directory with a copy of it.
        prompts: texts of at most 77 tokens.

    Raises:
        WeightsError: the model is neither on this machine nor to be had from the hub.
        MissingExtraError: transformers is not installed.
    """
    import torch
    from tqdm import tqdm

    tokenizer, tower = _text_tower(_folder_of(model))
    batches = [list(prompts[start : start + _BATCH]) for start in range(0, len(prompts), _BATCH)]
    with torch.inference_mode():
        embedded = [
            tower(**tokenizer(batch, padding=True, return_tensors="pt")).text_embeds
            for batch in tqdm(batches, desc="Embedding the prompts (once)")
        ]
    return torch.cat(embedded)


def _folder_of(model: str) -> Path:
    if Path(model).is_dir():
        return Path(model)
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtraError("Embedding the prompts of the metric dpiqa", "pyiqa") from error
    try:
        # Not left to from_pretrained: without a connection that tries again for 70 s, and this fails at once.
        return Path(snapshot_download(model, allow_patterns=_FILES))
    except Exception as error:  # of requests, httpx or httpx2, depending on the version of huggingface_hub
        raise _unavailable(model, error) from error


def _text_tower(folder: Path) -> tuple[Callable[..., Any], Callable[..., Any]]:
    try:
        from transformers import AutoTokenizer, CLIPTextModelWithProjection
    except ImportError as error:
        raise MissingExtraError("Embedding the prompts of the metric dpiqa", "pyiqa") from error
    import torch

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        loaded: Any = CLIPTextModelWithProjection.from_pretrained(folder, output_loading_info=True)
    except (OSError, ValueError) as error:
        raise _unavailable(str(folder), error) from error
    tower, report = loaded
    if missing := report["missing_keys"]:  # transformers would go on with random numbers in their place
        raise _unavailable(str(folder), ValueError(f"it lacks {', '.join(sorted(missing)[:3])}"))
    return tokenizer, tower.to(torch.float32).eval()  # transformers 5 keeps the file's data type


def _unavailable(model: str, error: Exception) -> WeightsError:
    return WeightsError(
        f"The prompts of the metric dpiqa must be embedded once with {CLIP} from the Hugging Face hub. "
        f"{model} could not be had: {_first_line(error)}. By hand: create the metric dpiqa on a "
        f"machine that is online, and copy {FILENAME} from its pyiqa cache to {cache_dir() / FILENAME}, "
        "or pass that file as prompt_embeddings=PATH"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _read(path: Path) -> Tensor:
    import torch

    content = read_file(path)
    tensors = list(content.values()) if isinstance(content, Mapping) else [content]
    if len(tensors) != 1 or not isinstance(tensors[0], torch.Tensor) or not tensors[0].is_floating_point():
        raise WeightsError(f"{path} must hold prompt embeddings: one floating-point tensor of shape {SHAPE}")
    embeddings = tensors[0].detach().float()
    if embeddings.shape != SHAPE or not embeddings.isfinite().all():
        raise WeightsError(
            f"{path} must hold finite prompt embeddings of shape {SHAPE}, not {tuple(embeddings.shape)}"
        )
    return embeddings
