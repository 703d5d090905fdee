"""Whose a rating is, and what a document gets to say: a rating of the photographer's always stays."""

from datetime import datetime, timedelta, timezone

import pytest

from dpiqa_desktop.metadata import properties as prop
from dpiqa_desktop.metadata.embedded import ExifRating
from dpiqa_desktop.metadata.plan import Policy, Said, Verdict, changes, has_users_rating, summary
from dpiqa_desktop.metadata.xmp import Items

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=timezone.utc)
VERDICT = Verdict(0.73214, 4, "dpiqa_lite", "6f6364567c73", NOON)


def said(rating=None, ours=None, exif=None, percent=None, microsoft=None, **more):
    texts = {prop.RATING: rating, prop.OUR_RATING: ours, prop.MICROSOFT_RATING: microsoft}
    properties = {name: text for name, text in texts.items() if text is not None}
    return Said(properties | more.get("properties", {}), ExifRating(exif, percent))


@pytest.mark.parametrize(
    ("document", "users"),
    [
        (said(), False),
        (said(rating="0"), False),
        (said(rating="0", exif=0, percent=0), False),
        (said(rating="3"), True),
        (said(rating="-1"), True),
        (said(rating="2.5"), True),
        (said(rating="three"), True),
        (said(rating=""), True),
        (said(exif=3), True),
        (said(percent=50), True),
        (said(exif=0, percent=99), True),
        (said(rating="0", exif=0, percent=1), True),
        (said(rating="-1", ours="-1", exif=0, percent=0), False),
        (said(microsoft="50"), True),
        (said(microsoft="often"), True),
        (said(rating="0", exif=2), True),
        (said(properties={prop.MICROSOFT_RATINGS[1]: "50"}), True),
        (said(properties={prop.RATING: None}), True),  # of a shape that we cannot read
        (said(properties={prop.RATING: ("1", "2")}), True),
        (said(rating="3", ours="3"), False),
        (said(rating="3.0", ours="3", exif=3, percent=40), False),
        (said(rating="3", ours="3", microsoft="50"), False),
        (said(rating="-1", ours="-1", exif=0, microsoft="0"), False),
        (said(exif=3, ours="3"), True),  # a program that knows XMP's only has taken it away
        (said(rating="4", ours="3"), True),
        (said(rating="3", ours="3", exif=5), True),
        (said(rating="3", ours="3", microsoft="99"), True),
        (said(rating="0", ours="3"), True),
        (said(rating="0", ours="-1"), True),
        (said(ours="3"), True),
        (said(rating="3", ours="many"), True),
        (said(rating="0", ours="0"), False),
        (said(rating="nan", ours="3"), True),
    ],
)
def test_whose_a_rating_is(document, users):
    assert has_users_rating(document) is users


def test_all_that_a_fresh_photo_gets_to_say():
    wanted = changes(said(), VERDICT, Policy(), keep_rating=False)
    assert wanted.xmp == {
        prop.SCORE: "0.7321",
        prop.MODEL: "dpiqa_lite",
        prop.MODEL_HASH: "6f6364567c73",
        prop.RATING: "4",
        prop.OUR_RATING: "4",
        prop.SCORED_AT: "2026-05-01T12:00:00Z",
    }
    assert wanted.exif == ExifRating(4, 73)
    assert summary(said(), wanted) == "score 0.7321 (was none), stars 4 (was none)"


def test_a_reject_is_called_so():
    reject = Verdict(0.1, -1, "dpiqa_lite", "6f6364567c73", NOON)
    wanted = changes(said(rating="4", ours="4"), reject, Policy(), keep_rating=False)
    assert summary(said(rating="4", ours="4"), wanted) == "score 0.1000 (was none), rejected (was 4)"


def test_the_score_but_no_stars_where_the_photographer_rated():
    wanted = changes(said(rating="5", exif=5), VERDICT, Policy(labels=True, microsoft=True), keep_rating=True)
    assert wanted.exif is None
    assert not {prop.RATING, prop.OUR_RATING, prop.LABEL, prop.MICROSOFT_RATING} & set(wanted.xmp)
    assert wanted.xmp[prop.SCORE] == "0.7321"


def test_our_stars_are_forgotten_where_the_photographer_set_others():
    assert (
        changes(said(rating="5", ours="3"), VERDICT, Policy(), keep_rating=True).xmp[prop.OUR_RATING] is None
    )


