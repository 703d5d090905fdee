"""How fast dpiqa-batch is, beside what limits it and what it replaces, in one run on this machine.

    python benchmarks/engine.py                    # about 15 minutes on 2 cores, 4 GB of disk
    python benchmarks/engine.py --photos 16 --growth 100 1000

Needs ``pip install ".[pyiqa]" psutil``. Every run of dpiqa-batch has a store of its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
from photo_maker import make_jpegs

CAMERA = (6000, 4000)
SMALL = (1200, 800)
METRIC = "dpiqa_lite"


@dataclass(frozen=True)
class Measured:
    """One run of ``dpiqa-batch``: wall time in s, most memory of all its processes in MB."""

    seconds: float
    memory: float


def main() -> None:
    """Print the table of photos a second, then memory, first score, rescan and growth."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=200, help="24-MP JPEGs to score (default: %(default)s)")
    parser.add_argument("--loop", type=int, default=12, help="of them for the loops (default: %(default)s)")
    parser.add_argument(
        "--growth", type=int, nargs="*", default=[100, 1000, 10_000], help="numbers of 1-MP JPEGs"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        compare(Path(scratch), asked.photos, asked.loop)
        grow(Path(scratch), asked.growth)


def compare(scratch: Path, count: int, loop: int) -> None:
    """Batch, decoding alone, and the loops that pyiqa's users write, on the same 24-MP JPEGs."""
    folder = scratch / "camera"
    paths = make_jpegs(folder, count, CAMERA)
    size = sum(path.stat().st_size for path in paths) / count / 1e6
    print(f"{count} JPEGs of {CAMERA[0]} x {CAMERA[1]}, {size:.1f} MB each, {os.cpu_count()} cores")
    batch = run_batch(folder, scratch / "camera-data")
    single = run_batch(paths[0], scratch / "single-data")
    ours = count / batch.seconds
    rates = {
        "(a) dpiqa-batch": ours,
        "(b) decoding alone, same decoder and workers": count / seconds_to_decode(paths),
        "(c) pyiqa loop, dpiqa_lite": loop / seconds_to_loop(paths[:loop], lite_in_pyiqa()),
        "(d) pyiqa loop, NIMA on MobileNetV2 (3.5 M parameters, random weights)": loop
        / seconds_to_loop(paths[:loop], nima_in_pyiqa()),
    }
    for name, rate in rates.items():
        print(f"{rate:8.2f} photos/s  {rate / ours:5.2f} of (a)  {name}")
    print(f"(a) is {ours / rates['(b) decoding alone, same decoder and workers']:.2f} of (b)", end=", ")
    print(f"{ours / rates['(c) pyiqa loop, dpiqa_lite']:.1f} times (c)")
    print(f"peak memory {batch.memory:.0f} MB, a single photo takes {single.seconds:.2f} s in all")


def grow(scratch: Path, counts: list[int]) -> None:
    """More and more photos: photos/s, memory, and a second run that finds nothing to do."""
    print(f"\nJPEGs of {SMALL[0]} x {SMALL[1]}")
    print(f"{'photos':>8}{'s':>9}{'photos/s':>10}{'MB':>7}{'rescan s':>10}")
    for count in counts:
        folder, data = scratch / f"small-{count}", scratch / f"small-{count}-data"
        make_jpegs(folder, count, SMALL)
        first, second = run_batch(folder, data), run_batch(folder, data)
        print(
            f"{count:>8}{first.seconds:>9.1f}{count / first.seconds:>10.1f}{first.memory:>7.0f}"
            f"{second.seconds:>10.2f}",
            flush=True,
        )
        shutil.rmtree(folder)


def run_batch(target: Path, data: Path) -> Measured:
    """Run the command with its results into a file, as a user's script would."""
    command = [sys.executable, "-m", "dpiqa_desktop", str(target), "--quiet", "--csv", f"{data}.csv"]
    started = time.perf_counter()
    homes = {"XDG_CACHE_HOME": f"{data}/cache", "XDG_DATA_HOME": str(data)}
    with subprocess.Popen(command, env={**os.environ, **homes}) as process:
        memory = 0.0
        while process.poll() is None:
            memory = max(memory, tree_memory(process.pid))
            time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Measured(time.perf_counter() - started, memory)


def tree_memory(pid: int) -> float:
    """Resident memory of a process and all its children in MB; shared pages count for each."""
    try:
        process = psutil.Process(pid)
        return sum(part.memory_info().rss for part in [process, *process.children(recursive=True)]) / 1e6
    except psutil.Error:  # gone in between
        return 0.0


def seconds_to_decode(paths: list[Path]) -> float:
    """The decoder threads' work alone, with as many threads."""
    from dpiqa_desktop.engine.decode import decode
    from dpiqa_desktop.engine.machine import usable_cores
    from dpiqa_plugin.preprocess import LITE_INPUT_SIZE

    started = time.perf_counter()
    with ThreadPoolExecutor(usable_cores()) as pool:
        for _ in pool.map(lambda path: decode(str(path), LITE_INPUT_SIZE), paths):
            pass
    return time.perf_counter() - started


def seconds_to_loop(paths: list[Path], metric: Callable[[str], object]) -> float:
    """One path after the other, as pyiqa's documentation shows it, after one call to warm up."""
    metric(str(paths[0]))
    started = time.perf_counter()
    for path in paths:
        metric(str(path))
    return time.perf_counter() - started


def lite_in_pyiqa() -> Callable[[str], object]:
    """The same metric through pyiqa, on torch."""
    import pyiqa

    return pyiqa.create_metric(METRIC, device="cpu")


def nima_in_pyiqa() -> Callable[[str], object]:
    """Another CNN metric of pyiqa's, with random weights: its own would have to be downloaded."""
    import pyiqa
    import timm

    create = timm.create_model
    timm.create_model = lambda name, pretrained, **options: create(name, pretrained=False, **options)
    try:
        return pyiqa.create_metric("nima", device="cpu", base_model_name="mobilenetv2_100", pretrained=False)
    finally:
        timm.create_model = create


if __name__ == "__main__":
    main()
