"""What the teacher's prompts come to in the U-Net: kept from photo to photo, because no photo changes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

KeysValues = list[tuple[Tensor, Tensor]]
"""Of each cross-attention in the U-Net's order: keys and values, each (1, heads, prompts, width)."""


class KeptCondition:
    """Keys and values of the last call, as long as they are what another computation would give.

    That is 37 million numbers for Stable Diffusion 1.5 and 1485 prompts: 148 MB in float32, half of it in
    half precision. They are computed anew when a tensor that they come from was replaced, moved, cast or
    changed in place, and under another autocast. (What is written through ``Tensor.data`` alone goes
    unnoticed, by torch's design.)
    """

    def __init__(self) -> None:
        self._forget()

    def get(self, sources: Sequence[Tensor], compute: Callable[[], KeysValues]) -> KeysValues:
        """Give what ``compute`` gives, from memory if that is safe.

        Nothing is kept while torch traces; of tensors made in inference mode, which do not count their
        changes; and of tensors that are being trained: torch's fused optimisers do not count theirs.

        Args:
            sources: all tensors that ``compute`` reads.
            compute: called with no arguments, under the caller's autocast.
        """
        if torch.compiler.is_compiling():
            return compute()
        if any(source.requires_grad or source.is_inference() for source in sources):
            self._forget()
            return compute()
        state = _state(sources)
        if state != self._state:
            # Outside inference mode, or a later call could not compute a photo's gradient with them.
            with torch.inference_mode(False), torch.no_grad():
                self._kept = compute()
            self._sources = [
                source.detach() for source in sources
            ]  # so that nothing else gets their addresses
            self._state = state
        return self._kept

    def __reduce__(self) -> tuple[type[KeptCondition], tuple[()]]:
        """A copy starts with nothing."""
        return KeptCondition, ()

    def _forget(self) -> None:
        self._state: tuple[object, ...] = ()
        self._sources: list[Tensor] = []
        self._kept: KeysValues = []


def _state(sources: Sequence[Tensor]) -> tuple[object, ...]:
    device = sources[0].device.type
    autocast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    tensors = ((source.data_ptr(), source._version, source.dtype, source.device) for source in sources)
    return (autocast, *tensors)
