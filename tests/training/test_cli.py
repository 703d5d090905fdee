"""What dpiqa-train says where something is missing, and what its small commands write."""

import sys
from dataclasses import replace

import pytest
import torch
from accelerate.state import AcceleratorState
from makers.tiny_clip import save_tiny_clip
from makers.tiny_papers import EXAMPLES, STUDENT, save_recipe, save_tiny_koniq
from makers.tiny_training import CONFIG, save_tiny_biq2021
from safetensors.torch import load_file, save_file

from dpiqa_plugin import fingerprint
from dpiqa_plugin.models.lite import load_lite
from dpiqa_plugin.prompt_embeddings import load_prompt_embeddings
from dpiqa_plugin.weights_file import ABOUT_KEY, about
from dpiqa_training.cli import main


@pytest.fixture(autouse=True)
def _fresh_accelerator():
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def koniq(tmp_path):
    return save_tiny_koniq(tmp_path / "koniq")


def command(model, koniq, tmp_path, *options):
    return [model, "--dataset", "koniq", "--data", str(koniq), "--out", str(tmp_path / "out"), *options]


def test_a_missing_folder_is_named(tmp_path, capsys):
    assert main(command("teacher", tmp_path / "nowhere", tmp_path)) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_a_folder_of_something_else_is_named(tmp_path, capsys):
    assert main(command("teacher", tmp_path, tmp_path)) == 1
    assert "koniq10k_distributions_sets.csv" in capsys.readouterr().err


def test_a_student_without_a_teacher_is_refused(koniq, tmp_path, capsys):
    assert main(command("student", koniq, tmp_path)) == 2
    assert "--teacher FILE" in capsys.readouterr().err


@pytest.mark.parametrize("reduced", [(), ("--reduced",)], ids=["full", "reduced"])
@pytest.mark.parametrize(
    ("model", "option", "reason"),
    [
        ("teacher", "--prompts", "--prompts: there is no file"),
        ("student", "--prompts", "--prompts: there is no file"),
        ("student", "--trunk", "--trunk: there is no file"),
        ("student", "--teacher", "--teacher: weights='no.file' for dpiqa is not a file"),
    ],
)
def test_a_missing_file_is_named_before_anything_is_written(
    model, option, reason, reduced, koniq, tmp_path, capsys
):
    teacher = ("--teacher", "koniq") if model == "student" else ()
    assert main(command(model, koniq, tmp_path, *teacher, option, "no.file", *reduced)) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_published_teacher_is_not_fetched_for_a_reduced_student(koniq, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    recipe = save_recipe(tmp_path / "recipe.toml", replace(STUDENT, epochs=1))
    options = ("--reduced", "--teacher", "koniq", "--config", str(recipe), "--workers", "0")
    assert main(command("student", koniq, tmp_path, *options)) == 0, capsys.readouterr().err
    assert not (tmp_path / "empty").exists()


def test_a_recipe_that_is_not_there_is_bad_usage(koniq, tmp_path, capsys):
    assert main(command("teacher", koniq, tmp_path, "--config", "no.toml")) == 2
    assert "no.toml" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["teacher", "student", "lite", "evaluate"])
def test_an_out_that_is_a_file_is_bad_usage(model, koniq, tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    options = [model, "--data", str(save_tiny_biq2021(tmp_path / "biq2021")), "--out", str(tmp_path / "out")]
    if model in ("teacher", "student"):
        options = command(model, koniq, tmp_path, "--teacher", "koniq")[: 7 if model == "teacher" else 9]
    assert main(options) == 2
    assert f"--out: {tmp_path / 'out'} cannot be made a folder" in capsys.readouterr().err


@pytest.mark.parametrize("workers", ["-1", "many"])
def test_a_number_of_processes_that_is_none_is_bad_usage(workers, koniq, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(command("teacher", koniq, tmp_path, "--workers", workers))
    assert ended.value.code == 2
    assert "--workers: must be a number, 0 or above" in capsys.readouterr().err


def test_what_cannot_be_parsed_is_bad_usage(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["teacher", "--dataset", "unheard-of"])
    assert ended.value.code == 2
    assert "unheard-of" in capsys.readouterr().err


def here(*names):
    """The names of devices, as a message lists them, and what this machine has of them."""
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return ", ".join([*names, "cpu", *(["cuda", *gpus] if gpus else []), *mps])


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta", "hpu"])
def test_a_device_that_is_not_there_is_bad_usage(device, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main(["evaluate", "--ladders", str(EXAMPLES), "--out", out, "--device", device]) == 2
    assert f"possible: {here('auto')}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_lite_is_trained_exported_and_measured(tmp_path, capsys):
    data, out = save_tiny_biq2021(tmp_path / "biq2021"), tmp_path / "out"
    recipe = save_recipe(tmp_path / "recipe.toml", CONFIG)
    assert main(["lite", *map(str, ["--data", data, "--config", recipe, "--out", out])]) == 0
    told = capsys.readouterr().out
    assert "8 photos to train on, 4 to validate on" in told
    assert "biq2021" in told.splitlines()[-1]
    assert load_lite(out / "lite.safetensors").training is False
    assert (out / "lite.onnx").is_file()


def test_a_photo_that_a_decoding_process_cannot_read_is_named_without_a_traceback(tmp_path, capsys):
    data = save_tiny_biq2021(tmp_path / "biq2021")
    broken = data / "Images" / "ss03 (7002).jpg"  # too bad to be distorted, but trained on
    broken.write_bytes(broken.read_bytes()[:5000])
    recipe = save_recipe(tmp_path / "recipe.toml", CONFIG)
    assert main(["lite", *map(str, ["--data", data, "--config", recipe, "--out", tmp_path / "out"])]) == 1
    error = capsys.readouterr().err
    assert f"dpiqa-train: {broken} cannot be read (" in error
    assert "Traceback" not in error


def test_a_missing_folder_of_biq2021_is_named(tmp_path, capsys):
    assert main(["lite", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]) == 2
    assert "that BIQ2021 was unpacked to" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["teacher", "student", "lite"])
def test_missing_weights_are_not_exported(model, tmp_path, capsys):
    assert main(["export", model, str(tmp_path / "no.safetensors"), "--out", str(tmp_path)]) == 2
    assert "there is no file" in capsys.readouterr().err


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
    prompts = tmp_path / "prompts.pt"
    prompts.write_text("so that it ends here")
    assert main(command("teacher", koniq, tmp_path, "--prompts", str(prompts))) == 1
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
