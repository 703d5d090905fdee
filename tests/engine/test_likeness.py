"""Near-duplicates of real photos have near fingerprints, different photos do not, blank ones have none."""

import itertools

import numpy as np
import pytest
from makers.variations import COPIES, NEXT_FRAMES, SCENES, fingerprint, open_example

from dpiqa_desktop.engine.bursts import ALIKE, NEAR_IDENTICAL, UNLIKE
from dpiqa_desktop.engine.likeness import distance, likeness
from dpiqa_plugin.preprocess import squash


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("change", COPIES)
def test_copies_are_near_identical(scene, change):
    photo = open_example(scene)
    assert distance(fingerprint(photo), fingerprint(COPIES[change](photo))) <= NEAR_IDENTICAL


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("change", NEXT_FRAMES)
def test_the_next_frame_of_a_burst_is_alike(scene, change):
    photo = open_example(scene)
    assert distance(fingerprint(photo), fingerprint(NEXT_FRAMES[change](photo))) <= ALIKE


def test_different_scenes_are_not_alike():
    fingerprints = [fingerprint(open_example(scene)) for scene in SCENES]
    assert min(itertools.starmap(distance, itertools.combinations(fingerprints, 2))) > ALIKE


@pytest.mark.parametrize(
    "faulty", ["dog_defocused.jpg", "flowers_shaken.jpg", "nyc_overcompressed.jpg", "waves_underexposed.jpg"]
)
def test_a_camera_fault_does_not_hide_the_scene(faulty):
    scene = faulty.split("_")[0] + ".jpg"
    assert distance(fingerprint(open_example(faulty)), fingerprint(open_example(scene))) <= UNLIKE


def test_whole_and_squashed_photos_have_near_fingerprints():
    photo = open_example("nyc.jpg").resize((3000, 2000))
    assert distance(likeness(np.asarray(photo)), likeness(squash(photo, 384))) <= 2


def test_a_fingerprint_has_64_bits():
    assert all(0 <= fingerprint(open_example(scene)) < 1 << 64 for scene in SCENES)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_photos_have_no_fingerprint_even_if_noisy(level):
    noise = np.random.default_rng(0).normal(level, 8, (384, 384, 3))
    assert likeness(np.full((384, 384, 3), level, np.uint8)) is None
    assert likeness(np.clip(noise, 0, 255).astype(np.uint8)) is None


def test_a_photo_five_stops_underexposed_is_not_blank():
    assert fingerprint(open_example("waves_underexposed.jpg")) is not None
