"""Reading BIQ2021: both layouts, no leak from validation, and a bad row said with its place."""

from pathlib import Path

import pytest

from dpiqa_plugin.errors import DPIQAError
from dpiqa_training.datasets.biq2021 import read_training, read_validation, validation_names

OFFICIAL_HEADER = "Image Name,MOS,,\n"


def official(root: Path, rows: dict[str, str]) -> Path:
    (root / "Images").mkdir()
    table = OFFICIAL_HEADER + "".join(f"{name},{mos},,\n" for name, mos in rows.items())
    (root / "Train (Images and MOS).csv").write_text(table)
    for name in rows:
        (root / "Images" / name).touch()
    return root


def test_no_validation_photo_and_no_photo_of_its_scene_is_trained_on(tmp_path):
    held_out = next(name for name in validation_names() if name.startswith("ss01"))
    number = int(held_out[6:-5])
    rows = {
        held_out: "0.5",
        f"ss01 ({number + 1}).jpg": "0.5",
        "ss03 (90001).jpg": "0.7",
        "ss03 (90002).jpg": "0.1",
    }
    photos = read_training(official(tmp_path, rows), ("ss01", "ss03"))
    assert [photo.path.name for photo in photos] == ["ss03 (90001).jpg", "ss03 (90002).jpg"]
    assert [photo.mos for photo in photos] == [0.7, 0.1]


def test_photos_that_were_never_published_are_left_out(tmp_path):
    root = official(tmp_path, {f"ss03 (9000{i}).jpg": "0.5" for i in range(3)})
    (root / "Images" / "ss03 (90001).jpg").unlink()
    assert len(read_training(root, ("ss03",))) == 2


@pytest.mark.parametrize(
    ("mos", "reason"), [("good", "could not convert"), ("71.2", "0..1"), ("", "could not convert")]
)
def test_a_malformed_row_is_named_by_file_and_line(tmp_path, mos, reason):
    root = official(tmp_path, {"ss03 (90001).jpg": "0.5", "ss03 (90002).jpg": mos})
    with pytest.raises(DPIQAError, match=rf"Train \(Images and MOS\)\.csv, line 3: .*{reason}"):
        read_training(root, ("ss03",))


def test_a_folder_without_tables_is_refused(tmp_path):
    with pytest.raises(DPIQAError, match=r"labels\.csv"):
        read_training(tmp_path, ("ss03",))


def test_a_missing_validation_photo_is_named(tmp_path):
    root = official(tmp_path, {"ss03 (90001).jpg": "0.5"})
    with pytest.raises(DPIQAError, match="120 validation photos are not there"):
        read_validation(root)


def test_the_small_layout_gives_the_held_out_photos(shared):
    photos = read_validation(shared / "data" / "biq2021-small")
    assert [photo.path.name for photo in photos] == validation_names()
    assert all(photo.path.is_file() and 0 <= photo.mos <= 1 for photo in photos)
