"""Settings are kept, checked when read, and all of them can be changed in the dialog."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialogButtonBox, QLabel

from dpiqa_desktop.engine.stars import Percentiles, Thresholds
from dpiqa_desktop.gui.actions import ACTIONS
from dpiqa_desktop.gui.settings import SETTINGS, Settings, apply_theme
from dpiqa_desktop.gui.settings_dialog import SettingsDialog
from dpiqa_desktop.gui.shortcut_sheet import ShortcutSheet
from dpiqa_desktop.metadata.targets import Settings as WriteSettings


@pytest.fixture
def settings(qapp):
    QSettings().clear()
    return Settings()


@pytest.fixture
def dialog(qtbot, settings):
    dialog = SettingsDialog(settings)
    qtbot.addWidget(dialog)
    dialog.show()
    yield dialog
    dialog.close()


def press(qtbot, dialog, button):
    qtbot.mouseClick(dialog.buttons.button(button), Qt.MouseButton.LeftButton)


def test_defaults(settings):
    assert (settings.metric, settings.device, settings.theme) == ("dpiqa_lite", "auto", "system")
    assert settings.thresholds == (0.3, 0.7)
    assert settings.star_rule((0, 1)) == Thresholds()
    assert settings.star_rule((0, 100)) == Percentiles()
    assert settings.writing() == WriteSettings()


def test_what_is_kept_is_read_by_the_next_program(settings):
    settings.set_thresholds(0.25, 0.8)
    settings.set_value("scores/stars", "percentile:5,20,50,80")
    settings.set_value("files/sidecar", "darktable")
    QSettings().sync()
    again = Settings()
    assert again.thresholds == (0.25, 0.8)
    assert again.star_rule(None) == Percentiles((5, 20, 50, 80))
    assert again.writing().naming == "darktable"


@pytest.mark.parametrize("nonsense", ["", "nan", "inf", "no such thing", "1,2", ["0.1", "0.2"], None])
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_nonsense_in_the_file_is_the_default(settings, setting, nonsense):
    if setting.others and nonsense in ("nan", "inf"):
        pytest.skip("a metric or a device may have that name")
    QSettings().setValue(setting.key, nonsense)
    assert settings.value(setting.key) == setting.default


def test_a_rule_edited_by_hand_in_the_file_is_understood(settings):
    QSettings().setValue("scores/stars", ["0.1", "0.2", "0.3", "0.4"])  # as Qt reads commas
    assert settings.star_rule(None) == Thresholds((0.1, 0.2, 0.3, 0.4))


def test_only_what_has_changed_is_told(settings):
    told = []
    settings.changed.connect(told.append)
    settings.set_value("window/theme", "system")
    settings.set_value("window/theme", "dark")
    assert told == ["window/theme"]


def test_both_thresholds_are_kept_before_either_is_told(settings):
    seen = []
    settings.changed.connect(lambda key: seen.append(settings.thresholds))
    settings.set_thresholds(0.1, 0.2)
    assert seen == [(0.1, 0.2)] * 2


@pytest.mark.parametrize("thresholds", [(30.0, 70.0), (0.7, 0.3), (-1.0, 0.5)])
def test_thresholds_of_another_scale_are_not_kept(settings, thresholds):
    settings.set_thresholds(*thresholds)
    assert settings.thresholds == (0.3, 0.7)


def test_the_dialog_keeps_what_is_chosen(qtbot, dialog, settings):
    dialog.controls["files/where"].setFocus()
    qtbot.keyClick(dialog.controls["files/where"], Qt.Key.Key_End)
    box = dialog.controls["scores/reject_below"]
    box.selectAll()
    qtbot.keyClicks(box, "0.45")
    stars = dialog.controls["scores/stars"]
    qtbot.keyClick(stars.kind, Qt.Key.Key_End)
    press(qtbot, dialog, QDialogButtonBox.StandardButton.Ok)
    assert not dialog.isVisible()
    assert settings.writing().where == "sidecar"
    assert settings.thresholds == (0.45, 0.7)
    assert settings.star_rule((0, 1)) == Percentiles()


def test_cancel_keeps_nothing_and_defaults_come_back(qtbot, dialog, settings):
    settings.set_value("window/theme", "dark")
    press(qtbot, dialog, QDialogButtonBox.StandardButton.RestoreDefaults)
    dialog.controls["scores/pick_above"].setValue(0.9)
    press(qtbot, dialog, QDialogButtonBox.StandardButton.Cancel)
    assert settings.thresholds == (0.3, 0.7)
    assert settings.theme == "dark"


def test_what_makes_no_sense_is_not_kept(qtbot, dialog, settings):
    dialog.controls["scores/reject_below"].setValue(0.8)
    press(qtbot, dialog, QDialogButtonBox.StandardButton.Ok)
    assert dialog.isVisible()
    assert any("rejected and picked" in label.text() for label in dialog.findChildren(QLabel))
    dialog.controls["scores/reject_below"].setValue(0.2)
    stars = dialog.controls["scores/stars"]
    stars.kind.setCurrentIndex(1)
    stars.boxes[0].setValue(0.5)
    press(qtbot, dialog, QDialogButtonBox.StandardButton.Ok)
    assert dialog.isVisible()
    assert settings.thresholds == (0.3, 0.7)
    stars.boxes[0].setValue(0.1)
    press(qtbot, dialog, QDialogButtonBox.StandardButton.Ok)
    assert settings.star_rule(None) == Thresholds((0.1, 0.4, 0.6, 0.8))


def test_every_control_has_a_name(dialog):
    assert all(control.accessibleName() for control in dialog.controls.values())


def test_a_theme_is_applied_and_the_systems_comes_back(qapp):
    def is_dark():
        return QGuiApplication.palette().window().color().lightness() < 128

    before = is_dark()
    apply_theme("dark")
    assert is_dark()
    apply_theme("light")
    assert not is_dark()
    apply_theme("system")
    assert is_dark() == before


def test_the_sheet_has_every_shortcut(qtbot):
    sheet = ShortcutSheet()
    qtbot.addWidget(sheet)
    sheet.show()
    shown = {label.text() for label in sheet.findChildren(QLabel)}
    for row in ACTIONS:
        if row.keys:
            assert row.text.replace("&", "").rstrip("…") in shown
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()


def test_nothing_in_the_dialog_is_squeezed(qtbot, dialog):
    dialog.controls["scores/stars"].kind.setCurrentIndex(2)
    dialog.controls["scores/reject_below"].setValue(0.9)
    press(qtbot, dialog, QDialogButtonBox.StandardButton.Ok)
    for box in (*dialog.controls["scores/stars"].boxes, *dialog.controls.values()):
        assert box.height() >= box.minimumSizeHint().height()


def test_a_metric_that_was_typed_is_kept_and_can_be_typed_in_the_dialog(settings, qtbot):
    told = []
    settings.changed.connect(told.append)
    settings.set_model("niqe", "cuda:1")
    assert told == ["model/metric", "model/device"]
    assert (Settings().metric, Settings().device) == ("niqe", "cuda:1")
    dialog = SettingsDialog(settings)
    qtbot.addWidget(dialog)
    box = dialog.controls["model/metric"]
    assert box.currentText() == "niqe"
    box.lineEdit().selectAll()
    qtbot.keyClicks(box.lineEdit(), "musiq")
    dialog.accept()
    assert (settings.metric, settings.device) == ("musiq", "cuda:1")
