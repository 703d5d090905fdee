"""The lite recipe learns, survives a kill with the same numbers, and exports what it trained."""

import dataclasses
import multiprocessing
import shutil
import signal
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from makers.event_log import logged
from makers.tiny_training import CONFIG, EXAMPLES, labelled, train
from PIL import Image

from dpiqa_desktop.engine.backends import Judgement
from dpiqa_plugin.errors import DPIQAError, UsageError
from dpiqa_plugin.models.lite import FROZEN_BLOCKS, Lite, load_lite
from dpiqa_plugin.unwatched_openvino import openvino
from dpiqa_training.checkpoint import load_checkpoint
from dpiqa_training.config import LITE_RECIPE, LiteConfig, read_config
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.errors import DivergedError, ResumeError
from dpiqa_training.export import export_lite
from dpiqa_training.recipes.lite import train_lite
from dpiqa_training.scorers import lite_scorer
from dpiqa_training.trunk_weights import imagenet_classifier, imagenet_trunk


def step(checkpoint: Path) -> int:
    return torch.load(checkpoint, weights_only=True)["step"]


def judged(model: Lite, photos: list[LabelledPhoto]) -> Judgement:
    return lite_scorer(model, "cpu").judge_files([photo.path for photo in photos])


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Where ``trained`` was trained, without a pause."""
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def trained(whole) -> Lite:
    return train(whole)


def test_training_tells_the_good_photos_from_the_bad(trained):
    photos = labelled()
    scores = judged(trained, photos).scores
    good = [score for score, photo in zip(scores, photos, strict=True) if photo.mos > 0.5]
    bad = [score for score, photo in zip(scores, photos, strict=True) if photo.mos < 0.5]
    assert min(good) > max(bad)


def test_every_step_logs_its_loss_with_its_parts_and_its_rates(trained, whole):
    tags = ("loss", "score", "plcc", "deviation", "ladders", "trunk_lr", "head_lr")
    log = {tag: logged(whole / "tensorboard", f"training/{tag}") for tag in tags}
    assert all(list(values) == [1, 2, 3, 4, 5, 6] for values in log.values())
    for step, loss in log["loss"].items():
        parts = [log[tag][step] for tag in ("score", "plcc", "deviation", "ladders")]
        assert sum(parts) == pytest.approx(loss, abs=1e-6)
    assert log["trunk_lr"][1] == pytest.approx(CONFIG.trunk_lr)
    assert log["head_lr"][1] == pytest.approx(CONFIG.head_lr)
    assert log["head_lr"][6] < log["head_lr"][5]


def test_a_killed_run_goes_on_to_the_same_weights_and_losses(trained, whole, tmp_path):
    checkpoint = tmp_path / "checkpoint.pt"
    process = multiprocessing.get_context("spawn").Process(target=train, args=(tmp_path,))
    process.start()
    while process.is_alive() and (not checkpoint.exists() or step(checkpoint) == 0):
        time.sleep(0.02)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert 0 < step(checkpoint) < 6
    resumed = train(tmp_path).state_dict()
    losses = [logged(folder / "tensorboard", "training/loss") for folder in (whole, tmp_path)]
    assert losses[0] == losses[1]
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(resumed[name], value, rtol=0, atol=0)


def test_a_checkpoint_of_another_recipe_is_refused(trained, tmp_path):
    checkpoint = tmp_path / "checkpoint.pt"
    torch.save({"config": {**dataclasses.asdict(CONFIG), "steps": 99}, "photos": 8}, checkpoint)
    with pytest.raises(ResumeError, match=r"checkpoint\.pt was made with other config \(steps 99, now 6\)"):
        train(tmp_path)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_a_damaged_checkpoint_is_named(share, tmp_path):
    checkpoint = tmp_path / "checkpoint.pt"
    torch.save({"weights": torch.rand(10_000)}, checkpoint)
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ResumeError, match=r"checkpoint\.pt is .*delete it to begin anew"):
        load_checkpoint(checkpoint)


@pytest.mark.parametrize("other", [[1, 2], torch.zeros(3)])
def test_another_file_of_torch_is_no_checkpoint(other, tmp_path):
    torch.save(other, tmp_path / "checkpoint.pt")
    with pytest.raises(ResumeError, match=r"checkpoint\.pt is no checkpoint"):
        load_checkpoint(tmp_path / "checkpoint.pt")


def test_an_archive_of_another_program_is_no_checkpoint(tmp_path):
    with zipfile.ZipFile(tmp_path / "checkpoint.pt", "w") as archive:
        archive.writestr("letter.txt", "mine")
    with pytest.raises(ResumeError, match=r"checkpoint\.pt is damaged; delete it to begin anew"):
        load_checkpoint(tmp_path / "checkpoint.pt")


def test_a_checkpoint_of_old_torch_that_is_cut_off_is_called_damaged(tmp_path):
    checkpoint = tmp_path / "checkpoint.pt"
    torch.save({"weights": torch.rand(1000)}, checkpoint, _use_new_zipfile_serialization=False)
    whole = checkpoint.read_bytes()
    for size in range(100, len(whole), 371):
        checkpoint.write_bytes(whole[:size])
        with pytest.raises(ResumeError, match=r"checkpoint\.pt is damaged; delete it to begin anew"):
            load_checkpoint(checkpoint)


def test_a_checkpoint_that_memory_does_not_hold_is_not_called_damaged(tmp_path, monkeypatch):
    def load(*_arguments, **_options):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    torch.save({}, tmp_path / "checkpoint.pt")
    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(ResumeError, match=r"allocate memory.*it is as it was"):
        load_checkpoint(tmp_path / "checkpoint.pt")


def test_photos_that_have_changed_under_their_names_end_a_run_and_begin_another(tmp_path):
    photos = []
    for number, photo in enumerate(labelled()):
        path = tmp_path / "photos" / f"{number}{photo.path.suffix}"
        path.parent.mkdir(exist_ok=True)
        shutil.copy(photo.path, path)
        photos.append(dataclasses.replace(photo, path=path))
    out = tmp_path / "out"
    out.mkdir()
    train_lite(CONFIG, photos, photos, out, [EXAMPLES / "nyc.jpg"])
    before = np.load(out / "photos.statistics.npy")
    shutil.copy(photos[1].path, photos[0].path)
    with pytest.raises(ResumeError, match="was made with other photos"):
        train_lite(CONFIG, photos, photos, out, [EXAMPLES / "nyc.jpg"])
    (out / "checkpoint.pt").unlink()
    train_lite(CONFIG, photos, photos, out, [EXAMPLES / "nyc.jpg"])
    after = np.load(out / "photos.statistics.npy")
    assert not np.allclose(after[0], before[0])
    np.testing.assert_allclose(after[0], before[1], atol=1e-5)


def test_fewer_photos_than_a_step_takes_are_refused(tmp_path):
    config = read_config(LITE_RECIPE, LiteConfig)
    with pytest.raises(UsageError, match="2 photos are too few for a batch_size of 24"):
        train_lite(config, labelled()[:2], [], tmp_path)


def test_a_run_does_not_go_on_with_other_clean_photos_of_the_same_names(tmp_path):
    for photo in ("nyc", "reflect"):
        (tmp_path / photo).mkdir()
        shutil.copyfile(EXAMPLES / f"{photo}.jpg", tmp_path / photo / "1.jpg")
    train_lite(CONFIG, labelled(), labelled(), tmp_path, [tmp_path / "nyc" / "1.jpg"])
    with pytest.raises(ResumeError, match="was made with other photos"):
        train_lite(CONFIG, labelled(), labelled(), tmp_path, [tmp_path / "reflect" / "1.jpg"])


def test_a_loss_that_is_no_number_ends_the_run_before_it_is_saved(tmp_path):
    config = dataclasses.replace(CONFIG, trunk_lr=1e30, head_lr=1e30)
    with pytest.raises(DivergedError, match="try lower rates"):
        train(tmp_path, config)
    weights = load_checkpoint(tmp_path / "checkpoint.pt")["model"]
    assert all(value.isfinite().all() for value in weights.values())


def test_frozen_stages_and_depthwise_filters_keep_their_imagenet_weights(trained):
    weights, started = trained.trunk.state_dict(), imagenet_trunk()
    moved = {name for name in weights if not torch.equal(weights[name], started[name])}
    early = ("conv_stem", "bn1", *(f"blocks.{group}." for group in range(FROZEN_BLOCKS)))
    assert not [name for name in moved if "conv_dw" in name or "running_" in name or name.startswith(early)]
    assert "blocks.6.0.conv_pwl.weight" in moved


def test_the_deviation_is_calibrated_on_the_photos_given(trained):
    judgement = judged(trained, labelled())
    errors = np.abs(judgement.scores - [photo.mos for photo in labelled()])
    assert np.quantile(errors / judgement.uncertainties, 0.683) == pytest.approx(1, rel=1e-3)


def test_the_exported_files_judge_as_the_trained_model(trained, tmp_path):
    export_lite(trained, tmp_path)
    photo = np.asarray(Image.open(EXAMPLES / "dog.jpg").resize((384, 384)))[None]
    with torch.no_grad():
        by_torch = load_lite(tmp_path / "lite.safetensors")(
            torch.from_numpy(photo.copy()).permute(0, 3, 1, 2) / 255
        )
    exact = {"INFERENCE_PRECISION_HINT": "f32"}  # or OpenVINO takes bfloat16 on CPUs that have it
    by_openvino = openvino.Core().compile_model(tmp_path / "lite.onnx", "CPU", exact)(photo)
    # Both compute in float32 from equal weights; what is left is the order of sums.
    np.testing.assert_allclose(by_openvino["score"], by_torch.score, atol=1e-3)
    np.testing.assert_allclose(by_openvino["deviation"], by_torch.deviation, atol=1e-3)
    np.testing.assert_allclose(by_openvino["map"], by_torch.map, atol=0.02)


def test_the_imagenet_trunk_knows_a_golden_retriever():
    pixels = torch.from_numpy(np.asarray(Image.open(EXAMPLES / "dog.jpg").resize((224, 224))).copy()).permute(
        2, 0, 1
    )
    with torch.no_grad():
        assert imagenet_classifier()((pixels[None] - 127.0) / 128).argmax() == 207


def test_the_bundled_recipe_is_read_whole():
    assert read_config(LITE_RECIPE, LiteConfig).batch_size == 24


def test_a_recipe_with_a_misspelt_key_is_refused(tmp_path):
    path = tmp_path / "lite.toml"
    path.write_text(LITE_RECIPE.read_text().replace("batch_size", "batch_sice"))
    with pytest.raises(DPIQAError, match="batch_sice, batch_size"):
        read_config(path, LiteConfig)
