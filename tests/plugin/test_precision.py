"""The teacher in half precision: close to float32, trained and reloaded as in float32, and back again."""

import copy
import logging

import pytest
import torch
import torch.nn.functional as F
from makers.reference_filling import fill, prompt_embeddings
from torch import nn

from dpiqa_plugin.metrics import DPIQA
from dpiqa_plugin.models import attention, precision, programs
from dpiqa_plugin.models.decoder import QualityFeatureDecoder
from dpiqa_plugin.models.prediction import score_of
from dpiqa_plugin.models.teacher import REDUCED, Teacher

HALVES = (torch.float16, torch.bfloat16)
SHARE = {torch.float16: 0.55, torch.bfloat16: 0.75}
"""Of the U-Net's memory: on CPUs only `branches` take half."""
CLOSE = {torch.float16: 1e-3, torch.bfloat16: 5e-3}


@pytest.fixture
def teacher():
    return filled_teacher()


def filled_teacher():
    model = Teacher(REDUCED).eval().requires_grad_(False)
    fill(model)
    model.set_prompt_embeddings(prompt_embeddings(REDUCED.prompt_shape))
    return model


def photos(count=2):
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand((count, 3, 6, 8), generator=generator)
    return F.interpolate(coarse, (96, 130), mode="bilinear")


@pytest.mark.parametrize("half", HALVES, ids=str)
@torch.no_grad()
def test_halves_are_close_and_give_float32(half, teacher):
    exact = teacher(photos())
    teacher.compute_in(half)
    score, quality_map, _ = teacher(photos())
    assert score.dtype == quality_map.dtype == torch.float32
    assert not torch.equal(score, exact.score)
    torch.testing.assert_close(score, exact.score, rtol=0, atol=CLOSE[half])
    torch.testing.assert_close(quality_map, exact.map, rtol=0, atol=0.05 * exact.map.max().item())


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_most_weights_take_half_the_memory(half, teacher):
    before = size_of(teacher.unet)
    teacher.compute_in(half)
    assert size_of(teacher.unet) < SHARE[half] * before


def size_of(model):
    return sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())


@torch.no_grad()
def test_from_half_to_half_and_back(teacher):
    exact = teacher(photos()).score
    scores = []
    for dtype in (torch.bfloat16, torch.float16, torch.bfloat16, torch.float32):
        teacher.compute_in(dtype)
        assert teacher.computes_in == dtype
        scores.append(teacher(photos()).score)
    assert all(parameter.dtype == torch.float32 for parameter in teacher.parameters())
    for score in scores:
        torch.testing.assert_close(score, exact, rtol=0, atol=5e-3)


@torch.no_grad()
def test_what_is_kept_in_one_type_is_not_used_in_another(teacher):
    latent, scores = teacher.encode(photos()), []
    for asked_between in (True, False):
        model = copy.deepcopy(teacher)
        model.compute_in(torch.bfloat16)
        if asked_between:
            model(photos(), latent)
        model.compute_in(torch.float32)
        scores.append(model(photos(), latent).score)
    assert torch.equal(*scores)


@pytest.mark.parametrize("dtype", [torch.float32, *HALVES], ids=str)
@torch.no_grad()
def test_attention_multiplies_in_it(dtype, teacher, monkeypatch):
    seen = []

    def noting(way, multiplies_in):
        def noted(first, *others):
            seen.append(multiplies_in or first.dtype)
            return way(first, *others)

        return noted

    teacher.compute_in(torch.bfloat16)
    teacher.compute_in(dtype)
    for place, name, multiplies_in in (
        (F, "scaled_dot_product_attention", None),
        (attention, "run_program", torch.bfloat16),
        (programs, "run_program", torch.bfloat16),
    ):
        monkeypatch.setattr(place, name, noting(getattr(place, name), multiplies_in))
    teacher(photos())
    assert set(seen) == {dtype}
    attentions = len(teacher.unet.attn_processors) + 1  # the VAE's
    feed_forwards = len(teacher.unet.attn_processors) // 2  # which are programs, too
    assert len(seen) == attentions + (feed_forwards if dtype == torch.bfloat16 else 0)


def test_what_all_features_pass_through_stays_exact_on_a_cpu(teacher):
    teacher.compute_in(torch.bfloat16)
    passed = ("conv_in", "conv_shortcut", "samplers")
    of_small_maps = ("down_blocks.2", "down_blocks.3", "mid_block", "up_blocks.0", "up_blocks.1")
    rounded = {
        name for name, parameter in teacher.unet.named_parameters() if parameter.dtype == torch.bfloat16
    }
    assert not any(part in name for part in passed for name in rounded)
    convolutions = {name for name in rounded if ".conv" in name or ".proj_in" in name or ".proj_out" in name}
    assert {block for name in convolutions for block in of_small_maps if name.startswith(block)} == {
        *of_small_maps
    }
    assert all(name.startswith(of_small_maps) for name in convolutions)
    assert {".".join(name.split(".")[:2]) for name in rounded} == {
        *(
            "down_blocks.0",
            "down_blocks.1",
            "down_blocks.2",
            "down_blocks.3",
            "mid_block.attentions",
            "mid_block.resnets",
        ),
        *("up_blocks.0", "up_blocks.1", "up_blocks.2", "up_blocks.3"),
    }
    adapter = teacher.img_adapter.named_parameters()
    rounded = {name for name, parameter in adapter if parameter.dtype == torch.bfloat16}
    assert {".".join(name.split(".")[:2]) for name in rounded} == {"body.2", "body.3"}
    decoder = teacher.QFD.named_parameters()
    rounded = {name.split(".")[0] for name, parameter in decoder if parameter.dtype == torch.bfloat16}
    assert rounded == {"conv3", "conv4"}


