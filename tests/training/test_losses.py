"""Losses against values worked out by hand."""

import pytest
import torch

from dpiqa_training.losses import map_error, margin_ranking, one_minus_plcc, squared_error


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


@pytest.mark.parametrize(
    "loss", [squared_error, map_error, one_minus_plcc, lambda a, b: margin_ranking(a, b, 0.1)]
)
def test_columns_against_vectors_are_refused(loss):
    with pytest.raises(ValueError, match=r"\(4, 1\) and \(4,\)"):
        loss(torch.zeros(4, 1), torch.zeros(4))
