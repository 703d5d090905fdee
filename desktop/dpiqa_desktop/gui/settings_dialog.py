"""The dialog for the settings, built from their table."""

from __future__ import annotations

from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from dpiqa_desktop.gui.settings import GROUPS, SETTINGS, Group, Setting, Settings, translated
from dpiqa_desktop.gui.stars_editor import StarsEditor

_LARGEST = 1e6
_LABEL_WIDTH = 130  # the same in all groups, so that their controls stand below each other
_WIDTH = 600

Control = QComboBox | QDoubleSpinBox | StarsEditor


class SettingsDialog(QDialog):
    """Shows all settings, and keeps them at OK.

    Args:
        settings: to be changed.
        parent: of the dialog.
    """

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self.setWindowTitle(self.tr("Settings"))
        self.controls: dict[str, Control] = {}
        self._problem = QLabel()
        self._problem.setMinimumHeight(self.fontMetrics().lineSpacing())
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok
            | QDialogButtonBox.StandardButton.Cancel
            | QDialogButtonBox.StandardButton.RestoreDefaults
        )
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        defaults = self.buttons.button(QDialogButtonBox.StandardButton.RestoreDefaults)
        defaults.clicked.connect(self._show_defaults)
        self.setMinimumWidth(_WIDTH)
        layout = QVBoxLayout(self)
        for group in GROUPS:
            layout.addWidget(self._group(group))
        layout.addWidget(self._problem)
        layout.addWidget(self.buttons)
        for setting in SETTINGS:
            _show(self.controls[setting.key], settings.value(setting.key))
        # Qt takes a form with hints of several lines for lower than it is, and squeezes its controls.
        self.setMinimumHeight(layout.totalHeightForWidth(_WIDTH))

    def accept(self) -> None:
        """Keep what is shown, if it makes sense."""
        problem = self._what_is_wrong()
        self._problem.setText(problem)
        if problem:
            return
        for key, control in self.controls.items():
            self._settings.set_value(key, _shown(control))
        super().accept()

    def _group(self, group: Group) -> QGroupBox:
        box = QGroupBox(translated(GROUPS[group]))
        form = QFormLayout(box)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for setting in SETTINGS:
            if setting.group != group:
                continue
            control = self.controls[setting.key] = _control(setting)
            control.setObjectName(setting.key)
            control.setAccessibleName(translated(setting.text))
            control.setAccessibleDescription(translated(setting.hint))
            label = QLabel(translated(setting.text))
            label.setMinimumWidth(_LABEL_WIDTH)
            label.setBuddy(control)
            form.addRow(label, _with_hint(control, translated(setting.hint)))
        return box

    def _show_defaults(self) -> None:
        for setting in SETTINGS:
            _show(self.controls[setting.key], setting.default)

    def _what_is_wrong(self) -> str:
        stars = self.controls["scores/stars"]
        assert isinstance(stars, StarsEditor)
        if stars.problem():
            return stars.problem()
        reject, pick = (
            _shown(self.controls["scores/reject_below"]),
            _shown(self.controls["scores/pick_above"]),
        )
        if reject > pick:  # type: ignore[operator]  # both are numbers
            return self.tr("A photo cannot be rejected and picked: the first threshold is above the second.")
        return ""


def _control(setting: Setting) -> Control:
    if isinstance(setting.default, float):
        number = QDoubleSpinBox()
        number.setRange(-_LARGEST, _LARGEST)
        number.setDecimals(3)
        number.setSingleStep(0.05)
        return number
    if not setting.choices:
        return StarsEditor()
    choice = QComboBox()
    for value, text in setting.choices:
        choice.addItem(translated(text), value)
    if setting.others:
        choice.setEditable(True)
        choice.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    return choice


def _with_hint(control: Control, text: str) -> QWidget:
    if not text:
        return control
    hint = QLabel(text)
    hint.setWordWrap(True)
    palette = hint.palette()
    colour = palette.color(QPalette.ColorRole.WindowText)
    colour.setAlpha(170)
    palette.setColor(QPalette.ColorRole.WindowText, colour)
    hint.setPalette(palette)
    both = QWidget()
    layout = QVBoxLayout(both)
    layout.setContentsMargins(0, 0, 0, 6)
    layout.setSpacing(2)
    layout.addWidget(control)
    layout.addWidget(hint)
    return both


def _show(control: Control, value: str | float) -> None:
    if isinstance(control, QDoubleSpinBox):
        control.setValue(float(value))
    elif isinstance(control, StarsEditor):
        control.set_text(str(value))
    elif control.findData(value) < 0 and control.isEditable():
        control.setEditText(str(value))
    else:
        control.setCurrentIndex(control.findData(value))


def _shown(control: Control) -> str | float:
    if isinstance(control, QDoubleSpinBox):
        return control.value()
    if isinstance(control, StarsEditor):
        return control.text()
    known = control.findText(control.currentText())
    return control.currentText().strip() if known < 0 else str(control.itemData(known))