@pytest.mark.parametrize("document", [said(rating="0", ours="3"), said(ours="3")])
def test_that_the_photographer_took_our_stars_away_is_remembered(document):
    # Without ours, a rating of 0 would be none, and the next run would bring the stars back.
    assert prop.OUR_RATING not in changes(document, VERDICT, Policy(), keep_rating=True).xmp


def test_our_stars_stay_ours_where_only_another_file_of_the_photo_is_rated():
    assert prop.OUR_RATING not in changes(said(rating="3", ours="3"), VERDICT, Policy(), keep_rating=True).xmp


def test_what_says_everything_is_left_alone_whenever_that_was_written():
    first = changes(said(), VERDICT, Policy(), keep_rating=False)
    now = Said(first.xmp, first.exif)
    later = Verdict(0.73214, 4, "dpiqa_lite", "6f6364567c73", NOON + timedelta(days=1))
    assert not changes(now, later, Policy(), keep_rating=False)


def test_a_new_score_replaces_ours():
    first = changes(said(), VERDICT, Policy(), keep_rating=False)
    better = Verdict(0.91, 5, "dpiqa_lite", "other", NOON)
    second = changes(Said(first.xmp, first.exif), better, Policy(), keep_rating=False)
    assert second.xmp == {
        prop.SCORE: "0.9100",
        prop.MODEL_HASH: "other",
        prop.RATING: "5",
        prop.OUR_RATING: "5",
    }
    assert second.exif == ExifRating(5, 91)


@pytest.mark.parametrize(
    ("score", "stars", "percent"),
    [
        (0.0, 1, 1),
        (0.5, 1, 12),
        (0.125, 2, 13),
        (0.9, 2, 37),
        (0.5, 3, 50),
        (0.1, 4, 63),
        (0.1, 5, 88),
        (1.0, 5, 99),
        (1.02, 5, 99),
        (-0.01, 1, 1),
        (0.3, -1, 0),
    ],
)
def test_percent_stays_in_the_band_that_windows_shows_as_the_same_stars(score, stars, percent):
    verdict = Verdict(score, stars, "dpiqa_lite", "6f", NOON)
    wanted = changes(said(), verdict, Policy(microsoft=True), keep_rating=False)
    assert wanted.exif == ExifRating(max(stars, 0), percent)
    assert prop.stars_of_percent(percent) == max(stars, 0)
    assert prop.stars_of_percent(int(wanted.xmp[prop.MICROSOFT_RATING])) == max(stars, 0)
    assert 0 <= float(wanted.xmp[prop.SCORE]) <= 1


def test_keywords_replace_ours_and_leave_others():
    keywords = ("IQA|0.4", "IQA|best", "wedding")
    document = said(properties={prop.KEYWORDS: keywords, prop.HIERARCHICAL_KEYWORDS: ("IQA|0.7",)})
    xmp = changes(document, VERDICT, Policy(keywords=True), keep_rating=False).xmp
    assert xmp[prop.KEYWORDS] == Items(add=("IQA|0.7",), remove=("IQA|0.4",))
    assert prop.HIERARCHICAL_KEYWORDS not in xmp


@pytest.mark.parametrize(
    ("document", "label"),
    [
        (said(), "Green"),
        (said(properties={prop.LABEL: "Blue"}), None),
        (said(properties={prop.LABEL: "Green"}), None),
        (said(rating="2", ours="2", properties={prop.LABEL: "Yellow"}), None),
        (said(rating="2", ours="2", properties={prop.LABEL: "Yellow", prop.OUR_LABEL: "Yellow"}), "Green"),
        (said(rating="2", ours="2", properties={prop.LABEL: "Red", prop.OUR_LABEL: "Yellow"}), None),
        (said(rating="2", ours="2", properties={prop.OUR_LABEL: "Yellow"}), None),  # taken away
    ],
)
def test_a_label_of_the_photographers_stays(document, label):
    assert changes(document, VERDICT, Policy(labels=True), keep_rating=False).xmp.get(prop.LABEL) == label


def test_what_was_asked_for_once_follows_the_score():
    policy = Policy(labels=True, keywords=True, microsoft=True)
    first = changes(said(), VERDICT, policy, keep_rating=False)
    document = Said(
        {name: change.add if isinstance(change, Items) else change for name, change in first.xmp.items()},
        first.exif,
    )
    worse = Verdict(0.15, 1, "dpiqa_lite", "6f6364567c73", NOON)
    xmp = changes(document, worse, Policy(), keep_rating=False).xmp
    assert (xmp[prop.LABEL], xmp[prop.OUR_LABEL], xmp[prop.MICROSOFT_RATING]) == ("Red", "Red", "1")
    assert xmp[prop.KEYWORDS] == Items(add=("IQA|0.1",), remove=("IQA|0.7",))


