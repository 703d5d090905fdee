"""The lite recipe learns, survives a kill with the same numbers, and exports what it trained."""

import multiprocessing
import signal
import time

import numpy as np
import openvino
import pytest
import torch
from makers.tiny_training import EXAMPLES, labelled, train
from PIL import Image

from dpiqa_plugin.errors import DPIQAError
from dpiqa_plugin.models.lite import Lite, load_lite
from dpiqa_training.config import LITE_RECIPE, read_lite_config
from dpiqa_training.evaluate import score_photos
from dpiqa_training.export import export_lite
from dpiqa_training.trunk_weights import imagenet_classifier


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Lite:
    return train(tmp_path_factory.mktemp("whole") / "checkpoint.pt")


def test_training_tells_the_good_photos_from_the_bad(trained):
    photos = labelled()
    scores = score_photos(trained, photos, "cpu")
    good = [score for score, photo in zip(scores, photos, strict=True) if photo.mos > 0.5]
    bad = [score for score, photo in zip(scores, photos, strict=True) if photo.mos < 0.5]
    assert min(good) > max(bad)


def test_a_killed_run_goes_on_to_the_same_weights(trained, tmp_path):
    checkpoint = tmp_path / "checkpoint.pt"
    process = multiprocessing.get_context("spawn").Process(target=train, args=(checkpoint,))
    process.start()
    while not checkpoint.exists() and process.is_alive():
        time.sleep(0.02)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert torch.load(checkpoint, weights_only=True)["step"] < 6
    resumed = train(checkpoint).state_dict()
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(resumed[name], value, rtol=0, atol=0)


def test_a_checkpoint_of_another_recipe_is_refused(trained, tmp_path):
    checkpoint = tmp_path / "checkpoint.pt"
    torch.save({"config": {"epochs": 99}, "photos": 8}, checkpoint)
    with pytest.raises(DPIQAError, match="another recipe"):
        train(checkpoint)


def test_the_exported_files_score_as_the_trained_model(trained, tmp_path):
    export_lite(trained, tmp_path)
    photo = np.asarray(Image.open(EXAMPLES / "dog.jpg").resize((384, 384)))[None]
    with torch.no_grad():
        by_torch = load_lite(tmp_path / "lite.safetensors")(
            torch.from_numpy(photo.copy()).permute(0, 3, 1, 2) / 255
        )
    exact = {"INFERENCE_PRECISION_HINT": "f32"}  # or OpenVINO takes bfloat16 on CPUs that have it
    by_openvino = openvino.Core().compile_model(tmp_path / "lite.xml", "CPU", exact)(photo)
    # Both compute in float32 from equal weights; what is left is the order of sums.
    np.testing.assert_allclose(by_openvino["score"], by_torch.score, atol=1e-3)
    np.testing.assert_allclose(by_openvino["map"], by_torch.map, atol=0.02)


def test_the_imagenet_trunk_knows_a_golden_retriever():
    pixels = torch.from_numpy(np.asarray(Image.open(EXAMPLES / "dog.jpg").resize((224, 224))).copy()).permute(
        2, 0, 1
    )
    with torch.no_grad():
        assert imagenet_classifier()((pixels[None] - 127.0) / 128).argmax() == 207


def test_the_bundled_recipe_is_read_whole():
    assert read_lite_config(LITE_RECIPE).subsets == ("ss01", "ss03")


def test_a_recipe_with_a_misspelt_key_is_refused(tmp_path):
    path = tmp_path / "lite.toml"
    path.write_text(LITE_RECIPE.read_text().replace("trunk_lr", "trunk_rate"))
    with pytest.raises(DPIQAError, match="trunk_lr, trunk_rate"):
        read_lite_config(path)
