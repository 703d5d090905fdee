"""Tables, copies, moves and the trash: after asking, whole photos only, and nothing else."""

from __future__ import annotations

import csv
import os
from contextlib import closing

import pytest
from makers.outcome_rows import rows
from makers.photos import save_photo
from PySide6.QtCore import Qt

from dpiqa_desktop.engine.marks import Mark, Marks
from dpiqa_desktop.engine.stars import Thresholds
from dpiqa_desktop.engine.store import default_database
from dpiqa_desktop.gui.bridge import Ready
from dpiqa_desktop.gui.export import CsvExport, copy_picks_dialog, move_rejects_dialog
from dpiqa_desktop.gui.photo_item import PhotoItem
from dpiqa_desktop.gui.trash import trash_dialog
from dpiqa_desktop.metadata.targets import names_to_lock
from dpiqa_desktop.process_lock import writing_alone

READY = Ready("dpiqa_lite", "on the processor", "dpiqa_lite-6f6364567c73", False, (0.0, 1.0))
REJECTED, PICKED = Mark(flag="rejected"), Mark(flag="picked")


@pytest.fixture
def shoot(tmp_path):
    """Three photos; the first with RAW file and sidecar."""
    folder = tmp_path / "shoot"
    folder.mkdir()
    for number in (1, 2, 3):
        save_photo(folder / f"IMG_{number}.jpg", number)
    (folder / "IMG_1.CR2").write_bytes(b"raw")
    (folder / "IMG_1.xmp").write_bytes(b"edits")
    return folder


def wait_for(qtbot, dialog, phase):
    qtbot.waitUntil(lambda: dialog.phase == phase, timeout=20_000)


def click(qtbot, button):
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def items_in(folder, **marks):
    return [
        PhotoItem(str(path), 0.5, 3, mark=marks.get(path.stem, Mark()))
        for path in sorted(folder.glob("*.jpg"))
    ]


def both_for_rejects(shown, items, folder, to):
    """The dialogs that ask what is to become of rejects, one after the other: to the trash, to a folder."""
    yield shown(trash_dialog(items))
    yield shown(move_rejects_dialog(items, str(folder), str(to)))


def names(folder):
    return sorted(os.listdir(folder))


def table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def export(qtbot, path, items, ready=READY):
    said = []
    work = CsvExport(said.append)
    work.start(str(path), items, ready, Thresholds())
    qtbot.waitUntil(lambda: not work.running, timeout=10_000)
    return said[0]


@pytest.mark.parametrize("lower_better", [False, True])
def test_the_table_has_the_best_first_and_failures_last(qtbot, tmp_path, lower_better):
    ready = Ready("niqe", "", "niqe-1", lower_better, None)
    items = [
        PhotoItem("b.jpg", 0.5, 3, burst=1, best_of_burst=True),
        PhotoItem("bad.jpg", reason="is no photo"),
        PhotoItem("a.jpg", 0.9, 5, mark=Mark(1)),
        PhotoItem("waiting.jpg"),
    ]
    assert "scores.csv" in export(qtbot, tmp_path / "scores.csv", items, ready)
    rows = table(tmp_path / "scores.csv")
    order = ["b.jpg", "a.jpg"] if lower_better else ["a.jpg", "b.jpg"]
    assert [row["path"] for row in rows] == [*order, "bad.jpg"]
    assert {row["path"]: row["stars"] for row in rows} == {"a.jpg": "5", "b.jpg": "3", "bad.jpg": ""}
    assert rows[2]["error"] == "is no photo"


def test_the_table_has_what_the_user_said(qtbot, tmp_path):
    items = [
        PhotoItem("a.jpg", 0.9, 5, mark=Mark(1, "rejected")),
        PhotoItem("b.jpg", 0.5, 3),
        PhotoItem("c.jpg", reason="is no photo", mark=Mark(flag="picked")),
        PhotoItem("d.jpg", mark=Mark(0)),
    ]
    export(qtbot, tmp_path / "scores.csv", items)
    rows = table(tmp_path / "scores.csv")
    assert [(row["path"], row["own_stars"], row["flag"]) for row in rows] == [
        ("a.jpg", "1", "rejected"),
        ("b.jpg", "", ""),
        ("c.jpg", "", "picked"),
        ("d.jpg", "0", ""),
    ]
    assert rows[3]["error"] == "not scored yet"


