"""Telling weights files from others and whole ones from broken ones, as torch and safetensors write them."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from dpiqa_plugin import weights_file

TENSORS = {"a.weight": torch.arange(12.0).reshape(3, 4), "a.bias": torch.ones(3)}


def save_archive(path):
    torch.save(TENSORS, path)


def save_legacy(path):
    torch.save(TENSORS, path, _use_new_zipfile_serialization=False)


def save_safetensors(path):
    save_file(TENSORS, path, metadata={"format": "pt"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("weights_file")


@pytest.mark.parametrize("save", [save_archive, save_legacy, save_safetensors])
def test_whole_files_have_no_fault(save, tmp_path):
    save(tmp_path / "weights")
    assert weights_file.fault(tmp_path / "weights") is None
    assert weights_file.is_torch_archive(tmp_path / "weights") == (save is save_archive)
    assert weights_file.is_safetensors(tmp_path / "weights") == (save is save_safetensors)


@pytest.mark.parametrize("save", [save_archive, save_safetensors])
@given(kept=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_faulty(save, folder, kept):
    path = folder / save.__name__
    save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    assert weights_file.fault(path)


@pytest.mark.parametrize("save", [save_archive, save_safetensors])
def test_a_whole_file_put_behind_the_start_of_another_is_faulty(save, tmp_path):
    """What resuming against a server that ignores ranges leaves; zipfile alone would read it happily."""
    path = tmp_path / "weights"
    save(path)
    content = path.read_bytes()
    path.write_bytes(content[:100] + content)
    assert weights_file.fault(path) == "is cut off or damaged"


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><html>", b"\n  <html lang='en'>", b"<?xml version='1.0'?>"]
)
def test_a_web_page_is_called_that(page, tmp_path):
    (tmp_path / "weights.pth").write_bytes(page + b" " * 500)
    assert weights_file.fault(tmp_path / "weights.pth") == "is a web page, not a weights file"


@pytest.mark.parametrize("content", [b"", b"PK", b"\x89PNG\r\n\x1a\n" + bytes(99), bytes(500)])
def test_other_files_are_refused(content, tmp_path):
    (tmp_path / "weights.pth").write_bytes(content)
    assert weights_file.fault(tmp_path / "weights.pth") == "is neither a torch nor a safetensors file"


def test_a_file_that_cannot_hold_all_weights_is_refused(tmp_path):
    save_archive(tmp_path / "weights.pth")
    size = (tmp_path / "weights.pth").stat().st_size
    assert weights_file.fault(tmp_path / "weights.pth", min_size=size) is None
    assert "too small" in (weights_file.fault(tmp_path / "weights.pth", min_size=size + 1) or "")
