"""Real photos, and what cameras and people make of them: copies, next frames, fingerprints of both."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from dpiqa_desktop.engine.likeness import likeness
from dpiqa_plugin.preprocess import squash

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
SCENES = ["bulb.webp", "dog.jpg", "flowers.jpg", "nyc.jpg", "reflect.jpg", "sumac.png", "waves.jpg"]


def open_example(name):
    """Open a photo of examples/photos, RGB."""
    return Image.open(PHOTOS / name).convert("RGB")


def fingerprint(image):
    """Do as the batch does: squash, then take the likeness."""
    return likeness(squash(image, 384))


def _exposed(image, stops):
    linear = (np.asarray(image) / 255) ** 2.2 * 2**stops
    return Image.fromarray((np.clip(linear, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8))


def _recompressed(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _cut(image, left, top, right, bottom):
    width, height = image.size
    return image.crop(
        (int(left * width), int(top * height), int((1 - right) * width), int((1 - bottom) * height))
    )


COPIES = {
    "quality 40": lambda image: _recompressed(image, 40),
    "half size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "softer": lambda image: image.filter(ImageFilter.GaussianBlur(image.width / 150)),
    "a stop darker": lambda image: _exposed(image, -1),
}
"""Changes after which it is still the same picture."""

NEXT_FRAMES = {
    "shifted": lambda image: _cut(image, 0.03, 0.03, 0, 0),
    "closer": lambda image: _cut(image, 0.03, 0.03, 0.03, 0.03),
    "turned": lambda image: _cut(image.rotate(1.5, Image.Resampling.BICUBIC), 0.04, 0.04, 0.04, 0.04),
    "a stop brighter": lambda image: _exposed(image, 1),
}
"""Changes from one frame of a burst to another."""
