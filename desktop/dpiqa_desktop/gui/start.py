"""The command ``dpiqa-desktop``, also where Qt is not installed: then it says what to install."""

from __future__ import annotations

import importlib.util
import sys

from dpiqa_desktop.exit_codes import code_of_error
from dpiqa_plugin.errors import MissingExtraError


def main() -> int:
    """Run the window; return the exit code."""
    if importlib.util.find_spec("PySide6") is None:
        error = MissingExtraError("the window", "desktop")
        sys.stderr.write(f"dpiqa-desktop: error: {error}\n")
        return code_of_error(error)
    # Only now: it brings Qt.
    from dpiqa_desktop.gui import app

    return app.main()


if __name__ == "__main__":
    sys.exit(main())
