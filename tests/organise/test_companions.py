"""Files that are one photo are found together, and nobody else's with them."""

import os

import pytest

from dpiqa_desktop.engine.companions import companions, group_by_photo, is_photo, stem, stems_claimed


@pytest.mark.parametrize(
    ("photo", "together", "strangers"),
    [
        ("IMG_1.JPG", ["IMG_1.CR2", "IMG_1.heic"], ["IMG_10.JPG", "IMG_1 (2).JPG", "AIMG_1.CR2"]),
        ("IMG_1.cr2", ["IMG_1.xmp", "IMG_1.CR2.xmp", "IMG_1.cr2.XMP"], ["IMG_10.xmp", "IMG_1.NEF.xmp"]),
        ("IMG_1.CR2", ["IMG_1.pp3", "IMG_1.CR2.pp3", "IMG_1.CR2.dop", "IMG_1.vrd"], ["IMG_10.CR2.pp3"]),
        ("IMG_1.JPG", ["IMG_1.ARQ", "IMG_1.acr", "IMG_1.arp"], ["IMG_1.psd"]),
        ("IMG_1.JPG", ["IMG_1.WAV", "IMG_1.thm", "IMG_1.AAE"], ["IMG_1.txt", "IMG_1.db", "IMG_1"]),
        ("IMG_1.HEIC", ["IMG_1.MOV"], ["IMG_2.MOV", "IMG_1.mp4"]),
        ("IMG_1.NEF", [], ["IMG_1.MOV"]),
        ("IMG_1.CR2", ["IMG_1_01.CR2.xmp", "IMG_1_02.CR2.xmp"], ["IMG_1_01.NEF.xmp", "IMG_1_1.CR2.xmp"]),
        ("IMG_1.CR2", [], ["IMG_1_01.CR2", "IMG_1_01.CR2.xmp"]),
        ("a.b.jpg", ["a.b.jpg.xmp", "a.b.xmp"], ["a.jpg", "a.xmp"]),
        ("IMG_1.jpg", [], ["IMG_1.jpg.jpg", "IMG_1.jpg.jpg.xmp"]),
        ("img_1.jpg", [], ["IMG_1.JPG", "IMG_1.xmp"]),
        ("scan_0001", ["scan_0001.xmp"], ["scan_00011.xmp"]),
        ("café.jpg", ["café.xmp", "cafe\u0301.jpg.xmp", "cafe\u0301_01.jpg.xmp"], ["cafe\u0301.png"]),
        ("cafe\u0301.HEIC", ["café.xmp", "café.MOV", "café.heic.xmp"], ["cafe.heic.xmp"]),
        ("café.jpg", ["café.jpg.xmp"], ["cafe\u0301.jpg", "cafe\u0301.jpg.xmp"]),
        ("new\nline.jpg", ["new\nline.xmp"], ["new"]),
    ],
)
def test_what_belongs_to_a_photo(photo, together, strangers):
    found = companions(os.path.join("some", photo), [photo, *together, *strangers])
    assert set(found) == {os.path.join("some", name) for name in [photo, *together]}


def test_whoever_of_a_pair_asks_gets_the_same():
    names = ["a.CR2", "a.JPG", "a.JPG.xmp", "a.xmp", "a.wav", "b.jpg"]
    assert companions("a.CR2", names) == companions("a.JPG", names) == tuple(sorted(names[:-1]))


def test_no_file_belongs_to_two_photos():
    names = ["a.jpg", "a.jpg.jpg", "a.jpg.xmp", "a.jpg.jpg.xmp", "a.xmp", "a_01.jpg", "a_01.jpg.xmp"]
    groups = group_by_photo(names)
    assert sorted(name for members in groups.values() for name in members) == sorted(names)
    assert groups["a_01"] == ("a_01.jpg", "a_01.jpg.xmp")
    assert all(name.startswith(stem) for stem, members in groups.items() for name in members)


def test_a_sidecar_without_a_photo_claims_its_name():
    assert stems_claimed("a.CR2.xmp") == {"a", "a.CR2"}
    assert stems_claimed("a.CR2") == {"a"}
    assert stems_claimed("a.txt") == {"a.txt"}


def test_one_photo_is_the_same_by_itself_as_among_all():
    stems = ["a", "a.CR2", "a_01", "a_01.jpg", "ab", "é", "e\u0301", "e"]
    suffixes = [".jpg", ".JPG", ".CR2", ".xmp", ".jpg.xmp", ".CR2.xmp", "_01.jpg.xmp", ".mov", ".txt"]
    names = sorted({start + suffix for start in stems for suffix in suffixes})
    groups = group_by_photo(names)
    photos = [name for name in names if is_photo(name)]
    assert photos
    assert {photo: companions(photo, names) for photo in photos} == {
        photo: groups[stem(photo)] for photo in photos
    }
