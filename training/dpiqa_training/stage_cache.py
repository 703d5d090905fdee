"""What the frozen stages of ``dpiqa_lite`` make of each photo, kept on disk.

The early stages see the highest resolution and cost most of a training step. They keep their ImageNet
weights, so their output is computed once and read in every epoch.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from dpiqa_plugin.atomic import flush_to_disk, replacing
from dpiqa_plugin.models.exposure import exposure_statistics
from dpiqa_plugin.models.lite import FROZEN_BLOCKS, EarlyStages, Lite, pooled_statistics
from dpiqa_plugin.preprocess import LITE_INPUT_SIZE
from dpiqa_training.errors import CacheError

_BATCH = 16


@dataclass(frozen=True)
class StageCache:
    """Outputs of the frozen stages for N photos.

    Attributes:
        maps: float16 (N, H, W, C), on disk: channels last, as training reads them.
        statistics: float32 (N, 304), as `EarlyStages` has them.
    """

    maps: np.memmap
    statistics: np.ndarray

    def __len__(self) -> int:
        """Give the number of photos."""
        return len(self.maps)

    def stages(self, indices: list[int]) -> EarlyStages:
        """Give what ``Lite.late`` takes, of the photos at ``indices``."""
        maps = torch.from_numpy(np.stack([self.maps[i] for i in indices]))
        # A view of channels-last memory: convolutions run a quarter faster on it.
        return EarlyStages(maps.permute(0, 3, 1, 2).float(), torch.from_numpy(self.statistics[indices]))


def cached_stages(
    model: Lite, photos: Dataset[Tensor], names: Iterable[str], path: Path, device: str
) -> StageCache:
    """Read the outputs for ``photos`` from files beside ``path``, or compute and write them first.

    Args:
        model: with the weights of the frozen stages.
        photos: uint8 (3, S, S) each.
        names: what tells these photos from others; with the weights it makes the key of the files.
        path: of the maps, ``.npy``; the statistics and the key lie beside it.
        device: where to compute.

    Raises:
        CacheError: the files cannot be written.
    """
    key = _key(model, names)
    statistics_path, key_path = path.with_suffix(".statistics.npy"), path.with_suffix(".key")
    if not (key_path.is_file() and key_path.read_text(encoding="utf-8") == key):
        for old in (key_path, _late_path(path), path):
            old.unlink(missing_ok=True)
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        statistics = _compute(model, photos, path, device)
        with _writing(statistics_path), replacing(statistics_path) as beside, beside.open("wb") as file:
            np.save(file, statistics)
        with _writing(key_path), replacing(key_path) as beside:
            beside.write_text(key, encoding="utf-8")  # last: a kill before leaves files that nobody trusts
    return StageCache(np.load(path, mmap_mode="r"), np.load(statistics_path))


@torch.inference_mode()
def all_statistics(model: Lite, photos: StageCache, path: Path, device: str) -> Tensor:
    """Read all statistics, (N, 1168), or compute and write those of the late stages first.

    Args:
        model: with the ImageNet weights in all stages.
        photos: what ``cached_stages`` gave for ``path``.
        path: of the maps; the statistics lie beside it.
        device: where to compute, and of the result.

    Raises:
        CacheError: the file cannot be written.
    """
    late_path = _late_path(path)
    if not late_path.is_file():
        model.eval()
        found = []
        for start in tqdm(range(0, len(photos), _BATCH), desc=late_path.stem, unit="batch", smoothing=0):
            early = photos.stages(list(range(start, min(start + _BATCH, len(photos)))))
            found.append(pooled_statistics(model.late_stages(early.map.to(device))).cpu().numpy())
        with _writing(late_path), replacing(late_path) as beside, beside.open("wb") as file:
            np.save(file, np.concatenate(found))
    both = np.concatenate([photos.statistics, np.load(late_path)], axis=1)
    return torch.from_numpy(both).to(device)


def _late_path(path: Path) -> Path:
    return path.with_suffix(".late.npy")


@torch.inference_mode()
def _compute(model: Lite, photos: Dataset[Tensor], path: Path, device: str) -> np.ndarray:
    """Write the maps to ``path``; returns the statistics."""
    model.eval()
    loader = DataLoader(photos, batch_size=_BATCH, num_workers=1)
    statistics: list[np.ndarray] = []
    for image in tqdm(loader, desc=path.stem, unit="batch", smoothing=0):
        pixels = image.to(device).float().div(255).contiguous(memory_format=torch.channels_last)
        early = model.early(pixels)
        found = early.map.permute(0, 2, 3, 1).half().cpu().numpy()
        # Not into a memory map: on a full disk that ends in a bus error.
        with _writing(path), path.open("ab") as file:
            if not statistics:
                shape = (len(photos), *found.shape[1:])  # type: ignore[arg-type]
                header = {"descr": "<f2", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(found.tobytes())
        statistics.append(early.statistics.cpu().numpy())
    if not statistics:
        raise ValueError("there are no photos to cache")
    with _writing(path):
        flush_to_disk(path)
    return np.concatenate(statistics)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        path.unlink(missing_ok=True)  # others may need what room there is
        raise CacheError(
            f"{path} cannot be written ({error}); make room there, and start the run again"
        ) from error


def _key(model: Lite, names: Iterable[str]) -> str:
    digest = hashlib.sha256("\n".join([str(LITE_INPUT_SIZE), *names]).encode())
    # The statistics of exposure have no weights: what they are of a fixed picture tells whether they changed.
    wedge = torch.linspace(0, 1, 3 * LITE_INPUT_SIZE**2).view(1, 3, LITE_INPUT_SIZE, LITE_INPUT_SIZE)
    digest.update(exposure_statistics(wedge).numpy().round(3).tobytes())
    frozen = ("trunk.conv_stem", "trunk.bn1", *(f"trunk.blocks.{group}." for group in range(FROZEN_BLOCKS)))
    for name, value in model.state_dict().items():
        if name.startswith(frozen):
            digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()
