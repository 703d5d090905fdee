"""Parquet files with photos in them, or with their paths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet


def save_table(path: Path, values: Sequence[bytes | str | None], group: int = 100) -> Path:
    """Write a column ``photo`` of bytes or paths, with a number beside it, in row groups of ``group``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(
        pa.table({"number": range(len(values)), "photo": list(values)}), path, row_group_size=group
    )
    return path
