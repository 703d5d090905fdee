"""Exports replace good files by whole ones, and leave alone what they were given."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from makers import killed_export
from makers.full_disk import full_disk
from safetensors.torch import load_file, save_file

from dpiqa_plugin import fingerprint
from dpiqa_plugin.errors import WeightsError
from dpiqa_plugin.models.lite import BUNDLED_WEIGHTS, Lite, load_lite
from dpiqa_plugin.openvino_ir import IDENTITY, IDENTITY_KEY
from dpiqa_plugin.unwatched_openvino import openvino
from dpiqa_plugin.weights_file import ABOUT_KEY
from dpiqa_training.export import export_lite, export_teacher

LITE = ("lite.onnx", "lite.safetensors")
TEACHER = "dpiqa_teacher.safetensors"


@pytest.fixture
def exported(tmp_path) -> Path:
    """A folder with an earlier export of ``dpiqa_lite``."""
    folder = tmp_path / "exported"
    folder.mkdir()
    for name in LITE:
        shutil.copy(BUNDLED_WEIGHTS.with_name(name), folder)
    return folder


@pytest.fixture
def other() -> Lite:
    model = load_lite()
    with torch.no_grad():
        model.head.to_score.bias.add_(1)
    return model


@pytest.fixture(scope="module")
def in_training() -> Lite:
    """The model that ``written`` is the export of; ``dpiqa_lite`` in training mode."""
    return load_lite().train()


@pytest.fixture(scope="module")
def written(in_training, tmp_path_factory) -> Path:
    """A folder with a new export of ``dpiqa_lite``; exporting takes seconds."""
    folder = tmp_path_factory.mktemp("written")
    export_lite(in_training, folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def kill_before(name: str, *arguments: object) -> None:
    line = [sys.executable, killed_export.__file__, name, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def save_teacher(path: Path, value: float) -> Path:
    save_file({"x": torch.full((2, 2), value)}, path, metadata={ABOUT_KEY: '{"model": "teacher"}'})
    return path


def test_the_model_that_is_exported_stays_as_it_is(written, in_training):
    expected, after = load_lite().state_dict(), in_training.state_dict()
    assert all(torch.equal(after[name], value) for name, value in expected.items())
    assert in_training.training
    assert sorted(contents(written)) == list(LITE)
    assert len(list(written.iterdir())) == len(LITE)


def test_the_onnx_file_names_its_weights_and_is_half_the_size_of_float32(written):
    file = onnx.load(written / "lite.onnx")
    said = {entry.key: entry.value for entry in file.metadata_props}
    assert said == {IDENTITY_KEY: fingerprint.sha256(written / "lite.safetensors")}
    weights = sum(value.numel() for value in load_file(written / "lite.safetensors").values())
    assert file.ByteSize() < 2.1 * weights


def test_the_onnx_file_tells_nothing_of_the_code_it_was_made_by_and_where_that_lay(written):
    content = (written / "lite.onnx").read_bytes()
    assert b"site-packages" not in content
    assert b"lite.py" not in content


def test_the_onnx_file_takes_any_number_of_photos_and_scores_each_as_alone(written):
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Core().compile_model(written / "lite.onnx", "CPU", exact)
    photos = np.random.default_rng(0).integers(0, 256, (3, 384, 384, 3), dtype=np.uint8)
    together = model({"photo": photos})
    assert [together[name].shape for name in ("score", "map", "deviation")] == [
        (3, 1),
        (3, 8, 48, 48),
        (3, 1),
    ]
    alone = np.concatenate([model({"photo": photo[None]})["score"] for photo in photos])
    np.testing.assert_allclose(together["score"], alone, atol=1e-5)


def test_exports_may_be_read_by_those_who_may_read_any_new_file(tmp_path):
    (tmp_path / "any").touch()
    written = export_teacher(save_teacher(tmp_path / "teacher.safetensors", 1), tmp_path)
    assert written.stat().st_mode == (tmp_path / "any").stat().st_mode


def test_an_export_that_finds_no_room_leaves_the_earlier_one(exported, other):
    before = contents(exported)
    with full_disk(1_000_000), pytest.raises(WeightsError, match="make room"):
        export_lite(other, exported)
    assert contents(exported) == before
    assert len(list(exported.iterdir())) == 2


def test_a_kill_between_the_files_of_lite_leaves_whole_ones_that_do_not_mix(exported, other, tmp_path):
    before = contents(exported)
    save_file(other.state_dict(), tmp_path / "other.safetensors")
    kill_before("lite.onnx", "lite", tmp_path / "other.safetensors", "--out", exported)
    after = contents(exported)
    assert after["lite.onnx"] == before["lite.onnx"]
    assert load_file(exported / "lite.safetensors")["head.to_score.bias"] != load_lite().head.to_score.bias
    network = openvino.Core().read_model(exported / "lite.onnx")
    named = network.get_rt_info(IDENTITY).astype(str)
    assert named != fingerprint.sha256(exported / "lite.safetensors")


@pytest.mark.parametrize(("before", "expected"), [(TEACHER, 1), (f"{TEACHER}.sha256", 2)])
def test_a_killed_export_leaves_no_weights_beside_the_hash_of_others(before, expected, tmp_path):
    out = tmp_path / "out"
    export_teacher(save_teacher(tmp_path / "teacher.safetensors", 1), out)
    kill_before(before, "teacher", save_teacher(tmp_path / "teacher.safetensors", 2), "--out", out)
    assert load_file(out / TEACHER)["x"].unique().tolist() == [expected]
    fingerprint.check(out / TEACHER)
    assert fingerprint.of(out / TEACHER) == fingerprint.sha256(out / TEACHER)
