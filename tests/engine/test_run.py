"""The pipeline: every photo ends as an event, in order, within bounds, and no photo ends the run."""

import contextlib
import dataclasses
import itertools
import os
import threading

import pytest
from makers.photos import make_torture_folder, save_photo
from makers.stand_in_backends import AfraidOfTheDark, Blinded, Brightness
from PIL import Image

from dpiqa_desktop.engine.run import choose_stages, run
from dpiqa_desktop.engine.scan import scan
from dpiqa_desktop.engine.steps import Steps
from dpiqa_desktop.engine.store import Store
from dpiqa_desktop.events import Failed, Notice, Progress, Scored


def score(folder, backend=None, store=None, *, batch_size=None, cancel=None, **options):
    """Run the engine over a folder; ``options`` are those of ``Steps``."""
    backend = backend or Brightness()
    steps = Steps(backend, store or Store(None), **options)
    photos = scan([str(folder)]).photos
    return run(photos, steps, choose_stages(backend, batch_size), cancel)


def outcomes(events):
    return [event for event in events if isinstance(event, (Scored, Failed))]


def _save_plain(folder, *levels):
    for index, level in enumerate(levels):
        Image.new("L", (8, 8), level).save(folder / f"{index:03d}.png")


def _names(events, kind):
    return [os.path.basename(event.path) for event in events if isinstance(event, kind)]


def test_scores_belong_to_their_photos_and_come_in_order(tmp_path):
    levels = list(range(0, 250, 5))
    _save_plain(tmp_path, *levels)
    events = outcomes(score(tmp_path))
    assert [event.score for event in events] == levels
    assert _names(events, Scored) == [f"{index:03d}.png" for index in range(50)]


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_the_batch_size_changes_no_score(batch_size, tmp_path):
    levels = [10, 20, 30, 40, 50]
    _save_plain(tmp_path, *levels)
    assert [event.score for event in outcomes(score(tmp_path, batch_size=batch_size))] == levels


def test_one_photo_that_breaks_a_batch_fails_alone(tmp_path):
    _save_plain(tmp_path, 10, 20, 0, 40, 50)
    events = outcomes(score(tmp_path, AfraidOfTheDark(batch_size=5)))
    assert _names(events, Failed) == ["002.png"]
    assert "division by darkness" in events[2].reason
    assert [event.score for event in events if isinstance(event, Scored)] == [10, 20, 40, 50]


def test_a_score_that_is_no_number_is_a_failure(tmp_path):
    _save_plain(tmp_path, 10, 255)
    good, bad = outcomes(score(tmp_path, Blinded()))
    assert isinstance(good, Scored)
    assert isinstance(bad, Failed)
    assert "no score" in bad.reason


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")  # Pillow's own words about the damage
def test_every_file_of_the_torture_folder_ends_as_score_or_reason(tmp_path):
    expected = make_torture_folder(tmp_path)
    events = outcomes(score(tmp_path))
    scored = {os.path.relpath(event.path, tmp_path) for event in events if isinstance(event, Scored)}
    failed = {
        os.path.relpath(event.path, tmp_path): event.reason for event in events if isinstance(event, Failed)
    }
    assert scored == {os.path.normpath(name) for name, reason in expected.items() if reason is None}
    assert set(failed) == {name for name, reason in expected.items() if reason}
    assert all(failed.values())


@pytest.mark.parametrize("input_size", [32, None])
def test_only_a_window_of_photos_is_decoded_ahead(input_size, tmp_path):
    """Taking the photos away after the first event leaves those in the window to be scored."""
    _save_plain(tmp_path, *[100] * 200)
    backend = Brightness(input_size, batch_size=2)
    photos = scan([str(tmp_path)]).photos
    with contextlib.closing(score(tmp_path, backend)) as events:
        first = next(events)
        for path in photos:
            os.unlink(path)
        later = outcomes(events)
    ahead = sum(isinstance(event, Scored) for event in [first, *later])
    assert 1 <= ahead <= choose_stages(backend, None).window
    assert len(later) == 199
    assert all("No such file" in event.reason for event in later if isinstance(event, Failed))


def test_a_small_window_still_gets_through_mixed_sizes(tmp_path):
    for index, size in enumerate([(8, 8), (300, 20), (20, 300), (64, 64)]):
        save_photo(tmp_path / f"{index}.jpg", size=size)
    assert len(outcomes(score(tmp_path, Brightness(None, 1)))) == 4