def test_a_table_replaces_a_table_and_no_photo(qtbot, shoot, tmp_path):
    items = items_in(shoot)
    export(qtbot, tmp_path / "scores.csv", items)
    export(qtbot, tmp_path / "scores.csv", items[:1])
    assert len(table(tmp_path / "scores.csv")) == 1
    photo = (shoot / "IMG_1.jpg").read_bytes()
    assert "not replaced" in export(qtbot, shoot / "IMG_1.jpg", items)
    assert (shoot / "IMG_1.jpg").read_bytes() == photo
    assert "cannot write" in export(qtbot, tmp_path / "no folder" / "scores.csv", items)


def test_picks_are_copied_with_all_that_belongs_to_them(qtbot, shoot, tmp_path, shown):
    before = names(shoot)
    to = tmp_path / "picks"
    dialog = shown(copy_picks_dialog(items_in(shoot, IMG_1=PICKED), str(shoot), str(to)))
    assert "1 photo, 3 files" in dialog.text.text()
    assert not to.exists()
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    assert names(to) == ["IMG_1.CR2", "IMG_1.jpg", "IMG_1.xmp"]
    assert names(shoot) == before
    click(qtbot, dialog.back_button)
    wait_for(qtbot, dialog, "taken back")
    assert not to.exists()
    assert names(shoot) == before


def test_rejects_are_moved_and_come_back(qtbot, shoot, tmp_path, shown):
    before = names(shoot)
    to = tmp_path / "rejects"
    marks = {"IMG_1": REJECTED, "IMG_2": PICKED}
    dialog = shown(move_rejects_dialog(items_in(shoot, **marks), str(shoot), str(to)))
    gone, returned = [], []
    dialog.files_gone.connect(gone.extend)
    dialog.files_returned.connect(returned.extend)
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    assert names(shoot) == ["IMG_2.jpg", "IMG_3.jpg"]
    assert str(shoot / "IMG_1.jpg") in gone
    click(qtbot, dialog.back_button)
    wait_for(qtbot, dialog, "taken back")
    assert names(shoot) == before
    assert sorted(returned) == sorted(gone)


def test_a_target_that_cannot_be_is_told_without_the_command_lines_words(shoot, tmp_path, shown):
    items = items_in(shoot, IMG_1=REJECTED)
    dialog = shown(move_rejects_dialog(items, str(shoot), str(tmp_path / "no" / "where")))
    assert "there is no folder" in dialog.trouble.text()
    assert "--" not in dialog.trouble.text()
    assert not dialog.do_button.isEnabled()


def test_moving_stops_between_two_photos(qtbot, tmp_path, shown):
    folder = tmp_path / "shoot"
    folder.mkdir()
    for number in range(150):
        save_photo(folder / f"IMG_{number:03}.jpg", number, (16, 16))
        (folder / f"IMG_{number:03}.xmp").write_bytes(b"edits")
    marks = {path.stem: REJECTED for path in folder.glob("*.jpg")}
    dialog = shown(move_rejects_dialog(items_in(folder, **marks), str(folder), str(tmp_path / "to")))
    gone = []
    dialog.files_gone.connect(gone.extend)
    click(qtbot, dialog.do_button)
    qtbot.waitUntil(lambda: bool(gone), timeout=10_000)
    click(qtbot, dialog.close_button)
    wait_for(qtbot, dialog, "done")
    assert sorted(map(os.path.basename, gone)) == names(tmp_path / "to")
    assert len(names(folder)) == 300 - len(gone)
    assert len(gone) % 2 == 0


def test_a_photo_of_which_one_file_is_not_rejected_stays(qtbot, shoot, tmp_path, shown, trash):
    raw = PhotoItem(str(shoot / "IMG_1.CR2"), 0.5, 3, mark=PICKED)
    items = [*items_in(shoot, IMG_1=REJECTED, IMG_3=REJECTED), raw]
    for dialog in both_for_rejects(shown, items, shoot, tmp_path / "to"):
        first = rows(dialog)[0]
        assert (first.kind, os.path.basename(first.path)) == ("failed", "IMG_1.jpg")
        assert "IMG_1.CR2" in first.text
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    assert names(shoot) == ["IMG_1.CR2", "IMG_1.jpg", "IMG_1.xmp", "IMG_2.jpg"]


def test_rejects_go_to_the_trash_after_asking(qtbot, shoot, shown, trash):
    dialog = shown(trash_dialog(items_in(shoot, IMG_1=REJECTED, IMG_2=PICKED)))
    assert "1 photo" in dialog.text.text()
    assert "3 files" in dialog.text.text()
    assert names(shoot) == ["IMG_1.CR2", "IMG_1.jpg", "IMG_1.xmp", "IMG_2.jpg", "IMG_3.jpg"]
    gone = []
    dialog.files_gone.connect(gone.extend)
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    assert names(shoot) == ["IMG_2.jpg", "IMG_3.jpg"]
    assert sorted(map(os.path.basename, gone)) == ["IMG_1.CR2", "IMG_1.jpg", "IMG_1.xmp"]
    assert names(trash) == ["IMG_1.CR2", "IMG_1.jpg", "IMG_1.xmp"]


