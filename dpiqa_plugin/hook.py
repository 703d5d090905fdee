"""Add our metrics to pyiqa once it has been imported, and import nothing before that.

This file runs at every interpreter start (``autoload.pth``): it must not import ``importlib.util``,
``importlib.abc`` or ``typing``, which cost more than everything else here.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


class _PyiqaFinder:
    """Finds nothing itself: takes what the finders after it find for pyiqa, and adds a step to its import.

    It stays in ``sys.meta_path``, so that a pyiqa imported anew gets the metrics, too.
    """

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if name != "pyiqa":
            return None
        for finder in _after(self):
            # One that is older than Python 3.4 has no find_spec; the import system sees to it itself.
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find else None
            if spec is not None:
                # A plain folder or file called pyiqa is somebody else's.
                if spec.loader is not None and spec.submodule_search_locations is not None:
                    spec.loader = _RegisteringLoader(spec.loader)  # type: ignore[assignment]
                return spec
        return None


class _RegisteringLoader:
    """Another loader, with our registration after the module has run."""

    def __init__(self, loader: "Loader") -> None:
        self._loader = loader

    def create_module(self, spec: "ModuleSpec") -> "ModuleType | None":
        return self._loader.create_module(spec)

    def exec_module(self, module: "ModuleType") -> None:
        # What reads a module's source or resources expects its own loader.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _register()

    def __getattr__(self, name: str) -> "Any":
        """Everything else that a spec's loader is asked for, such as ``get_source``."""
        return getattr(self._loader, name)


_FINDER = _PyiqaFinder()


def install() -> None:
    """Register with pyiqa as soon as it is imported: now, if it has been. Calling it again is harmless."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    if sys.modules.get("pyiqa") is not None:
        _register()


def _after(finder: object) -> "list[Any]":
    """The finders that come after ``finder`` (in other threads the list may change meanwhile)."""
    finders: list[Any] = list(sys.meta_path)
    return finders[finders.index(finder) + 1 :] if finder in finders else []


def _register() -> None:
    """A pyiqa that we cannot extend still has to work for whoever imports it: hence a warning only."""
    try:
        from dpiqa_plugin.register import register

        register()
    except Exception as error:
        import warnings

        warnings.warn(
            f"The metrics of dpiqa could not be added to pyiqa: {error!r}", RuntimeWarning, stacklevel=2
        )
