"""Rows of published label tables, each with its place, so that every complaint can name file and line."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dpiqa_plugin.errors import DPIQAError
from dpiqa_training.datasets import LabelledPhoto


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        place: file and line, as an error says it.
        cells: content by column; of a spreadsheet not only text.
    """

    place: str
    cells: dict[str, object]

    def error(self, reason: str) -> DPIQAError:
        """Give the error to raise, for the reason that something is wrong with this row."""
        return DPIQAError(f"{self.place}: {reason}")

    def photo(
        self, path: Path, mos_column: str, subset: str = "", part: str = "", highest: float = 100
    ) -> LabelledPhoto:
        """Label the photo at ``path`` with the MOS in ``mos_column``, on 0..``highest`` there.

        Raises:
            DPIQAError: the MOS is no number on that scale, or there is no such file.
        """
        published = self.cells[mos_column]
        try:
            mos = float(str(published))
        except ValueError:
            mos = math.nan
        if not 0 <= mos <= highest:
            raise self.error(f"{mos_column} must be a number from 0 to {highest:g}, got {published!r}")
        if not path.is_file():
            raise self.error(f"there is no photo {path}; was the archive unpacked whole?")
        return LabelledPhoto(path, mos / highest, subset, part)


def read_csv(table: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Read a CSV file with a heading.

    Args:
        table: in UTF-8, with or without a byte order mark.
        columns: those that must be there; others are handed out, too.

    Raises:
        DPIQAError: it cannot be read, a column is missing, or a row is longer or shorter than the heading.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            _require(columns, reader.fieldnames or (), f"{table}, line 1")
            for cells in reader:
                row = Row(f"{table}, line {reader.line_num}", dict(cells))
                if None in cells or None in cells.values():
                    raise row.error(f"expected {len(reader.fieldnames or ())} cells, as in the heading")
                yield row
    except (OSError, ValueError, csv.Error) as error:
        raise DPIQAError(f"{table}: {error}; download the table again") from error


def read_xlsx(table: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Read the first sheet of an Excel workbook whose first row is a heading; needs openpyxl.

    Raises:
        DPIQAError: as ``read_csv``.
    """
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        workbook = load_workbook(table, read_only=True, data_only=True)
    except (OSError, ValueError, KeyError, BadZipFile, InvalidFileException) as error:
        raise DPIQAError(f"{table}: {error}; download the table again") from error
    try:
        sheet = enumerate(workbook.worksheets[0].iter_rows(values_only=True), 1)
        _, heading = next(sheet, (1, ()))
        names = [str(name) for name in heading]
        _require(columns, names, f"{table}, row 1")
        for number, cells in sheet:
            if any(cell is not None for cell in cells):  # programs leave formatted, empty rows at the end
                yield Row(f"{table}, row {number}", dict(zip(names, cells, strict=False)))
    finally:
        workbook.close()


def find_table(root: Path, *candidates: str) -> Path:
    """Give the first of ``candidates``, paths below ``root``, that is a file.

    Raises:
        DPIQAError: none is.
    """
    for candidate in candidates:
        if (root / candidate).is_file():
            return root / candidate
    raise DPIQAError(f"{root}: no {' or '.join(candidates)} here; give the folder of the data set")


def find_folder(root: Path, *candidates: str) -> Path:
    """Give the first of ``candidates``, paths below ``root``, that is a folder.

    Raises:
        DPIQAError: none is.
    """
    for candidate in candidates:
        if (root / candidate).is_dir():
            return root / candidate
    raise DPIQAError(f"{root}: no folder {' or '.join(candidates)} here; unpack the photos into it")


def _require(columns: Sequence[str], heading: Sequence[str], place: str) -> None:
    if missing := [column for column in columns if column not in heading]:
        raise DPIQAError(
            f"{place}: no column {', '.join(missing)}; there are: {', '.join(heading) or 'none'}"
        )
