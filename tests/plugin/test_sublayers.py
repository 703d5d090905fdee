"""A transformer's sublayers as one program each: what torch gives but for rounding, as long as it may be."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from diffusers.models.attention import BasicTransformerBlock, FeedForward

from dpiqa_plugin.models.precision import multiply_in_bfloat16
from dpiqa_plugin.models.sublayers import cross_attentions, take_over

WIDTH, PROMPTS = 48, 20
SUBLAYERS = ("attn1", "attn2", "ff")
LAST = {"attn1": "attn1.to_out.0", "attn2": "attn2.to_out.0", "ff": "ff.net.2"}
ROUNDING = 2**-7
"""A step of bfloat16, of the largest result."""


def block_of_transformer():
    generator = torch.Generator().manual_seed(0)
    block = (
        BasicTransformerBlock(WIDTH, 4, WIDTH // 4, cross_attention_dim=WIDTH).eval().requires_grad_(False)
    )
    for weight in block.parameters():
        weight.normal_(0, weight[0].numel() ** -0.5, generator=generator)
    take_over(block_holder(block))
    return block


def block_holder(block):
    holder = torch.nn.Module()
    holder.block = block
    return holder


@pytest.fixture
def exact():
    return block_of_transformer()


@pytest.fixture
def rounded(exact):
    """A block whose weights are in bfloat16."""
    block = copy.deepcopy(exact)
    multiply_in_bfloat16(layer for layer in block.modules() if isinstance(layer, torch.nn.Linear))
    return block


def positions(photos=2, count=64, seed=1):
    return torch.randn(photos, count, WIDTH, generator=torch.Generator().manual_seed(seed))


PAIRS = [(positions(1, PROMPTS, 2), positions(1, PROMPTS, 3))]


def through(block, name, sample):
    if name == "attn2":
        return block.attn2(sample, encoder_hidden_states=PAIRS)
    return getattr(block, name)(sample)


def assert_close(result, expected):
    torch.testing.assert_close(result, expected, rtol=0, atol=ROUNDING * expected.abs().max().item())


@pytest.fixture(params=SUBLAYERS)
def name(request):
    return request.param


@torch.no_grad()
def test_a_program_gives_what_torch_does_but_for_rounding(name, exact, rounded, runs):
    expected = through(exact, name, positions())
    assert not runs
    result = through(rounded, name, positions())
    assert runs
    assert result.dtype == torch.float32
    assert_close(result, expected)


@torch.no_grad()
def test_neither_threads_nor_neighbours_change_a_photos_result(name, rounded):
    expected = through(rounded, name, positions())
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        alone = through(rounded, name, positions()[1:])
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(alone, expected[1:])


@torch.no_grad()
def test_maps_of_any_size_go_one_after_the_other(name, exact, rounded, runs):
    for count in (64, 9, 64):
        sample = positions(1, count)
        result = through(rounded, name, sample)
        assert_close(result, through(exact, name, sample))
    assert len(runs) == 3


@torch.no_grad()
def test_positions_with_gaps_are_taken_as_they_are(name, rounded):
    gappy = torch.stack([positions(), positions() + 1], dim=3)[..., 0]
    assert not gappy.is_contiguous()
    assert torch.equal(through(rounded, name, gappy), through(rounded, name, positions()))


@torch.no_grad()
def test_weights_with_gaps_are_taken_as_they_are(name, rounded):
    expected = through(rounded, name, positions())
    weight = rounded.get_submodule(LAST[name]).weight
    weight.data = weight.data.T.contiguous().T
    assert not weight.is_contiguous()
    # The program must not read what has been given back, so that is used for other things.
    others = [torch.full_like(weight, 9) for _ in range(50)]
    for _ in range(2):
        assert torch.equal(through(rounded, name, positions()), expected)
        others += [torch.full_like(weight, 9) for _ in range(50)]


def add_in_place(layer):
    layer.weight.add_(0.1)


def load_others(layer):
    layer.load_state_dict({key: value * 1.5 for key, value in layer.state_dict().items()})


def replace(layer):
    layer.weight = torch.nn.Parameter(layer.weight * 2, requires_grad=False)


def change_bias(layer):
    layer.bias.add_(1)


@pytest.mark.parametrize("change", [add_in_place, load_others, replace, change_bias])
@torch.no_grad()
def test_changed_weights_are_noticed(change, name, rounded, runs):
    before = through(rounded, name, positions())
    change(rounded.get_submodule(LAST[name]))
    after = through(rounded, name, positions())
    assert len(runs) == 2
    assert not torch.equal(after, before)
    assert torch.equal(after, through(copy.deepcopy(rounded), name, positions()))


@torch.no_grad()
def test_other_keys_and_values_are_noticed(rounded):
    before = rounded.attn2(positions(), encoder_hidden_states=PAIRS)
    others = [tuple(-each for each in PAIRS[0])]
    assert not torch.equal(rounded.attn2(positions(), encoder_hidden_states=others), before)


def test_calls_from_several_threads_do_not_meet(name, rounded):
    def shifted(shift):
        with torch.no_grad():
            return through(rounded, name, positions(count=200) + shift)

    expected = [shifted(shift) for shift in range(6)]
    rounded = copy.deepcopy(rounded)  # whose programs are compiled by whoever comes first
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(shifted, list(range(6)) * 5))
    for each, its_own in zip(found, expected * 5, strict=True):
        assert torch.equal(each, its_own)


def test_gradients_go_through_torch(name, exact, rounded, runs):
    sample = positions().requires_grad_()
    result = through(rounded, name, sample)
    result.sum().backward()
    assert sample.grad is not None
    assert not runs
    assert_close(result, through(exact, name, positions()))


def test_weights_that_are_trained_go_through_torch(name, rounded, runs):
    rounded.requires_grad_(True)
    with torch.no_grad():
        through(rounded, name, positions())
    assert not runs


def test_autocast_and_other_types_go_through_torch(name, exact, rounded, runs):
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        through(rounded, name, positions())
    if name != "attn2":  # whose keys are float32
        through(exact.bfloat16(), name, positions().bfloat16())
    assert not runs


def test_inference_mode_goes_by_programs_that_serve_afterwards(name, rounded, runs):
    with torch.inference_mode():
        expected = through(rounded, name, positions())
    with torch.no_grad():
        assert torch.equal(through(rounded, name, positions()), expected)
    assert len(runs) == 2
    sample = positions().requires_grad_()
    through(rounded, name, sample).sum().backward()
    assert sample.grad is not None


def test_weights_made_in_inference_mode_go_through_torch(name, exact, runs):
    """They do not count their changes."""
    with torch.inference_mode():
        block = copy.deepcopy(exact)
        multiply_in_bfloat16(layer for layer in block.modules() if isinstance(layer, torch.nn.Linear))
        through(block, name, positions())
    assert not runs


@pytest.mark.filterwarnings("ignore:.torch.jit.trace. is")  # deprecated, but in use
def test_traced_programs_go_through_torch(name, rounded, runs):
    compiled = torch.compile(lambda sample: through(rounded, name, sample), backend="eager", fullgraph=True)
    with torch.no_grad():
        compiled(positions())
        torch.jit.trace(lambda sample: through(rounded, name, sample), positions(), check_trace=False)
    assert not runs


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@torch.no_grad()
def test_in_another_type_their_memory_is_given_back(dtype, name, rounded, monkeypatch):
    through(rounded, name, positions())
    rounded.to(dtype)
    monkeypatch.setitem(globals(), "PAIRS", [tuple(each.to(dtype) for each in PAIRS[0])])
    through(rounded, name, positions().to(dtype))
    programs = rounded.ff.programs if name == "ff" else rounded.get_submodule(name).processor._programs
    assert programs._compiled._result is None
    assert not programs._compiled._sources


def test_all_sublayers_are_taken_over():
    block = block_of_transformer()
    holder = block_holder(block)
    assert cross_attentions(holder) == [block.attn2]
    assert not any(type(module) is FeedForward for module in block.modules())
    assert (
        block.state_dict().keys()
        == BasicTransformerBlock(WIDTH, 4, WIDTH // 4, cross_attention_dim=WIDTH).state_dict().keys()
    )
