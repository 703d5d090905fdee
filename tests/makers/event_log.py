"""What a run logged for TensorBoard, as TensorBoard reads it."""

from __future__ import annotations

from pathlib import Path


def logged(folder: Path, tag: str) -> dict[int, float]:
    """Give the values by step; what a resumed run logged again replaces what it logged before."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    log.Reload()
    return {event.step: event.value for event in log.Scalars(tag)}
