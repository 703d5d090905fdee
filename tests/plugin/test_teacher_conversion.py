"""The teacher's converted copy: half the size, same on every start, rebuilt when stale, never in the way."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dpiqa_plugin import fingerprint
from dpiqa_plugin.errors import WeightsError
from dpiqa_plugin.teacher_conversion import converted_path, load_teacher


def tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    """A small checkpoint with a tensor of every kind that a teacher has."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        "gamma": (768,),
        "vae.encoder.conv_in.weight": (64, 3, 3, 3),
        "vae.decoder.conv_in.weight": (128, 4, 3, 3),
        "vae.post_quant_conv.weight": (4, 4, 1, 1),
        "unet.time_embedding.linear_1.weight": (320, 320),
        "QFD.fc3.bias": (1,),
    }
    return {key: torch.randn(shape, generator=generator) for key, shape in shapes.items()}


EXPECTED = {key: tuple(tensor.shape) for key, tensor in tensors().items()}
KEPT = [key for key in EXPECTED if not key.startswith(("vae.decoder.", "vae.post_quant_conv."))]


@pytest.fixture
def path(tmp_path) -> Path:
    torch.save(tensors(), tmp_path / "dpiqa_koniq.pth")
    return tmp_path / "dpiqa_koniq.pth"


def assert_equal(loaded: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert list(loaded) == list(other)
    assert all(
        torch.equal(loaded[key], other[key]) and loaded[key].dtype == other[key].dtype for key in other
    )


def overwrite_tensors_of(original: Path) -> None:
    """Make the original useless without a visible change, so that what loads after it came from the copy."""
    status = original.stat()
    original.write_bytes(b"\0" * status.st_size)
    os.utime(original, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_first_and_later_starts_give_the_same_tensors(path):
    first = load_teacher(path, EXPECTED)
    overwrite_tensors_of(path)
    assert_equal(load_teacher(path, EXPECTED), first)


def test_the_copy_serves_alone(path):
    first = load_teacher(path, EXPECTED)
    path.unlink()
    assert_equal(load_teacher(converted_path(path), EXPECTED), first)


def test_the_copy_has_half_the_size_and_no_decoder(path):
    loaded = load_teacher(path, EXPECTED)
    assert list(loaded) == KEPT
    assert sorted(load_file(converted_path(path))) == sorted(KEPT)
    assert converted_path(path).stat().st_size < 0.5 * path.stat().st_size


def test_only_matrices_and_convolutions_are_rounded(path):
    loaded = load_teacher(path, EXPECTED)
    for key in KEPT:
        original = tensors()[key]
        assert loaded[key].dtype == (torch.float32 if original.dim() < 2 else torch.float16)
        # Half of float16's spacing, 2**-10 at most; below its normal range 2**-25 at most.
        torch.testing.assert_close(loaded[key].float(), original, rtol=2**-11, atol=2**-25)


def test_numbers_beyond_float16_stay_as_they_are(path):
    big = {**tensors(), "unet.time_embedding.linear_1.weight": torch.full((320, 320), 70000.0)}
    torch.save(big, path)
    assert load_teacher(path, EXPECTED)["unet.time_embedding.linear_1.weight"].max() == 70000


def test_a_replaced_original_is_converted_again(path):
    load_teacher(path, EXPECTED)
    torch.save(tensors(seed=1), path)
    assert torch.equal(load_teacher(path, EXPECTED)["gamma"], tensors(seed=1)["gamma"])
    overwrite_tensors_of(path)
    assert torch.equal(load_teacher(path, EXPECTED)["gamma"], tensors(seed=1)["gamma"])


def test_a_damaged_copy_is_made_again(path, caplog):
    first = load_teacher(path, EXPECTED)
    whole = converted_path(path).read_bytes()
    converted_path(path).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert_equal(load_teacher(path, EXPECTED), first)
    assert "Converting" in caplog.text
    overwrite_tensors_of(path)
    assert_equal(load_teacher(path, EXPECTED), first)


def test_a_damaged_copy_without_its_original_is_refused(path):
    load_teacher(path, EXPECTED)
    path.unlink()
    whole = converted_path(path).read_bytes()
    converted_path(path).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(WeightsError, match="has changed"):
        load_teacher(converted_path(path), EXPECTED)


def test_a_copy_cut_off_by_a_crash_is_made_again(path):
    first = load_teacher(path, EXPECTED)
    converted_path(path).write_bytes(converted_path(path).read_bytes()[:1000])
    fingerprint.record_path(converted_path(path)).unlink()
    assert_equal(load_teacher(path, EXPECTED), first)


def test_a_copy_that_cannot_be_written_does_not_stop_the_load(path, caplog):
    """The limit on file sizes stands for a full disk: the write really fails half-way."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        loaded = load_teacher(path, EXPECTED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "could not be written" in caplog.text
    assert list(path.parent.iterdir()) == [path]
    assert_equal(loaded, load_teacher(path, EXPECTED))


def test_safetensors_are_read_as_they_are(tmp_path):
    path = tmp_path / "mine.safetensors"
    save_file(tensors(), path)
    assert_equal(load_teacher(path, EXPECTED), {key: tensors()[key] for key in KEPT})
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_of_another_model_is_refused_and_not_converted(path):
    with pytest.raises(WeightsError, match=r"1 missing \(unet\.extra\.weight\)"):
        load_teacher(path, {**EXPECTED, "unet.extra.weight": (1,)})
    assert not converted_path(path).exists()


def test_all_published_keys_but_the_decoders_are_kept(shared, tmp_path):
    table = json.loads((shared / "reference" / "teacher_state_dict.json").read_text())
    expected = {key: tuple(min(side, 4) for side in shape) for key, shape in table.items()}
    torch.save({"params": {key: torch.ones(shape) for key, shape in expected.items()}}, tmp_path / "full.pth")
    kept = [key for key in expected if not key.startswith(("vae.decoder.", "vae.post_quant_conv."))]
    assert len(expected) == 1016
    assert list(load_teacher(tmp_path / "full.pth", expected)) == kept
    assert list(load_teacher(tmp_path / "full.pth", expected)) == kept