def test_what_is_in_the_trash_comes_back_as_it_was(qtbot, shoot, shown, trash):
    before = {path.name: path.read_bytes() for path in shoot.iterdir()}
    (trash / "IMG_1.jpg").parent.mkdir(parents=True)
    (trash / "IMG_1.jpg").write_bytes(b"another one of that name")
    dialog = shown(trash_dialog(items_in(shoot, IMG_1=REJECTED)))
    done, returned = [], []
    dialog.carried_out.connect(done.extend)
    dialog.files_returned.connect(returned.extend)
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    assert len(done) == 3
    click(qtbot, dialog.back_button)
    wait_for(qtbot, dialog, "taken back")
    assert {path.name: path.read_bytes() for path in shoot.iterdir()} == before
    assert sorted(returned) == sorted(done)
    assert names(trash) == ["IMG_1.jpg"]
    assert names(trash.parent / "info") == []


@pytest.fixture
def kept():
    """The marks that the window keeps."""
    with closing(Marks(default_database())) as marks:
        yield marks


def kept_items(kept, folder):
    marks = kept.all_below(str(folder))
    return [PhotoItem(str(path), mark=marks.get(str(path), Mark())) for path in sorted(folder.glob("*.jpg"))]


def test_a_new_photo_under_the_name_of_one_in_the_trash_is_not_rejected(qtbot, shoot, shown, trash, kept):
    path = shoot / "IMG_1.jpg"
    kept.set({str(path): REJECTED, str(shoot / "IMG_1.CR2"): Mark(3), str(shoot / "IMG_2.jpg"): PICKED})
    dialog = shown(trash_dialog(kept_items(kept, shoot)))
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    assert kept.all_below(str(shoot)) == {str(shoot / "IMG_2.jpg"): PICKED}
    save_photo(path, 7)
    assert kept_items(kept, shoot)[0].mark == Mark()
    path.unlink()
    click(qtbot, dialog.back_button)
    wait_for(qtbot, dialog, "taken back")
    assert kept.all_below(str(shoot)) == {
        str(path): REJECTED, str(shoot / "IMG_1.CR2"): Mark(3), str(shoot / "IMG_2.jpg"): PICKED,
    }  # fmt: skip


def test_a_photo_that_took_the_place_of_a_rejected_one_stays(qtbot, shoot, tmp_path, shown, trash, kept):
    kept.set({str(shoot / f"IMG_{number}.jpg"): REJECTED for number in (2, 3)})
    known_before = kept_items(kept, shoot)
    save_photo(shoot / "IMG_2.jpg", 7)
    for items in (known_before, kept_items(kept, shoot)):
        for dialog in both_for_rejects(shown, items, shoot, tmp_path / "to"):
            first = rows(dialog)[0]
            assert (first.kind, os.path.basename(first.path)) == ("failed", "IMG_2.jpg")
            assert "again" in first.text
            assert len(rows(dialog)) == 2
    dialog = shown(trash_dialog(items))
    save_photo(shoot / "IMG_3.jpg", 8)  # while it asks
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    assert {"IMG_2.jpg", "IMG_3.jpg"} <= set(names(shoot))
    kept.set({str(shoot / "IMG_2.jpg"): Mark(flag="rejected", flag_at=1)})
    dialog = shown(trash_dialog(kept_items(kept, shoot)))
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    assert names(shoot) == ["IMG_1.CR2", "IMG_1.jpg", "IMG_1.xmp", "IMG_3.jpg"]


def replaced_while_it_asks(qtbot, dialog, *paths):
    """Let another program replace photos before the dialog does its work; return what is told of failures."""
    for number, path in enumerate(paths):
        save_photo(path.parent.parent / "another.jpg", 7 + number).replace(path)
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    return {os.path.basename(row.path): row.text for row in rows(dialog) if row.kind == "failed"}


@pytest.fixture
def twice(shoot, kept):
    """The photos' folder, the second of which is there as HEIC, too; all but the first are rejected."""
    (shoot / "IMG_2.heic").write_bytes(b"heic")
    kept.set({str(shoot / name): REJECTED for name in ("IMG_2.heic", "IMG_2.jpg", "IMG_3.jpg")})
    return shoot


