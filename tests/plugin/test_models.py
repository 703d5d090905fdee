"""What all networks promise, on the reduced teacher and on the student and lite at full size."""

import numpy as np
import pytest
import torch
from makers.reference_filling import fill, prompt_embeddings
from PIL import Image

from dpiqa_plugin import preprocess
from dpiqa_plugin.models.lite import Lite
from dpiqa_plugin.models.squash import squash
from dpiqa_plugin.models.student import Student
from dpiqa_plugin.models.teacher import REDUCED, Teacher


def reduced_teacher():
    model = Teacher(REDUCED)
    model.set_prompt_embeddings(prompt_embeddings(REDUCED.prompt_shape))
    return model


BUILDERS = {"teacher": reduced_teacher, "student": Student, "lite": Lite}
MAP_SIDE = {"teacher": 8, "student": 64, "lite": 48}


@pytest.fixture(scope="module", params=BUILDERS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(name):
    model = BUILDERS[name]().eval()
    if name != "lite":  # the rule has no gain for ReLU6 trunks; lite keeps timm's initialisation
        fill(model)
    return model


def photos(count, height=96, width=130):
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand((count, 3, 6, 8), generator=generator)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")


@torch.inference_mode()
def test_a_batch_gives_a_score_and_a_map_each(name, model):
    score, quality_map, deviation = model(photos(2))
    assert score.shape == (2, 1)
    assert quality_map.shape == (2, 8, MAP_SIDE[name], MAP_SIDE[name])
    assert score.isfinite().all()
    assert (deviation is None) == (name != "lite")
    assert quality_map.min() >= 0


@torch.inference_mode()
def test_a_photo_scores_the_same_alone_and_in_a_batch(model):
    batch = photos(2)
    torch.testing.assert_close(model(batch).score[1:], model(batch[1:]).score, rtol=0, atol=1e-4)


@torch.inference_mode()
def test_the_same_photo_scores_the_same_every_time(model):
    assert torch.equal(model(photos(1)).score, model(photos(1)).score)


@torch.inference_mode()
def test_different_photos_score_differently(model):
    scores = model(torch.cat([photos(1), photos(1).flip(1) * 0.3])).score
    assert (scores[0] - scores[1]).abs() > 1e-4


def test_gradients_reach_the_photo_and_are_finite(model):
    model.requires_grad_(False)
    image = photos(1).requires_grad_()
    model(image).score.sum().backward()
    assert image.grad.isfinite().all()
    assert image.grad.abs().max() > 0


def test_a_blank_photo_has_finite_gradients(model):
    model.requires_grad_(False)
    image = torch.zeros(1, 3, 64, 64, requires_grad=True)
    model(image).score.sum().backward()
    assert image.grad.isfinite().all()


@torch.inference_mode()
def test_lite_says_how_sure_it_is_and_stays_on_its_scale():
    model = Lite().eval()
    extremes = torch.cat([photos(2), torch.zeros(1, 3, 96, 130), torch.ones(1, 3, 96, 130)])
    prediction = model(extremes)
    assert prediction.deviation.shape == (4, 1)
    assert prediction.deviation.min() > 0
    assert prediction.score.min() >= 0
    assert prediction.score.max() <= 1


def test_a_teacher_without_prompts_says_so():
    with pytest.raises(RuntimeError, match="set_prompt_embeddings"):
        Teacher(REDUCED)(photos(1))


def test_prompts_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(12, 24\), got \(1485, 768\)"):
        Teacher(REDUCED).set_prompt_embeddings(torch.zeros(1485, 768))


@torch.inference_mode()
def test_the_prompts_steer_the_teacher():
    model = fill_and_set(prompt_embeddings(REDUCED.prompt_shape))
    other = fill_and_set(prompt_embeddings(REDUCED.prompt_shape).flip(1) * 4)
    assert (model(photos(1)).map - other(photos(1)).map).abs().max() > 1e-4


def fill_and_set(embeddings):
    model = Teacher(REDUCED).eval()
    fill(model)
    model.set_prompt_embeddings(embeddings)
    return model


@pytest.mark.parametrize("size", [(97, 131), (601, 701), (384, 500), (384, 384)])
def test_a_tensor_is_squashed_as_pillow_squashes_a_photo(size):
    """But for some ties, where Pillow's fixed-point weights round the other way, by one step of 255."""
    pixels = np.random.Generator(np.random.PCG64(3)).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = preprocess.squash(Image.fromarray(pixels), 384).astype(int)
    ours = squash(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255, 384)[0].permute(1, 2, 0) * 255
    difference = np.abs(ours.numpy() - expected)
    assert difference.max() < 1.01
    assert (difference > 0.01).mean() < 0.005
