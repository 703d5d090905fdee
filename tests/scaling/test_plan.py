"""A job is what its plan says: the same command goes on with it, another one is refused."""

import dataclasses

import pytest

from dpiqa_desktop.scaling.plan import Entries, Settings, find_plan, make_plan
from dpiqa_desktop.scaling.source import Entry
from dpiqa_desktop.scaling.storage import Storage
from dpiqa_plugin.errors import UsageError

SETTINGS = Settings("lite-1", "/photos", None, 250_000_000, 2)
# The last is a name that is not UTF-8, as Linux allows.
PARTS = [[Entry("/photos/a.jpg"), Entry("/photos/sub", "cannot be listed")], [Entry("/photos/\udce9.jpg")]]
STORAGE = Storage()


@pytest.fixture
def out(tmp_path):
    return str(tmp_path / "new" / "out")


def test_a_plan_is_found_as_it_was_made(out):
    assert find_plan(STORAGE, out, SETTINGS) is None
    made = make_plan(STORAGE, out, SETTINGS, PARTS)
    assert find_plan(STORAGE, out, SETTINGS) == made
    assert made.sizes == (2, 1)
    entries = Entries(STORAGE, out)
    assert [entries.of(part) for part in (1, 0)] == [PARTS[1], PARTS[0]]


def test_a_part_is_done_when_its_file_is_there(out):
    plan = make_plan(STORAGE, out, SETTINGS, PARTS)
    assert plan.done(STORAGE) == []
    open(plan.part(1), "w").close()
    assert plan.done(STORAGE) == [1]


def test_parts_of_another_list_or_model_have_other_names(tmp_path):
    names = {
        make_plan(STORAGE, str(tmp_path / str(number)), settings, parts).part(0).rpartition("/")[2]
        for number, (settings, parts) in enumerate(
            [
                (SETTINGS, PARTS),
                (dataclasses.replace(SETTINGS, model="lite-2"), PARTS),
                (SETTINGS, PARTS[:1]),
                (SETTINGS, [PARTS[0] + PARTS[1]]),
            ]
        )
    }
    assert len(names) == 4


def test_parts_of_another_job_are_not_mixed_with_ours(out):
    plan = make_plan(STORAGE, out, SETTINGS, PARTS)
    open(f"{out}/part-00000000-0123456789abcdef.parquet", "w").close()
    with pytest.raises(UsageError, match="parts of another job"):
        plan.done(STORAGE)


@pytest.mark.parametrize(
    "change",
    [{"model": "lite-2"}, {"source": "/others"}, {"column": "x"}, {"max_pixels": 1}, {"part_size": 3}],
)
def test_another_job_is_refused(change, out):
    make_plan(STORAGE, out, SETTINGS, PARTS)
    ((name, value),) = change.items()
    with pytest.raises(
        UsageError, match=f"{name.replace('_', ' ')} .* where this one has {value}: give another"
    ):
        find_plan(STORAGE, out, dataclasses.replace(SETTINGS, **change))


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("Dear")
    with pytest.raises(UsageError, match="not empty"):
        find_plan(STORAGE, str(tmp_path), SETTINGS)
    with pytest.raises(UsageError, match="is a file"):
        find_plan(STORAGE, str(tmp_path / "letter.txt"), SETTINGS)


def test_a_job_without_photos_is_none(out):
    with pytest.raises(UsageError, match="no photos in /photos"):
        make_plan(STORAGE, out, SETTINGS, [])
    assert find_plan(STORAGE, out, SETTINGS) is None