@pytest.mark.parametrize("to", [None, "to"])
def test_a_photo_that_is_replaced_while_others_are_thrown_away_or_moved_stays(
    shoot, tmp_path, trash, shown, kept, to
):
    kept.set({str(shoot / name): REJECTED for name in ("IMG_1.jpg", "IMG_2.jpg", "IMG_3.jpg")})
    items = kept_items(kept, shoot)
    dialog = trash_dialog(items) if to is None else move_rejects_dialog(items, str(shoot), str(tmp_path / to))
    steps = shown(dialog).task.carry_out(lambda: False)
    gone = [row.path for row in next(steps)]
    last = str(shoot / "IMG_3.jpg")
    another = save_photo(shoot.parent / "another.jpg", 7)
    content = another.read_bytes()
    another.replace(last)
    rows = [row for step in steps for row in step]
    assert gone[0].startswith(str(shoot / "IMG_1"))
    assert [(row.kind, "mark it again" in row.text) for row in rows if row.path == last] == [("failed", True)]
    assert (shoot / "IMG_3.jpg").read_bytes() == content
    assert not (shoot / "IMG_2.jpg").exists()


def heic_and_jpeg_items(kept, folder):
    marks = kept.all_below(str(folder))
    paths = [str(path) for path in sorted(folder.iterdir()) if path.suffix in (".heic", ".jpg")]
    return [PhotoItem(path, mark=marks.get(path, Mark())) for path in paths]


@pytest.mark.parametrize("name", ["IMG_2.heic", "IMG_2.jpg"])
def test_neither_file_goes_to_the_trash_if_one_was_replaced_meanwhile(qtbot, trash, twice, shown, kept, name):
    before = names(twice)
    dialog = shown(trash_dialog(heic_and_jpeg_items(kept, twice)))
    told = replaced_while_it_asks(qtbot, dialog, twice / name)
    assert names(twice) == [other for other in before if other != "IMG_3.jpg"]
    assert "mark it again" in told[name]
    assert told.keys() == {"IMG_2.heic", name}


@pytest.mark.parametrize("name", ["IMG_2.heic", "IMG_2.jpg"])
@pytest.mark.parametrize(
    "linked",
    [
        False,
        pytest.param(
            True,
            marks=pytest.mark.skipif(os.name != "posix", reason="symlinks need a privilege on Windows"),
        ),
    ],
)
def test_neither_file_is_moved_if_one_was_replaced_meanwhile(
    qtbot, twice, tmp_path, shown, kept, name, linked
):
    before, opened = names(twice), twice
    if linked:
        opened = tmp_path / "link"
        opened.symlink_to(twice, target_is_directory=True)
        kept.set({str(opened / other): REJECTED for other in ("IMG_2.heic", "IMG_2.jpg", "IMG_3.jpg")})
    dialog = shown(move_rejects_dialog(heic_and_jpeg_items(kept, opened), str(opened), str(tmp_path / "to")))
    told = replaced_while_it_asks(qtbot, dialog, opened / name)
    assert names(twice) == [other for other in before if other != "IMG_3.jpg"]
    assert names(tmp_path / "to") == ["IMG_3.jpg"]
    assert "mark it again" in told[name]
    assert told.keys() == {"IMG_2.heic", name}


def test_nothing_is_moved_if_all_were_replaced_meanwhile(qtbot, shoot, tmp_path, shown, kept):
    kept.set({str(shoot / "IMG_1.jpg"): REJECTED})
    before = names(shoot)
    dialog = shown(move_rejects_dialog(kept_items(kept, shoot), str(shoot), str(tmp_path / "to")))
    told = replaced_while_it_asks(qtbot, dialog, shoot / "IMG_1.jpg")
    assert told.keys() == {"IMG_1.jpg"}
    assert names(shoot) == before
    assert not (tmp_path / "to").exists()
    assert not dialog.back_button.isVisible()


def test_a_pick_that_was_replaced_meanwhile_is_not_copied(qtbot, shoot, tmp_path, shown, kept):
    (shoot / "IMG_3.heic").write_bytes(b"heic")
    marked = ("IMG_1.jpg", "IMG_2.jpg", "IMG_3.heic", "IMG_3.jpg")
    kept.set({str(shoot / name): PICKED for name in marked})
    dialog = shown(copy_picks_dialog(heic_and_jpeg_items(kept, shoot), str(shoot), str(tmp_path / "to")))
    told = replaced_while_it_asks(qtbot, dialog, shoot / "IMG_1.jpg", shoot / "IMG_3.jpg")
    assert names(tmp_path / "to") == ["IMG_2.jpg", "IMG_3.heic", "IMG_3.jpg"]  # the third's HEIC is picked
    assert told.keys() == {"IMG_1.jpg"}
    assert "mark it again" in told["IMG_1.jpg"]


