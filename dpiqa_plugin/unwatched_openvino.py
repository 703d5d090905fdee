"""OpenVINO without its telemetry: import it from here, and nowhere else.

By itself it reports each import to Google Analytics, with an id that it keeps in ``~/intel``, unless the user
has found out and opted out. Whoever looks at their photos here did not agree to that. Without the package
``openvino_telemetry`` it takes a stub of its own.
"""

from __future__ import annotations

import sys

# None: Python's import system says that there is no such module.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402, TID253  # who imports this does it where it is needed

__all__ = ["openvino"]
