"""Our metrics as pyiqa's users meet them: one suite for all architectures, then what is special to one."""

from __future__ import annotations

import sys

import numpy as np
import pyiqa
import pytest
import torch
from makers.reference_filling import prompt_embeddings
from PIL import Image
from subjects import METRICS, make_subject

from dpiqa_plugin.cards import CARDS
from dpiqa_plugin.errors import MissingExtraError, WeightsError
from dpiqa_plugin.prompt_embeddings import SHAPE

HALF_PRECISION = 5e-3  # the option weights rounds a teacher to float16 first, pyiqa's load_weights does not


@pytest.fixture(scope="module", params=METRICS)
def subject(request, tmp_path_factory):
    return make_subject(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture
def quick_subject(subject):
    """All but the student, which needs seconds a photo: for what the wrapper does alike for all models."""
    if subject.metric == "dpiqa_student":
        pytest.skip("takes long and differs in nothing here")
    return subject


@pytest.fixture(scope="module")
def metric(subject):
    return create_on("cpu", subject)


@pytest.fixture(scope="module")
def photo():
    """A photo of no special size."""
    generator = np.random.Generator(np.random.PCG64(1))
    coarse = Image.fromarray(generator.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    return coarse.resize((171, 98), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def score(metric, photo):
    return metric(photo)


def as_tensor(photo):
    return torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None] / 255


def create_on(device, subject, **options):
    return pyiqa.create_metric(subject.metric, device=device, **subject.options, **options)


# What pyiqa's own general tests ask of every metric.


def test_a_batch_gives_a_score_each(metric):
    scores = metric(torch.rand(2, 3, 224, 224), torch.rand(2, 3, 224, 224))
    assert scores.shape == (2, 1)
    assert scores.isfinite().all()
    assert not scores.requires_grad


def test_as_loss_gives_finite_gradients_for_the_photo_alone(subject):
    loss = create_on("cpu", subject, as_loss=True)
    image = torch.randn(1, 3, 224, 224, requires_grad=True)  # as a generator in training makes: out of range
    value = loss(image, torch.randn(1, 3, 224, 224))
    value.backward()
    assert value.shape == ()
    assert image.grad.isfinite().all()
    assert image.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in loss.net.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cpu_and_cuda_agree(subject, score, photo):
    torch.testing.assert_close(create_on("cuda", subject)(photo).cpu(), score, rtol=0, atol=5e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gradients_on_cuda(subject):
    image = torch.rand(1, 3, 224, 224, device="cuda", requires_grad=True)
    create_on("cuda", subject, as_loss=True)(image).backward()
    assert image.grad.isfinite().all()


# What we promise beyond that.


def test_path_and_image_and_tensor_score_the_same(metric, photo, score, tmp_path):
    photo.save(tmp_path / "photo.png")
    assert torch.equal(metric(str(tmp_path / "photo.png")), score)
    assert torch.equal(metric(as_tensor(photo)), score)


def test_load_weights_takes_a_published_file(subject, photo, score):
    metric = create_on("cpu", subject)
    spoil(metric)
    metric.load_weights(str(subject.checkpoint), weight_keys=None)
    torch.testing.assert_close(metric(photo), score, rtol=0, atol=HALF_PRECISION)


def test_load_weights_takes_a_wrapped_and_prefixed_file(quick_subject, photo, score, tmp_path):
    metric = create_on("cpu", quick_subject)
    weights = torch.load(quick_subject.checkpoint, weights_only=True)
    torch.save({"params": {f"module.{key}": value for key, value in weights.items()}}, tmp_path / "ours.pth")
    spoil(metric)
    metric.load_weights(str(tmp_path / "ours.pth"))
    torch.testing.assert_close(metric(photo), score, rtol=0, atol=HALF_PRECISION)


def test_load_weights_refuses_what_does_not_fit(quick_subject, tmp_path):
    weights = torch.load(quick_subject.checkpoint, weights_only=True)
    missing = next(iter(weights))
    torch.save({"stranger.weight": weights.pop(missing), **weights}, tmp_path / "other.pth")
    with pytest.raises(RuntimeError, match=f"(?s){missing}.*stranger"):
        create_on("cpu", quick_subject).load_weights(str(tmp_path / "other.pth"), weight_keys=None)


def test_the_state_dict_goes_out_and_in(quick_subject, metric, photo, score):
    other = create_on("cpu", quick_subject)
    spoil(other)
    assert not torch.equal(other(photo), score)
    other.load_state_dict(metric.state_dict())
    assert torch.equal(other(photo), score)
    assert other.net.state_dict().keys() <= torch.load(quick_subject.checkpoint, weights_only=True).keys()


def spoil(metric):
    with torch.no_grad():
        for parameter in metric.net.parameters():
            parameter.zero_()


def test_a_grey_photo_scores_as_its_rgb_copy(quick_subject, metric, photo):
    grey = as_tensor(photo)[:, :1]
    assert torch.equal(metric(grey), metric(grey.repeat(1, 3, 1, 1)))


def test_the_same_photo_scores_the_same_even_while_something_around_is_trained(quick_subject, photo, score):
    metric = create_on("cpu", quick_subject)
    torch.nn.Sequential(metric).train()
    assert torch.equal(metric(photo), score)
    assert torch.equal(metric(photo), score)


def test_photos_score_differently(quick_subject, metric, photo, score):
    assert (metric(photo.point(lambda value: value // 3)) - score).abs() > 1e-4


def test_the_option_weights_takes_a_file(quick_subject, photo, score):
    options = {**quick_subject.options, "weights": str(quick_subject.checkpoint)}
    assert torch.equal(pyiqa.create_metric(quick_subject.metric, device="cpu", **options)(photo), score)


def test_weights_of_another_model_are_refused(subject, tmp_path):
    torch.save({"weight": torch.ones(3)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="made for another model"):
        pyiqa.create_metric(subject.metric, **{**subject.options, "weights": tmp_path / "other.pth"})


# The teacher's own options.


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return make_subject("dpiqa", tmp_path_factory.mktemp("teacher"))


def test_prompt_embeddings_steer_the_teacher(teacher, photo, tmp_path):
    torch.save(prompt_embeddings(SHAPE).flip(1) * 9, tmp_path / "others.pt")
    score = pyiqa.create_metric("dpiqa", device="cpu", **teacher.options)(photo)
    options = {**teacher.options, "prompt_embeddings": tmp_path / "others.pt"}
    assert not torch.equal(pyiqa.create_metric("dpiqa", device="cpu", **options)(photo), score)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_default_precision_is_close_on_cuda(teacher, photo):
    fast, exact = (create_on("cuda", teacher, precision=name) for name in ("auto", "exact"))
    assert fast(photo).dtype == torch.float32
    assert not torch.equal(fast(photo), exact(photo))
    torch.testing.assert_close(fast(photo), exact(photo), rtol=0, atol=0.005)


def test_an_unknown_precision_is_refused(teacher):
    with pytest.raises(ValueError, match=r"\('auto', 'exact'\), got 'half'"):
        create_on("cpu", teacher, precision="half")


# Without weights, without a network, without the extra.


@pytest.mark.parametrize("name", [name for name, card in CARDS.items() if card.drive_id])
def test_without_weights_and_network_the_message_says_what_to_do(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        pyiqa.create_metric(name)
    place = tmp_path / "hub" / "pyiqa" / CARDS[name].filename
    assert CARDS[name].drive_id in str(caught.value)
    assert str(place) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "package"), [("dpiqa", "diffusers"), ("dpiqa_student", "torchvision"), ("dpiqa_lite", "timm")]
)
def test_without_the_extra_the_message_says_how_to_install_it(name, package, monkeypatch):
    for module in list(sys.modules):
        if module.startswith("dpiqa_plugin.models") or module.partition(".")[0] == package:
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r'pip install "dpiqa\[pyiqa\]"'):
        pyiqa.create_metric(name)