def test_closing_stops_the_decoders(tmp_path):
    _save_plain(tmp_path, *[100] * 100)
    events = score(tmp_path)
    assert len(list(itertools.islice(events, 3))) == 3
    events.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_cancelling_from_another_thread_ends_the_run_and_keeps_what_was_told(tmp_path):
    _save_plain(tmp_path, *range(100))
    cancel, store = threading.Event(), Store(None)
    events = score(tmp_path, store=store, cancel=cancel)
    told = [next(events)]
    threading.Thread(target=cancel.set).start()
    told += events
    assert 1 <= len(outcomes(told)) < 100
    assert len([event for event in outcomes(score(tmp_path, store=store)) if event.known]) == len(
        outcomes(told)
    )


def test_progress_counts_to_the_end(tmp_path):
    _save_plain(tmp_path, *range(10, 20))
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    progress = [event for event in score(tmp_path) if isinstance(event, Progress)]
    assert [event.done for event in progress] == sorted({event.done for event in progress})
    last = progress[-1]
    assert (last.done, last.failed, last.total, last.eta) == (11, 1, 11, 0)
    assert last.rate > 0


def test_a_second_run_asks_the_model_nothing(tmp_path):
    _save_plain(tmp_path, 10, 20, 30)
    store, again = Store(None), Brightness()
    first = outcomes(score(tmp_path, store=store))
    second = outcomes(score(tmp_path, again, store))
    assert second == [dataclasses.replace(event, known=True) for event in first]
    assert (again.loads, again.judged) == (0, 0)


def test_force_scores_again(tmp_path):
    _save_plain(tmp_path, 10, 20, 30)
    store, again = Store(None), Brightness()
    outcomes(score(tmp_path, store=store))
    assert not any(event.known for event in outcomes(score(tmp_path, again, store, force=True)))
    assert again.judged == 3


def test_moved_and_renamed_photos_keep_their_scores(tmp_path):
    _save_plain(tmp_path, 10, 20, 30)
    store, again = Store(None), Brightness()
    outcomes(score(tmp_path, store=store))
    (tmp_path / "moved").mkdir()
    os.rename(tmp_path / "000.png", tmp_path / "moved" / "new name.png")
    events = outcomes(score(tmp_path, again, store))
    assert [event.score for event in events] == [20, 30, 10]
    assert all(event.known for event in events)
    assert again.judged == 0


def test_a_changed_photo_is_scored_anew_even_if_size_and_name_stay(tmp_path):
    photo = tmp_path / "photo.bmp"
    Image.new("L", (8, 8), 10).save(photo)
    store = Store(None)
    outcomes(score(tmp_path, store=store))
    status = photo.stat()
    Image.new("L", (8, 8), 20).save(photo)
    os.utime(photo, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert photo.stat().st_size == status.st_size
    (event,) = outcomes(score(tmp_path, store=store))
    assert (event.score, event.known) == (20, False)


def test_scores_of_other_weights_are_not_taken_for_these(tmp_path):
    _save_plain(tmp_path, 10)
    store, other = Store(None), Brightness(identity="brightness-2")
    outcomes(score(tmp_path, store=store))
    assert [event.known for event in outcomes(score(tmp_path, other, store))] == [False]


def test_two_copies_of_a_photo_are_two_photos_with_one_score(tmp_path):
    _save_plain(tmp_path, 10, 10)
    events = outcomes(score(tmp_path, Brightness(batch_size=1)))
    assert [event.score for event in events] == [10, 10]
    assert len({event.path for event in events}) == 2


def test_a_store_that_cannot_be_written_costs_no_score_and_is_told_once(tmp_path):
    _save_plain(tmp_path, *range(20))
    store = Store(None)
    store.connection.execute("PRAGMA query_only = ON")
    events = list(score(tmp_path, store=store))
    assert len(outcomes(events)) == 20
    (notice,) = [event for event in events if isinstance(event, Notice)]
    assert "not kept" in notice.text


def test_larger_photos_than_asked_for_are_refused(tmp_path):
    save_photo(tmp_path / "small.jpg", size=(40, 30))
    save_photo(tmp_path / "wide.jpg", size=(50, 30))
    wide, small = sorted(
        outcomes(score(tmp_path, max_pixels=1200)), key=lambda event: event.path, reverse=True
    )
    assert isinstance(small, Scored)
    assert isinstance(wide, Failed)
    assert "50 x 30" in wide.reason
