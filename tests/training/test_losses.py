"""Losses against values worked out by hand."""

import pytest
import torch

from dpiqa_training.losses import (
    ladder_ranking,
    map_error,
    margin_ranking,
    negative_log_likelihood,
    one_minus_plcc,
    squared_error,
)


def test_squared_error():
    assert squared_error(torch.tensor([0.5, 0.0]), torch.tensor([0.1, 0.2])).item() == pytest.approx(0.1)


def test_map_error():
    assert map_error(torch.full((1, 8, 2, 2), 3.0), torch.ones(1, 8, 2, 2)).item() == pytest.approx(4)


def test_margin_ranking_counts_pairs_of_unequal_opinion():
    # Pairs, better photo first: (b, a) is 0.3 apart: fine. (c, a) is 0.02 apart: 0.08 short of the margin.
    # (c, b) is the wrong way by 0.28: 0.38 short. d has the MOS of a: (b, d) lacks 0.3, (c, d) 0.58.
    score, mos = torch.tensor([0.1, 0.4, 0.12, 0.6]), torch.tensor([0.2, 0.5, 0.8, 0.2])
    expected = (0 + 0.08 + 0.38 + 0.3 + 0.58) / 5
    assert margin_ranking(score, mos, 0.1).item() == pytest.approx(expected)


def test_margin_ranking_of_one_photo_is_zero_and_has_a_gradient():
    score = torch.tensor([0.3], requires_grad=True)
    loss = margin_ranking(score, torch.tensor([0.5]), 0.1)
    loss.backward()
    assert loss.item() == 0
    assert score.grad.item() == 0


def test_a_step_down_margin_ranking_orders_photos():
    score = torch.tensor([0.5, 0.5], requires_grad=True)
    margin_ranking(score, torch.tensor([0.9, 0.1]), 0.1).backward()
    assert score.grad[0] < 0 < score.grad[1]


def test_plcc_loss_does_not_see_scale_but_order():
    mos = torch.tensor([0.1, 0.5, 0.7])
    assert one_minus_plcc(mos * 3 - 1, mos).item() == pytest.approx(0, abs=1e-6)
    assert one_minus_plcc(-mos, mos).item() == pytest.approx(2)


def test_plcc_loss_of_equal_opinions_has_a_finite_gradient():
    score = torch.tensor([0.3, 0.6], requires_grad=True)
    one_minus_plcc(score, torch.tensor([0.5, 0.5])).backward()
    assert score.grad.isfinite().all()


@pytest.mark.parametrize("rung", [0, 3])
def test_a_ladder_in_the_wrong_order_costs_more(rung):
    falling = torch.tensor([[0.9, 0.8, 0.7, 0.6, 0.5, 0.4]])
    swapped = falling.clone()
    swapped[0, [rung, rung + 1]] = swapped[0, [rung + 1, rung]]
    assert ladder_ranking(falling, 0.05) == 0
    assert ladder_ranking(swapped, 0.05) > 0
    # The clean photo's rung has one neighbour, the others two: 0.1 the wrong way and the margin.
    assert ladder_ranking(swapped, 0.05) == pytest.approx(0.15 / 5)


def test_the_deviation_learns_the_size_of_errors_and_leaves_the_score_alone():
    score = torch.full((4,), 0.5, requires_grad=True)
    mos = torch.tensor([0.3, 0.7, 0.3, 0.7])
    losses = {d: negative_log_likelihood(score, torch.full((4,), d), mos).item() for d in (0.1, 0.2, 0.4)}
    assert min(losses, key=losses.__getitem__) == 0.2
    assert not negative_log_likelihood(score, torch.full((4,), 0.2), mos).requires_grad


@pytest.mark.parametrize(
    "loss",
    [
        squared_error,
        map_error,
        one_minus_plcc,
        lambda a, b: margin_ranking(a, b, 0.1),
        lambda a, b: negative_log_likelihood(a, b, b),
        lambda a, b: negative_log_likelihood(b, a, b),
    ],
)
def test_columns_against_vectors_are_refused(loss):
    with pytest.raises(ValueError, match=r"\(4, 1\) and \(4,\)"):
        loss(torch.zeros(4, 1), torch.zeros(4))
