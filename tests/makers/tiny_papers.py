"""A little KonIQ-10k of the example photos, and recipes that train reduced models on it in seconds."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from dpiqa_training.config import LiteConfig, StudentConfig, TeacherConfig

EXAMPLES = Path(__file__).parents[2] / "examples" / "photos"
MOS = {
    "dog": 90.0,
    "dog_defocused": 10.0,
    "flowers": 80.0,
    "flowers_shaken": 20.0,
    "waves": 70.0,
    "waves_underexposed": 15.0,
    "nyc": 60.0,
    "reflect": 85.0,
}
SHARED = {
    "epochs": 6,
    "batch_size": 4,
    "micro_batch": 2,
    "decay_epochs": 4,
    "decay_factor": 0.2,
    "flips": True,
    "ranking_weight": 0.0,
    "ranking_margin": 0.05,
    "select_on": "validation",
    "validation_share": 0.25,
    "precision": "no",
    "seed": 3,
    "checkpoint_steps": 1,
}
TEACHER = TeacherConfig(**SHARED, lr=1e-3, vae_range="unit", gradient_checkpointing=False)
STUDENT = StudentConfig(**SHARED, lr=1e-3, map_weight=1.0)


def save_tiny_koniq(root: Path) -> Path:
    """Write 8 photos to train on and 4 each, their mirror images, to validate and to test on."""
    (root / "512x384").mkdir(parents=True)
    rows = []
    for number, (name, mos) in enumerate(MOS.items()):
        with Image.open(EXAMPLES / f"{name}.jpg") as photo:
            small = photo.convert("RGB").resize((96, 72))
        small.save(root / "512x384" / f"{name}.png")
        rows.append((f"{name}.png", mos, "training"))
        part = "test" if number % 2 else "validation"
        small.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(root / "512x384" / f"{name}_{part}.png")
        rows.append((f"{name}_{part}.png", mos, part))
    with (root / "koniq10k_distributions_sets.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image_name", "MOS", "set"), *rows])
    return root


def save_recipe(path: Path, config: TeacherConfig | StudentConfig | LiteConfig) -> Path:
    """Write the TOML file of a recipe."""
    lines = [f"{key} = {_toml(value)}" for key, value in asdict(config).items()]
    path.write_text("\n".join(lines))
    return path


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)
