"""How grouping grows with the number of photos: CPU time of ``group_bursts`` from 1,000 to 100,000.

Run ``python benchmarks/bursts.py``. Ten times the photos should take about ten times as long, on ordinary
folders and on the worst ones.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable

from dpiqa_desktop.engine.bursts import Shot, group_bursts

COUNTS = (1_000, 10_000, 100_000)
_SAME = 0x0123456789ABCDEF


def a_day_of_bursts(count: int) -> list[Shot]:
    """Bursts of one to twenty frames, some bits apart, a minute between them."""
    chance, shots, clock = random.Random(count), [], 0.0
    while len(shots) < count:
        scene, clock = chance.getrandbits(64), clock + 60
        for _ in range(chance.randint(1, 20)):
            clock += 0.2
            bits = sum(1 << bit for bit in chance.sample(range(64), 4))
            shots.append(Shot(f"{len(shots):09d}.jpg", chance.random(), clock, scene ^ bits))
    return shots[:count]


def unrelated_without_time(count: int) -> list[Shot]:
    """All different, compared by their fingerprints alone."""
    chance = random.Random(count)
    return [Shot(f"{n:09d}.jpg", chance.random(), None, chance.getrandbits(64)) for n in range(count)]


def equal_without_time(count: int) -> list[Shot]:
    """One fingerprint for all."""
    return [Shot(f"{n:09d}.jpg", 0.5, None, _SAME) for n in range(count)]


def crowded_without_time(count: int) -> list[Shot]:
    """All different, but for one band: every photo falls into one bucket with all others."""
    chance = random.Random(count)
    return [Shot(f"{n:09d}.jpg", 0.5, None, chance.getrandbits(48) << 16) for n in range(count)]


def unrelated_at_one_time(count: int) -> list[Shot]:
    """All different, all in the same second, as a wrong clock makes them."""
    chance = random.Random(count)
    return [Shot(f"{n:09d}.jpg", 0.5, 0.0, chance.getrandbits(64)) for n in range(count)]


def main() -> None:
    """Print seconds of CPU for each kind and count, and how much ten times the photos cost."""
    print(f"{'':24}" + "".join(f"{count:>12,}" for count in COUNTS) + f"{'growth':>16}")
    for make in (
        a_day_of_bursts,
        unrelated_without_time,
        equal_without_time,
        crowded_without_time,
        unrelated_at_one_time,
    ):
        seconds = [_cpu_seconds(make, count) for count in COUNTS]
        growth = ", ".join(f"x {after / before:.1f}" for before, after in itertools.pairwise(seconds))
        print(f"{make.__name__:24}" + "".join(f"{second:11.3f}s" for second in seconds) + f"{growth:>18}")


def _cpu_seconds(make: Callable[[int], list[Shot]], count: int) -> float:
    shots = make(count)
    start = time.process_time()
    group_bursts(shots, lower_better=False)
    return time.process_time() - start


if __name__ == "__main__":
    main()