def test_a_photo_stays_of_which_two_files_are_rejected_and_one_is_not(shoot, tmp_path, shown):
    (shoot / "IMG_1.heic").write_bytes(b"heic")
    marks = {"IMG_1.CR2": PICKED, "IMG_1.heic": REJECTED, "IMG_1.jpg": REJECTED}
    items = [PhotoItem(str(shoot / name), mark=mark) for name, mark in marks.items()]
    dialog = shown(move_rejects_dialog(items, str(shoot), str(tmp_path / "to")))
    assert "0 photos, 0 files" in dialog.text.text()
    assert not dialog.do_button.isEnabled()


def test_what_comes_back_from_the_trash_replaces_nothing(qtbot, shoot, shown, trash):
    dialog = shown(trash_dialog(items_in(shoot, IMG_2=REJECTED)))
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    (shoot / "IMG_2.jpg").write_bytes(b"made since")
    click(qtbot, dialog.back_button)
    wait_for(qtbot, dialog, "taken back")
    assert (shoot / "IMG_2.jpg").read_bytes() == b"made since"
    assert names(trash) == ["IMG_2.jpg"]
    assert "Not given back: 1 file." in dialog.text.text()


def test_a_trash_that_was_emptied_is_told(qtbot, shoot, shown, trash):
    dialog = shown(trash_dialog(items_in(shoot, IMG_2=REJECTED)))
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    (trash / "IMG_2.jpg").unlink()
    click(qtbot, dialog.back_button)
    wait_for(qtbot, dialog, "taken back")
    assert "not in the trash" in rows(dialog)[0].text


def test_a_reject_stays_to_which_a_sidecar_came_while_others_went(shoot, shown, trash):
    steps = shown(trash_dialog(items_in(shoot, IMG_2=REJECTED, IMG_3=REJECTED))).task.carry_out(lambda: False)
    next(steps)
    (shoot / "IMG_3.xmp").write_bytes(b"edits")
    (row,) = next(steps)
    assert row.kind == "failed"
    assert "IMG_3.xmp has come to it" in row.text
    assert names(shoot) == ["IMG_1.CR2", "IMG_1.jpg", "IMG_1.xmp", "IMG_3.jpg", "IMG_3.xmp"]


def test_a_reject_that_is_being_written_is_thrown_away_after_that(qtbot, shoot, shown, trash):
    dialog = shown(trash_dialog(items_in(shoot, IMG_2=REJECTED)))
    with writing_alone(*names_to_lock(str(shoot / "IMG_2.jpg"))):
        click(qtbot, dialog.do_button)
        qtbot.wait(300)
        assert "IMG_2.jpg" in names(shoot)
    wait_for(qtbot, dialog, "done")
    assert "IMG_2.jpg" not in names(shoot)


def test_escape_throws_nothing_away(qtbot, shoot, shown):
    before = names(shoot)
    dialog = shown(trash_dialog(items_in(shoot, IMG_1=REJECTED)))
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert names(shoot) == before


def test_a_reject_that_is_gone_is_told_and_leaves_its_files(qtbot, shoot, shown, trash):
    dialog = shown(trash_dialog(items_in(shoot, IMG_1=REJECTED, IMG_2=REJECTED)))
    (shoot / "IMG_1.jpg").unlink()
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    assert names(shoot) == ["IMG_1.CR2", "IMG_1.xmp", "IMG_3.jpg"]
    assert "Not moved: 1 file." in dialog.text.text()


def test_nothing_rejected_is_said(shoot, shown):
    dialog = shown(trash_dialog(items_in(shoot)))
    assert "No photo is rejected" in dialog.text.text()
    assert not dialog.do_button.isEnabled()


@pytest.fixture
def trash(tmp_path, monkeypatch):
    """A trash of one test's own."""
    if os.name == "nt" or os.uname().sysname != "Linux":
        pytest.skip("the system's trash cannot be looked into here")
    from send2trash import plat_other

    # It looks for its folder when it is imported, and for the home, which must be there, when it is used.
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(plat_other, "HOMETRASH_B", os.fsencode(tmp_path / "Trash"))
    monkeypatch.setattr(plat_other, "XDG_DATA_HOME", os.fsencode(tmp_path))
    (tmp_path / "home").mkdir(exist_ok=True)
    return tmp_path / "Trash" / "files"
