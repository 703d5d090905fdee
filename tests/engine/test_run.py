"""The pipeline: every photo ends as an event, in order, within bounds, and no photo ends the run."""

import contextlib
import itertools
import os
import threading

import numpy as np
import pytest
from makers.photos import make_torture_folder, save_photo
from PIL import Image

from dpiqa_desktop.engine.run import choose_stages, run
from dpiqa_desktop.engine.scan import scan
from dpiqa_desktop.events import Failed, Scored


class Brightness:
    """A metric without a model: the mean of all pixels, 0..255."""

    description = "brightness"
    lower_better = False

    def __init__(self, input_size=32, batch_size=4):
        self.input_size = input_size
        self.batch_size = batch_size

    def score(self, photos):
        return np.array([photo.mean() for photo in photos], dtype=np.float32)


class AfraidOfTheDark(Brightness):
    """Fails a whole call because of one black photo, as runtimes do."""

    def score(self, photos):
        if not all(photo.any() for photo in photos):
            raise RuntimeError("division by darkness")
        return super().score(photos)


class Blinded(Brightness):
    """Gives no number for white photos."""

    def score(self, photos):
        return np.array([np.nan if photo.min() == 255 else 1 for photo in photos], dtype=np.float32)


def _save_plain(folder, *levels):
    for index, level in enumerate(levels):
        Image.new("L", (8, 8), level).save(folder / f"{index:03d}.png")


def _names(events, kind):
    return [os.path.basename(event.path) for event in events if isinstance(event, kind)]


def test_scores_belong_to_their_photos_and_come_in_order(tmp_path):
    levels = list(range(0, 250, 5))
    _save_plain(tmp_path, *levels)
    events = list(run(scan([str(tmp_path)]), Brightness()))
    assert [event.score for event in events] == levels
    assert _names(events, Scored) == [f"{index:03d}.png" for index in range(50)]


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_the_batch_size_changes_no_score(batch_size, tmp_path):
    levels = [10, 20, 30, 40, 50]
    _save_plain(tmp_path, *levels)
    assert [event.score for event in run(scan([str(tmp_path)]), Brightness(), batch_size)] == levels


def test_one_photo_that_breaks_a_batch_fails_alone(tmp_path):
    _save_plain(tmp_path, 10, 20, 0, 40, 50)
    backend = AfraidOfTheDark(batch_size=5)
    events = list(run(scan([str(tmp_path)]), backend))
    assert _names(events, Failed) == ["002.png"]
    assert "division by darkness" in events[2].reason
    assert [event.score for event in events if isinstance(event, Scored)] == [10, 20, 40, 50]


def test_a_score_that_is_no_number_is_a_failure(tmp_path):
    _save_plain(tmp_path, 10, 255)
    good, bad = run(scan([str(tmp_path)]), Blinded())
    assert isinstance(good, Scored)
    assert isinstance(bad, Failed)
    assert "no score" in bad.reason


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")  # Pillow's own words about the damage
def test_every_file_of_the_torture_folder_ends_as_score_or_reason(tmp_path):
    outcomes = make_torture_folder(tmp_path)
    events = list(run(scan([str(tmp_path)]), Brightness()))
    scored = {os.path.relpath(event.path, tmp_path) for event in events if isinstance(event, Scored)}
    failed = {
        os.path.relpath(event.path, tmp_path): event.reason for event in events if isinstance(event, Failed)
    }
    assert scored == {os.path.normpath(name) for name, reason in outcomes.items() if reason is None}
    assert set(failed) == {name for name, reason in outcomes.items() if reason}
    assert all(failed.values())


@pytest.mark.parametrize("input_size", [32, None])
def test_only_a_window_of_photos_is_decoded_ahead(input_size, tmp_path):
    """Taking the photos away after the first event leaves those in the window to be scored."""
    _save_plain(tmp_path, *[100] * 200)
    backend = Brightness(input_size, batch_size=2)
    found = scan([str(tmp_path)])
    with contextlib.closing(run(found, backend)) as events:
        first = next(events)
        for path in found.photos:
            os.unlink(path)
        later = list(events)
    ahead = sum(isinstance(event, Scored) for event in [first, *later])
    assert 1 <= ahead <= choose_stages(backend, None).window
    assert len(later) == 199
    assert all("No such file" in event.reason for event in later if isinstance(event, Failed))


def test_a_small_window_still_gets_through_mixed_sizes(tmp_path):
    for index, size in enumerate([(8, 8), (300, 20), (20, 300), (64, 64)]):
        save_photo(tmp_path / f"{index}.jpg", size=size)
    assert len(list(run(scan([str(tmp_path)]), Brightness(None, 1)))) == 4


def test_closing_stops_the_decoders(tmp_path):
    _save_plain(tmp_path, *[100] * 100)
    events = run(scan([str(tmp_path)]), Brightness())
    assert len(list(itertools.islice(events, 3))) == 3
    events.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_unreadable_folders_are_told_first(tmp_path):
    _save_plain(tmp_path, 100)
    found = scan([str(tmp_path)])
    locked = Failed("locked", "cannot list this folder: Permission denied")
    events = list(run(type(found)(found.photos, (locked,)), Brightness()))
    assert events[0] == locked
    assert isinstance(events[1], Scored)
