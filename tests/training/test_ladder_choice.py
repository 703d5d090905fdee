"""Which photos are distorted in training, and how."""

from collections import Counter
from dataclasses import replace

import pytest
from makers.tiny_training import CONFIG, EXAMPLES, labelled
from PIL import Image

from dpiqa_plugin.errors import UsageError
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.distortions import KINDS
from dpiqa_training.ladder_choice import choose_ladders


def test_of_nine_ladders_three_are_overexposed_and_two_underexposed():
    config = replace(CONFIG, clean_ladders=9)
    kinds = [kind for _, kind in choose_ladders(config, [], [EXAMPLES / "nyc.jpg"])]
    assert Counter(kinds) == Counter([*KINDS, "overexposure", "overexposure", "underexposure"])


def test_of_the_labelled_photos_the_good_ones_of_ss03_alone_are_distorted():
    good, poor, other = labelled()[0], labelled()[1], replace(labelled()[2], subset="ss01")
    assert [path for path, _ in choose_ladders(CONFIG, [good, poor, other], [])] == [good.path]


def test_every_other_clean_photo_is_distorted_in_as_many_ways_as_asked_for():
    config = replace(CONFIG, ladder_sources=1, clean_ladders=3)
    clean = [EXAMPLES / "nyc.jpg", EXAMPLES / "reflect.jpg"]
    of_biq, *others = choose_ladders(config, labelled(), clean)
    assert of_biq[0] not in clean
    assert [path for path, _ in others] == clean * 3
    assert len({kind for path, kind in others if path == clean[0]}) == 3


@pytest.mark.parametrize(("level", "mos", "chosen"), [(40, 0.7, True), (40, 0.5, False), (120, 0.7, False)])
def test_dark_photos_count_as_clean_below_the_best_and_lack_only_light(tmp_path, level, mos, chosen):
    photos = []
    for number in range(3):
        path = tmp_path / f"{number}.jpg"
        Image.new("RGB", (64, 48), (level, level, level)).save(path)
        photos.append(LabelledPhoto(path, mos, "ss03"))
    kinds = Counter(kind for _, kind in choose_ladders(CONFIG, [*photos, labelled()[0]], [])[1:])
    assert kinds == ({"overexposure": 2, "underexposure": 1} if chosen else {})


def test_photos_of_which_none_is_fit_to_be_distorted_are_refused():
    photos = [replace(photo, subset="ss01") for photo in labelled()]
    with pytest.raises(UsageError, match="none to distort"):
        choose_ladders(CONFIG, photos, [])
