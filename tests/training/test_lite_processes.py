"""Several processes train ``dpiqa_lite`` as one does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from makers import shared_step, tiny_training
from makers.event_log import logged


def launch(script: str, folder: Path) -> None:
    """Run a maker in two processes on the CPU."""
    variables = {"ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": str(torch.get_num_threads())}
    environment = {**os.environ, **variables, "PYTHONPATH": os.pathsep.join(sys.path)}
    # What accelerate launch starts on GPUs; on CPUs it wants MPI instead.
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run([*line, script, str(folder)], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_two_processes_have_the_gradients_of_one(tmp_path):
    alone = shared_step.gradients()
    assert len(alone) > 20
    launch(shared_step.__file__, tmp_path)
    for rank in range(2):
        shared = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert shared.keys() == alone.keys()
        for name, value in alone.items():
            # Sums over photos go in another order.
            torch.testing.assert_close(shared[name], value, rtol=1e-3, atol=1e-5 * float(value.abs().max()))


def test_two_processes_have_the_losses_of_one(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    tiny_training.train(one)
    two.mkdir()
    launch(tiny_training.__file__, two)
    expected, found = (logged(folder / "tensorboard", "training/loss") for folder in (one, two))
    assert len(list((two / "tensorboard").iterdir())) == 1
    assert found.keys() == expected.keys() == set(range(1, 7))
    assert found[1] == pytest.approx(expected[1], rel=1e-5)
    # Scores are bfloat16, in steps of 1/256: what differs in the last bit of a weight may move them by one.
    assert found == pytest.approx(expected, abs=2e-3)
