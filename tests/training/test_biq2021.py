"""Reading BIQ2021: both layouts, no leak from validation, and a bad row said with its place."""

from pathlib import Path

import pytest

from dpiqa_plugin.errors import DPIQAError
from dpiqa_training.datasets.biq2021 import (
    VALIDATION_LIST,
    block_of,
    draw_validation_blocks,
    read_test,
    read_training,
    read_validation,
)

OFFICIAL_HEADER = "Image Name,MOS,,\n"


def official(root: Path, rows: dict[str, str]) -> Path:
    (root / "Images").mkdir()
    table = OFFICIAL_HEADER + "".join(f"{name},{mos},,\n" for name, mos in rows.items())
    (root / "Train (Images and MOS).csv").write_text(table)
    for name in rows:
        (root / "Images" / name).touch()
    return root


def test_the_split_is_the_one_that_its_seed_draws():
    lines = [f"{subset} {first}" for subset, first in draw_validation_blocks()]
    assert VALIDATION_LIST.read_text().splitlines() == lines


def test_a_scene_is_on_one_side_of_the_split(tmp_path):
    subset, first = "ss02", 101
    names = [f"{subset} ({number}).jpg" for number in range(first - 2, first + 103)]
    root = official(tmp_path, dict.fromkeys(names, "0.5"))
    assert [photo.path.name for photo in read_validation(root)] == names[2:102]
    assert [photo.path.name for photo in read_training(root)] == names[:2] + names[102:]


def test_the_test_part_is_a_table_of_its_own(tmp_path):
    root = official(tmp_path, {"ss03 (1).jpg": "0.5", "ss03 (2).jpg": "0.7"})
    (root / "Test (Images and MOS).csv").write_text("Image Name,MOS\nss03 (2).jpg,0.7\nss03 (1).jpg,0.5\n")
    assert [photo.mos for photo in read_test(root)] == [0.7, 0.5]


def test_the_photo_that_was_never_published_is_left_out_and_no_other(tmp_path):
    root = official(tmp_path, dict.fromkeys(["ss02 (1014).jpg", "ss03 (7001).jpg", "ss03 (7002).jpg"], "0.5"))
    (root / "Images" / "ss02 (1014).jpg").unlink()
    assert len(read_training(root)) == 2
    (root / "Images" / "ss03 (7001).jpg").unlink()
    with pytest.raises(DPIQAError, match=r"csv, line 3: there is no photo .*ss03 \(7001\)\.jpg"):
        read_training(root)


def test_a_table_that_is_missing_or_has_other_columns_is_named(tmp_path):
    root = official(tmp_path, {"ss03 (7001).jpg": "0.5", "ss03 (7002).jpg": "0.7"})
    with pytest.raises(DPIQAError, match=r"Test \(Images and MOS\)\.csv"):
        read_test(root)
    (root / "Test (Images and MOS).csv").write_text("name,score\nss03 (7001).jpg,0.5\n")
    with pytest.raises(DPIQAError, match=r"line 1: no column Image Name, MOS"):
        read_test(root)


@pytest.mark.parametrize(
    ("mos", "reason"), [("good", "from 0 to 1, got 'good'"), ("71.2", "got '71.2'"), ("", "got ''")]
)
def test_a_malformed_row_is_named_by_file_and_line(tmp_path, mos, reason):
    root = official(tmp_path, {"ss03 (7001).jpg": "0.5", "ss03 (7002).jpg": mos})
    with pytest.raises(DPIQAError, match=rf"Train \(Images and MOS\)\.csv, line 3: .*{reason}"):
        read_training(root)


def test_a_folder_without_tables_is_refused(tmp_path):
    with pytest.raises(DPIQAError, match=r"labels\.csv"):
        read_training(tmp_path)


def test_the_excerpt_is_split_by_the_same_blocks(shared):
    excerpt = shared / "data" / "biq2021-small"
    training, validation = read_training(excerpt), read_validation(excerpt)
    assert len(training) + len(validation) == 479
    assert not {block_of(photo) for photo in training} & {block_of(photo) for photo in validation}
    with pytest.raises(DPIQAError, match="no test photos"):
        read_test(excerpt)
