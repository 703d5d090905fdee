"""Attention by OpenVINO: what torch gives but for rounding, whoever calls it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from dpiqa_plugin.models import attention
from dpiqa_plugin.models.attention import attend

HEADS = 4
ROUNDING = 2**-8
"""Half a step of bfloat16 for the values, half a step for their weights."""


@pytest.fixture
def by_openvino(monkeypatch):
    """The calls that OpenVINO answers, by what it gave."""
    real, given = attention._attend_by_openvino, []

    def noted(*arguments):
        given.append(real(*arguments))
        return given[-1]

    monkeypatch.setattr(attention, "_attend_by_openvino", noted)
    return given


def projected(photos=2, queries=64, keys=50, channels=48):
    generator = torch.Generator().manual_seed(0)
    shapes = ((photos, queries, channels), (1, keys, channels), (1, keys, channels))
    query, key, value = (torch.randn(shape, generator=generator) for shape in shapes)
    return query, key.expand(photos, -1, -1), value.expand(photos, -1, -1)


def test_it_is_torchs_but_for_rounding(by_openvino):
    tensors = projected()
    expected = attend(*tensors, HEADS, in_bfloat16=False)
    assert not by_openvino
    attended = attend(*tensors, HEADS, in_bfloat16=True)
    assert by_openvino
    torch.testing.assert_close(attended, expected, rtol=0, atol=ROUNDING * tensors[2].abs().max().item())


def test_a_view_with_gaps_is_taken_as_it_is():
    query, key, value = projected()
    gappy = torch.stack([query, query + 1], dim=3)[..., 0]
    assert not gappy.is_contiguous()
    expected = attend(query, key, value, HEADS, in_bfloat16=True)
    assert torch.equal(attend(gappy, key, value, HEADS, in_bfloat16=True), expected)


def test_neither_threads_nor_the_batch_change_a_photos_attention():
    query, key, value = projected()
    expected = attend(query, key, value, HEADS, in_bfloat16=True)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        alone = attend(query[1:], key[1:], value[1:], HEADS, in_bfloat16=True)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(alone, expected[1:])


def test_calls_from_several_threads_do_not_meet():
    query, key, value = projected(queries=300)

    def shifted(shift):
        return attend(query + shift, key, value, HEADS, in_bfloat16=True)

    expected = [shifted(shift) for shift in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(shifted, list(range(8)) * 10))
    for each, its_own in zip(found, expected * 10, strict=True):
        assert torch.equal(each, its_own)


def test_gradients_go_through_torch(by_openvino):
    query, key, value = projected()
    query.requires_grad_()
    attend(query, key, value, HEADS, in_bfloat16=True).sum().backward()
    assert query.grad is not None
    assert not by_openvino
    with torch.no_grad():
        attend(query, key, value, HEADS, in_bfloat16=True)
    assert by_openvino


def test_other_types_and_autocast_go_through_torch(by_openvino):
    halves = [tensor.bfloat16() for tensor in projected()]
    assert attend(*halves, HEADS, in_bfloat16=True).dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        attend(*projected(), HEADS, in_bfloat16=True)
    assert not by_openvino


@pytest.mark.filterwarnings("ignore:.torch.jit.trace. is")  # deprecated, but in use
def test_traced_programs_go_through_torch(by_openvino):
    compiled = torch.compile(attend, backend="eager", fullgraph=True)
    traced = torch.jit.trace(
        lambda *tensors: attend(*tensors, HEADS, True),
        projected(),
        check_trace=False,  # it takes dropout of nothing for chance
    )
    with torch.no_grad():
        compiled(*projected(), HEADS, True)
        traced(*projected())
    assert not by_openvino


def test_what_torch_makes_by_default_does_not_matter():
    expected = attend(*projected(), HEADS, in_bfloat16=True)
    tensors = projected()
    torch.set_default_dtype(torch.float64)
    try:
        attended = attend(*tensors, HEADS, in_bfloat16=True)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(attended, expected)
