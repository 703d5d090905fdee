"""An entry is met again only for the same photo, view, weights and preprocessing."""

import copy

import pytest
import torch
from accelerate import Accelerator
from makers.tiny_papers import EXAMPLES

from dpiqa_plugin.models.teacher import REDUCED, Teacher
from dpiqa_training.batches import View
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.errors import CacheError
from dpiqa_training.fill_cache import fill_cache
from dpiqa_training.photo_views import PhotoViews
from dpiqa_training.teacher_cache import PhotoCache, identity_of

SIZE = REDUCED.image_size


@pytest.fixture(scope="module")
def teacher():
    torch.manual_seed(0)
    return Teacher(REDUCED).eval()


@pytest.fixture
def photos(tmp_path):
    paths = [tmp_path / f"{name}.jpg" for name in ("dog", "nyc")]
    for path in paths:
        path.write_bytes((EXAMPLES / path.name).read_bytes())
    return [LabelledPhoto(path, 0.5) for path in paths]


def fill(cache, photos, compute, flips=True):
    fill_cache(cache, photos, flips, SIZE, compute, Accelerator(), workers=0)


def test_cached_latents_are_those_of_the_view_that_is_seen(teacher, photos, tmp_path):
    cache = PhotoCache(tmp_path / "cache", "a" * 64)
    fill(cache, photos, lambda image: {"latent": teacher.encode(image)})
    for view in (View(0, False), View(1, True)):
        item = PhotoViews(photos, SIZE, cache)[view]
        with torch.no_grad():
            expected = teacher.encode(item["image"][None].float() / 255)[0]
        # Four photos at once and one alone: the order of sums differs.
        torch.testing.assert_close(item["latent"], expected, rtol=0, atol=1e-5)


def test_a_second_pass_computes_only_what_is_missing(photos, tmp_path):
    cache = PhotoCache(tmp_path / "cache", "a" * 64)
    seen = []

    def compute(image):
        seen.append(len(image))
        return {"mean": image.mean(dim=(1, 2, 3))}

    fill(cache, photos[:1], compute)
    fill(cache, photos, compute)
    fill(cache, photos, compute)
    assert sum(seen) == 4


def test_a_photo_that_changed_meets_no_entry(photos, tmp_path):
    cache = PhotoCache(tmp_path / "cache", "a" * 64)
    fill(cache, photos, lambda image: {"mean": image.mean(dim=(1, 2, 3))})
    photos[0].path.write_bytes((EXAMPLES / "waves.jpg").read_bytes())
    views = PhotoViews(photos, SIZE, cache)
    with pytest.raises(CacheError, match=r"dog\.jpg has changed"):
        views[View(0, False)]
    assert "mean" in views[View(1, False)]


def test_a_mirrored_view_is_not_the_other(photos, tmp_path):
    cache = PhotoCache(tmp_path / "cache", "a" * 64)
    fill(cache, photos, lambda image: {"mean": image.mean(dim=(1, 2, 3))}, flips=False)
    with pytest.raises(CacheError):
        PhotoViews(photos, SIZE, cache)[View(0, True)]


def test_a_damaged_entry_is_named(photos, tmp_path):
    cache = PhotoCache(tmp_path / "cache", "a" * 64)
    fill(cache, photos, lambda image: {"mean": image.mean(dim=(1, 2, 3))})
    entry = next((tmp_path / "cache").rglob("*.safetensors"))
    entry.write_bytes(entry.read_bytes()[:20])
    with pytest.raises(CacheError, match=entry.name):
        [
            PhotoViews(photos, SIZE, cache)[View(photo, flipped)]
            for photo in (0, 1)
            for flipped in (False, True)
        ]


def test_the_identity_follows_weights_and_preprocessing(teacher):
    weights = teacher.state_dict()
    identity = identity_of(weights, 64, "unit")
    assert identity == identity_of(copy.deepcopy(weights), 64, "unit")
    assert identity != identity_of(weights, 64, "signed")
    changed = copy.deepcopy(weights)
    changed["vae.quant_conv.bias"][3] += 1e-7
    assert identity != identity_of(changed, 64, "unit")
    assert identity != identity_of({f"x{name}": value for name, value in weights.items()}, 64, "unit")
