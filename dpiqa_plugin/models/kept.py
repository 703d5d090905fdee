"""Results that depend on weights alone, kept from photo to photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")


class Kept(Generic[Result]):
    """The last result of a computation, as long as it is what another computation would give.

    It is computed anew when a tensor that it comes from was replaced, moved, cast or changed in place, and
    under another autocast. (What is written through ``Tensor.data`` alone goes unnoticed, by torch's design.)
    """

    def __init__(self) -> None:
        self._result: Result | None = None
        self._state: tuple[object, ...] = ()
        self._sources: list[Tensor] = []

    def get(self, sources: Sequence[Tensor], compute: Callable[[], Result]) -> Result:
        """Give what ``compute`` gives, from memory if that is safe.

        Nothing is kept while torch traces; of tensors made in inference mode, which do not count their
        changes; and of tensors that are being trained: torch's fused optimisers do not count theirs.

        Args:
            sources: all tensors that ``compute`` reads.
            compute: called with no arguments, under the caller's autocast.
        """
        if torch.compiler.is_compiling():
            return compute()
        if not may_be_kept(sources):
            self.forget()
            return compute()
        state = _state(sources)
        if self._result is None or state != self._state:
            # Outside inference mode, or a later call could not compute a photo's gradient with it.
            with torch.inference_mode(False), torch.no_grad():
                self._result = compute()
            # Held on to, so that no other tensor gets their addresses.
            self._sources = [source.detach() for source in sources]
            self._state = state
        return self._result

    def __reduce__(self) -> tuple[type[Kept[Result]], tuple[()]]:
        """A copy starts with nothing."""
        return Kept, ()

    def forget(self) -> None:
        """Give the result's memory back."""
        self._result = None
        self._state = ()
        self._sources = []


def may_be_kept(sources: Sequence[Tensor]) -> bool:
    """Whether all these count their changes, see `Kept.get`."""
    return not any(source.requires_grad or source.is_inference() for source in sources)


def _state(sources: Sequence[Tensor]) -> tuple[object, ...]:
    device = sources[0].device.type
    autocast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    tensors = ((source.data_ptr(), source._version, source.dtype, source.device) for source in sources)
    return (autocast, *tensors)
