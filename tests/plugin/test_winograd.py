"""The short way through a convolution gives what the long one does, and is left where it must be."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dpiqa_plugin.models.winograd import WinogradConv2d, shorten

# By its name the module may be another by now: tests that import anew leave another behind.
OF_THE_LAYER = WinogradConv2d.forward.__globals__
HERE, BY_NNPACK = "_convolve", "_convolve_by_nnpack"
LAYOUTS = [torch.contiguous_format, torch.channels_last]
KINDS = [(32, torch.contiguous_format), (64, torch.contiguous_format), (64, torch.channels_last)]
"""Sides and layouts of maps: the second is for NNPACK."""


@pytest.fixture
def layer():
    layer = nn.Conv2d(256, 136, 3, padding=1).requires_grad_(False)
    shorten(layer)
    return layer


@pytest.fixture
def ways(monkeypatch):
    """The short ways that were taken, by name."""
    taken = []

    def noting(name):
        convolve = OF_THE_LAYER[name]

        def noted(*arguments):
            taken.append(name)
            return convolve(*arguments)

        return noted

    for name in (HERE, BY_NNPACK):
        monkeypatch.setitem(OF_THE_LAYER, name, noting(name))
    return taken


def sample(*shape, layout=torch.contiguous_format):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(memory_format=layout)


def direct(layer, features):
    return F.conv2d(features, layer.weight, layer.bias, padding=1)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (35, 130), (64, 34)])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@torch.no_grad()
def test_it_gives_the_convolution(size, layout, layer, ways):
    features = sample(2, 256, *size, layout=layout)
    torch.testing.assert_close(layer(features), direct(layer, features), rtol=0, atol=1e-4)
    assert ways == [HERE]


@pytest.mark.parametrize("size", [(64, 64), (65, 70), (80, 131)])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@torch.no_grad()
def test_large_maps_whose_positions_lie_together_give_it_by_nnpack(size, layout, layer, ways):
    features = sample(2, 256, *size, layout=layout)
    result = layer(features)
    torch.testing.assert_close(result, direct(layer, features), rtol=0, atol=1e-4)
    by_nnpack = layout == torch.contiguous_format and torch._nnpack_available()
    assert ways == [BY_NNPACK if by_nnpack else HERE]
    if by_nnpack or size == (64, 64):  # else a part of whole tiles
        expected = torch.contiguous_format if by_nnpack else torch.channels_last
        assert result.is_contiguous(memory_format=expected)


@torch.no_grad()
def test_large_maps_need_no_nnpack(layer, ways, monkeypatch):
    monkeypatch.setattr(torch, "_nnpack_available", lambda: False)
    features = sample(1, 256, 64, 70)
    torch.testing.assert_close(layer(features), direct(layer, features), rtol=0, atol=1e-4)
    assert ways == [HERE]


@pytest.mark.parametrize("rows", [1, 3, 16, 32], ids=["a row", "rows", "a photo", "two photos"])
@torch.no_grad()
def test_many_strips_fit_together(rows, layer, monkeypatch):
    features = sample(5, 256, 64, 40)
    monkeypatch.setitem(OF_THE_LAYER, "_AT_A_TIME", rows * 36 * 10 * 256)
    torch.testing.assert_close(layer(features), direct(layer, features), rtol=0, atol=1e-4)


@torch.no_grad()
def test_it_leaves_its_input_as_it_was(layer):
    features = sample(1, 256, 32, 32)
    before = features.clone()
    layer(features)
    assert torch.equal(features, before)


@pytest.mark.parametrize(("side", "layout"), KINDS, ids=str)
@torch.no_grad()
def test_other_weights_are_noticed(side, layout, layer):
    layer(sample(1, 256, side, side, layout=layout))
    layer.weight.mul_(2)
    features = sample(1, 256, side, side, layout=layout)
    torch.testing.assert_close(layer(features), direct(layer, features), rtol=0, atol=2e-4)
    other = copy.deepcopy(layer)
    other.weight.mul_(2)
    torch.testing.assert_close(other(features), direct(other, features), rtol=0, atol=4e-4)
    torch.testing.assert_close(layer(features), direct(layer, features), rtol=0, atol=2e-4)


@pytest.mark.parametrize(("side", "layout"), KINDS, ids=str)
def test_gradients_go_the_long_way(side, layout, layer, ways):
    features = sample(1, 256, side, side, layout=layout).requires_grad_()
    layer(features).sum().backward()
    layer.requires_grad_(True)
    layer(features.detach()).sum().backward()
    assert features.grad.abs().max() > 0
    assert layer.weight.grad.abs().max() > 0
    assert not ways


@pytest.mark.parametrize(("side", "layout"), KINDS, ids=str)
@torch.no_grad()
def test_small_maps_half_precision_and_autocast_go_the_long_way(side, layout, layer, ways):
    layer(sample(1, 256, 31, side, layout=layout))
    with torch.autocast("cpu", torch.bfloat16):
        layer(sample(1, 256, side, side, layout=layout))
    layer.bfloat16()(sample(1, 256, side, side, layout=layout).bfloat16())
    assert not ways


@pytest.mark.parametrize(("side", "layout"), KINDS, ids=str)
@torch.no_grad()
def test_the_fewest_channels(side, layout, ways):
    few = nn.Conv2d(128, 128, 3, padding=1)
    shorten(few)
    features = sample(1, 128, side, side, layout=layout)
    torch.testing.assert_close(few(features), direct(few, features), rtol=0, atol=1e-4)
    assert len(ways) == 1


@pytest.mark.parametrize(
    "other",
    [
        nn.Conv2d(127, 128, 3, padding=1),
        nn.Conv2d(128, 1281, 3, padding=1),
        nn.Conv2d(128, 128, 3),
        nn.Conv2d(128, 128, 3, padding=1, stride=2),
        nn.Conv2d(128, 128, 3, padding=1, dilation=2),
        nn.Conv2d(128, 128, 3, padding=1, groups=2),
        nn.Conv2d(128, 128, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(128, 128, 1),
    ],
    ids=str,
)
def test_other_convolutions_stay_as_they_are(other):
    shorten(other)
    assert type(other) is nn.Conv2d


def test_names_of_parameters_stay(layer):
    assert isinstance(layer, WinogradConv2d)
    assert list(layer.state_dict()) == ["weight", "bias"]
