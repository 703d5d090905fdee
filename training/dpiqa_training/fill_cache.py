"""One pass of a frozen model over the photos that its cache does not know yet, on all processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from dpiqa_training.batches import View
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.photo_views import PhotoViews
from dpiqa_training.teacher_cache import PhotoCache


@torch.no_grad()
def fill_cache(
    cache: PhotoCache,
    photos: Sequence[LabelledPhoto],
    flips: bool,
    size: int,
    compute: Callable[[Tensor], dict[str, Tensor]],
    accelerator: Accelerator,
    workers: int,
) -> None:
    """Compute what is missing, so that a pass that was killed goes on where it was.

    Args:
        cache: to be filled.
        photos: with or without entries.
        flips: whether mirrored views are wanted, too.
        size: side in pixels of the square that photos are squashed to.
        compute: from images (N, 3, size, size) in 0..1 to tensors of N rows each.
        accelerator: each process takes its share.
        workers: processes that decode.
    """
    wanted = [
        View(i, flipped) for i in range(len(photos)) for flipped in ((False, True) if flips else (False,))
    ]
    own = wanted[accelerator.process_index :: accelerator.num_processes]
    missing = [view for view in own if (_content(photos, view), view.flipped) not in cache]
    loader = DataLoader(PhotoViews(photos, size), batch_size=4, sampler=missing, num_workers=workers)
    bar = tqdm(total=len(missing), desc="caching", unit="photo", disable=not accelerator.is_main_process)
    done = 0
    for batch in loader:
        found = compute(batch["image"].to(accelerator.device).float() / 255)
        for row, view in enumerate(missing[done : done + len(batch["image"])]):
            tensors = {name: value[row] for name, value in found.items()}
            cache.write(_content(photos, view), view.flipped, tensors)
        done += len(batch["image"])
        bar.update(len(batch["image"]))
    bar.close()
    accelerator.wait_for_everyone()


def _content(photos: Sequence[LabelledPhoto], view: View) -> bytes:
    return photos[view.photo].path.read_bytes()
