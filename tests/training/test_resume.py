"""A run that is killed and started again ends with the losses of one that was left alone."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from accelerate.state import AcceleratorState
from makers.event_log import logged
from makers.tiny_papers import STUDENT, TEACHER, save_recipe, save_tiny_koniq

from dpiqa_plugin.weights_file import about
from dpiqa_training.cli import main

# Long enough that the kill, at the first checkpoint, hits in the middle.
CONFIGS = {"teacher": replace(TEACHER, epochs=6, lr=1e-4), "student": replace(STUDENT, epochs=6, lr=1e-4)}


@pytest.fixture(autouse=True)
def _fresh_accelerator():
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def koniq(tmp_path_factory):
    return save_tiny_koniq(tmp_path_factory.mktemp("koniq"))


def command(model, koniq, recipe, out):
    places = ["--data", koniq, "--config", recipe, "--out", out]
    return [*map(str, [model, "--dataset", "koniq", *places]), "--reduced", "--workers", "0"]


def start(*arguments, launcher=(), **variables):
    # As many threads as this process: sums in another order would differ in the last bits.
    environment = {**os.environ, **variables, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    line = [sys.executable, *launcher, "-m", "dpiqa_training.cli", *arguments]
    return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def kill_at_first_checkpoint(process, out):
    while not (out / "checkpoint.pt").exists() and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    output, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL, output.decode()


def losses(out):
    return logged(out / "tensorboard", "training/loss")


@pytest.mark.parametrize("model", ["teacher", "student"])
def test_a_killed_run_goes_on_with_identical_losses(model, koniq, tmp_path, capsys):
    recipe = save_recipe(tmp_path / "recipe.toml", CONFIGS[model])
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main(command(model, koniq, recipe, whole)) == 0
    kill_at_first_checkpoint(start(*command(model, koniq, recipe, killed)), killed)
    step = torch.load(killed / "checkpoint.pt", weights_only=True)["step"]
    assert 0 < step < 12
    assert main(command(model, koniq, recipe, killed)) == 0, capsys.readouterr().err
    assert list(losses(killed)) == list(range(1, 13))
    assert losses(killed) == losses(whole)
    assert logged(killed / "tensorboard", "validation/srcc") == logged(
        whole / "tensorboard", "validation/srcc"
    )
    ends = [torch.load(out / "checkpoint.pt", weights_only=True)["model"] for out in (whole, killed)]
    for name, value in ends[0].items():
        assert torch.equal(value, ends[1][name]), name
    assert about(killed / f"{model}.safetensors")["dataset"] == "koniq"
    assert (killed / f"{model}.safetensors").read_bytes() == (whole / f"{model}.safetensors").read_bytes()


def test_two_processes_have_the_losses_of_one(koniq, tmp_path):
    config = replace(TEACHER, epochs=2, lr=1e-4)
    recipe = save_recipe(tmp_path / "recipe.toml", config)
    assert main(command("teacher", koniq, recipe, tmp_path / "one")) == 0
    # What accelerate launch starts on GPUs; on CPUs it wants MPI instead.
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    both = start(
        *command("teacher", koniq, recipe, tmp_path / "two"), launcher=launch, ACCELERATE_USE_CPU="1"
    )
    output, _ = both.communicate()
    assert both.returncode == 0, output.decode()
    # Two gradients of two photos are averaged by gloo instead of summed here: another order of sums.
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-3)
    state = torch.load(tmp_path / "two" / "checkpoint.pt", weights_only=True)
    assert len(state["random"]) == state["processes"] == 2
