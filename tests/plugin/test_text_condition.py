"""The teacher's prompts are projected once, and again whenever the result would be another."""

import copy

import pytest
import torch
from makers.reference_filling import fill, prompt_embeddings

from dpiqa_plugin.models.teacher import REDUCED, Teacher


@pytest.fixture
def teacher():
    model = Teacher(REDUCED).eval().requires_grad_(False)
    fill(model)
    model.set_prompt_embeddings(prompt_embeddings(REDUCED.prompt_shape))
    return model


@pytest.fixture
def projections(teacher):
    """How often the adapted prompts were projected by the first cross-attention."""
    calls = []
    cross_attention(teacher).to_k.register_forward_hook(lambda *_: calls.append(1))
    return calls


def cross_attention(teacher):
    return teacher.unet.down_blocks[0].attentions[0].transformer_blocks[0].attn2


def photo(seed=1):
    return torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(seed))


def fresh(teacher, **call):
    """What the same weights give that were never asked before."""
    other = Teacher(REDUCED).eval().requires_grad_(False)
    other.load_state_dict(teacher.state_dict())
    other.set_prompt_embeddings(teacher.prompt_embeddings)
    return other(photo(), **call).map


def test_photos_share_the_projected_prompts(teacher, projections):
    with torch.inference_mode():
        scores = [teacher(photo(seed)).score for seed in range(3)]
    assert len(projections) == 1
    assert len(set(scores)) == 3
    with torch.no_grad():
        teacher(photo())
    assert len(projections) == 1


def test_what_is_kept_in_inference_mode_serves_a_photo_s_gradient(teacher, projections):
    with torch.inference_mode():
        teacher(photo())
    image = photo().requires_grad_()
    teacher(image).score.sum().backward()
    assert image.grad.abs().max() > 0
    assert len(projections) == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_photos_share_the_projected_prompts_in_half_precision_too(dtype, teacher, projections):
    with torch.inference_mode():
        teacher.compute_in(dtype)
        for seed in range(3):
            teacher(photo(seed))
    assert len(projections) == 1


def add_in_place(teacher):
    with torch.no_grad():
        cross_attention(teacher).to_v.weight.add_(0.1)


def load_others(teacher):
    teacher.load_state_dict({key: value * 1.5 for key, value in teacher.state_dict().items()})


def replace_parameter(teacher):
    cross_attention(teacher).to_k.weight = torch.nn.Parameter(torch.ones(16, 24), requires_grad=False)


def point_elsewhere(teacher):
    teacher.gamma.data = teacher.gamma * 3


def set_prompts(teacher):
    teacher.set_prompt_embeddings(teacher.prompt_embeddings * 4)


def round_trip(teacher):
    teacher.bfloat16().float()


@pytest.mark.parametrize(
    "change", [add_in_place, load_others, replace_parameter, point_elsewhere, set_prompts, round_trip]
)
@torch.no_grad()
def test_another_condition_is_noticed(change, teacher):
    before = teacher(photo()).map
    change(teacher)
    after = teacher(photo()).map
    assert not torch.equal(after, before)
    assert torch.equal(after, fresh(teacher))


@pytest.mark.parametrize("options", [{}, {"foreach": True}, {"fused": True}], ids=str)
def test_every_step_of_training_is_noticed(options, teacher):
    """Fused optimisers do not count their changes, so there must be nothing to invalidate."""
    with torch.no_grad():
        teacher(photo())
    teacher.text_adapter.requires_grad_(True)
    optimiser = torch.optim.AdamW(teacher.text_adapter.parameters(), lr=0.1, **options)
    for _ in range(2):
        teacher(photo()).map.sum().backward()
        with torch.no_grad():
            teacher(photo())
        optimiser.step()
        with torch.no_grad():
            assert torch.equal(teacher(photo()).map, fresh(teacher))
    teacher.requires_grad_(False)
    with torch.no_grad():
        assert torch.equal(teacher(photo()).map, fresh(teacher))


def test_gradients_reach_the_text_adapter(teacher):
    with torch.no_grad():
        teacher(photo())
    teacher.requires_grad_(True)
    teacher(photo()).map.sum().backward()
    assert teacher.gamma.grad.abs().max() > 0
    assert cross_attention(teacher).to_k.weight.grad.abs().max() > 0


@torch.no_grad()
def test_autocast_has_keys_and_values_of_its_own(teacher):
    exact = teacher(photo()).map
    with torch.autocast("cpu", torch.bfloat16):
        coarse = teacher(photo()).map
        assert torch.equal(coarse, fresh(teacher))
    assert not torch.equal(coarse.float(), exact)
    assert torch.equal(teacher(photo()).map, exact)


@torch.no_grad()
def test_a_copy_keeps_its_own(teacher):
    teacher(photo())
    other = copy.deepcopy(teacher)
    add_in_place(other)
    assert torch.equal(other(photo()).map, fresh(other))
    assert torch.equal(teacher(photo()).map, fresh(teacher))


def test_weights_made_in_inference_mode_are_not_trusted(teacher):
    with torch.inference_mode():
        teacher.set_prompt_embeddings(prompt_embeddings(REDUCED.prompt_shape).clone())
        before = teacher(photo()).map
        teacher.prompt_embeddings.mul_(4)
        assert not torch.equal(teacher(photo()).map, before)
