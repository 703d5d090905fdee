"""Draw scored photos from best to worst on one sheet, as the README shows them.

dpiqa-batch examples/photos --quiet --json scores.jsonl
python examples/contact_sheet.py scores.jsonl sheet.jpg
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

TILE, GAP, COLUMNS, CAPTION = 200, 12, 6, 44


def main(scores: Path, sheet: Path) -> None:
    """Read JSON lines with ``path`` and ``score``; write an image file."""
    lines = [json.loads(line) for line in scores.read_text(encoding="utf-8").splitlines()]
    photos = sorted(
        (line for line in lines if line.get("score") is not None), key=lambda line: -line["score"]
    )
    rows = -(-len(photos) // COLUMNS)
    canvas = Image.new("RGB", (COLUMNS * (TILE + GAP) + GAP, rows * (TILE + CAPTION + GAP) + GAP), "white")
    for index, photo in enumerate(photos):
        left = GAP + index % COLUMNS * (TILE + GAP)
        top = GAP + index // COLUMNS * (TILE + CAPTION + GAP)
        _draw(canvas, left, top, Path(photo["path"]), photo["score"])
    canvas.save(sheet, quality=85)


def _draw(canvas: Image.Image, left: int, top: int, path: Path, score: float) -> None:
    with Image.open(path) as image:
        canvas.paste(ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), (TILE, TILE)), (left, top))
    draw = ImageDraw.Draw(canvas)
    draw.text((left, top + TILE + 4), f"{score:.3f}", "black", ImageFont.load_default(20))
    draw.text((left, top + TILE + 27), path.name, "gray", ImageFont.load_default(13))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
