"""What a dialog's table tells."""

from __future__ import annotations

from PySide6.QtCore import Qt

from dpiqa_desktop.gui.outcome_table import Row
from dpiqa_desktop.gui.work_dialog import WorkDialog


def rows(dialog: WorkDialog) -> list[Row]:
    """All rows, in their order."""
    model = dialog.table.rows
    return [model.index(row, 0).data(Qt.ItemDataRole.UserRole) for row in range(model.rowCount())]
