"""What torch can run on here, by the names that users know."""

from __future__ import annotations

from dpiqa_plugin.errors import UsageError


def require_device(name: str, *others: str) -> None:
    """Refuse a device that torch does not know or that is not there.

    Args:
        name: what was asked for.
        others: names that are no devices of torch and taken, too.

    Raises:
        UsageError: names the devices of this machine.
    """
    import torch

    if name in others:
        return
    possible = f"possible: {', '.join([*others, *_devices()])}"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"--device: torch knows no {name}; {possible}") from error
    try:
        torch.zeros(1, device=device).cpu()  # from the device "meta" nothing comes back
    except (RuntimeError, AssertionError, ImportError) as error:
        reason, _, _ = str(error).partition(". ")  # a list of all back ends may follow
        raise UsageError(f"--device {name} cannot be used here; {possible} ({reason})") from error


def _devices() -> list[str]:
    """Give the devices of this machine by the names that users know."""
    import torch

    names = ["cpu"]
    if torch.cuda.is_available():
        names += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        names.append("mps")
    return names
