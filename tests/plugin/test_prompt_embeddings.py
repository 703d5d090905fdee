"""Prompt embeddings: computed by a (tiny) CLIP text tower, cached, or read from ready files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from makers.tiny_clip import save_tiny_clip
from safetensors.torch import load_file, save_file

from dpiqa_plugin.errors import WeightsError
from dpiqa_plugin.locate import cache_dir
from dpiqa_plugin.prompt_embeddings import (
    FILENAME,
    compute_prompt_embeddings,
    load_prompt_embeddings,
    save_prompt_embeddings,
)
from dpiqa_plugin.prompts import PROMPTS

READY = torch.randn(1485, 768, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Handing such tiny layers to threads takes ten times as long on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("clip")
    save_tiny_clip(folder)
    return str(folder)


@pytest.fixture(scope="module")
def computed(clip) -> torch.Tensor:
    return compute_prompt_embeddings(clip)


def test_every_prompt_is_embedded_in_order_whatever_batch_it_is_in(clip, computed):
    assert computed.shape == (1485, 768)
    assert computed.dtype == torch.float32
    assert not computed.requires_grad
    for index in (0, 32, 33, 1484):
        alone = compute_prompt_embeddings(clip, [PROMPTS[index]])[0]
        torch.testing.assert_close(computed[index], alone, rtol=1e-4, atol=1e-5)
    assert len(computed.round(decimals=4).unique(dim=0)) == 1485


def test_embeddings_are_projected_and_not_normalised(clip, computed):
    """Against the whole CLIP's own text features, another way through transformers."""
    from transformers import AutoTokenizer, CLIPModel

    tokens = AutoTokenizer.from_pretrained(clip)([PROMPTS[7]], return_tensors="pt")
    with torch.inference_mode():
        features = CLIPModel.from_pretrained(clip).get_text_features(**tokens)
    features = getattr(features, "pooler_output", features)  # transformers 5 returns them with more around
    torch.testing.assert_close(computed[7:8], features.clone(), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(computed.norm(dim=1), torch.ones(1485), atol=0.1)


def test_a_text_tower_without_its_projection_is_refused(clip, tmp_path):
    """transformers alone would fill it with random numbers and only warn."""
    folder = tmp_path / "clip"
    shutil.copytree(clip, folder)
    weights = load_file(folder / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"lacks text_projection\.weight"):
        compute_prompt_embeddings(str(folder), PROMPTS[:1])


def test_they_are_computed_once(clip, computed):
    first = load_prompt_embeddings(model=clip)
    assert torch.equal(first, computed)
    assert torch.equal(load_prompt_embeddings(model="no/such-model"), first)


def test_a_damaged_cache_is_refused():
    cached = cache_dir() / FILENAME
    save_prompt_embeddings(READY, cached)
    content = cached.read_bytes()
    cached.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(WeightsError, match="has changed"):
        load_prompt_embeddings()


def test_a_cache_that_cannot_be_written_does_not_stop_the_load(clip, computed, tmp_path, caplog):
    (tmp_path / "torch").touch()  # a file where the directory should be
    assert torch.equal(load_prompt_embeddings(model=clip), computed)
    assert "could not be written" in caplog.text


@pytest.mark.parametrize("content", [READY, {"c": READY}, READY.half(), READY.clone().requires_grad_()])
def test_a_ready_torch_file_is_read(content, tmp_path):
    torch.save(content, tmp_path / "ready.pt")
    loaded = load_prompt_embeddings(tmp_path / "ready.pt")
    assert loaded.dtype == torch.float32
    assert not loaded.requires_grad
    torch.testing.assert_close(loaded, READY, rtol=1e-3, atol=1e-3)


def test_a_ready_safetensors_file_is_read(tmp_path):
    save_file({"anything": READY}, tmp_path / "ready.safetensors")
    assert torch.equal(load_prompt_embeddings(str(tmp_path / "ready.safetensors")), READY)


def test_what_is_saved_can_be_passed(tmp_path):
    save_prompt_embeddings(READY, tmp_path / "new" / "ready.safetensors")
    assert torch.equal(load_prompt_embeddings(tmp_path / "new" / "ready.safetensors"), READY)


@pytest.mark.parametrize(
    "content",
    [
        READY[:-1],
        READY.T,
        READY[None],
        torch.full((1485, 768), torch.nan),
        torch.ones((1485, 768), dtype=torch.int64),
        {"a": READY, "b": READY},
        {},
    ],
    ids=["short", "transposed", "batch", "nan", "integer", "two", "none"],
)
def test_a_ready_file_of_something_else_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "ready.pt")
    with pytest.raises(WeightsError, match=r"ready\.pt must hold .*\(1485, 768\)"):
        load_prompt_embeddings(tmp_path / "ready.pt")


def test_a_ready_file_that_is_not_there(tmp_path):
    with pytest.raises(WeightsError, match=r"there is no file .*ready\.pt"):
        load_prompt_embeddings(tmp_path / "ready.pt")


@pytest.mark.parametrize(
    "hub",
    [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}],
    ids=["told to stay offline", "connection refused"],
)
def test_without_the_hub_the_message_says_what_to_do(hub, tmp_path):
    """In a process of its own: the hub's library reads its settings when it is imported."""
    program = "from dpiqa_plugin.prompt_embeddings import load_prompt_embeddings as load; load()"
    folders = {"HF_HOME": str(tmp_path / "hub"), "TORCH_HOME": str(tmp_path / "torch")}
    environment = {**os.environ, **folders, "NO_PROXY": "*", "no_proxy": "*", **hub}
    process = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    last = process.stderr.strip().splitlines()[-1]
    assert "WeightsError" in last, process.stderr
    assert "openai/clip-vit-large-patch14" in last
    assert str(Path(tmp_path, "torch", "hub", "pyiqa", FILENAME)) in last
    assert "prompt_embeddings=PATH" in last
