"""A training run of eight example photos, importable by the processes that a test starts and kills."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from accelerate.state import AcceleratorState

from dpiqa_plugin.models.lite import Lite
from dpiqa_training.config import LiteConfig
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.recipes.lite import train_lite

EXAMPLES = Path(__file__).parents[2] / "examples" / "photos"
CONFIG = LiteConfig(
    steps=6,
    batch_size=4,
    trunk_lr=3e-4,
    head_lr=1e-3,
    weight_decay=0.01,
    warm_up_epochs=30,
    warm_up_lr=1e-3,
    warmup_fraction=0.1,
    ema_decay=0.5,
    crop=0.75,
    ss02_weight=0.5,
    plcc_weight=0.05,
    ladder_sources=2,
    clean_ladders=1,
    exposure_sources=0,
    camera_sources=0,
    ladders_per_step=1,
    ladder_weight=0.5,
    ladder_margin=0.03,
    seed=3,
    precision="bf16",
    checkpoint_seconds=0,
)


def labelled() -> list[LabelledPhoto]:
    good_and_bad = {"dog": 0.9, "dog_defocused": 0.1, "flowers": 0.8, "flowers_shaken": 0.2, "waves": 0.7}
    good_and_bad |= {"waves_underexposed": 0.1, "nyc": 0.6, "reflect": 0.8}
    return [LabelledPhoto(EXAMPLES / f"{name}.jpg", mos, "ss03") for name, mos in good_and_bad.items()]


def save_tiny_biq2021(root: Path) -> Path:
    """Write the same photos in BIQ2021's layout, four of them again, of a block that is validated on."""
    (root / "Images").mkdir(parents=True)
    rows = []
    for number, photo in enumerate(labelled(), start=1):
        for name in (f"ss03 ({7000 + number}).jpg", f"ss02 ({100 + number}).jpg")[: 1 + number % 2]:
            shutil.copyfile(photo.path, root / "Images" / name)
            rows.append(f"{name},{photo.mos}\n")
    (root / "Train (Images and MOS).csv").write_text("Image Name,MOS\n" + "".join(rows))
    return root


def train(folder: Path, config: LiteConfig = CONFIG) -> Lite:
    # An accelerator of another recipe would lend this one its precision.
    AcceleratorState._reset_state(reset_partial_state=True)
    return train_lite(config, labelled(), labelled(), folder)


if __name__ == "__main__":
    train(Path(sys.argv[1]))
