"""The SHA-256 beside a weights file: it finds a single changed bit, and never gets in the way."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dpiqa_plugin import fingerprint
from dpiqa_plugin.errors import WeightsError


@pytest.fixture
def weights(tmp_path) -> Path:
    path = tmp_path / "weights.pth"
    path.write_bytes(os.urandom(3_000_000))
    return path


def test_an_unchanged_file_passes(weights):
    fingerprint.check(weights)  # there is no record yet
    fingerprint.record(weights)
    fingerprint.check(weights)
    assert sorted(path.name for path in weights.parent.iterdir()) == ["weights.pth", "weights.pth.sha256"]


def test_one_changed_bit_is_found_though_size_and_date_are_the_same(weights):
    fingerprint.record(weights)
    status = weights.stat()
    content = bytearray(weights.read_bytes())
    content[2_000_000] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(WeightsError, match=r"weights\.pth has changed since .*delete .*weights\.pth\.sha256"):
        fingerprint.check(weights)


def test_recording_again_accepts_a_file_replaced_on_purpose(weights):
    fingerprint.record(weights)
    weights.write_bytes(b"other weights")
    fingerprint.record(weights)
    fingerprint.check(weights)


def test_an_emptied_record_does_not_pass(weights):
    fingerprint.record_path(weights).touch()
    with pytest.raises(WeightsError):
        fingerprint.check(weights)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_sha256sum_can_check_the_record(weights):
    fingerprint.record(weights)
    subprocess.run(["sha256sum", "--check", "weights.pth.sha256"], cwd=weights.parent, check=True)


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a folder where not even root can write")
def test_a_file_on_a_read_only_disk_is_used_without_a_record():
    fingerprint.record(Path("/proc/version"))
    fingerprint.check(Path("/proc/version"))
