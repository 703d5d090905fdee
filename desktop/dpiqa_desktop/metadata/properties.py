"""The properties that we write, by their XMP names, and what stars and scores look like in each."""

from __future__ import annotations

import re

from dpiqa_desktop.metadata.xmp import Name

_XMP = "http://ns.adobe.com/xap/1.0/"
_DPIQA = "http://dpiqa.github.io/ns/1.0/"

RATING = Name(_XMP, "Rating")
"""-1 rejected, 0 unrated, 1 to 5 stars (XMP part 1, 8.4)."""
LABEL = Name(_XMP, "Label")
MICROSOFT_RATING = Name("http://ns.microsoft.com/photo/1.0/", "Rating")
"""0, 1, 25, 50, 75, 99 for 0 to 5 stars."""
MICROSOFT_RATINGS = (MICROSOFT_RATING, Name("http://ns.microsoft.com/photo/1.0", "Rating"))
"""Some of Windows' own programs leave the slash out."""
KEYWORDS = Name("http://purl.org/dc/elements/1.1/", "subject")
HIERARCHICAL_KEYWORDS = Name("http://ns.adobe.com/lightroom/1.0/", "hierarchicalSubject")

SCORE = Name(_DPIQA, "Score")
"""0 to 1, four decimals."""
UNCERTAINTY = Name(_DPIQA, "Uncertainty")
"""In the score's unit, four decimals."""
OUR_RATING = Name(_DPIQA, "Rating")
"""The stars that we set: a rating that says otherwise is the photographer's."""
OUR_LABEL = Name(_DPIQA, "Label")
"""The colour that we set, for the same reason."""
MODEL = Name(_DPIQA, "Model")
MODEL_HASH = Name(_DPIQA, "ModelHash")
SCORED_AT = Name(_DPIQA, "ScoredAt")
"""In ``TIME_FORMAT``."""
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
"""ISO 8601, in UTC."""

STARS = (-1, 1, 2, 3, 4, 5)
"""What we set."""
_MICROSOFT_BY_STARS = (0, 1, 25, 50, 75, 99)
# The percents that Windows shows as so many stars.
_PERCENT_BANDS = ((0, 0), (1, 12), (13, 37), (38, 62), (63, 87), (88, 99))
# A traffic light, by names that Adobe's programs, digiKam, darktable and XnView know.
_LABEL_BY_STARS = {-1: "Red", 1: "Red", 2: "Yellow", 3: "Yellow", 4: "Green", 5: "Green"}
OUR_KEYWORD = re.compile(r"IQA\|[01]\.\d")


def microsoft_rating(stars: int) -> int:
    """MicrosoftPhoto:Rating for -1 to 5 stars; it knows no rejects: 0."""
    return _MICROSOFT_BY_STARS[max(stars, 0)]


def percent(score: float, stars: int) -> int:
    """RatingPercent for a score of 0 to 1, kept where Windows shows the same -1 to 5 stars."""
    lowest, highest = _PERCENT_BANDS[max(stars, 0)]
    return min(max(round(100 * score), lowest), highest)


def stars_of_percent(percent: float) -> int:
    """The 0 to 5 stars that Windows shows for RatingPercent or MicrosoftPhoto:Rating; 5 beyond 99."""
    return sum(percent > highest for _, highest in _PERCENT_BANDS[:-1])


def label(stars: int) -> str:
    """The colour for -1 or 1 to 5 stars."""
    return _LABEL_BY_STARS[stars]


def keyword(score: float) -> str:
    """The keyword for a score of 0 to 1, cut to one decimal, so that 0.699 is not found among the 0.7."""
    return f"IQA|{score:.4f}"[:7]
