"""From scores to one to five stars: by fixed thresholds, or by rank within the run."""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from dpiqa_plugin.errors import UsageError

_VALID = (
    "--stars takes thresholds, percentile, four ascending scores (0.3,0.5,0.6,0.7), or percentile: with four "
    "ascending percents (percentile:10,35,65,90)"
)

# The ends of "about 0 to 1": models overshoot a little, and no metric's range that is not meant to be 0..1
# (1..5, 0..10, 0..100, -1..2 in pyiqa) comes this close.
_ABOUT_ZERO = (-0.25, 0.25)
_ABOUT_ONE = (0.75, 1.25)


@dataclass(frozen=True)
class Thresholds:
    """Stars by the score itself, comparable from run to run.

    Attributes:
        scores: four ascending scores, on the metric's scale. A photo gets a second, third, fourth, fifth star
            for each that it reaches from its worse side; reaching it exactly is enough.
    """

    scores: tuple[float, float, float, float] = (0.2, 0.4, 0.6, 0.8)

    def __str__(self) -> str:
        return ",".join(f"{score:g}" for score in self.scores)


@dataclass(frozen=True)
class Percentiles:
    """Stars by rank within the run: the best get five even if all are bad.

    Attributes:
        percents: four ascending percents of the run's photos, 0 to 100, counted from the worst. With the
            default the worst tenth gets one star, the best tenth five.
    """

    percents: tuple[float, float, float, float] = (10.0, 35.0, 65.0, 90.0)

    def __str__(self) -> str:
        return "percentile:" + ",".join(f"{percent:g}" for percent in self.percents)


StarRule = Thresholds | Percentiles
"""``str`` gives it as the command line takes it."""


def parse_stars(text: str) -> StarRule:
    """Understand what follows ``--stars``.

    Raises:
        UsageError: with what is valid.
    """
    name, colon, numbers = text.partition(":")
    if name == "percentile":
        return Percentiles(_four_ascending(text, numbers, 0, 100)) if colon else Percentiles()
    if text == "thresholds":
        return Thresholds()
    return Thresholds(_four_ascending(text, text, -sys.float_info.max, sys.float_info.max))


def default_rule(score_range: tuple[float, float] | None) -> StarRule:
    """The default thresholds for a metric of about 0 to 1, percentiles for any other and if None."""
    return Thresholds() if is_about_unit(score_range) else Percentiles()


def check_stars_fit(rule: StarRule, metric: str, score_range: tuple[float, float] | None) -> None:
    """Refuse thresholds that are on another scale than the metric: they would give all photos the same stars.

    Four numbers between 0 and 1 are taken as meant for a metric of about that range.

    Args:
        rule: any; percentiles fit every metric.
        metric: its name, for the message.
        score_range: lowest and highest score it gives, infinite where there is no end; None if not known.

    Raises:
        UsageError: with what to do instead.
    """
    if isinstance(rule, Percentiles):
        return
    worst, best = rule.scores[0], rule.scores[-1]
    if worst >= 0 and best <= 1:
        fits = is_about_unit(score_range)
    else:
        fits = score_range is None or (score_range[0] <= worst and best <= score_range[1])
    if not fits:
        scale = "does not tell its range" if score_range is None else f"ranges from {_span(score_range)}"
        raise UsageError(
            f"--stars: the thresholds {rule} do not fit {metric}, which {scale}; "
            "give four scores of its scale, or use --stars percentile"
        )


def assign_stars(scores: Sequence[float], rule: StarRule, lower_better: bool) -> list[int]:
    """Give each score 1 to 5 stars; equal scores get equal stars.

    Args:
        scores: of the whole run, finite, in any order; for percentiles each is ranked among all of them.
        rule: what decides.
        lower_better: a lower score is a better photo, and gets as many stars or more.
    """
    if isinstance(rule, Thresholds):
        if lower_better:
            return [5 - bisect_left(rule.scores, score) for score in scores]
        return [1 + bisect_right(rule.scores, score) for score in scores]
    return [1 + bisect_right(rule.percents, percent) for percent in _percents_below(scores, lower_better)]


def _percents_below(scores: Sequence[float], lower_better: bool) -> list[float]:
    """The percent of the run that each score leaves behind, those equal to it counted half.

    Half, so that a photo that has no rivals is in the middle, and one that is turned round is as far from the
    other end.
    """
    ranked = sorted(scores)
    twice = 2 * len(ranked)
    below = [100 * (bisect_left(ranked, s) + bisect_right(ranked, s)) / twice for s in scores]
    return [100 - percent for percent in below] if lower_better else below


def _four_ascending(
    text: str, numbers: str, lowest: float, highest: float
) -> tuple[float, float, float, float]:
    try:
        first, second, third, fourth = (float(number) for number in numbers.split(","))
    except ValueError:  # not a number, or not four
        raise UsageError(f"--stars {text} is not understood: {_VALID}") from None
    # NaN compares with nothing, so it is refused here, too.
    if not lowest <= first < second < third < fourth <= highest:
        raise UsageError(f"--stars {text}: the four must ascend, percents from 0 to 100: {_VALID}")
    return first, second, third, fourth


def is_about_unit(score_range: tuple[float, float] | None) -> bool:
    """Whether a metric's scores are about 0 to 1; not if its range is not known."""
    if score_range is None:
        return False
    low, high = score_range
    return _ABOUT_ZERO[0] <= low <= _ABOUT_ZERO[1] and _ABOUT_ONE[0] <= high <= _ABOUT_ONE[1]


def _span(score_range: tuple[float, float]) -> str:
    return f"{score_range[0]:g} to {score_range[1]:g}"