def test_other_types_are_refused(teacher):
    with pytest.raises(ValueError, match=r"got torch\.int8"):
        teacher.compute_in(torch.int8)


@torch.no_grad()
def test_a_copy_computes_as_the_original_does(teacher):
    teacher.compute_in(torch.bfloat16)
    assert torch.equal(copy.deepcopy(teacher)(photos()).score, teacher(photos()).score)


@torch.no_grad()
def test_a_photo_scores_the_same_with_and_without_gradients_allowed(teacher):
    """With gradients nothing is overwritten in place."""
    score = teacher(photos()).score
    with torch.enable_grad():
        assert torch.equal(teacher(photos()).score, score)


# The choice.


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((6, 1), torch.float32), ((7, 0), torch.float16), ((7, 5), torch.float16), ((9, 0), torch.float16)],
)
def test_gpus_with_tensor_cores_compute_in_float16(capability, expected):
    assert precision._gpu_type(capability) == expected


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({}, torch.float32),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, torch.float32),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": True}, torch.bfloat16),
    ],
)
def test_cpus_with_bfloat16_multiply_in_it(capabilities, expected):
    assert precision._cpu_type(capabilities) == expected


def test_other_devices_stay_exact():
    assert precision.fast_type(torch.device("mps")) == torch.float32


# The metric, whose device decides.


@pytest.fixture
def metric(teacher):
    metric = DPIQA.__new__(DPIQA)
    nn.Module.__init__(metric)
    metric.model, metric.precision = teacher, "auto"
    return metric


def computing_in(monkeypatch, dtype):
    monkeypatch.setattr(precision, "fast_type", lambda device: dtype)


@pytest.mark.parametrize("dtype", [torch.float32, *HALVES], ids=str)
@torch.no_grad()
def test_auto_is_what_the_device_is_fast_in(dtype, metric, monkeypatch):
    computing_in(monkeypatch, dtype)
    expected = filled_teacher()
    expected.compute_in(dtype)
    assert torch.equal(metric(photos()), expected(photos()).score)
    assert torch.equal(metric.predict(photos()).map, expected(photos()).map)


@torch.no_grad()
def test_exact_stays_exact(metric, monkeypatch):
    computing_in(monkeypatch, torch.bfloat16)
    metric.precision = "exact"
    assert torch.equal(metric(photos()), filled_teacher()(photos()).score)


@torch.no_grad()
def test_what_overflows_in_float16_is_computed_exactly_from_then_on(metric, monkeypatch, caplog):
    computing_in(monkeypatch, torch.float16)
    unet = metric.model.unet
    for bias in (unet.conv_in.bias, unet.down_blocks[0].resnets[0].conv2.bias):
        bias.fill_(6e4)  # float16 ends before their sum
    with caplog.at_level(logging.WARNING):
        score = metric(photos())
    assert score.isfinite().all()
    assert "overflow in float16" in caplog.text
    assert metric.model.computes_in == torch.float32
    assert torch.equal(metric(photos()), score)


def test_a_photo_s_gradient_is_exact(metric, monkeypatch):
    computing_in(monkeypatch, torch.bfloat16)
    image, same = (photos(1).requires_grad_() for _ in range(2))
    metric(image).sum().backward()
    filled_teacher()(same).score.sum().backward()
    assert torch.equal(image.grad, same.grad)
    assert metric.model.computes_in == torch.float32


@torch.no_grad()
def test_a_photo_that_is_not_finite_is_no_overflow(metric, monkeypatch, caplog):
    computing_in(monkeypatch, torch.float16)
    assert metric(photos() * torch.nan).isnan().all()
    assert metric.model.computes_in == torch.float16
    assert not caplog.text


# The decoder, whose convolutions come before the resize.


@pytest.mark.parametrize("sides", [(4, 8, 16, 16), (16, 16, 16, 16), (2, 3, 5, 16)])
@torch.no_grad()
def test_the_decoder_resizes_and_convolves_in_any_order(sides):
    decoder = QualityFeatureDecoder((8, 16, 16, 24), 32, 8, 16).eval()
    features = [
        torch.randn(2, channels, side, side) for channels, side in zip((24, 16, 16, 8), sides, strict=True)
    ]
    score, quality_map, _ = decoder(features)
    expected_score, expected_map = resized_first(decoder, features)
    torch.testing.assert_close(quality_map, expected_map, rtol=0, atol=1e-5)
    torch.testing.assert_close(score, expected_score, rtol=0, atol=1e-5)


def resized_first(decoder, features):
    """As the paper draws it."""
    up3, up2, up1, up0 = (F.interpolate(x, (16, 16), mode="bicubic") for x in reversed(features))
    parts = [
        decoder.se1(decoder.conv1(up3)),
        decoder.se2(decoder.conv2(up2)),
        decoder.se3(decoder.conv3(up1)),
        decoder.se4(decoder.conv4(up0)),
    ]
    fused = decoder.se_fuse(decoder.fuse_conv(torch.cat(parts, dim=1)))
    for conv in (decoder.conv_score1, decoder.conv_score2, decoder.conv_score3):
        fused = F.relu(conv(fused))
    hidden = F.relu(decoder.fc2(F.relu(decoder.fc1(fused.flatten(1)))))
    return score_of(hidden, decoder.fc3), fused
