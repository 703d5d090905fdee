"""What a run logged for TensorBoard."""

from __future__ import annotations

from pathlib import Path


def logged(folder: Path, tag: str) -> dict[int, float]:
    """Give the values by step; what a resumed run logged again replaces what it logged before.

    The files are read one by one, the oldest first: TensorBoard goes by their names, which hold a whole
    second and then the process's number, and a tiny run is killed and resumed within one second.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    values: dict[int, float] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns):
        log = EventAccumulator(str(file), size_guidance={"scalars": 0})
        log.Reload()
        if tag in log.Tags()["scalars"]:
            values.update((event.step, event.value) for event in log.Scalars(tag))
    return values
