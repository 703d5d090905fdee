"""A plan names every file and its target, and making it changes nothing."""

import os
import sys

import pytest
from makers.photo_folders import contents, put

from dpiqa_desktop.organise import plan_chosen, plan_copy, plan_move
from dpiqa_plugin.errors import UsageError


def _move(folder, scores, to="rejects", below=0.5, lower_better=False, roots=None):
    scored = [(os.path.join(folder, name), score) for name, score in scores.items()]
    return plan_move(scored, below, lower_better, [str(root) for root in roots or [folder]], str(folder / to))


def _copy(folder, scores, best, to="best"):
    scored = [(os.path.join(folder, name), score) for name, score in scores.items()]
    return plan_copy(scored, best, False, [str(folder)], str(folder / to))


def _pairs(folder, plan):
    return {
        os.path.relpath(operation.source, folder): os.path.relpath(operation.target, folder)
        for operation in plan.operations
    }


def test_worse_photos_keep_their_folders_below_the_target_and_nothing_is_touched(tmp_path):
    put(tmp_path, ["a.jpg", "day 1/b.jpg", "day 1/c.jpg"])
    before = contents(tmp_path)
    plan = _move(tmp_path, {"a.jpg": 0.1, "day 1/b.jpg": 0.2, "day 1/c.jpg": 0.5})
    assert _pairs(tmp_path, plan) == {"a.jpg": "rejects/a.jpg", "day 1/b.jpg": "rejects/day 1/b.jpg"}
    assert {operation.kind for operation in plan.operations} == {"move"}
    assert contents(tmp_path) == before
    assert not (tmp_path / "rejects").exists()


def test_worse_is_above_where_lower_is_better(tmp_path):
    put(tmp_path, ["a.jpg", "b.jpg"])
    plan = _move(tmp_path, {"a.jpg": 20, "b.jpg": 40}, below=30, lower_better=True)
    assert list(_pairs(tmp_path, plan)) == ["b.jpg"]


@pytest.mark.parametrize(("jpeg", "raw", "moved"), [(0.1, 0.2, 3), (0.1, 0.6, 0), (0.6, 0.1, 0)])
def test_a_pair_goes_only_if_all_its_scores_are_worse(tmp_path, jpeg, raw, moved):
    put(tmp_path, ["a.jpg", "a.cr2", "a.cr2.xmp"])
    assert len(_move(tmp_path, {"a.jpg": jpeg, "a.cr2": raw}).operations) == moved


def test_a_pair_counts_once_by_its_best(tmp_path):
    put(tmp_path, ["a.jpg", "a.cr2", "b.jpg", "c.jpg"])
    plan = _copy(tmp_path, {"a.jpg": 0.9, "a.cr2": 0.1, "b.jpg": 0.8, "c.jpg": 0.7}, 2)
    assert list(_pairs(tmp_path, plan)) == ["a.cr2", "a.jpg", "b.jpg"]
    assert {operation.kind for operation in plan.operations} == {"copy"}


def test_photos_inside_the_target_are_left_alone_and_do_not_count(tmp_path):
    put(tmp_path, ["a.jpg", "best/b.jpg"])
    assert list(_pairs(tmp_path, _copy(tmp_path, {"best/b.jpg": 0.9, "a.jpg": 0.1}, 1))) == ["a.jpg"]
    assert _pairs(tmp_path, _move(tmp_path, {"best/b.jpg": 0.1}, to="best")) == {}


def test_a_file_that_was_named_goes_flat_and_once(tmp_path):
    put(tmp_path, ["in/deep/a.jpg", "in/deep/a.xmp"])
    photo = str(tmp_path / "in" / "deep" / "a.jpg")
    other = os.path.join(tmp_path, "in", ".", "deep", "a.jpg")
    roots = [photo, os.path.join(tmp_path, "in", ".")]
    plan = plan_move([(photo, 0), (other, 0)], 1, False, roots, str(tmp_path / "out"))
    assert _pairs(tmp_path, plan) == {"in/deep/a.jpg": "out/a.jpg", "in/deep/a.xmp": "out/a.xmp"}


@pytest.mark.parametrize("root", [".", "in", "in/", "./in"])
def test_roots_may_be_given_in_any_way(tmp_path, monkeypatch, root):
    put(tmp_path, ["in/day/a.jpg"])
    monkeypatch.chdir(tmp_path)
    path = os.path.join(root, "day/a.jpg" if "in" in root else "in/day/a.jpg")
    plan = plan_move([(path, 0)], 1, False, [root], "out")
    below = "day/a.jpg" if "in" in root else "in/day/a.jpg"
    assert _pairs(tmp_path, plan) == {"in/day/a.jpg": f"out/{below}"}


@pytest.mark.parametrize(
    ("there", "target"),
    [
        ("a.jpg", "a-2"),
        ("A.JPG", "a-2"),
        ("a.nef", "a-2"),  # else the two would seem a pair
        ("a.nef.xmp", "a-2"),
        ("a.txt", "a"),
        ("ab.jpg", "a"),
    ],
)
def test_a_taken_name_gives_the_whole_photo_a_number(tmp_path, there, target):
    put(tmp_path, ["a.jpg", "a.cr2", "a.cr2.xmp", f"rejects/{there}"])
    wanted = {name: f"rejects/{target}{name[1:]}" for name in ["a.jpg", "a.cr2", "a.cr2.xmp"]}
    assert _pairs(tmp_path, _move(tmp_path, {"a.jpg": 0})) == wanted


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take the two spellings for one")
def test_a_sidecar_that_spells_its_accents_in_another_way_goes_with_its_photo(tmp_path):
    names = {"café.jpg": "café-2.jpg", "cafe\u0301.jpg.xmp": "cafe\u0301-2.jpg.xmp"}
    put(tmp_path, [*names, "rejects/café.cr2"])
    wanted = {name: f"rejects/{target}" for name, target in names.items()}
    assert _pairs(tmp_path, _move(tmp_path, {"café.jpg": 0})) == wanted


