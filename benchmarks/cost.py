"""What a photo costs a cluster: CPU seconds to read, decode and score.

    python benchmarks/cost.py            # a minute on a core, 0.2 GB of disk

CPU time of one process, all its threads: what else the machine does changes little. docs/scaling.md goes on
from here.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from photo_maker import make_jpegs

from dpiqa_desktop.engine.backends import create_backend
from dpiqa_desktop.engine.run import Stages, run
from dpiqa_desktop.engine.steps import Steps
from dpiqa_desktop.engine.store import Store
from dpiqa_desktop.events import Scored

SIZES = {"24 megapixels": (6000, 4000), "1 megapixel": (1200, 800)}


def main() -> None:
    """Print a line for each size of photo,."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photos", type=int, default=24, help="of each size (default: %(default)s)")
    asked = parser.parse_args()
    backend = create_backend("dpiqa_lite", cores=1)
    backend.load()
    print(f"{'':<16}{'MB':>6}{'read, decode':>14}{'and score':>11}  CPU s a photo")
    for name, size in SIZES.items():
        with tempfile.TemporaryDirectory() as folder:
            paths = make_jpegs(Path(folder), asked.photos, size)
            megabytes = sum(path.stat().st_size for path in paths) / len(paths) / 1e6
            steps = Steps(backend, Store(None))
            started = time.process_time()
            for path in paths:
                steps.prepare(str(path))
            decoding = (time.process_time() - started) / len(paths)
            started = time.process_time()
            events = list(run([str(path) for path in paths], steps, Stages(1, 9, 4)))
            whole = (time.process_time() - started) / len(paths)
            assert sum(isinstance(event, Scored) for event in events) == len(paths)
            print(f"{name:<16}{megabytes:>6.1f}{decoding:>14.4f}{whole:>11.4f}")


if __name__ == "__main__":
    main()
