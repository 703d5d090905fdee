"""Whatever goes wrong is a message in the window: no traceback, no silent stop, no photo or score lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from makers import ailing_backends
from makers.outcome_rows import rows
from makers.photos import save_photo
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMessageBox

from dpiqa_desktop.engine.backends import create_backend
from dpiqa_desktop.engine.store import default_database
from dpiqa_desktop.gui.app import make_application, make_window
from dpiqa_desktop.gui.fault_reporter import FaultReporter
from dpiqa_desktop.gui.scorer import Scorer
from dpiqa_desktop.gui.work_dialog import WorkDialog

LONG_MS = 60_000


@pytest.fixture
def open_with(qtbot):
    """``open_with(make_backend, folder)`` opens a window whose photos are scored so, and waits for that."""
    make_application()
    with contextlib.ExitStack() as stack:

        def open_(make_backend, folder, wait=True):
            scorer = Scorer(make_backend)
            stack.callback(scorer.close)
            window = make_window(scorer)
            stack.callback(window.close)
            qtbot.addWidget(window)
            window.show()
            window.open(str(folder))
            if wait:
                ended(qtbot, window)
            return window

        yield open_


def ended(qtbot, window):
    qtbot.waitUntil(lambda: bool(window.model.items()) and not window.bridge.running, timeout=LONG_MS)


def scores(window):
    return [item.score for item in window.model.items()]


def press_button(qtbot, window):
    """The one beside the message."""
    qtbot.mouseClick(window.messages.button, Qt.MouseButton.LeftButton)


def test_a_model_that_crashes_is_told_and_its_scores_are_kept(open_with, make_photos, qtbot):
    window = open_with(ailing_backends.killed, os.path.dirname(make_photos(12)[0]))
    assert "Scoring has crashed" in window.messages.text
    assert "are kept" in window.messages.text
    known = sum(score is not None for score in scores(window))
    assert 0 < known < 12
    press_button(qtbot, window)  # try again, with another process
    ended(qtbot, window)
    assert None not in scores(window)
    assert window.messages.text == ""


def test_a_full_gpu_is_told_once_for_all_photos(open_with, make_photos, qtbot):
    window = open_with(ailing_backends.full_gpu, os.path.dirname(make_photos(6)[0]))
    assert "6 of 6 photos could not be scored" in window.messages.text
    assert window.messages.text.count("CUDA out of memory") == 1
    press_button(qtbot, window)
    assert window.photos.rowCount() == 6
    window.scoring.choose_model("dpiqa_lite", "cpu")  # what the user would do: it is not asked for the same
    ended(qtbot, window)


def test_a_fault_in_the_other_process_reaches_the_user_and_the_log(open_with, make_photos, qtbot, tmp_path):
    reporter = FaultReporter([])
    try:
        window = open_with(ailing_backends.faulty, os.path.dirname(make_photos(2)[0]), wait=False)
        window.bridge.crashed.connect(reporter.report)
        ended(qtbot, window)
        assert "unexpected ValueError: nobody expected this" in window.messages.text
        qtbot.waitUntil(lambda: bool(_boxes()))
        (box,) = _boxes()
        log = Path(box.informativeText().rpartition(" ")[2])
        assert "in load" in log.read_text()  # the traceback of the other process
        box.close()
    finally:
        reporter.close()


def _boxes():
    return [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox) and w.isVisible()]


def test_a_model_that_cannot_be_downloaded_is_told(open_with, make_photos, qtbot, monkeypatch):
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody answers there
    window = open_with(create_backend, os.path.dirname(make_photos(2)[0]))
    window.scoring_bar.metric_box.setCurrentText("dpiqa_student")
    window.scoring_bar.metric_box.activated.emit(0)
    ended(qtbot, window)
    assert "download" in window.messages.text
    assert "dpiqa_student" in window.messages.text or "student" in window.messages.text.lower()
    window.scoring.choose_model("dpiqa_lite", "auto")
    ended(qtbot, window)
    assert None not in scores(window)


def test_a_map_that_the_model_dies_over_is_told_where_the_map_would_be(open_with, make_photos, qtbot):
    window = open_with(ailing_backends.killed, os.path.dirname(make_photos(2)[0]))
    window.views.show_loupe()
    window.views.toggle_map()
    qtbot.waitUntil(lambda: "crashed" in window.views.loupe.legend.words, timeout=LONG_MS)
    assert None not in scores(window)


def test_a_card_that_is_pulled_out_is_told(open_with, make_photos, qtbot):
    folder = os.path.dirname(make_photos(60)[0])
    window = open_with(ailing_backends.healthy, folder, wait=False)
    qtbot.waitUntil(lambda: window.model.rowCount() == 60)
    shutil.rmtree(folder)
    ended(qtbot, window)
    assert "is not there any more" in window.messages.text
    assert window.messages.button.text() == "Try again"
    window.messages.button.click()
    ended(qtbot, window)
    assert os.path.basename(folder) in window.messages.text
    assert window.messages.button.text() == "Try again"


def test_files_that_cannot_be_read_are_told_one_by_one(open_with, make_photos, tmp_path, qtbot):
    folder = Path(make_photos(3)[0]).parent
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("not a photo")
    (folder / "cut.jpg").write_bytes((folder / "IMG_0001.jpg").read_bytes()[:300])
    (folder / "nowhere.jpg").symlink_to(folder / "gone.jpg")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.jpg")
    window = open_with(ailing_backends.healthy, folder)
    reasons = {item.name: item.reason for item in window.model.items() if item.reason is not None}
    assert {"empty.jpg", "text.jpg", "cut.jpg", "nowhere.jpg"} <= set(reasons)
    assert all(reasons.values())
    assert f"{len(reasons)} of" in window.messages.text
    assert sum(score is not None for score in scores(window)) == 3


def test_a_store_that_cannot_be_kept_is_told_and_scoring_goes_on(open_with, make_photos):
    database = default_database()
    database.parent.parent.mkdir(parents=True)
    database.parent.write_text("in the way")
    window = open_with(ailing_backends.healthy, os.path.dirname(make_photos(3)[0]))
    assert "are not kept" in window.messages.text
    assert None not in scores(window)


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="needs a disk of its own")
def test_a_disk_that_is_full_while_writing_is_told_and_costs_no_photo(open_with, tmp_path, qtbot):
    card = tmp_path / "card"
    card.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=900k", "none", str(card)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("cannot mount")
    try:
        photo = save_photo(card / "IMG_1.jpg", 1, (2400, 1600))
        before = photo.read_bytes()
        with contextlib.suppress(OSError):
            (card / "film.mp4").write_bytes(bytes(900_000))
        window = open_with(create_backend, card)
        _write(qtbot, window)
        assert "cannot be written" in _dialog().text.text()
        assert "full" in rows(_dialog())[0].text
        _dialog().close()
        assert photo.read_bytes() == before
        assert sorted(os.listdir(card)) == ["IMG_1.jpg", "film.mp4"]
        window.close()
    finally:
        subprocess.run(["umount", str(card)], check=True)


def _write(qtbot, window):
    window.actions_by_name["write"].trigger()
    qtbot.waitUntil(_dialog().do_button.isEnabled, timeout=LONG_MS)
    qtbot.mouseClick(_dialog().do_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: _dialog().phase == "done", timeout=LONG_MS)


def _dialog():
    (dialog,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, WorkDialog) and w.isVisible()]
    return dialog


def test_a_process_that_is_killed_between_two_folders_is_started_anew(open_with, make_photos, qtbot):
    window = open_with(ailing_backends.healthy, os.path.dirname(make_photos(2)[0]))
    process = window.bridge._scorer._alive._process
    os.kill(process.pid, signal.SIGTERM)
    process.join()
    window.open(os.path.dirname(make_photos(3, folder="more")[0]))
    qtbot.waitUntil(lambda: window.model.rowCount() == 3)
    ended(qtbot, window)
    assert None not in scores(window)
    assert window.messages.text == ""
