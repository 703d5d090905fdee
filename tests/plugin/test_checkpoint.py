"""Reading checkpoints: every container and wrapping in use; nothing that does not fit, nothing that runs."""

import json
import os
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dpiqa_plugin import fingerprint
from dpiqa_plugin.checkpoint import load_state_dict
from dpiqa_plugin.errors import WeightsError

TENSORS = {
    "conv.weight": torch.rand(4, 3, 3, 3),
    "conv.bias": torch.rand(4),
    "norm.num_batches_tracked": torch.tensor(7),
    "fc.weight": torch.rand(2, 8, dtype=torch.float16),
}
EXPECTED = {key: tuple(tensor.shape) for key, tensor in TENSORS.items()}
PREFIXED = {f"module.{key}": tensor for key, tensor in TENSORS.items()}
TEXT_TOWER = {"text_encoder.text_model.embeddings.weight": torch.rand(5, 2)}


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "weights.pth"


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        load_state_dict(path, EXPECTED)
    assert str(path) in str(caught.value)
    return str(caught.value)


def assert_loads(path: Path) -> None:
    loaded = load_state_dict(path, EXPECTED)
    assert list(loaded) == list(EXPECTED)
    for key, tensor in TENSORS.items():
        assert loaded[key].dtype == tensor.dtype
        assert torch.equal(loaded[key], tensor)


@pytest.mark.parametrize(
    "content",
    [
        TENSORS,
        PREFIXED,
        {"params": TENSORS},
        {"state_dict": PREFIXED, "epoch": 3},
        {**TENSORS, **TEXT_TOWER},
        {"params": {**PREFIXED, **{f"module.{key}": tensor for key, tensor in TEXT_TOWER.items()}}},
        dict(reversed(TENSORS.items())),
    ],
    ids=["plain", "module.", "params", "state_dict, module.", "text tower", "all at once", "other order"],
)
@pytest.mark.parametrize("archive", [True, False], ids=["archive", "legacy"])
def test_torch_files_load(content, archive, path):
    torch.save(content, path, _use_new_zipfile_serialization=archive)
    assert_loads(path)


@pytest.mark.parametrize("content", [TENSORS, PREFIXED, {**TENSORS, **TEXT_TOWER}])
def test_safetensors_load_whatever_the_file_is_called(content, path):
    save_file(content, path)
    assert_loads(path)


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's list of mapped files")
def test_a_torch_archive_is_mapped_not_copied(path):
    torch.save(TENSORS, path)
    loaded = load_state_dict(path, EXPECTED)
    assert str(path) in Path("/proc/self/maps").read_text()
    del loaded


def test_a_missing_tensor_is_named(path):
    torch.save({key: tensor for key, tensor in TENSORS.items() if key != "fc.weight"}, path)
    assert "1 missing (fc.weight)" in refusal(path)


def test_the_first_few_unknown_tensors_are_named(path):
    torch.save({**TENSORS, **{f"other.{i}": torch.ones(1) for i in range(9)}}, path)
    assert "9 unknown (other.0, other.1, other.2, ...)" in refusal(path)


def test_a_tensor_of_another_shape_is_named_with_both_shapes(path):
    torch.save({**TENSORS, "fc.weight": torch.rand(2, 9)}, path)
    assert "1 of another shape (fc.weight (2, 9) instead of (2, 8))" in refusal(path)


def test_something_else_under_a_tensors_name_is_refused(path):
    torch.save({**TENSORS, "fc.weight": [1.0, 2.0]}, path)
    assert "fc.weight list instead of (2, 8)" in refusal(path)


@pytest.mark.parametrize("content", [torch.ones(3), [torch.ones(3)], {1: torch.ones(3)}])
def test_what_is_not_a_state_dict_is_refused(content, path):
    torch.save(content, path)
    assert "not a state dict" in refusal(path)


class _Intruder:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("archive", [True, False], ids=["archive", "legacy"])
def test_a_program_hidden_in_a_checkpoint_is_not_run(archive, path, tmp_path):
    trace = tmp_path / "it ran"
    torch.save({**TENSORS, "x": _Intruder(trace)}, path, _use_new_zipfile_serialization=archive)
    assert "holds more than tensors" in refusal(path)
    assert not trace.exists()


def test_a_file_that_changed_since_its_sha256_was_recorded_is_refused(path):
    torch.save(TENSORS, path)
    fingerprint.record(path)
    assert_loads(path)
    content = bytearray(path.read_bytes())
    content[content.index(TENSORS["conv.weight"].numpy().tobytes())] ^= 1
    path.write_bytes(content)
    assert "has changed since its SHA-256 was recorded" in refusal(path)


@pytest.mark.parametrize("archive", [True, False], ids=["archive", "legacy"])
@pytest.mark.parametrize("kept", [0.4, 0.9, 0.999])
def test_a_file_cut_off_is_called_damaged(kept, archive, path):
    torch.save(TENSORS, path, _use_new_zipfile_serialization=archive)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    reason = refusal(path)
    assert "is cut off or damaged" in reason
    assert "If it was downloaded, delete it" in reason
    assert reason.endswith("otherwise give another file")  # it may be the user's own


def test_a_web_page_saved_by_hand_is_recognised(path):
    path.write_text("<!DOCTYPE html><html><title>Google Drive - Virus scan warning</title></html>")
    assert "is a web page" in refusal(path)


def test_no_file(path):
    assert "there is no file" in refusal(path)


@pytest.mark.parametrize("architecture", ["student", "teacher"])
def test_a_file_of_the_published_keys_and_shapes_loads(architecture, path, shared):
    table = json.loads((shared / "reference" / f"{architecture}_state_dict.json").read_text())
    expected = {key: tuple(shape) for key, shape in table.items()}
    # Full shapes in a small file: each tensor repeats one stored number.
    torch.save({key: torch.zeros(()).expand(shape) for key, shape in expected.items()}, path)
    loaded = load_state_dict(path, expected)
    assert {key: tuple(tensor.shape) for key, tensor in loaded.items()} == expected
