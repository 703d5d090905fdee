"""Outputs of the frozen stages on disk: what the model computes, once, and again when anything changes."""

import numpy as np
import pytest
import torch
from makers.full_disk import full_disk

from dpiqa_plugin.errors import PhotoError
from dpiqa_plugin.models.lite import Lite
from dpiqa_training.datasets.decoding import read_squashed
from dpiqa_training.errors import CacheError
from dpiqa_training.stage_cache import all_statistics, cached_stages

NAMES = ["a", "b", "c"]


class Counted(torch.utils.data.Dataset):
    """Three photos that fail once they may not be read any more."""

    def __init__(self) -> None:
        self.readable = True

    def __len__(self):
        return len(NAMES)

    def __getitem__(self, index):
        if not self.readable:
            raise RuntimeError("read again")
        return torch.randint(0, 256, (3, 64, 64), generator=torch.Generator().manual_seed(index)).byte()


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Lite().eval()


def test_what_is_read_is_what_the_model_computes(model, tmp_path):
    photos = Counted()
    stages = cached_stages(model, photos, NAMES, tmp_path / "cache.npy", "cpu").stages([2, 0])
    with torch.inference_mode():
        expected = model.early(torch.stack([photos[2], photos[0]]).float() / 255)
        judged = model.late(stages), model.late(expected)
    torch.testing.assert_close(stages.statistics, expected.statistics)
    torch.testing.assert_close(stages.map, expected.map, rtol=1e-3, atol=1e-3)  # kept as float16
    torch.testing.assert_close(judged[0].score, judged[1].score, rtol=0, atol=1e-3)


def test_photos_are_read_once(model, tmp_path):
    photos = Counted()
    first = cached_stages(model, photos, NAMES, tmp_path / "cache.npy", "cpu")
    photos.readable = False
    again = cached_stages(model, photos, NAMES, tmp_path / "cache.npy", "cpu")
    np.testing.assert_array_equal(first.maps, again.maps)


@pytest.mark.parametrize("change", ["names", "weights", "killed"])
def test_stale_or_unfinished_files_are_made_again(model, tmp_path, change):
    photos = Counted()
    cached_stages(model, photos, NAMES, tmp_path / "cache.npy", "cpu")
    photos.readable = False
    names, other = NAMES, model
    if change == "names":
        names = ["a", "b", "d"]
    elif change == "weights":
        other = Lite().eval()
    else:
        (tmp_path / "cache.key").unlink()
    with pytest.raises(RuntimeError, match="read again"):
        cached_stages(other, photos, names, tmp_path / "cache.npy", "cpu")


def test_a_full_disk_is_named_and_the_next_run_begins_anew(model, tmp_path):
    # A batch passes from the loader's process in 197 kB; the maps of all 60 take 307 kB.
    photos = [Counted()[index % 3] for index in range(60)]
    with full_disk(250_000), pytest.raises(CacheError, match=r"cache\.npy cannot be written .*make room"):
        cached_stages(model, photos, NAMES, tmp_path / "cache.npy", "cpu")
    assert not list(tmp_path.iterdir())
    assert len(cached_stages(model, Counted(), NAMES, tmp_path / "cache.npy", "cpu")) == len(NAMES)


def test_a_disk_that_fills_at_the_late_stages_is_named(model, tmp_path):
    photos = cached_stages(model, Counted(), NAMES, tmp_path / "cache.npy", "cpu")
    with full_disk(1_000), pytest.raises(CacheError, match=r"cache\.late\.npy cannot be written"):
        all_statistics(model, photos, tmp_path / "cache.npy", "cpu")
    assert all_statistics(model, photos, tmp_path / "cache.npy", "cpu").shape == (3, 1168)


def test_a_photo_that_cannot_be_read_is_not_taken_for_a_full_disk(model, tmp_path):
    class Damaged(Counted):
        def __getitem__(self, index):
            return torch.from_numpy(read_squashed(tmp_path / "broken.jpg", 384))

    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    with pytest.raises(PhotoError, match=r"broken\.jpg cannot be read"):
        cached_stages(model, Damaged(), NAMES, tmp_path / "cache.npy", "cpu")