def test_a_summary_shows_every_rating_that_would_go():
    document = said(exif=3, microsoft="25")
    wanted = changes(document, VERDICT, Policy(), keep_rating=False)
    assert "stars 4 (was 3 in EXIF, 25 % for Windows)" in summary(document, wanted)


def test_a_sidecar_has_no_exif_to_be_changed():
    first = changes(Said(), VERDICT, Policy(), keep_rating=False)
    assert first.exif is None
    assert not changes(Said(first.xmp), VERDICT, Policy(), keep_rating=False)


def test_a_rating_for_windows_that_is_there_follows_ours():
    document = said(rating="2", ours="2", microsoft="25")
    assert changes(document, VERDICT, Policy(), keep_rating=False).xmp[prop.MICROSOFT_RATING] == "75"


def test_uncertainty_is_written_where_the_model_has_one_and_taken_out_where_not():
    sure = Verdict(0.5, 3, "dpiqa_lite", "6f", NOON, uncertainty=0.0412)
    assert changes(said(), sure, Policy(), keep_rating=False).xmp[prop.UNCERTAINTY] == "0.0412"
    document = said(properties={prop.UNCERTAINTY: "0.0412"})
    assert changes(document, VERDICT, Policy(), keep_rating=False).xmp[prop.UNCERTAINTY] is None


def by_the_photographer(stars):
    return Verdict(
        0.73214, stars, "dpiqa_lite", "6f6364567c73", NOON, rating_by="photographer", replaces_rating=True
    )


@pytest.mark.parametrize("document", [said(), said(rating="2", exif=2), said(rating="2", ours="2", exif=2)])
@pytest.mark.parametrize(("stars", "exif"), [(5, (5, 99)), (1, (1, 1)), (-1, (0, 0)), (0, (0, 0))])
def test_the_photographers_stars_replace_whatever_is_there(document, stars, exif):
    wanted = changes(document, by_the_photographer(stars), Policy(), keep_rating=False)
    assert wanted.xmp[prop.RATING] == str(stars)
    assert wanted.exif == ExifRating(*exif)
    assert wanted.xmp[prop.SCORE] == "0.7321"


@pytest.mark.parametrize("stars", [-1, 1, 4, 5])
@pytest.mark.parametrize("ours", [None, "4"])
def test_the_photographers_stars_are_theirs_in_the_next_run_too(stars, ours):
    wanted = changes(said(rating=ours, ours=ours), by_the_photographer(stars), Policy(), keep_rating=False)
    then = Said(
        {prop.RATING: str(stars)} if prop.RATING in wanted.xmp else {prop.RATING: ours},
        ExifRating(max(stars, 0)),
    )
    assert wanted.xmp.get(prop.OUR_RATING, ours) is None
    assert has_users_rating(then)


def test_stars_that_the_photographer_takes_away_stay_away():
    # As in other programs: a 0 beside ours is the photographer's, one without is none.
    wanted = changes(said(rating="4", ours="4"), by_the_photographer(0), Policy(), keep_rating=False)
    assert prop.OUR_RATING not in wanted.xmp
    assert has_users_rating(said(rating=wanted.xmp[prop.RATING], ours="4", exif=wanted.exif.rating))


def test_a_colour_of_ours_goes_with_our_stars_and_one_of_the_photographers_stays():
    ours = said(rating="1", ours="1", properties={prop.LABEL: "Red", prop.OUR_LABEL: "Red"})
    theirs = said(rating="1", ours="1", properties={prop.LABEL: "Blue"})
    policy = Policy(labels=True)
    assert changes(ours, by_the_photographer(5), policy, keep_rating=False).xmp[prop.LABEL] is None
    assert prop.LABEL not in changes(theirs, by_the_photographer(5), policy, keep_rating=False).xmp


def test_what_says_the_photographers_stars_already_is_left_alone():
    first = changes(said(), by_the_photographer(3), Policy(microsoft=True), keep_rating=False)
    assert first.xmp[prop.MICROSOFT_RATING] == "50"
    assert not changes(
        Said(first.xmp, first.exif), by_the_photographer(3), Policy(microsoft=True), keep_rating=False
    )


def test_unrated_over_stars_of_ours_stays_so_though_their_percentage_is_left():
    wanted = changes(said(rating="0", ours="4", exif=0, percent=73), VERDICT, Policy(), True)
    assert prop.OUR_RATING not in wanted.xmp
