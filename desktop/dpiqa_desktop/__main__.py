"""``python -m dpiqa_desktop`` is ``dpiqa-batch``."""

from __future__ import annotations

import sys

from dpiqa_desktop.cli import main

if __name__ == "__main__":
    sys.exit(main())
