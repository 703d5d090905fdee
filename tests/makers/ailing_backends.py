"""What may go wrong with a model, for a process that scores: functions that make back ends, found by name."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
from makers.stand_in_backends import Brightness

from dpiqa_desktop.engine.backends import Judgement


class _FullGPU(Brightness):
    def judge(self, photos: list[np.ndarray], maps: bool = False) -> Judgement:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")


class _Killed(Brightness):
    """Dies at its ninth photo, as a program does that the system takes the memory from."""

    def judge(self, photos: list[np.ndarray], maps: bool = False) -> Judgement:
        if maps or self.judged + len(photos) > 8:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().judge(photos)


class _Faulty(Brightness):
    def load(self) -> None:
        raise ValueError("nobody expected this")


class _Slow(Brightness):
    def judge(self, photos: list[np.ndarray], maps: bool = False) -> Judgement:
        time.sleep(0.6)
        return super().judge(photos)


def healthy(metric: str, device: str) -> Brightness:
    return Brightness()


def slow(metric: str, device: str) -> Brightness:
    return _Slow()


def full_gpu(metric: str, device: str) -> Brightness:
    return _FullGPU()


def killed(metric: str, device: str) -> Brightness:
    return _Killed()


def faulty(metric: str, device: str) -> Brightness:
    return _Faulty()
