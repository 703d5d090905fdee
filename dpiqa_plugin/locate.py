"""Find the weights a metric asks for: explicit path, then the cache, then a download into the cache."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from dpiqa_plugin import fingerprint
from dpiqa_plugin.cards import CARDS, ModelCard
from dpiqa_plugin.download import DriveFile, WebFile, download
from dpiqa_plugin.errors import WeightsError
from dpiqa_plugin.teacher_conversion import converted_path


def cache_dir() -> Path:
    """Directory that pyiqa keeps its weights in, too: ``pyiqa`` under torch.hub's (see ``TORCH_HOME``).

    Found without importing torch, by the rule of ``torch.hub.get_dir``; if torch has been imported, it is
    asked, since a program can set another directory there.
    """
    if "torch" in sys.modules:
        return Path(sys.modules["torch"].hub.get_dir()) / "pyiqa"
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return Path(home).expanduser() / "hub" / "pyiqa"


def find_weights(card: ModelCard, weights: str | os.PathLike[str] | None = None) -> Path:
    """Path of a weights file on this machine, fetched if need be.

    A file in the cache gets its SHA-256 recorded beside it when it is first found. A file that is passed as a
    path gets none: it is the user's, and may be a training run's that changes.

    Args:
        card: of the metric.
        weights: None for the card's own; the name of a data set (``"koniq"``, ``"clive"``, ...) for what was
            trained on that with the same architecture; an http(s) address; or a path.

    Raises:
        WeightsError: there is no such file, or it could not be fetched; says where to put it by hand.
    """
    if weights is None:
        return _published(card)
    check_weights(card, weights)
    text = os.fspath(weights)
    by_dataset = _by_dataset(card)
    if text in by_dataset:
        return _published(by_dataset[text])
    if _is_address(text):
        return _cached(WebFile(text), cache_dir() / _cache_name(text), card)
    return Path(text).expanduser()


def check_weights(card: ModelCard, weights: str | os.PathLike[str]) -> None:
    """Refuse what `find_weights` would not know where to look for; fetches nothing.

    Raises:
        WeightsError: it is no name of a data set, no address, and there is no such file.
    """
    text = os.fspath(weights)
    by_dataset = _by_dataset(card)
    if text not in by_dataset and not _is_address(text) and not Path(text).expanduser().is_file():
        raise WeightsError(
            f"weights={text!r} for {card.metric} is not a file. Pass the path of a weights file, "
            f"an http(s) address, or one of: {', '.join(sorted(by_dataset))}"
        )


def _by_dataset(card: ModelCard) -> dict[str, ModelCard]:
    return {other.dataset: other for other in CARDS.values() if other.architecture == card.architecture}


def _is_address(text: str) -> bool:
    return urlsplit(text).scheme in ("http", "https")


def _published(card: ModelCard) -> Path:
    if card.drive_id is not None:
        return _cached(DriveFile(card.drive_id), cache_dir() / card.filename, card)
    bundled = Path(__file__).parent / "data" / card.filename
    if not bundled.is_file():
        raise WeightsError(f"{bundled} is missing: this installation is damaged; install dpiqa again")
    return bundled


def _cached(source: DriveFile | WebFile, target: Path, card: ModelCard) -> Path:
    if not target.exists() and card.architecture == "teacher" and converted_path(target).exists():
        return converted_path(target)  # the original was deleted to save its 4.3 GB
    if not target.exists():
        download(source, target, card.min_size)
    if not fingerprint.record_path(target).exists():
        fingerprint.record(target)
    return target


def _cache_name(url: str) -> str:
    """The address's last part, with a digest, since many hosts have a ``model.pth``."""
    name = PurePosixPath(unquote(urlsplit(url).path)).name or "weights"
    return f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{name}"
