"""DP-IQA for photographers: no-reference photo quality, as pyiqa metrics and as a library.

Importing this package registers our metrics with pyiqa: at once where pyiqa has been imported, else when it
is. It runs at every interpreter start (``autoload.pth``), so it imports nothing heavier than ``sys``.
"""

__version__ = "0.1.0"

from dpiqa_plugin.hook import install as _install_hook

_install_hook()
