"""The process that scores: what it is asked for comes back, in its order, and it obeys."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from makers import ailing_backends
from makers.stand_in_backends import Brightness

from dpiqa_desktop.events import Scored
from dpiqa_desktop.gui.scorer import RemoteBackend, Scorer
from dpiqa_desktop.gui.scoring_messages import Score
from dpiqa_plugin.errors import DPIQAError


@pytest.fixture
def start():
    scorers = []

    def start(make_backend):
        scorers.append(Scorer(make_backend))
        return scorers[-1]

    yield start
    for scorer in scorers:
        scorer.close()


@pytest.fixture
def score(tmp_path):
    return lambda paths: Score(tuple(paths), "brightness", "auto", tmp_path / "scores.sqlite3")


def scored(messages):
    return [e for name, value in messages if name == "told" for e in value if isinstance(e, Scored)]


def test_bursts_are_told_while_photos_come_in(start, score, make_photos):
    paths = make_photos(6)
    copies = [path.replace(".jpg", "_copy.jpg") for path in paths]
    for path, copy in zip(paths, copies, strict=True):
        Path(copy).write_bytes(Path(path).read_bytes() + b"copy")
    pairs = [path for pair in zip(paths, copies, strict=True) for path in pair]
    messages = list(start(ailing_backends.slow).ask(score(pairs)))
    assert [event.path for event in scored(messages)] == pairs
    bursts = [value for name, value in messages if name == "bursts"]
    assert len(bursts) > 1
    grouped = [{path for burst in told for path in burst} for told in bursts]
    assert set() < grouped[0] < set(pairs)
    assert grouped[-1] == set(pairs)


def test_a_job_that_is_held_goes_on_when_it_may(start, score, make_photos):
    answers = start(ailing_backends.slow).ask(score(make_photos(16)))
    answers.hold(True)
    time.sleep(2)
    answers.waiting.put(("mark", None))
    before = []
    coming = iter(answers)
    while (message := next(coming))[0] != "mark":
        before.append(message)
    assert len(scored(before)) < 16  # a batch was at hand
    answers.hold(False)
    assert len(scored(before)) + len(scored(coming)) == 16


def test_a_job_that_is_cancelled_ends_after_the_photos_at_hand(start, score, make_photos):
    scorer = start(ailing_backends.slow)
    answers = scorer.ask(score(make_photos(16)))
    answers.cancel()
    assert len(scored(answers)) < 16
    assert len(scored(scorer.ask(score(make_photos(16))))) == 16  # and the next one is done


def test_a_model_in_the_other_process_says_what_it_says_here(start):
    scorer = start(ailing_backends.healthy)
    here, there = Brightness(), RemoteBackend(scorer, "brightness", "auto")
    for attribute in ("description", "identity", "input_size", "lower_better", "score_range", "batch_size"):
        assert getattr(there, attribute) == getattr(here, attribute)
    photos = [np.full((32, 32, 3), grey, np.uint8) for grey in (3, 200)]
    there.load()
    np.testing.assert_array_equal(there.judge(photos).scores, here.judge(photos).scores)


def test_what_it_cannot_do_is_told_as_our_own_error_and_logged(start, caplog):
    backend = RemoteBackend(start(ailing_backends.full_gpu), "brightness", "auto")
    with pytest.raises(DPIQAError, match="CUDA out of memory"):
        backend.judge([np.zeros((32, 32, 3), np.uint8)])
    assert "ailing_backends.py" in caplog.text, "the other process's traceback"
