"""The settings in one table; the dialog is built from it. What is kept is checked when it is read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, QObject, QSettings, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QPalette

from dpiqa_desktop.engine.stars import StarRule, default_rule, parse_stars
from dpiqa_desktop.metadata.sidecar import Naming
from dpiqa_desktop.metadata.targets import Settings as WriteSettings
from dpiqa_desktop.metadata.targets import Where
from dpiqa_plugin.cards import CARDS
from dpiqa_plugin.errors import UsageError

_CONTEXT = "Settings"
_NAME = re.compile(r"[\w.:+-]+")  # of a metric or a device
_: Any = QT_TRANSLATE_NOOP

Group = Literal["scores", "files", "window"]

GROUPS: dict[Group, str] = {
    "scores": _("Settings", "Scores"),
    "files": _("Settings", "Writing into files"),
    "window": _("Settings", "Window"),
}


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        key: it is kept under.
        text: in English, beside its control.
        group: it is shown in.
        default: also what replaces a value that is kept and makes no sense.
        choices: what it can be, as kept and in English; none for a number or a rule for stars.
        hint: what it means, in English, below its control.
        others: what is none of the choices can be typed.
    """

    key: str
    text: str
    group: Group
    default: str | float
    choices: tuple[tuple[str, str], ...] = ()
    hint: str = ""
    others: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "model/metric",
        _("Settings", "Model"),
        "scores",
        "dpiqa_lite",
        tuple((name, name) for name in CARDS),
        _(
            "Settings",
            "dpiqa_lite comes with the program; the others need the extra pyiqa, and are downloaded. "
            "The name of any metric of pyiqa for single photos can be typed.",
        ),
        others=True,
    ),
    Setting(
        "model/device",
        _("Settings", "Runs on"),
        "scores",
        "auto",
        (
            ("auto", _("Settings", "What is fastest here")),
            ("cpu", _("Settings", "Processor")),
            ("cuda", _("Settings", "NVIDIA graphics card")),
            ("mps", _("Settings", "Apple graphics")),
        ),
        others=True,
    ),
    Setting(
        "scores/stars",
        _("Settings", "Stars"),
        "scores",
        "",
        hint=_("Settings", "What gives 2, 3, 4 and 5 stars to photos that you have not rated."),
    ),
    Setting("scores/reject_below", _("Settings", "Reject below"), "scores", 0.3),
    Setting(
        "scores/pick_above",
        _("Settings", "Pick from"),
        "scores",
        0.7,
        hint=_("Settings", "Scores of 0 to 1. The histogram moves them, too."),
    ),
    Setting(
        "files/where",
        _("Settings", "Write into"),
        "files",
        "auto",
        (
            ("auto", _("Settings", "The photo; a sidecar where that is safer")),
            ("embed", _("Settings", "The photo only")),
            ("sidecar", _("Settings", "Sidecars only")),
        ),
        _(
            "Settings",
            "RAW files are never changed: they get sidecars. Nothing is written before you say so.",
        ),
    ),
    Setting(
        "files/sidecar",
        _("Settings", "Sidecars are called"),
        "files",
        "existing",
        (
            ("existing", _("Settings", "As those that are there, else IMG_1.xmp")),
            ("adobe", _("Settings", "IMG_1.xmp (Adobe)")),
            ("darktable", _("Settings", "IMG_1.CR2.xmp (darktable, digiKam)")),
        ),
    ),
    Setting(
        "window/theme",
        _("Settings", "Colours"),
        "window",
        "system",
        (
            ("system", _("Settings", "As the system's")),
            ("light", _("Settings", "Light")),
            ("dark", _("Settings", "Dark")),
        ),
    ),
)
"""In the order of the dialog."""

BY_KEY = {setting.key: setting for setting in SETTINGS}


def translated(text: str) -> str:
    """A text of this table in the user's language."""
    return QCoreApplication.translate(_CONTEXT, text) if text else ""


