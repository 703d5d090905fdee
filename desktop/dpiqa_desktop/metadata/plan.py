"""What a photo's files should say, from what they say now; nothing is read or written here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Literal

from dpiqa_desktop.metadata import properties as prop
from dpiqa_desktop.metadata.embedded import ExifRating
from dpiqa_desktop.metadata.xmp import Change, Items, Name


@dataclass(frozen=True)
class Verdict:
    """What is to be said of a photo.

    Attributes:
        score: 0 to 1; models that overshoot are cut. None says nothing of a score: a photo that the
            photographer has rated, and no model.
        stars: 1 to 5, or -1 for a reject; by the photographer also 0, unrated.
        model, model_hash: what gave the score; only scores of the same of both can be compared.
        scored_at: with a time zone.
        uncertainty: in the score's unit; None if the model does not say.
        rating_by: who gave the stars. The photographer's are not marked as ours.
        replaces_rating: the photographer gave this photo these very stars: they replace a rating of theirs
            that is there.
    """

    score: float | None
    stars: int
    model: str
    model_hash: str
    scored_at: datetime
    uncertainty: float | None = None
    rating_by: Literal["model", "photographer"] = "model"
    replaces_rating: bool = False


@dataclass(frozen=True)
class Policy:
    """What else is asked for.

    Attributes:
        overwrite_ratings: our stars replace the photographer's rating.
        keywords, labels, microsoft: write these, too.
    """

    overwrite_ratings: bool = False
    keywords: bool = False
    labels: bool = False
    microsoft: bool = False


@dataclass(frozen=True)
class Said:
    """What one document, a photo's own metadata or a sidecar, says now.

    Attributes:
        properties: of its XMP: texts, and arrays of texts; None for what has another shape.
        exif: the rating in EXIF; None for a sidecar, which has no EXIF.
    """

    properties: Mapping[Name, str | tuple[str, ...] | None] = field(default_factory=dict)
    exif: ExifRating | None = None

    def text(self, name: Name) -> str | None:
        """A simple property's value."""
        value = self.properties.get(name)
        return value if isinstance(value, str) else None

    def items(self, name: Name) -> tuple[str, ...]:
        """An array's values."""
        value = self.properties.get(name)
        return (value,) if isinstance(value, str) else value or ()


@dataclass(frozen=True)
class Wanted:
    """What of a document has to change; false if nothing.

    Attributes:
        xmp: by property.
        exif: both tags; None leaves them as they are.
    """

    xmp: Mapping[Name, Change]
    exif: ExifRating | None = None

    def __bool__(self) -> bool:
        return bool(self.xmp) or self.exif is not None


def has_users_rating(said: Said) -> bool:
    """Whether a document has a rating that is not ours, or had ours and lost it: somebody took it away.

    A rating of 0 is none, as cameras and programs write it into every file, unless ours was there before:
    then it is the photographer's "unrated". So it is if XMP's is gone and EXIF's is left, which not all
    programs know. What is no number is nobody's but the photographer's.
    """
    given = _ratings(said)
    ours = _our_stars(said)
    if ours is None:
        return any(stars != 0 for _, stars in given)
    return prop.RATING not in said.properties or any(stars != max(ours, lowest) for lowest, stars in given)


def changes(said: Said, verdict: Verdict, policy: Policy, keep_rating: bool) -> Wanted:
    """Work out what a document needs to say what it should.

    Args:
        said: by this document.
        verdict: of the photo.
        policy: of the run.
        keep_rating: leave the rating alone, here or elsewhere the photo has one of the photographer's.
    """
    score = None if verdict.score is None else min(max(verdict.score, 0.0), 1.0)
    xmp = {} if score is None else _score(score, verdict)
    exif = None
    if verdict.rating_by == "photographer" and not keep_rating:
        xmp |= _photographers_rating(said, verdict.stars, policy)
        if said.exif is not None:
            exif = ExifRating(max(verdict.stars, 0), prop.microsoft_rating(verdict.stars))
    elif not keep_rating and score is not None:
        xmp |= _rating(said, verdict.stars, policy)
        if said.exif is not None:
            exif = ExifRating(max(verdict.stars, 0), prop.percent(score, verdict.stars))
    elif _is_replaced(said):
        # Ours is history. Should the photographer set the same stars one day, they must not seem to be ours.
        xmp[prop.OUR_RATING] = None
    if score is not None:
        xmp |= _keywords(said, prop.keyword(score), policy)
    xmp = {name: change for name, change in xmp.items() if not _says_already(said, name, change)}
    exif = None if exif == said.exif else exif
    # A file that says all else is not touched for the date.
    if score is not None and (xmp or exif is not None):
        scored_at = verdict.scored_at.astimezone(timezone.utc).strftime(prop.TIME_FORMAT)
        xmp |= {} if said.text(prop.SCORED_AT) == scored_at else {prop.SCORED_AT: scored_at}
    return Wanted(xmp, exif)


