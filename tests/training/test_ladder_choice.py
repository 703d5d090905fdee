"""Which photos are distorted in training, and how."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from makers.tiny_training import CONFIG, EXAMPLES, labelled
from PIL import Image

from dpiqa_plugin.errors import PhotoError, UsageError
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.distortions import KINDS
from dpiqa_training.ladder_choice import choose_ladders

GOOD = labelled()[0]


def grey_photos(folder: Path, level: int, mos: float) -> list[LabelledPhoto]:
    """Three photos of one brightness."""
    paths = [folder / f"{number}.jpg" for number in range(3)]
    for path in paths:
        Image.new("RGB", (64, 48), (level, level, level)).save(path)
    return [LabelledPhoto(path, mos, "ss03") for path in paths]


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


@pytest.mark.parametrize(("level", "mos", "chosen"), [(68, 0.7, True), (68, 0.5, False), (72, 0.7, False)])
def test_good_dark_photos_are_distorted_in_exposure_twice_over_to_once_under(tmp_path, level, mos, chosen):
    photos = [*grey_photos(tmp_path, level, mos), GOOD]
    kinds = Counter(kind for _, kind in choose_ladders(CONFIG, photos, [])[1:])
    assert kinds == ({"overexposure": 2, "underexposure": 1} if chosen else {})


def test_of_the_other_good_photos_as_many_as_asked_for_are_distorted_in_exposure(tmp_path):
    photos = grey_photos(tmp_path, 120, 0.7)
    for count, distorted in ((0, 0), (2, 2), (9, 3)):
        config = replace(CONFIG, exposure_sources=count)
        ladders = choose_ladders(config, [*photos, GOOD], [])[1:]
        assert [kind for _, kind in ladders] == ["underexposure", "overexposure", "underexposure"][:distorted]
        assert {path for path, _ in ladders} <= {photo.path for photo in photos}


def test_of_the_photos_not_from_unsplash_as_many_as_asked_for_are_distorted_in_exposure():
    good, poor, gallery, *_ = labelled()
    photos = [
        replace(good, subset="ss01"),
        replace(poor, subset="ss01"),
        replace(gallery, subset="ss02", mos=0.3),
    ]
    for count, chosen in ((0, 0), (1, 1), (9, 2)):
        ladders = choose_ladders(replace(CONFIG, camera_sources=count), photos, [EXAMPLES / "nyc.jpg"])[1:]
        assert [kind for _, kind in ladders] == ["underexposure", "overexposure"][:chosen]
        assert {path for path, _ in ladders} <= {good.path, gallery.path}
        assert len({path for path, _ in ladders}) == chosen


def test_a_photo_that_cannot_be_read_is_named(tmp_path):
    photos = grey_photos(tmp_path, 40, 0.7)
    photos[1].path.write_bytes(b"no photo")
    with pytest.raises(PhotoError, match=r"1\.jpg cannot be read"):
        choose_ladders(CONFIG, [*photos, GOOD], [])


def test_photos_of_which_none_is_fit_to_be_distorted_are_refused():
    photos = [replace(photo, subset="ss01") for photo in labelled()]
    with pytest.raises(UsageError, match="none that the recipe distorts"):
        choose_ladders(CONFIG, photos, [])
