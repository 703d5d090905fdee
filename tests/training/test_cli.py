"""What dpiqa-train says where something is missing, and what its small commands write."""

import sys

import pytest
import torch
from makers.tiny_clip import save_tiny_clip
from makers.tiny_papers import save_tiny_koniq
from safetensors.torch import load_file, save_file

from dpiqa_plugin import fingerprint
from dpiqa_plugin.prompt_embeddings import load_prompt_embeddings
from dpiqa_plugin.weights_file import ABOUT_KEY, about
from dpiqa_training.cli import main


@pytest.fixture
def koniq(tmp_path):
    return save_tiny_koniq(tmp_path / "koniq")


def command(model, koniq, tmp_path, *options):
    return [model, "--dataset", "koniq", "--data", str(koniq), "--out", str(tmp_path / "out"), *options]


def test_a_missing_folder_is_named(tmp_path, capsys):
    assert main(command("teacher", tmp_path / "nowhere", tmp_path)) == 1
    assert "there is no folder" in capsys.readouterr().err


def test_a_folder_of_something_else_is_named(tmp_path, capsys):
    assert main(command("teacher", tmp_path, tmp_path)) == 1
    assert "koniq10k_distributions_sets.csv" in capsys.readouterr().err


def test_a_student_without_a_teacher_is_refused(koniq, tmp_path, capsys):
    assert main(command("student", koniq, tmp_path)) == 1
    assert "--teacher FILE" in capsys.readouterr().err


def test_missing_prompts_are_asked_for_before_gigabytes(koniq, tmp_path, capsys):
    assert main(command("teacher", koniq, tmp_path, "--prompts", str(tmp_path / "no.safetensors"))) == 1
    assert "no.safetensors" in capsys.readouterr().err


def test_a_missing_teacher_is_named(koniq, tmp_path, capsys):
    prompts = tmp_path / "prompts.safetensors"
    save_file({"prompt_embeddings": torch.zeros(1485, 768)}, prompts)
    options = ("--teacher", str(tmp_path / "no.pth"), "--prompts", str(prompts))
    assert main(command("student", koniq, tmp_path, *options)) == 1
    assert "no.pth' for dpiqa is not a file" in capsys.readouterr().err


def test_a_missing_package_names_the_extra(koniq, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    monkeypatch.delitem(sys.modules, "dpiqa_training.recipes.teacher", raising=False)
    monkeypatch.delitem(sys.modules, "dpiqa_training.fitting", raising=False)
    monkeypatch.delitem(sys.modules, "dpiqa_training.fill_cache", raising=False)
    assert main(command("teacher", koniq, tmp_path, "--reduced")) == 1
    error = capsys.readouterr().err
    assert "accelerate" in error
    assert 'pip install "dpiqa[training]"' in error


def test_the_test_photos_are_never_trained_on(koniq, tmp_path, capsys):
    assert main(command("teacher", koniq, tmp_path, "--prompts", "none.pt")) == 1
    assert "8 photos to train on, 4 to choose the best epoch by" in capsys.readouterr().out
    split = (tmp_path / "out" / "koniq.csv").read_text()
    assert sum(line.endswith(",test") for line in split.splitlines()) == 4


def test_prompts_are_embedded_into_the_file_that_the_metric_reads(tmp_path):
    save_tiny_clip(tmp_path / "clip")
    out = tmp_path / "prompts.safetensors"
    assert main(["embed-prompts", "--model", str(tmp_path / "clip"), "--out", str(out)]) == 0
    assert load_prompt_embeddings(out).shape == (1485, 768)


def test_an_exported_teacher_has_half_the_size_and_a_hash(tmp_path):
    weights = tmp_path / "teacher.safetensors"
    tensors = {"matrix": torch.randn(64, 64), "vector": torch.randn(64), "large": torch.full((2, 2), 1e6)}
    save_file(tensors, weights, metadata={ABOUT_KEY: '{"model": "teacher", "vae_range": "signed"}'})
    assert main(["export", "teacher", str(weights), "--out", str(tmp_path / "out")]) == 0
    out = tmp_path / "out" / "dpiqa_teacher.safetensors"
    found = load_file(out)
    assert {name: value.dtype for name, value in found.items()} == {
        "matrix": torch.float16,
        "vector": torch.float32,
        "large": torch.float32,  # above what float16 can hold
    }
    assert about(out)["vae_range"] == "signed"
    assert fingerprint.of(out) == fingerprint.sha256(out)


def test_weights_of_another_model_are_not_exported(tmp_path, capsys):
    weights = tmp_path / "student.safetensors"
    save_file({"x": torch.zeros(1)}, weights, metadata={ABOUT_KEY: '{"model": "student"}'})
    assert main(["export", "teacher", str(weights), "--out", str(tmp_path)]) == 1
    assert "is not what dpiqa-train teacher wrote" in capsys.readouterr().err
