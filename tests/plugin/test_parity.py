"""Teacher and student at full size against the numbers of the authors' code, in float32 on the CPU."""

import json
import math

import numpy as np
import pytest
import torch
from makers.reference_filling import fill, prompt_embeddings
from PIL import Image

from dpiqa_plugin.models.precision import fast_type
from dpiqa_plugin.models.student import Student
from dpiqa_plugin.models.teacher import Teacher, TeacherConfig
from dpiqa_plugin.preprocess import squash

IMAGES = ("astronaut_512x512.png", "coffee_600x400.png")
# The numbers were made with another order of sums; these are the agreements that float32 allows.
SCORE_TOLERANCE = 1e-3
MAP_TOLERANCE = 2e-3
FAST_TOLERANCE = 5e-3
"""How far ``precision="auto"`` may be from exact."""


@pytest.fixture(scope="module")
def reference(shared):
    return shared / "reference"


@pytest.fixture(scope="module")
def expected(reference):
    return json.loads((reference / "expected.json").read_text())


@pytest.fixture(scope="module")
def expected_maps(reference):
    with np.load(reference / "feature_maps.npz") as maps:
        return dict(maps)


@pytest.fixture(scope="module")
def teacher():
    model = filled(Teacher)
    model.set_prompt_embeddings(prompt_embeddings(TeacherConfig().prompt_shape))
    return model


@pytest.fixture(scope="module")
def student():
    return filled(Student)


def filled(build):
    with torch.device("meta"):  # random initialisation would take longer than the filling
        model = build()
    model.to_empty(device="cpu")
    fill(model)
    return model.eval()


def photo(path):
    with Image.open(path) as image:
        pixels = torch.from_numpy(squash(image.convert("RGB"), 512).copy())
    return pixels.permute(2, 0, 1)[None] / 255


def check(name, image, prediction, expected, expected_maps):
    assert prediction.score.item() == pytest.approx(expected[f"{name}/{image}"], abs=SCORE_TOLERANCE)
    stored = expected_maps[f"{name}__{image}"].squeeze()
    assert np.abs(prediction.map[0].numpy() - stored).mean() < MAP_TOLERANCE


@pytest.mark.parametrize("image", IMAGES)
def test_student_gives_the_reference_numbers(image, student, reference, expected, expected_maps):
    with torch.inference_mode():
        prediction = student(photo(reference / image))
    check("student", image, prediction, expected, expected_maps)


@pytest.mark.fullsize
@pytest.mark.parametrize("image", IMAGES)
def test_teacher_gives_the_reference_numbers(image, teacher, reference, expected, expected_maps):
    with torch.inference_mode():
        features = teacher.features(photo(reference / image))
        prediction = teacher.QFD(features)
    for feature, (mean, deviation) in zip(features, expected[f"teacher/{image}/features"], strict=True):
        assert feature.mean().item() == pytest.approx(mean, abs=SCORE_TOLERANCE)
        assert feature.std().item() == pytest.approx(deviation, abs=SCORE_TOLERANCE)
    check("teacher", image, prediction, expected, expected_maps)


@pytest.mark.parametrize(("name", "build"), [("teacher", Teacher), ("student", Student)])
def test_every_key_and_shape_is_the_published_one(name, build, reference):
    published = json.loads((reference / f"{name}_state_dict.json").read_text())
    with torch.device("meta"):
        ours = {key: list(value.shape) for key, value in build().state_dict().items()}
    unused = ("vae.decoder.", "vae.post_quant_conv.")
    assert ours == {key: shape for key, shape in published.items() if not key.startswith(unused)}
    assert math.prod(ours["fc1.weight" if name == "student" else "QFD.fc1.weight"]) == 512 * 8 * 64 * 64


@pytest.mark.fullsize
def test_the_fast_way_stays_near_the_reference(teacher, reference, expected, runs):
    """Last of all: it rounds the others' teacher."""
    fast = fast_type(torch.device("cpu"))
    if fast == torch.float32:
        pytest.skip("this CPU has no bfloat16")
    teacher.requires_grad_(False).to(memory_format=torch.channels_last).compute_in(fast)
    for image in IMAGES:
        with torch.inference_mode():
            score = teacher(photo(reference / image)).score.item()
        assert score == pytest.approx(expected[f"teacher/{image}"], abs=FAST_TOLERANCE)
    assert runs