class Settings(QObject):
    """The settings as they are kept, with the application's other ones.

    Signals:
        changed: a setting has another value now; its key.

    Args:
        parent: of the object.
    """

    changed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept = QSettings()  # one: each that goes writes its file first, and the window would wait

    @property
    def metric(self) -> str:
        """Name of the model."""
        return str(self.value("model/metric"))

    @property
    def device(self) -> str:
        """What it runs on, see ``create_backend``."""
        return str(self.value("model/device"))

    @property
    def thresholds(self) -> tuple[float, float]:
        """Scores of 0 to 1: below the first a photo is rejected, from the second on picked."""
        return float(self.value("scores/reject_below")), float(self.value("scores/pick_above"))

    @property
    def theme(self) -> str:
        """``"system"``, ``"light"`` or ``"dark"``."""
        return str(self.value("window/theme"))

    def star_rule(self, score_range: tuple[float, float] | None) -> StarRule:
        """What gives the stars; unless the user has chosen, the default for a metric of that range."""
        text = str(self.value("scores/stars"))
        return parse_stars(text) if text else default_rule(score_range)

    def writing(self) -> WriteSettings:
        """How files are written."""
        where: dict[str, Where] = {"auto": "auto", "embed": "embed", "sidecar": "sidecar"}
        naming: dict[str, Naming] = {"adobe": "adobe", "darktable": "darktable"}
        return WriteSettings(
            where[str(self.value("files/where"))], naming.get(str(self.value("files/sidecar")))
        )

    def set_model(self, metric: str, device: str) -> None:
        """Keep both."""
        self._set_together({"model/metric": metric, "model/device": device})

    def set_thresholds(self, reject_below: float, pick_above: float) -> None:
        """Keep both if they are on our models' scale, 0 to 1; those of another hold for the time being."""
        if not 0 <= reject_below <= pick_above <= 1:
            return
        self._set_together({"scores/reject_below": reject_below, "scores/pick_above": pick_above})

    def _set_together(self, new: Mapping[str, str | float]) -> None:
        changed = [key for key, value in new.items() if value != self.value(key)]
        for key in changed:  # all before any is told
            self._kept.setValue(key, new[key])
        for key in changed:
            self.changed.emit(key)

    def value(self, key: str) -> str | float:
        """What is kept, or the default if that makes no sense."""
        setting = BY_KEY[key]
        kept = self._kept.value(key, setting.default)
        return _understood(setting, kept)

    def set_value(self, key: str, value: str | float) -> None:
        """Keep it, and tell, if it is another one."""
        if value != self.value(key):
            self._kept.setValue(key, value)
            self.changed.emit(key)


def apply_theme(theme: str) -> None:
    """Give the application its colours; ``"system"`` follows the system's, also later."""
    scheme = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}.get(theme, Qt.ColorScheme.Unknown)
    hints = QGuiApplication.styleHints()
    hints.setColorScheme(scheme)
    # Desktops without a theme of their own, and servers without a screen, pass the wish over.
    followed = scheme in (Qt.ColorScheme.Unknown, hints.colorScheme())
    QGuiApplication.setPalette(QPalette() if followed else _PALETTES[scheme]())


def _dark_palette() -> QPalette:
    palette = QPalette(QColor(0x46, 0x46, 0x4A), QColor(0x38, 0x38, 0x3C))
    roles = QPalette.ColorRole
    colours = {
        roles.Base: 0x1B1B1E,
        roles.AlternateBase: 0x29292D,
        roles.ToolTipBase: 0x3A3A3E,
        roles.Highlight: 0x3B78C2,
        roles.Link: 0x7DB2F0,
    }
    for role, colour in colours.items():
        palette.setColor(role, QColor(colour))
    for role in (roles.WindowText, roles.Text, roles.ButtonText, roles.ToolTipText):
        palette.setColor(role, QColor(0xE6, 0xE6, 0xE6))
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(0x80, 0x80, 0x84))
    palette.setColor(roles.PlaceholderText, QColor(0x90, 0x90, 0x94))
    palette.setColor(roles.HighlightedText, QColor(0xFF, 0xFF, 0xFF))
    return palette


def _light_palette() -> QPalette:
    palette = QPalette(QColor(0xEF, 0xEF, 0xEF), QColor(0xEF, 0xEF, 0xEF))
    palette.setColor(QPalette.ColorRole.Base, QColor(0xFF, 0xFF, 0xFF))
    return palette


_PALETTES = {Qt.ColorScheme.Dark: _dark_palette, Qt.ColorScheme.Light: _light_palette}


def _understood(setting: Setting, kept: Any) -> str | float:
    if isinstance(setting.default, float):
        try:
            number = float(kept)
        except (TypeError, ValueError):
            return setting.default
        return number if math.isfinite(number) else setting.default
    if setting.choices:
        known = kept in [value for value, _text in setting.choices]
        typed = setting.others and isinstance(kept, str) and bool(_NAME.fullmatch(kept))
        return kept if known or typed else setting.default
    if isinstance(kept, list):  # commas make a list of what is read from a file
        kept = ",".join(map(str, kept))
    try:
        if kept:
            parse_stars(str(kept))
    except UsageError:
        return setting.default
    return str(kept or "")
