"""Freed memory is handed out again: its pages need not be cleared anew."""

import platform
import subprocess
import sys

import pytest

from dpiqa_plugin.freed_memory import keep_freed_memory

FAULTS_OF_TEN_BLOCKS = """
import resource
import numpy as np
from dpiqa_plugin.freed_memory import keep_freed_memory
if {kept}:
    assert keep_freed_memory()
np.ones(64 << 20, np.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(64 << 20, np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*, kept):
    command = [sys.executable, "-c", FAULTS_OF_TEN_BLOCKS.format(kept=kept)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_large_blocks_are_handed_out_again():
    assert faults(kept=True) * 100 < faults(kept=False)


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
