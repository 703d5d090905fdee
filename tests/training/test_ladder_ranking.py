"""The share of rungs in the right order, for models whose order is known."""

import pytest
import torch
from makers.tiny_training import EXAMPLES

from dpiqa_plugin.models.prediction import QualityPrediction
from dpiqa_training.distortions import KINDS
from dpiqa_training.ladder_ranking import ranked_rightly


class Brightness(torch.nn.Module):
    """Takes bright photos for good ones."""

    def forward(self, image):
        return QualityPrediction(image.mean(dim=(1, 2, 3))[:, None], image)


class Indifferent(torch.nn.Module):
    """Finds all photos equally good."""

    def forward(self, image):
        return QualityPrediction(torch.full((len(image), 1), 0.5), image)


def test_a_model_that_likes_light_ranks_exposures_and_nothing_else():
    shares = ranked_rightly(Brightness(), [EXAMPLES / "dog.jpg", EXAMPLES / "nyc.jpg"], "cpu")
    assert set(shares) == set(KINDS)
    assert (shares["underexposure"], shares["overexposure"]) == (1, 0)


def test_equal_scores_are_not_in_the_right_order():
    shares = ranked_rightly(Indifferent(), [EXAMPLES / "dog.jpg"], "cpu")
    assert set(shares.values()) == {0}


@pytest.mark.parametrize("kind", KINDS)
def test_the_bundled_model_ranks_distortions_of_an_example(kind, shares_of_the_bundled_model):
    assert shares_of_the_bundled_model[kind] >= 0.8


@pytest.fixture(scope="module")
def shares_of_the_bundled_model():
    from dpiqa_plugin.models.lite import load_lite

    clean = [EXAMPLES / "dog.jpg", EXAMPLES / "flowers.jpg", EXAMPLES / "sumac.png"]
    return ranked_rightly(load_lite(), clean, "cpu")
