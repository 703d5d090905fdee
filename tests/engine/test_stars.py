"""Stars follow the rule, whichever way the metric goes, and the command line is understood."""

import math
import random

import pytest

from dpiqa_desktop.engine.stars import (
    Percentiles,
    Thresholds,
    assign_stars,
    check_stars_fit,
    default_rule,
    parse_stars,
)
from dpiqa_plugin.errors import UsageError


def test_a_threshold_that_is_reached_exactly_counts():
    scores = [-0.1, 0.19, 0.2, 0.4, 0.59, 0.6, 0.8, 1.1]
    assert assign_stars(scores, Thresholds(), lower_better=False) == [1, 1, 2, 3, 3, 4, 5, 5]


def test_lower_is_better_turns_thresholds_round():
    rule = Thresholds((3, 5, 6, 8))
    assert assign_stars([2, 3, 4, 5, 6, 7, 8, 9], rule, lower_better=True) == [5, 5, 4, 4, 3, 2, 2, 1]


def test_percentiles_share_out_the_run():
    scores = [index / 1000 for index in range(1000)]
    random.Random(0).shuffle(scores)
    stars = assign_stars(scores, Percentiles(), lower_better=False)
    assert [stars.count(number) for number in range(1, 6)] == [100, 250, 300, 250, 100]
    assert stars[scores.index(0.999)] == 5
    assert stars[scores.index(0)] == 1


def test_percentiles_of_a_metric_turned_round():
    scores = [3.5, 1.25, 9.0, 4.75, 2.0, 8.5, 7.0]
    higher = assign_stars([-score for score in scores], Percentiles(), lower_better=False)
    assert assign_stars(scores, Percentiles(), lower_better=True) == higher
    assert higher[1] == 5
    assert higher[2] == 1


@pytest.mark.parametrize("rule", [Thresholds(), Percentiles()])
@pytest.mark.parametrize("lower_better", [False, True])
def test_equal_scores_get_equal_stars(rule, lower_better):
    scores = [0.5] * 7 + [0.25] * 2 + [0.75]
    stars = assign_stars(scores, rule, lower_better)
    assert len(set(stars[:7])) == 1
    assert stars[7] == stars[8]


def test_a_photo_without_rivals_is_average_and_no_photos_are_fine():
    assert assign_stars([0.9], Percentiles(), lower_better=False) == [3]
    assert assign_stars([0.1] * 5, Percentiles(), lower_better=True) == [3] * 5
    assert assign_stars([], Percentiles(), lower_better=False) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("thresholds", Thresholds((0.2, 0.4, 0.6, 0.8))),
        ("0.3,0.5,0.6,0.7", Thresholds((0.3, 0.5, 0.6, 0.7))),
        ("-3, -1, 0, 2e1", Thresholds((-3, -1, 0, 20))),
        ("percentile", Percentiles((10, 35, 65, 90))),
        ("percentile:5,20,50,99.5", Percentiles((5, 20, 50, 99.5))),
    ],
)
def test_the_command_lines_words(text, rule):
    assert parse_stars(text) == rule
    assert parse_stars(str(rule)) == rule


@pytest.mark.parametrize(
    "text",
    [
        "",
        "best",
        "0.5",
        "0.1,0.2,0.3",
        "0.1,0.2,0.3,0.4,0.5",
        "0.8,0.6,0.4,0.2",
        "0.2,0.2,0.4,0.6",
        "nan,0.2,0.4,0.6",
        "0.2,0.4,0.6,inf",
        "percentile:",
        "percentile:10,35,65",
        "percentile:10,35,65,101",
        "percentile:-1,35,65,90",
        "percentiles",
        "thresholds:1,2,3,4",
    ],
)
def test_what_is_not_understood_is_answered_with_what_is_valid(text):
    with pytest.raises(UsageError, match=r"percentile:10,35,65,90"):
        parse_stars(text)


@pytest.mark.parametrize(
    ("rule", "score_range", "fits"),
    [
        (Thresholds(), (0, 1), True),
        (Thresholds(), (-0.1, 1.1), True),
        (Thresholds(), (0, 100), False),
        (Thresholds(), (1, 5), False),
        (Thresholds(), (0, math.inf), False),
        (Thresholds(), None, False),
        (Thresholds((20, 40, 60, 80)), (0, 100), True),
        (Thresholds((20, 40, 60, 80)), (0, 1), False),
        (Thresholds((20, 40, 60, 80)), (0, math.inf), True),
        (Thresholds((20, 40, 60, 80)), None, True),
        (Percentiles(), (0, 100), True),
        (Percentiles(), None, True),
    ],
)
def test_thresholds_on_another_scale_are_refused(rule, score_range, fits):
    if fits:
        check_stars_fit(rule, "musiq", score_range)
        return
    with pytest.raises(UsageError, match=r"musiq.*--stars percentile"):
        check_stars_fit(rule, "musiq", score_range)


@pytest.mark.parametrize("score_range", [(0, 1), (0, 10), (0, math.inf), (-math.inf, 2), None])
def test_the_default_always_fits(score_range):
    check_stars_fit(default_rule(score_range), "any", score_range)


def test_the_default_is_comparable_between_runs_where_it_can_be():
    assert default_rule((0, 1)) == Thresholds()
    assert default_rule((0, 100)) == Percentiles()
