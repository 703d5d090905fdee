"""The command on a Ray cluster of two machines of one core each, which both are this one."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys

import pytest
from makers import dropped_interrupt
from makers.photos import save_photo
from pyarrow import parquet

from dpiqa_desktop.cli import main
from dpiqa_desktop.engine.backends import create_backend
from dpiqa_desktop.engine.machine import has_gpu
from dpiqa_desktop.engine.run import choose_stages, run
from dpiqa_desktop.engine.scan import scan
from dpiqa_desktop.engine.steps import Steps
from dpiqa_desktop.engine.store import Store
from dpiqa_desktop.events import Failed, Scored

pytest.importorskip("ray")

# In the cluster's processes, in place of a decoder's fault and of a machine that is taken away: whoever opens
# the one photo dies, whoever opens the other dies if nobody has before.
KILLER = """
import builtins, os, signal

_open = builtins.open


def open_or_die(file, *args, **kwargs):
    name = os.path.basename(file) if isinstance(file, str) else ""
    if name == "always.jpg" or (name == "once.jpg" and not os.path.exists(file + ".seen")):
        _open(file + ".seen", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return _open(file, *args, **kwargs)


builtins.open = open_or_die
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Its address."""
    from ray.cluster_utils import Cluster

    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text(KILLER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, sys.path)]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_BACKEND_LOG_LEVEL", "fatal")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        # Ray believes what it is told: there is no GPU.
        cluster.add_node(num_cpus=1, num_gpus=1)
        yield cluster.address
        cluster.shutdown()


@pytest.fixture(scope="module")
def photos(tmp_path_factory, request):
    """Forty photos: one broken, one that kills its process once, one that does whenever it is opened."""
    folder = tmp_path_factory.mktemp("photos")
    shutil.copytree(request.config.rootpath / "examples" / "photos", folder / "examples")
    for seed in range(26):
        save_photo(folder / f"{seed:02d}.jpg", seed, (600, 400))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    for name in ("always.jpg", "once.jpg"):
        save_photo(folder / name, 99)
    return folder


@pytest.fixture(scope="module")
def local(photos):
    """What the engine of one machine says, by path."""
    backend = create_backend("dpiqa_lite")
    events = run(scan([str(photos)]).photos, Steps(backend, Store(None)), choose_stages(backend))
    return {event.path: event for event in events if isinstance(event, (Scored, Failed))}


@pytest.fixture(scope="module")
def job(cluster, photos, tmp_path_factory):
    """Arguments of a job that has run, its exit code, and the folder with its scores."""
    out = tmp_path_factory.mktemp("job") / "scores"
    arguments = ["--ray", cluster, str(photos), "--out", str(out), "--part-size", "4"]
    return arguments, batch(*arguments).returncode, out


def batch(*arguments):
    """Run the command in a process of its own: this one must not speak to a cluster on another address."""
    command = [sys.executable, "-m", "dpiqa_desktop", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


needs_no_gpu = pytest.mark.skipif(
    has_gpu() or importlib.util.find_spec("torch") is None, reason="there is a GPU, or no torch"
)
needs_kill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no kill -9")


@needs_kill
def test_scores_are_those_of_one_machine_though_processes_die(job, photos, local):
    _, code, out = job
    rows = {row["path"]: row for row in parquet.read_table(out).to_pylist()}
    assert code == 1
    assert len(rows) == len(local) == 41
    assert (photos / "once.jpg.seen").exists()
    for path, event in local.items():
        row = rows.pop(path)
        assert row["model"].startswith("dpiqa_lite-")
        if os.path.basename(path) == "always.jpg":
            assert row["score"] is None
            assert row["error"].startswith("the process that was scoring it died")
        elif isinstance(event, Failed):
            assert (row["score"], row["error"]) == (None, event.reason)
        else:
            assert (row["score"], row["error"]) == (event.score, None)
    assert not rows


@needs_kill
def test_a_rerun_does_only_what_is_missing(job):
    arguments, _, out = job
    parts = sorted(out.glob("part-*"))
    parts[3].unlink()
    before = {path: path.stat().st_mtime_ns for path in parts if path.exists()}
    assert len(before) == 10
    done = batch(*arguments)
    assert done.returncode == 1
    assert "4 photos scored, 35 known from before, 2 failed" in done.stderr
    assert sorted(out.glob("part-*")) == parts
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_another_job_does_not_touch_what_is_there(job, photos):
    arguments, _, out = job
    before = {path: path.read_bytes() for path in out.iterdir()}
    done = batch(*arguments[:2], str(photos / "examples"), *arguments[3:])
    assert done.returncode == 2
    assert "holds scores of another job, with source" in done.stderr
    assert {path: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to raise in a process")
def test_an_interrupt_that_python_drops_ends_the_job(cluster, photos, tmp_path):
    out = tmp_path / "out"
    arguments = ["--ray", cluster, str(photos / "examples"), "--out", str(out), "--part-size", "1"]
    command = [sys.executable, dropped_interrupt.__file__, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 130, done.stderr
    assert "interrupted: " in done.stderr
    assert len(list(out.glob("part-*"))) < len(list((photos / "examples").glob("*.*")))


def test_no_cluster_at_that_address(tmp_path, photos, capsys):
    assert main(["--ray", "127.0.0.1:1", str(photos), "--out", str(tmp_path / "out")]) == 2
    assert "no cluster answers there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("gpus", "message"),
    [
        ("2", "no machine of the cluster has 2 GPUs and 4 cores for a model"),
        pytest.param("0.5", "the device cuda cannot be used here", marks=needs_no_gpu),
    ],
)
def test_a_gpu_that_is_not_there(gpus, message, cluster, photos, tmp_path):
    done = batch("--ray", cluster, str(photos), "--out", str(tmp_path / "out"), "--num-gpus", gpus)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_half_a_gpu_to_a_model_that_may_run_without(cluster, photos, tmp_path):
    """The machine that has one gives it, to a model on its CPU."""
    out = tmp_path / "out"
    arguments = ["--ray", cluster, str(photos / "examples"), "--out", str(out), "--part-size", "4"]
    done = batch(*arguments, "--num-gpus", "0.5", "--device", "cpu")
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0)
    assert parquet.read_table(out)["score"].null_count == 0
