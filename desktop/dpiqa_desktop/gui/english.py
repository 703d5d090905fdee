"""English as a language of Qt: what it needs one for is the plural."""

from __future__ import annotations

from PySide6.QtCore import QTranslator


class English(QTranslator):
    """Makes ``"%n photo(s)"`` one photo or two photos; all other texts stay as they are in the code."""

    def translate(self, context: str, source: str, disambiguation: str | None = None, n: int = -1) -> str:
        """See Qt. Not "" for what stays: from Python, Qt takes that for a text."""
        return source if n < 0 else source.replace("(s)", "" if n == 1 else "s")

    def isEmpty(self) -> bool:  # noqa: N802
        """See Qt: one that is empty is not asked."""
        return False
