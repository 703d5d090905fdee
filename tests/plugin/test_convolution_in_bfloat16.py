"""A convolution with weights in bfloat16: by a program of its own, or by torch where it must be."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dpiqa_plugin.models.precision import multiply_in_bfloat16
from dpiqa_plugin.models.winograd import shorten

LAYOUTS = [torch.contiguous_format, torch.channels_last]
ROUNDING = 2**-7
"""A step of bfloat16, of the largest result."""


@pytest.fixture(params=LAYOUTS, ids=str)
def layer(request):
    layer = nn.Conv2d(144, 136, 3, padding=1).requires_grad_(False).to(memory_format=request.param)
    shorten(layer)
    multiply_in_bfloat16([layer])
    return layer


def sample(photos=2, height=16, width=13, layout=torch.channels_last):
    numbers = torch.randn((photos, 144, height, width), generator=torch.Generator().manual_seed(1))
    return numbers.to(memory_format=layout)


def assert_convolved(result, layer, features):
    exact = F.conv2d(features, layer.weight.float(), layer.bias.float(), padding=1)
    torch.testing.assert_close(result, exact, rtol=0, atol=ROUNDING * exact.abs().max().item())


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@torch.no_grad()
def test_a_program_gives_the_convolution_but_for_rounding(layout, layer, runs):
    for size in ((16, 13), (8, 8), (40, 64)):
        features = sample(2, *size, layout=layout)
        assert_convolved(layer(features), layer, features)
    assert len(runs) == 3


@torch.no_grad()
def test_weights_whose_channels_lie_last_are_not_lost(layer):
    layer.to(memory_format=torch.channels_last)
    # The program must not read what has been given back, so that is used for other things.
    others = [torch.full_like(layer.weight, 9) for _ in range(50)]
    for _ in range(2):
        assert_convolved(layer(sample()), layer, sample())
        others += [torch.full_like(layer.weight, 9) for _ in range(50)]


@torch.no_grad()
def test_other_weights_are_noticed(layer):
    layer(sample())
    layer.weight.mul_(-2)
    assert_convolved(layer(sample()), layer, sample())
    other = copy.deepcopy(layer)
    other.bias.add_(1)
    assert_convolved(other(sample()), other, sample())
    assert_convolved(layer(sample()), layer, sample())


def test_gradients_go_through_torch(layer, runs):
    features = sample().requires_grad_()
    result = layer(features)
    result.sum().backward()
    assert features.grad.abs().max() > 0
    assert not runs
    assert_convolved(result.detach(), layer, features.detach())


@torch.no_grad()
def test_back_in_float32_it_is_exact(layer, runs):
    layer(sample())
    layer.float()
    torch.testing.assert_close(layer(sample()), F.conv2d(sample(), layer.weight, layer.bias, padding=1))
    assert len(runs) == 1


@pytest.mark.filterwarnings("ignore:.torch.jit.trace. is")  # deprecated, but in use
def test_traced_programs_go_through_torch(layer, runs):
    with torch.no_grad():
        torch.compile(layer, backend="eager", fullgraph=True)(sample())
        torch.jit.trace(lambda features: layer(features), sample(), check_trace=False)
    assert not runs


@torch.no_grad()
def test_photos_in_bfloat16_give_bfloat16(layer, runs):
    assert layer(sample().bfloat16()).dtype == torch.bfloat16
    assert not runs