def summary(said: Said, wanted: Wanted) -> str:
    """Tell the photographer what changes, in a few words: "score 0.7321 (was 0.6989), stars 4 (was none)"."""
    parts = []
    if prop.SCORE in wanted.xmp:
        parts.append(f"score {wanted.xmp[prop.SCORE]} (was {said.text(prop.SCORE) or 'none'})")
    stars = wanted.xmp.get(prop.RATING, wanted.exif and wanted.exif.rating)
    if stars is not None:
        word = "rejected" if stars == "-1" else f"stars {stars}"
        parts.append(f"{word} (was {_ratings_in_words(said)})")
    if prop.LABEL in wanted.xmp:
        parts.append(f"label {wanted.xmp[prop.LABEL]} (was {said.text(prop.LABEL) or 'none'})")
    for name in (prop.KEYWORDS, prop.HIERARCHICAL_KEYWORDS):
        change = wanted.xmp.get(name)
        if isinstance(change, Items):
            parts += [f"keyword {keyword} in {name}" for keyword in change.add]
            parts += [f"no more keyword {keyword} in {name}" for keyword in change.remove]
    return ", ".join(parts) or "what belongs to its score"


def _ratings_in_words(said: Said) -> str:
    exif = said.exif or ExifRating()
    given = [
        said.text(prop.RATING),
        None if exif.rating is None else f"{exif.rating} in EXIF",
        None if exif.rating is not None or exif.percent is None else f"{exif.percent} % in EXIF",
        *(f"{text} % for Windows" for name in prop.MICROSOFT_RATINGS if (text := said.text(name))),
    ]
    return ", ".join(text for text in given if text) or "none"


def _score(score: float, verdict: Verdict) -> dict[Name, Change]:
    return {
        prop.SCORE: f"{score:.4f}",
        prop.UNCERTAINTY: None if verdict.uncertainty is None else f"{verdict.uncertainty:.4f}",
        prop.MODEL: verdict.model,
        prop.MODEL_HASH: verdict.model_hash,
    }


def _rating(said: Said, stars: int, policy: Policy) -> dict[Name, Change]:
    return _stars(said, stars, policy) | {prop.OUR_RATING: str(stars)} | _label(said, stars, policy)


def _photographers_rating(said: Said, stars: int, policy: Policy) -> dict[Name, Change]:
    xmp = _stars(said, stars, policy)
    if said.text(prop.LABEL) is not None and said.text(prop.LABEL) == said.text(prop.OUR_LABEL):
        xmp |= {prop.LABEL: None, prop.OUR_LABEL: None}  # a colour of ours goes with our stars
    if stars != 0:  # beside ours, a 0 is the photographer's; without, it would be none
        xmp[prop.OUR_RATING] = None
    return xmp


def _stars(said: Said, stars: int, policy: Policy) -> dict[Name, Change]:
    xmp: dict[Name, Change] = {prop.RATING: str(stars)}
    # One that is there must follow: two that differ would help nobody.
    there = [name for name in prop.MICROSOFT_RATINGS if name in said.properties]
    for name in there or [prop.MICROSOFT_RATING] * policy.microsoft:
        xmp[name] = str(prop.microsoft_rating(stars))
    return xmp


def _label(said: Said, stars: int, policy: Policy) -> dict[Name, Change]:
    """One of ours follows the stars, asked for or not; one of the photographer's stays."""
    there, ours = prop.LABEL in said.properties, said.text(prop.OUR_LABEL)
    if there and said.text(prop.LABEL) != ours:
        return {prop.OUR_LABEL: None}
    if not there and (ours is not None or not policy.labels):  # taken away, or never asked for
        return {}
    return {prop.LABEL: prop.label(stars), prop.OUR_LABEL: prop.label(stars)}


def _keywords(said: Said, keyword: str, policy: Policy) -> dict[Name, Change]:
    """One of ours follows the score, asked for or not."""
    changes: dict[Name, Change] = {}
    for name in (prop.KEYWORDS, prop.HIERARCHICAL_KEYWORDS):
        ours = tuple(item for item in said.items(name) if prop.OUR_KEYWORD.fullmatch(item))
        if ours or policy.keywords:
            add = (keyword,) if keyword not in ours else ()
            changes[name] = Items(add, tuple(item for item in ours if item != keyword))
    return changes


def _says_already(said: Said, name: Name, change: Change) -> bool:
    if isinstance(change, Items):
        return change == Items()
    if change is None:
        return name not in said.properties
    return said.properties.get(name) == change


def _is_replaced(said: Said) -> bool:
    """The photographer has set another rating over ours, not just taken it away."""
    return (
        _our_stars(said) is not None
        and has_users_rating(said)
        and any(stars != 0 for _, stars in _ratings(said))
    )


def _our_stars(said: Said) -> int | None:
    text = said.text(prop.OUR_RATING)
    return int(text) if text in {str(stars) for stars in prop.STARS} else None


def _ratings(said: Said) -> Sequence[tuple[int, float]]:
    """Each rating that a document gives, in stars, and the lowest it can say: only XMP knows rejects."""
    given: list[tuple[int, float]] = []
    if prop.RATING in said.properties:
        given.append((-1, _number(said.text(prop.RATING))))
    given += [
        (0, _stars_of_percent(_number(said.text(name))))
        for name in prop.MICROSOFT_RATINGS
        if name in said.properties
    ]
    exif = said.exif or ExifRating()
    if exif.rating is not None:
        given.append((0, exif.rating))
    # A 0 of somebody's may say nothing, and the percentage all. Over stars of ours it says "unrated".
    if exif.percent is not None and (exif.rating is None or (exif.rating == 0 and _our_stars(said) is None)):
        given.append((0, _stars_of_percent(exif.percent)))
    return given


def _stars_of_percent(percent: float) -> float:
    return percent if math.isnan(percent) else prop.stars_of_percent(percent)


def _number(text: str | None) -> float:
    """NaN, which equals no rating, for what is none."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
