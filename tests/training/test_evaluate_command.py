"""``dpiqa-train evaluate``: the bundled figures, and what is said when there is nothing to measure."""

import shutil

import pytest
from makers.tiny_training import EXAMPLES

from dpiqa_training.cli import main


def test_it_prints_agreement_deviation_and_ladders(shared, tmp_path, capsys):
    shutil.copy(EXAMPLES / "dog.jpg", tmp_path)
    excerpt = shared / "data" / "biq2021-small"
    assert main(["evaluate", "--data", str(excerpt), "--ladders", str(tmp_path)]) == 0
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert float(rows["all"][1]) > 0.75
    assert sum(int(rows[subset][0]) for subset in ("ss01", "ss02", "ss03")) == int(rows["all"][0]) == 42
    assert float(rows["deviation:"][0]) > 0
    assert float(rows["defocus"][0]) >= 0.8


def test_the_test_part_of_an_excerpt_is_a_reason_to_stop(shared, capsys):
    assert main(["evaluate", "--data", str(shared / "data" / "biq2021-small"), "--part", "test"]) == 1
    assert "no test photos" in capsys.readouterr().err


def test_a_folder_without_photos_is_a_reason_to_stop(shared, tmp_path, capsys):
    excerpt = shared / "data" / "biq2021-small"
    assert main(["evaluate", "--data", str(excerpt), "--ladders", str(tmp_path)]) == 1
    assert "no .jpg, .png" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["train", "all"])
def test_there_is_no_other_part(part):
    with pytest.raises(SystemExit, match="2"):
        main(["evaluate", "--data", "x", "--part", part])
