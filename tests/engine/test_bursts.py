"""Bursts are what is alike and close in time, or near-identical: never a chain, never a matter of order."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers.variations import COPIES, NEXT_FRAMES, SCENES, fingerprint, open_example
from PIL import Image

from dpiqa_desktop.engine.bursts import GAP_SECONDS, NEAR_IDENTICAL, UNLIKE, Burst, Shot, group_bursts
from dpiqa_desktop.engine.likeness import distance, likeness

SCENE = 0x0123456789ABCDEF
OTHER = SCENE ^ 0xFFFFFFFF00000000


def _flip(bits, *places):
    for place in places:
        bits ^= 1 << place
    return bits


def _named(shots, bursts):
    return [([shots[i].path for i in burst.members], shots[burst.best].path) for burst in bursts]


@st.composite
def many_shots(draw):
    """A few scenes, with some bits flipped, at a few times: so that all rules meet each other."""
    scenes = draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=3))
    scene = st.sampled_from(scenes)
    near = scene | st.builds(_flip, scene, *[st.integers(0, 63)] * 5)
    stems = st.sampled_from(["a/1", "a/2", "a/3", "b/1", "b/2", "c/7", "c/8", "c/9"])
    paths = st.builds(lambda stem, ending: stem + ending, stems, st.sampled_from([".jpg", ".dng"]))
    times = st.none() | st.floats(0, 20) | st.sampled_from([0.0, 1.0, 100.0])
    shot = st.builds(Shot, paths, st.sampled_from([0.1, 0.5, 0.9]), times, st.none() | near)
    return draw(st.lists(shot, max_size=16, unique_by=lambda shot: shot.path))


@given(many_shots(), st.booleans())
def test_every_burst_keeps_the_rules(shots, lower_better):
    bursts = group_bursts(shots, lower_better)
    members = [index for burst in bursts for index in burst.members]
    assert len(members) == len(set(members))
    for burst in bursts:
        inside = [shots[index] for index in burst.members]
        assert len({shot.path.rpartition(".")[0] for shot in inside}) > 1
        keys = [(shot.captured_at is None, shot.captured_at or 0, shot.path) for shot in inside]
        assert keys == sorted(keys)
        scores = [shot.score for shot in inside]
        best = [shot for shot in inside if shot.score == (min if lower_better else max)(scores)]
        assert shots[burst.best].path == min(shot.path for shot in best)


@given(many_shots())
def test_all_of_a_burst_are_alike_to_one_of_it(shots):
    """On photographs of one file each: that of several speaks with one voice for all."""
    shots = [shot for shot in shots if shot.path.endswith(".jpg")]
    for burst in group_bursts(shots, lower_better=False):
        fingerprints = [shots[index].likeness for index in burst.members]
        assert None not in fingerprints
        assert min(max(distance(a, b) for b in fingerprints) for a in fingerprints) <= UNLIKE


@given(many_shots(), st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_the_shots_does_not_matter(shots, shuffler, lower_better):
    shuffled = list(shots)
    shuffler.shuffle(shuffled)
    assert _named(shots, group_bursts(shots, lower_better)) == _named(
        shuffled, group_bursts(shuffled, lower_better)
    )


@given(st.integers(0, 2**64 - 1), st.sets(st.integers(0, 63), max_size=12))
def test_without_time_exactly_the_near_identical_group(original, bits):
    shots = [Shot("a.jpg", 1, None, original), Shot("b.jpg", 2, None, _flip(original, *bits))]
    grouped = group_bursts(shots, lower_better=False) == [Burst((0, 1), 1)]
    assert grouped == (len(bits) <= NEAR_IDENTICAL)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=60))
@settings(max_examples=30)
def test_no_near_identical_pair_is_missed(fingerprints):
    """Each with a copy that is as far as allowed: both end in one burst, whatever else is there."""
    shots = []
    for number, original in enumerate(set(fingerprints)):
        copy = _flip(original, *random.Random(number).sample(range(64), NEAR_IDENTICAL))
        shots += [Shot(f"{number}a", 0, None, original), Shot(f"{number}b", 0, None, copy)]
    grouped = {index for burst in group_bursts(shots, lower_better=False) for index in burst.members}
    assert grouped == set(range(len(shots)))


def test_close_in_time_and_alike_is_a_burst_of_which_the_best_is_named():
    shots = [Shot(f"{n}.jpg", score, n / 10, _flip(SCENE, n)) for n, score in enumerate([0.3, 0.9, 0.9, 0.1])]
    assert group_bursts(shots, lower_better=False) == [Burst((0, 1, 2, 3), 1)]
    assert group_bursts(shots, lower_better=True) == [Burst((0, 1, 2, 3), 3)]


def test_a_pause_or_another_scene_ends_a_burst():
    nearly = _flip(SCENE, *range(NEAR_IDENTICAL + 1))
    pause = 1 + GAP_SECONDS + 0.1
    shots = [
        Shot("1", 0, 0, SCENE),
        Shot("2", 0, 1, SCENE),
        Shot("3", 0, pause, nearly),
        Shot("4", 0, pause, OTHER),
    ]
    assert _named(shots, group_bursts(shots, lower_better=False)) == [(["1", "2"], "1")]


def test_two_cameras_that_alternate_make_two_bursts():
    shots = [Shot(f"{n}", 0, n / 5, OTHER if n % 2 else SCENE) for n in range(10)]
    assert [burst.members for burst in group_bursts(shots, lower_better=False)] == [
        (0, 2, 4, 6, 8),
        (1, 3, 5, 7, 9),
    ]


@pytest.mark.parametrize("step", [0.2, None])
def test_a_panning_series_does_not_become_one_burst(step):
    """Each frame differs from the one before by two bits; the ends have nothing in common."""
    looks, turning, shots = SCENE, random.Random(0), []
    for number in range(500):
        shots.append(Shot(f"{number:03d}", 0, step and number * step, looks))
        looks = _flip(looks, *turning.sample(range(64), 2))
    bursts = group_bursts(shots, lower_better=False)
    assert len(bursts) > 10
    for burst in bursts:
        ends = shots[burst.members[0]].likeness, shots[burst.members[-1]].likeness
        assert distance(*ends) <= UNLIKE


def test_raw_and_jpeg_are_one_photograph():
    pair = [Shot("d/IMG_1.CR3", 0.4, 5.0, SCENE), Shot("d/IMG_1.JPG", 0.5, 5.0, SCENE)]
    assert group_bursts(pair, lower_better=False) == []
    second = [Shot("d/IMG_2.CR3", 0.6, 5.1, SCENE), Shot("d/IMG_2.JPG", 0.3, 5.1, SCENE)]
    assert group_bursts(pair + second, lower_better=False) == [Burst((0, 1, 2, 3), 2)]
    assert group_bursts([pair[1], Shot("e/IMG_1.JPG", 0.1, None, SCENE)], lower_better=False) == [
        Burst((0, 1), 0)
    ]


def test_a_copy_without_time_joins_the_burst_of_its_original():
    shots = [Shot("1", 0, 0, SCENE), Shot("2", 0, 0.2, _flip(SCENE, *range(12)))]
    shots.append(Shot("export/2", 1, None, _flip(SCENE, *range(14))))
    assert group_bursts(shots, lower_better=False) == [Burst((0, 1, 2), 2)]


def test_two_series_of_one_scene_stay_two():
    shots = [Shot(f"{n}", 0, time, SCENE) for n, time in enumerate([0, 1, 600, 601])]
    assert [burst.members for burst in group_bursts(shots, lower_better=False)] == [(0, 1), (2, 3)]


def test_blank_photos_are_in_no_burst():
    black = likeness(np.zeros((384, 384, 3), np.uint8))
    shots = [Shot(f"{n}", 0, n / 10, black) for n in range(5)]
    assert group_bursts(shots, lower_better=False) == []


def test_photos_find_their_frames_and_copies_and_nothing_else():
    """Every scene as a hand-held burst, all bursts at the same time, and an export of each without time."""
    shots = []
    for scene in SCENES:
        photo = open_example(scene)
        frames = [photo, *(change(photo) for change in NEXT_FRAMES.values())]
        shots += [Shot(f"{scene}/{n}", n, n / 5, fingerprint(frame)) for n, frame in enumerate(frames)]
        small = COPIES["quality 40"](photo.resize((200, 150), Image.Resampling.LANCZOS))
        shots.append(Shot(f"{scene}/export", 9, None, fingerprint(small)))
    bursts = _named(shots, group_bursts(shots, lower_better=False))
    assert sorted(best for _, best in bursts) == [f"{scene}/export" for scene in sorted(SCENES)]
    for members, _ in bursts:
        assert len({path.split("/")[0] for path in members}) == 1
        assert len(members) == 6
