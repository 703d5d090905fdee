"""A photo takes along what belongs to it, and nothing that belongs to another."""

from __future__ import annotations

import os

import pytest

from dpiqa_desktop.engine.photos_together import spoken_for, together


@pytest.fixture
def folder(tmp_path):
    for name in ("A.CR2", "A.JPG", "A.xmp", "B.JPG", "B.wav", "C.JPG", "note.txt"):
        (tmp_path / name).touch()
    (tmp_path / "B.xmp").mkdir()
    return tmp_path


def test_files_are_found_by_name_and_folders_are_none(folder):
    families = together([str(folder / "A.JPG"), str(folder / "B.JPG")])
    assert {
        os.path.basename(path): [os.path.basename(m) for m in members] for path, members in families.items()
    } == {
        "A.JPG": ["A.CR2", "A.JPG", "A.xmp"],
        "B.JPG": ["B.JPG", "B.wav"],
    }


def test_two_files_of_a_photo_are_one_family(folder):
    (family,) = together([str(folder / "A.JPG"), str(folder / "A.CR2")]).values()
    assert len(family) == 3


def test_a_photo_whose_folder_is_gone_is_alone(tmp_path):
    path = str(tmp_path / "gone" / "a.jpg")
    assert together([path]) == {path: (path,)}


def test_who_has_a_say(folder):
    families = together([str(folder / "A.JPG"), str(folder / "B.JPG")])
    raw = str(folder / "A.CR2")
    assert list(spoken_for(families, [raw, str(folder / "C.JPG")])) == [(str(folder / "A.JPG"), raw)]
    assert not list(spoken_for(families, [str(folder / "C.JPG")]))
