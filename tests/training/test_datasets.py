"""Readers of published data sets: names, scaled MOS, official parts; every fault named by its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from makers import labelled_sets
from makers.labelled_sets import table
from scipy.io import savemat

from dpiqa_plugin.errors import DPIQAError
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.datasets.clive import read_clive
from dpiqa_training.datasets.flive import read_flive
from dpiqa_training.datasets.koniq import read_koniq
from dpiqa_training.datasets.pyiqa_meta import read_pyiqa_meta
from dpiqa_training.datasets.spaq import read_spaq


@dataclass(frozen=True)
class Layout:
    """A maker of a layout, its reader, and what must come out: name, MOS, subset and part of each photo."""

    make: Callable[[Path], Path]
    read: Callable[[Path], list[LabelledPhoto]]
    expected: list[tuple[str, float, str, str]]


LAYOUTS = {
    "koniq": Layout(
        labelled_sets.koniq,
        read_koniq,
        [
            ("10004473376.jpg", 0.773836206897, "", "train"),
            ("10007357496.jpg", 0.687285714286, "", "test"),
            ("10043785683.jpg", 0.712043269231, "", "val"),
        ],
    ),
    "koniq_without_sets": Layout(
        labelled_sets.koniq_without_sets, read_koniq, [("10004473376.jpg", 0.773836206896552, "", "")]
    ),
    "clive": Layout(
        labelled_sets.clive, read_clive, [("3.bmp", 0.639634, "", ""), ("1169.JPG", 0.253353, "", "")]
    ),
    "flive": Layout(
        labelled_sets.flive,
        read_flive,
        [
            ("motion0044.jpg", 0.7544372347614072, "blur_dataset", "train"),
            ("AVA__1.jpg", 0.0, "voc_emotic_ava", "val"),
            ("rq59.jpg", 0.5865, "EE371R", "test"),
        ],
    ),
    "spaq": Layout(
        labelled_sets.spaq, read_spaq, [("00001.jpg", 0.6893, "", ""), ("00002.jpg", 0.42, "", "")]
    ),
    "pyiqa_koniq": Layout(
        labelled_sets.pyiqa_datasets,
        lambda root: read_pyiqa_meta(root, "koniq"),
        [("10004473376.jpg", 0.7738, "", "train"), ("10007357496.jpg", 0.6873, "", "test")],
    ),
    "pyiqa_clive": Layout(
        labelled_sets.pyiqa_datasets,
        lambda root: read_pyiqa_meta(root, "clive"),
        [("3.bmp", 0.639634, "", ""), ("4.bmp", 0.253353, "", "")],
    ),
    "pyiqa_flive": Layout(
        labelled_sets.pyiqa_datasets,
        lambda root: read_pyiqa_meta(root, "flive"),
        [("rq59.jpg", 0.5865, "EE371R", "test")],
    ),
    "pyiqa_spaq": Layout(
        labelled_sets.pyiqa_datasets,
        lambda root: read_pyiqa_meta(root, "spaq"),
        [("00001.jpg", 0.6893, "", "")],
    ),
}


@pytest.fixture(params=LAYOUTS)
def layout(request) -> Layout:
    return LAYOUTS[request.param]


def test_every_photo_comes_with_its_label(layout, tmp_path):
    photos = layout.read(layout.make(tmp_path))
    assert [(photo.path.name, photo.subset, photo.part) for photo in photos] == [
        (name, subset, part) for name, _, subset, part in layout.expected
    ]
    assert [photo.mos for photo in photos] == pytest.approx([mos for _, mos, _, _ in layout.expected])
    assert all(photo.path.is_file() for photo in photos)


def test_a_photo_that_is_not_there_is_named_with_its_row(layout, tmp_path):
    root = layout.make(tmp_path)
    gone = layout.read(root)[-1].path
    gone.unlink()
    with pytest.raises(
        DPIQAError, match=r"(csv, line|mat, entry|xlsx, row) \d+: there is no photo .*" + gone.name
    ):
        layout.read(root)


def test_an_empty_folder_is_refused_with_what_it_should_hold(layout, tmp_path):
    with pytest.raises(
        DPIQAError, match=r"(koniq10k_|Images|labels_image|attribute scores|meta_info_).* here"
    ):
        layout.read(tmp_path)


KONIQ_HEADING = "image_name,MOS,set"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((KONIQ_HEADING, "a.jpg,good,test"), r"line 2: MOS must be a number from 0 to 100, got 'good'"),
        ((KONIQ_HEADING, "a.jpg,,test"), r"line 2: MOS must be a number"),
        ((KONIQ_HEADING, "a.jpg,nan,test"), r"line 2: MOS must be a number"),
        ((KONIQ_HEADING, "a.jpg,50,test", "a.jpg,101,test"), r"line 3: .* got '101'"),
        ((KONIQ_HEADING, "a.jpg,50,testing"), r"line 2: set must be .* got 'testing'"),
        ((KONIQ_HEADING, "a.jpg,50"), r"line 2: expected 3 cells"),
        ((KONIQ_HEADING, "a.jpg,50,test,1"), r"line 2: expected 3 cells"),
        (("image_name,MOS", "a.jpg,50"), r"line 1: no column set; there are: image_name, MOS"),
        ((), r"line 1: no column .* there are: none"),
        ((KONIQ_HEADING, '"a.jpg,50,test'), r"unexpected end of data"),
    ],
)
def test_a_malformed_csv_is_named_by_file_and_line(tmp_path, lines, reason):
    labelled_sets.photos(tmp_path / "1024x768", ("a.jpg",))
    table(tmp_path / "koniq10k_distributions_sets.csv", *lines)
    with pytest.raises(DPIQAError, match=r"koniq10k_distributions_sets\.csv.*" + reason):
        read_koniq(tmp_path)


def test_a_binary_file_in_place_of_a_table_is_refused(tmp_path):
    labelled_sets.photos(tmp_path / "1024x768", ("a.jpg",))
    (tmp_path / "koniq10k_distributions_sets.csv").write_bytes(b"\xff\xfe\x00MOS")
    with pytest.raises(DPIQAError, match=r"sets\.csv: .*download the table again"):
        read_koniq(tmp_path)


def test_the_large_photos_are_taken_where_there_are_both(tmp_path):
    root = labelled_sets.koniq(tmp_path)
    labelled_sets.photos(root / "1024x768", (path.name for path in (root / "512x384").iterdir()))
    assert {photo.path.parent.name for photo in read_koniq(root)} == {"1024x768"}


def test_a_mos_of_clive_beyond_the_scale_is_named_by_its_entry(tmp_path):
    root = labelled_sets.clive(tmp_path, [50] * 8 + [500])
    with pytest.raises(DPIQAError, match=r"AllMOS_release\.mat, entry 9: MOS .* got 500"):
        read_clive(root)


def test_lists_of_clive_that_differ_in_length_are_refused(tmp_path):
    root = labelled_sets.clive(tmp_path, [50] * 8)
    with pytest.raises(DPIQAError, match=r"AllMOS_release\.mat: 8 MOS for the 9 names"):
        read_clive(root)


@pytest.mark.parametrize("content", [b"", b"no MATLAB file" * 20], ids=["empty", "text"])
def test_a_damaged_matlab_file_is_refused(tmp_path, content):
    root = labelled_sets.clive(tmp_path)
    (root / "Data" / "AllMOS_release.mat").write_bytes(content)
    with pytest.raises(DPIQAError, match=r"AllMOS_release\.mat: .*download the file again"):
        read_clive(root)


def test_a_matlab_file_of_another_variable_is_refused(tmp_path):
    root = labelled_sets.clive(tmp_path)
    savemat(root / "Data" / "AllMOS_release.mat", {"MOS": np.zeros(9)})
    with pytest.raises(DPIQAError, match="no variable AllMOS_release"):
        read_clive(root)


def test_flive_has_no_parts_without_the_table_of_its_test_part(tmp_path):
    root = labelled_sets.flive(tmp_path)
    (root / "database" / "labels640.csv").unlink()
    assert {photo.part for photo in read_flive(root)} == {""}


def test_a_flag_of_flive_that_is_none_is_named_by_its_line(tmp_path):
    root = labelled_sets.flive(tmp_path)
    table(root / "database" / "labels=640_padded.csv", "name_image,is_valid", "EE371R/rq59.jpg,perhaps")
    with pytest.raises(DPIQAError, match=r"padded\.csv, line 2: is_valid .* got 'perhaps'"):
        read_flive(root)


def test_a_malformed_cell_of_a_workbook_is_named_by_its_row(tmp_path):
    root = labelled_sets.spaq(tmp_path, second_mos="n/a")
    with pytest.raises(DPIQAError, match=r"scores\.xlsx, row 3: MOS must be a number .* got 'n/a'"):
        read_spaq(root)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off"], ids=["empty", "cut"])
def test_a_damaged_workbook_is_refused(tmp_path, content):
    root = labelled_sets.spaq(tmp_path)
    (root / "Annotations" / "MOS and Image attribute scores.xlsx").write_bytes(content)
    with pytest.raises(DPIQAError, match=r"scores\.xlsx: .*download the table again"):
        read_spaq(root)


def test_a_table_of_pyiqa_on_the_wrong_scale_is_refused(tmp_path):
    root = labelled_sets.pyiqa_datasets(tmp_path)
    table(root / "meta_info" / "meta_info_KonIQ10kDataset.csv", "img_name,mos", "10004473376.jpg,3.83")
    with pytest.raises(DPIQAError, match=r"on 1\.\.5"):
        read_pyiqa_meta(root, "koniq")


def test_a_table_of_pyiqa_with_one_column_is_refused(tmp_path):
    root = labelled_sets.pyiqa_datasets(tmp_path)
    table(root / "meta_info" / "meta_info_KonIQ10kDataset.csv", "img_name", "10004473376.jpg")
    with pytest.raises(DPIQAError, match=r"KonIQ10kDataset\.csv, line 1: expected two columns"):
        read_pyiqa_meta(root, "koniq")
