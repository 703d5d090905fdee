"""What a step sees depends on seed and step alone."""

from dataclasses import replace

import pytest

from dpiqa_training.batches import Batches

PLAN = Batches(photos=11, epochs=3, batch_size=4, micro_batch=2, flips=True, seed=5)


def steps(plan):
    """Views of each step as a set; micro-batches of one process joined."""
    per_step = plan.batch_size // (plan.micro_batch * plan.processes)
    micro = list(plan)
    return [
        {view for batch in micro[start : start + per_step] for view in batch}
        for start in range(0, len(micro), per_step)
    ]


def test_an_epoch_sees_a_photo_once_at_most():
    photos = [[view.photo for view in batch] for batch in PLAN]
    for epoch in range(3):
        seen = [photo for batch in photos[epoch * 4 : (epoch + 1) * 4] for photo in batch]
        assert len(seen) == len(set(seen)) == 8
        assert set(seen) <= set(range(11))


def test_epochs_differ_in_order_and_flips():
    first, second, _ = (list(PLAN)[start : start + 4] for start in (0, 4, 8))
    assert first != second
    assert {view.flipped for batch in PLAN for view in batch} == {True, False}
    assert not any(view.flipped for batch in replace(PLAN, flips=False) for view in batch)


@pytest.mark.parametrize("step", range(7))
def test_a_resumed_run_sees_what_is_left(step):
    resumed = replace(PLAN, first_step=step)
    assert list(resumed) == list(PLAN)[step * 2 :]
    assert len(resumed) == len(list(resumed))


def test_two_processes_share_the_photos_of_each_step():
    own = [steps(replace(PLAN, process=process, processes=2)) for process in (0, 1)]
    assert [a | b for a, b in zip(*own, strict=True)] == steps(PLAN)
    assert not any(a & b for a, b in zip(*own, strict=True))


def test_a_smaller_micro_batch_changes_no_step():
    assert steps(replace(PLAN, micro_batch=1)) == steps(PLAN)


def test_another_seed_gives_another_order():
    assert list(replace(PLAN, seed=6)) != list(PLAN)
