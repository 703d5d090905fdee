"""The log and the checkpoint of a run: read back as written, and plain about a full disk."""

import pytest
import torch
from makers.event_log import logged
from makers.full_disk import full_disk

from dpiqa_training.checkpoint import load_checkpoint, save_checkpoint
from dpiqa_training.errors import CheckpointError, LogError
from dpiqa_training.training_log import TrainingLog


def test_what_was_logged_after_the_checkpoint_is_void(tmp_path):
    first = TrainingLog(tmp_path, 1)
    for step in (1, 2, 3):
        first.write({"loss": step / 2, "lr": 0.25}, step)
    first.close()
    second = TrainingLog(tmp_path, 2)
    second.write({"loss": 7.0}, 2)
    second.close()
    assert logged(tmp_path, "loss") == {1: 0.5, 2: 7.0, 3: 1.5}
    assert tensorboard_reads(tmp_path, "loss") == [(1, 0.5), (2, 7.0)]


def tensorboard_reads(folder, tag):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(folder))
    log.Reload()
    return [(event.step, event.value) for event in log.Scalars(tag)]


def test_a_log_on_a_full_disk_is_named(tmp_path):
    log = TrainingLog(tmp_path / "tensorboard", 1)
    values = {f"loss {number}": 1.0 for number in range(100)}
    with full_disk(200), pytest.raises(LogError, match=r"tensorboard cannot be written .*make room"):
        write_twice(log, values)


def write_twice(log, values):
    """The first time part of it may still find room."""
    for step in (1, 2):
        log.write(values, step)


def test_a_checkpoint_on_a_full_disk_is_named_and_the_last_one_stays(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"step": 1})
    with (
        full_disk(100_000),
        pytest.raises(CheckpointError, match=r"checkpoint\.pt .*File too large.*make room"),
    ):
        save_checkpoint(path, {"step": 2, "model": torch.zeros(100_000)})
    assert load_checkpoint(path) == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]
