"""Which photos to train on, to choose by and to measure with: drawn once, and kept in a file.

A split file is CSV with the heading ``photo,split``: the photo's path below the data set's folder, with ``/``
on every system, and ``train``, ``val`` or ``test``. It is written where there is none, and obeyed where there
is one, whatever the seed; it must name every photo once, or it belongs to other data.
"""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass, replace
from pathlib import Path

from dpiqa_plugin.atomic import replacing
from dpiqa_plugin.errors import DPIQAError
from dpiqa_training.datasets import PARTS, LabelledPhoto
from dpiqa_training.datasets.labels_table import read_csv

_HEADING = ("photo", "split")


@dataclass(frozen=True)
class Shares:
    """How many of all photos a new split takes from training.

    Attributes:
        val: 0..1, to choose epochs and settings by. (Choosing by the test part inflates its figures.)
        test: 0..1, to measure with once.
        seed: of the order in which photos are drawn.
    """

    val: float = 0.1
    test: float = 0.2
    seed: int = 0


def split_photos(file: Path, root: Path, photos: list[LabelledPhoto], shares: Shares) -> list[LabelledPhoto]:
    """Give every photo its part: as ``file`` says, which is drawn and written first if it does not exist.

    Args:
        file: the split file.
        root: folder of the data set.
        photos: all of it, as a reader gives them.
        shares: for a new file.

    Returns:
        The photos in their order, with ``part`` set.

    Raises:
        DPIQAError: the file is malformed (names file and line), not about these photos, or cannot be written;
            or there are too few photos.
    """
    if not file.exists():
        _write(file, root, draw_split(photos, shares))
    parts = _read(file)
    names = [_name(photo, root) for photo in photos]
    cure = "delete it to draw a new split, or give the data it was made for"
    if missing := [name for name in names if name not in parts]:
        raise DPIQAError(f"{file}: {len(missing)} photos of {root} are not in it, first {missing[0]}; {cure}")
    if extra := sorted(parts.keys() - set(names)):
        raise DPIQAError(f"{file}: {len(extra)} of its photos are not in {root}, first {extra[0]}; {cure}")
    return [replace(photo, part=parts[name]) for photo, name in zip(photos, names, strict=True)]


def draw_split(photos: list[LabelledPhoto], shares: Shares) -> list[LabelledPhoto]:
    """Give every photo its part.

    An official split stays. One without a validation part gives up some of its training part; where there is
    none, all is drawn. The same photos and seed give the same split on every machine.

    Raises:
        DPIQAError: there are too few photos for a part.
    """
    official = {photo.part for photo in photos}
    counts = {} if "val" in official else {"val": round(shares.val * len(photos))}
    if "test" not in official:
        counts["test"] = round(shares.test * len(photos))
    drawn = _draw([photo for photo in photos if photo.part in ("", "train")], counts, shares.seed)
    result = [replace(photo, part=drawn.get(photo.path, photo.part)) for photo in photos]
    for part in ("train", *counts):
        if not of_part(result, part) and counts.get(part) != 0:
            raise DPIQAError(f"{len(photos)} photos are too few for a {part} part")
    return result


def of_part(photos: list[LabelledPhoto], part: str) -> list[LabelledPhoto]:
    """Give the photos of one of ``PARTS``."""
    return [photo for photo in photos if photo.part == part]


def _draw(photos: list[LabelledPhoto], counts: dict[str, int], seed: int) -> dict[Path, str]:
    order = sorted((photo.path for photo in photos), key=lambda path: path.as_posix())
    random.Random(seed).shuffle(order)
    parts = [part for part, count in counts.items() for _ in range(count)]
    return dict(zip(order, [*parts, *["train"] * len(order)], strict=False))


def _write(file: Path, root: Path, photos: list[LabelledPhoto]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as beside, beside.open("w", newline="", encoding="utf-8") as opened:
            writer = csv.writer(opened, lineterminator="\n")
            writer.writerow(_HEADING)
            writer.writerows((_name(photo, root), photo.part) for photo in photos)
    except OSError as error:
        raise DPIQAError(f"cannot write the split file {file}: {error}") from error


def _read(file: Path) -> dict[str, str]:
    parts: dict[str, str] = {}
    for row in read_csv(file, _HEADING):
        name, part = (str(row.cells[column]) for column in _HEADING)
        if part not in PARTS:
            raise row.error(f"split must be {', '.join(PARTS)}, got {part!r}")
        if name in parts:
            raise row.error(f"{name} is in an earlier line, too")
        parts[name] = part
    return parts


def _name(photo: LabelledPhoto, root: Path) -> str:
    return photo.path.relative_to(root).as_posix()