def test_numbers_go_on_and_folders_that_differ_in_case_share_names(tmp_path):
    names = ["one/a.jpg", "two/A.jpg", "three/é.jpg", "four/e\u0301.jpg"]
    put(tmp_path, [*names, "out/a-2.jpg"])
    scored = [(str(tmp_path / name), 0.0) for name in names]
    roots = [str(tmp_path / name) for name in names]
    plan = plan_move(scored, 1, False, roots, str(tmp_path / "out"))
    assert sorted(_pairs(tmp_path, plan).values()) == sorted(
        ["out/a.jpg", "out/A-3.jpg", "out/e\u0301.jpg", "out/é-2.jpg"]
    )


def test_a_copy_that_is_there_is_kept_and_completed(tmp_path):
    put(tmp_path, ["a.jpg", "a.cr2", "b.jpg", "c.jpg", "best/b.jpg"])
    (tmp_path / "best" / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes())
    plan = _copy(tmp_path, {"a.jpg": 3, "b.jpg": 2}, 2)
    assert [(operation.kind, os.path.basename(operation.target)) for operation in plan.operations] == [
        ("copy", "a.cr2"),
        ("keep", "a.jpg"),
        ("copy", "b-2.jpg"),
    ]


@pytest.mark.skipif(os.name != "posix", reason="symlinks need a privilege on Windows")
def test_links_stay_and_say_so(tmp_path):
    put(tmp_path, ["real/a.jpg", "in/b.jpg", "in/c.jpg"])
    (tmp_path / "in" / "a.jpg").symlink_to(tmp_path / "real" / "a.jpg")
    (tmp_path / "in" / "b.xmp").symlink_to(tmp_path / "real" / "a.jpg")
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "real")
    scores = dict.fromkeys(["a.jpg", "b.jpg", "c.jpg", "linked/a.jpg", "gone.jpg"], 0.0)
    plan = _move(tmp_path / "in", scores, to="../out")
    assert _pairs(tmp_path, plan) == {"in/c.jpg": "out/c.jpg"}
    reasons = {os.path.relpath(left.path, tmp_path): left.reason for left in plan.left}
    assert set(reasons) == {"in/a.jpg", "in/b.jpg", "in/b.xmp", "real/a.jpg", "in/gone.jpg"}
    assert "a.jpg is a symbolic link" in reasons["in/a.jpg"]
    assert "b.xmp is a symbolic link" in reasons["in/b.jpg"]
    assert "linked folder" in reasons["real/a.jpg"]
    assert "no longer there" in reasons["in/gone.jpg"]


@pytest.mark.parametrize(
    ("root", "to", "message"),
    [
        ("in", "in", "is inside it"),
        ("in/day", "in", "is inside it"),
        ("in/day/a.jpg", "in", "is inside it"),
        ("in", "in/day/a.jpg", "is not a folder"),
        ("in", "nowhere/out", "no folder .*nowhere"),
        ("in", "link", "is inside it"),
    ],
)
def test_a_target_that_makes_no_sense_is_a_usage_error(tmp_path, root, to, message):
    put(tmp_path, ["in/day/a.jpg"])
    if os.name == "posix":
        (tmp_path / "link").symlink_to(tmp_path / "in")
    with pytest.raises(UsageError, match=message):
        plan_move([(str(tmp_path / "in/day/a.jpg"), 0)], 1, False, [str(tmp_path / root)], str(tmp_path / to))


def test_no_target_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="--to"):
        plan_move([], 1, False, [str(tmp_path)], "")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' file systems do not take such names")
def test_names_of_any_bytes(tmp_path):
    name = os.fsdecode(b"caf\xe9\n")
    put(tmp_path, [f"{name}.jpg", f"{name}.xmp"])
    assert len(_move(tmp_path, {f"{name}.jpg": 0}).operations) == 2


@pytest.mark.parametrize("kind", ["move", "copy"])
def test_just_the_chosen_photos_go_whole_and_with_their_folders(tmp_path, kind):
    put(tmp_path, ["a.jpg", "a.cr2", "a.xmp", "day 1/b.jpg", "c.jpg"])
    before = contents(tmp_path)
    chosen = [str(tmp_path / name) for name in ("day 1/b.jpg", "a.jpg", "gone.jpg")]
    plan = plan_chosen(kind, chosen, [str(tmp_path)], str(tmp_path / "to"))
    assert _pairs(tmp_path, plan) == {
        name: os.path.join("to", name) for name in ("a.cr2", "a.jpg", "a.xmp", os.path.join("day 1", "b.jpg"))
    }
    assert {operation.kind for operation in plan.operations} == {kind}
    assert [os.path.basename(left.path) for left in plan.left] == ["gone.jpg"]
    assert contents(tmp_path) == before
