"""Split files: drawn once, then obeyed; parts apart, scenes whole; refused where they do not fit."""

from collections import Counter
from pathlib import Path

import pytest

from dpiqa_plugin.errors import DPIQAError
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.splits import Shares, draw_split, of_part, split_photos

ROOT = Path("photos")


def unsplit(count: int) -> list[LabelledPhoto]:
    return [LabelledPhoto(ROOT / "large" / f"{number}.jpg", 0.5) for number in range(count)]


def official(**parts: int) -> list[LabelledPhoto]:
    return [
        LabelledPhoto(ROOT / f"{part}{number}.jpg", 0.5, part=part)
        for part, count in parts.items()
        for number in range(count)
    ]


def counts(photos: list[LabelledPhoto]) -> dict[str, int]:
    return dict(Counter(photo.part for photo in photos))


def test_every_photo_goes_into_one_part_of_the_size_asked_for():
    photos = unsplit(100)
    result = draw_split(photos, Shares(val=0.1, test=0.25))
    assert [photo.path for photo in result] == [photo.path for photo in photos]
    assert counts(result) == {"train": 65, "val": 10, "test": 25}


def test_the_seed_decides_and_the_order_of_the_photos_does_not():
    photos = unsplit(50)
    first = draw_split(photos, Shares(seed=1))
    assert set(draw_split(photos[::-1], Shares(seed=1))) == set(first)
    assert draw_split(photos, Shares(seed=2)) != first


def test_a_split_of_the_same_data_elsewhere_is_the_same():
    here, there = unsplit(50), [LabelledPhoto(Path("/srv") / p.path, p.mos) for p in unsplit(50)]
    assert [p.part for p in draw_split(here, Shares())] == [p.part for p in draw_split(there, Shares())]


def test_a_whole_official_split_stays():
    photos = official(train=7, val=1, test=2)
    assert draw_split(photos, Shares()) == photos


def test_an_official_split_without_validation_gives_up_some_of_its_training_part():
    result = draw_split(official(train=80, test=20), Shares(val=0.1))
    assert counts(result) == {"train": 70, "val": 10, "test": 20}
    assert all(photo.path.name.startswith("test") for photo in of_part(result, "test"))


def test_a_part_that_is_not_asked_for_stays_empty():
    assert counts(draw_split(unsplit(10), Shares(val=0.1, test=0))) == {"train": 9, "val": 1}


@pytest.mark.parametrize(
    ("photos", "shares", "part"),
    [
        (unsplit(2), Shares(val=0.5, test=0.5), "train"),
        (unsplit(1), Shares(val=1, test=0), "train"),
    ],
)
def test_too_few_photos_are_refused(photos, shares, part):
    with pytest.raises(DPIQAError, match=f"too few for a {part} part"):
        draw_split(photos, shares)


def test_a_file_is_written_and_then_obeyed_whatever_the_seed(tmp_path):
    file = tmp_path / "splits" / "set.csv"
    first = split_photos(file, ROOT, unsplit(20), Shares(seed=1))
    assert split_photos(file, ROOT, unsplit(20), Shares(seed=2)) == first
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["photo,split", f"large/0.jpg,{first[0].part}"]
    assert len(lines) == 21


def test_a_file_edited_by_hand_is_obeyed(tmp_path):
    file = tmp_path / "set.csv"
    file.write_text("photo,split\nlarge/1.jpg,test\nlarge/0.jpg,train\n")
    assert [photo.part for photo in split_photos(file, ROOT, unsplit(2), Shares())] == ["train", "test"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("photo,split\nlarge/0.jpg,train\n", r"1 photos of photos are not in it, first large/1\.jpg"),
        (
            "photo,split\nlarge/0.jpg,train\nlarge/1.jpg,val\nlarge/9.jpg,test\n",
            r"1 of its photos are not in photos, first large/9\.jpg",
        ),
        ("photo,split\nlarge/0.jpg,training\n", r"line 2: split must be train, val, test, got 'training'"),
        ("photo,split\nlarge/0.jpg,train\nlarge/0.jpg,test\n", r"line 3: large/0\.jpg is in an earlier line"),
        ("name,part\nlarge/0.jpg,train\n", r"line 1: no column photo, split"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, text, reason):
    file = tmp_path / "set.csv"
    file.write_text(text)
    with pytest.raises(DPIQAError, match=rf"set\.csv.*{reason}"):
        split_photos(file, ROOT, unsplit(2), Shares())
    assert file.read_text() == text


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "splits").write_text("a file where a folder should be")
    with pytest.raises(DPIQAError, match=r"cannot write the split file .*set\.csv"):
        split_photos(tmp_path / "splits" / "set.csv", ROOT, unsplit(20), Shares())
