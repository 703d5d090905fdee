"""Photos move, are copied and come back; nothing is replaced; what cannot be done comes with its reason."""

import contextlib
import errno
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest
from makers.photo_folders import Disk, contents, journal_at, on, put
from makers.photos import save_photo

from dpiqa_desktop.engine.marks import Mark, Marks
from dpiqa_desktop.engine.store import Store
from dpiqa_desktop.journal import Journal, JournalError
from dpiqa_desktop.metadata.plan import Verdict
from dpiqa_desktop.metadata.read import said_by_photo
from dpiqa_desktop.metadata.targets import Settings
from dpiqa_desktop.metadata.write import Writer, Written
from dpiqa_desktop.metadata.write_journal import WriteJournal
from dpiqa_desktop.organise import NotDone, Operation, plan_copy, plan_move
from dpiqa_desktop.placing import PlacingError
from dpiqa_desktop.process_lock import writing_alone
from dpiqa_desktop.relocate import apply, recover, undo
from dpiqa_plugin.errors import UsageError

NAMES = ["a.jpg", "a.cr2", "a.cr2.xmp", "day/b.jpg", "day/b.xmp", "day/keep.jpg"]
KINDS = ["links", "no links", "other"]


class FullDisk(Disk):
    """Makes names, but has no room for content."""

    def _as_this_kind(self, name, real, *args, **kwargs):
        if name == "write":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super()._as_this_kind(name, real, *args, **kwargs)


class BusyDisk(Disk):
    """Lets somebody else do something once the first file of a photo has its new name."""

    def __init__(self, kind, folder, meanwhile):
        super().__init__(kind)
        self._folder = folder
        self._meanwhile = meanwhile

    def _as_this_kind(self, name, real, *args, **kwargs):
        result = super()._as_this_kind(name, real, *args, **kwargs)
        if self._meanwhile and name in ("link", "rename") and os.path.dirname(args[1]) == str(self._folder):
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        return result


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    put(folder, NAMES)
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def journal(tmp_path):
    with journal_at(tmp_path / "scores.db") as journal:
        yield journal


@pytest.fixture(params=KINDS)
def disk(request):
    with on(Disk(request.param)) as disk:
        yield disk


def _scored(folder, *names):
    return [(str(folder / name), 0.0) for name in names]


def _plan(folder, out, *names, planner=plan_move):
    scored = _scored(folder, *(names or ["a.jpg", "day/b.jpg"]))
    return planner(scored, 1 if planner is plan_move else len(scored), False, [str(folder)], str(out))


def _names(folder):
    return sorted(os.path.relpath(path, folder) for path in contents(folder))


def _all_done(outcomes):
    outcomes = list(outcomes)
    assert [outcome for outcome in outcomes if isinstance(outcome, NotDone)] == []
    return outcomes


def _reasons(outcomes):
    return {os.path.basename(o.path): o.reason for o in outcomes if isinstance(o, NotDone)}


def test_moved_photos_are_what_they_were_and_come_back(photos, out, journal, disk):
    before = contents(photos)
    plan = _plan(photos, out)
    assert tuple(_all_done(apply(plan, journal))) == plan.operations
    assert _names(photos) == ["day/keep.jpg"]
    for operation in plan.operations:
        assert contents(out)[operation.target] == before[operation.source]
    assert len(_all_done(undo(journal))) == 5
    assert contents(photos) == before
    assert not out.exists()
    with pytest.raises(UsageError, match="nothing to undo"):
        list(undo(journal))


def test_copies_are_made_once_and_go_again(photos, out, journal, disk):
    before = contents(photos)
    _all_done(apply(_plan(photos, out, planner=plan_copy), journal))
    assert sorted(contents(out).values()) == sorted(
        value for path, value in before.items() if "keep" not in path
    )
    assert {outcome.kind for outcome in _all_done(apply(_plan(photos, out, planner=plan_copy), journal))} == {
        "keep"
    }
    assert {outcome.kind for outcome in _all_done(undo(journal))} == {"remove"}
    assert contents(photos) == before
    assert not out.exists()


@pytest.mark.parametrize("planner", [plan_move, plan_copy])
def test_what_takes_a_name_after_the_plan_is_not_replaced(photos, out, journal, disk, planner):
    before = contents(photos)
    plan = _plan(photos, out, planner=planner)
    put(out, ["a.cr2.xmp", "a-2.jpg"], age=1)
    (out / "day").mkdir()
    (out / "day" / "b.xmp").touch()
    theirs = contents(out)
    _all_done(apply(plan, journal))
    assert theirs.items() <= contents(out).items()
    ours = ["a-3.cr2", "a-3.cr2.xmp", "a-3.jpg", "day/b-2.jpg", "day/b-2.xmp"]
    assert set(ours) < set(_names(out))
    _all_done(undo(journal))
    assert contents(photos) == before
    assert contents(out) == theirs


@pytest.mark.parametrize("name", ["b.jpg.xmp", "b.CR2"])
def test_a_photo_to_which_a_file_has_come_since_the_plan_is_not_moved_without(photos, out, journal, name):
    outcomes = apply(_plan(photos, out), journal)
    assert next(outcomes).source == str(photos / "a.cr2")
    (photos / "day" / name).write_text("edits")
    assert [f"as {name} has come" in reason for reason in _reasons(outcomes).values()] == [True]
    assert _names(photos) == sorted(["day/b.jpg", "day/b.xmp", "day/keep.jpg", f"day/{name}"])
    _all_done(apply(_plan(photos, out, "day/b.jpg"), journal))
    assert _names(photos) == ["day/keep.jpg"]


def test_one_run_of_several_can_be_undone(photos, out, journal):
    _all_done(apply(_plan(photos, out, "a.jpg"), journal))
    first = journal.latest()
    _all_done(apply(_plan(photos, out, "day/b.jpg"), journal))
    _all_done(undo(journal, first))
    assert _names(out) == ["day/b.jpg", "day/b.xmp"]
    with pytest.raises(UsageError, match="no run 77"):
        list(undo(journal, 77))
    _all_done(undo(journal))
    assert not out.exists()  # which the first run had made


def test_what_was_changed_after_the_move_stays_with_all_that_belongs_to_it(photos, out, journal):
    _all_done(apply(_plan(photos, out), journal))
    (out / "a.cr2.xmp").write_text("edited")
    outcomes = list(undo(journal))
    assert list(_reasons(outcomes)) == ["a.cr2.xmp"]
    assert _names(out) == ["a.cr2", "a.cr2.xmp", "a.jpg"]
    assert _names(photos) == ["day/b.jpg", "day/b.xmp", "day/keep.jpg"]


def test_what_is_gone_after_the_move_does_not_hold_the_rest(photos, out, journal):
    _all_done(apply(_plan(photos, out), journal))
    (out / "a.jpg").unlink()
    assert "no longer there" in _reasons(undo(journal))["a.jpg"]
    assert _names(photos) == ["a.cr2", "a.cr2.xmp", "day/b.jpg", "day/b.xmp", "day/keep.jpg"]


@pytest.mark.parametrize("planner", [plan_move, plan_copy])
@pytest.mark.parametrize("gone", ["photo", "folder"])
def test_photos_that_are_gone_after_a_run_are_told_and_hide_no_earlier_one(
    photos, out, journal, tmp_path, planner, gone
):
    earlier = tmp_path / "earlier"
    _all_done(apply(_plan(photos, earlier, "day/b.jpg", planner=planner), journal))
    _all_done(apply(_plan(photos, out, "a.jpg", planner=planner), journal))
    before, moved = contents(photos), contents(out)
    if gone == "photo":
        away = {path: Path(path).rename(tmp_path / os.path.basename(path)) for path in moved}
    else:
        away = {str(out): out.rename(tmp_path / "elsewhere")}
    assert journal.latest() == 2
    if (planner, gone) == (plan_copy, "photo"):  # as it should be
        assert list(undo(journal)) == []
        assert journal.latest() == 1
        return
    assert _reasons(undo(journal)).keys() == {"a.cr2", "a.cr2.xmp", "a.jpg"}
    assert journal.latest() == 1
    _all_done(undo(journal))
    assert contents(photos).items() >= before.items()
    assert not earlier.exists()
    assert journal.latest() is None
    for path, elsewhere in away.items():  # from the trash; the disk is plugged in
        os.makedirs(os.path.dirname(path), exist_ok=True)
        elsewhere.rename(path)
    assert journal.latest() == 2
    _all_done(undo(journal))
    assert _names(photos) == sorted(NAMES)
    assert journal.latest() is None


@pytest.mark.skipif(os.name != "posix", reason="Windows asks for a privilege to make links")
def test_copies_are_not_taken_for_gone_where_a_link_leads_elsewhere(photos, out, journal, tmp_path):
    before = contents(photos)
    _all_done(apply(_plan(photos, out, "a.jpg", planner=plan_copy), journal))
    out.rename(tmp_path / "elsewhere")
    (tmp_path / "empty").mkdir()
    out.symlink_to(tmp_path / "empty")
    assert _reasons(undo(journal, 1)).keys() == {"a.cr2", "a.cr2.xmp", "a.jpg"}
    out.unlink()
    (tmp_path / "elsewhere").rename(out)
    assert journal.latest() == 1
    _all_done(undo(journal))
    assert contents(photos) == before
    assert not out.exists()


def test_marks_go_with_their_photos_and_come_back(photos, out, journal, tmp_path, disk):
    source, beside = str(photos / "a.jpg"), str(photos / "day" / "keep.jpg")
    with closing(Marks(tmp_path / "scores.db")) as marks:
        marks.set({source: Mark(5, "picked"), beside: Mark(1), str(out / "a.jpg"): Mark(2)})
        before = marks.all_below(str(photos))
        _all_done(apply(_plan(photos, out), journal))
        assert marks.all_below(str(photos)) == {beside: Mark(1)}
        assert marks.all_below(str(out)) == {str(out / "a.jpg"): Mark(5, "picked")}
        _all_done(undo(journal))
        assert marks.all_below(str(photos)) == before
        assert marks.all_below(str(out)) == {}


def test_marks_stay_with_photos_that_are_copied_or_cannot_go(photos, out, journal, tmp_path):
    source = str(photos / "a.jpg")
    with closing(Marks(tmp_path / "scores.db")) as marks:
        marks.set({source: Mark(5)})
        plan = _plan(photos, out)
        (photos / "a.cr2").unlink()
        list(apply(plan, journal))
        assert marks.all_below(str(tmp_path)) == {source: Mark(5)}
        _all_done(apply(_plan(photos, out, "a.jpg", planner=plan_copy), journal))
        assert marks.all_below(str(tmp_path)) == {source: Mark(5)}


def test_an_outdated_mark_is_no_less_so_after_a_move(photos, out, journal, tmp_path):
    source = photos / "a.jpg"
    with closing(Marks(tmp_path / "scores.db")) as marks:
        marks.set({str(source): Mark(flag="rejected")})
        source.write_bytes(b"another photo")
        _all_done(apply(_plan(photos, out), journal))
        moved = {str(out / "a.jpg"): Mark(flag="rejected", outdated=True)}
        assert marks.all_below(str(tmp_path)) == moved


def test_undo_replaces_nothing(photos, out, journal, disk):
    _all_done(apply(_plan(photos, out), journal))
    moved = contents(out)
    put(photos, ["a.jpg"], age=1)
    (photos / "day" / "b.jpg").touch()
    theirs = contents(photos)
    assert "taken" in _reasons(undo(journal))["a.jpg"]
    assert contents(photos) == theirs
    assert contents(out) == moved
    (photos / "a.jpg").unlink()
    (photos / "day" / "b.jpg").unlink()
    _all_done(undo(journal))
    assert _names(photos) == sorted(NAMES)


@pytest.mark.parametrize("planner", [plan_move, plan_copy])
@pytest.mark.parametrize("name", ["a.xmp", "a.jpg.xmp", "a_01.cr2.xmp", "a.png"])
def test_undo_leaves_no_file_alone_that_has_come_to_belong_to_a_photo(photos, out, journal, planner, name):
    """A sidecar with the photographer's edits of what was moved or copied."""
    before = contents(photos)
    _all_done(apply(_plan(photos, out, planner=planner), journal))
    (out / name).write_text("edits")
    there = {path: value for path, value in contents(out).items() if "day" not in path}
    assert [f"has {name} beside it" in reason for reason in _reasons(undo(journal)).values()] == [True]
    assert contents(out) == there
    (out / name).unlink()
    _all_done(undo(journal))
    assert contents(photos) == before
    assert not out.exists()


@contextlib.contextmanager
def _writer_at_work(folder, write):
    """Let a writer of ours hold the photo ``a`` of a folder for a while, and write at the end of that."""
    held = threading.Event()

    def work():
        with writing_alone(str(folder / "a")):
            held.set()
            time.sleep(0.5)
            write()

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        held.wait()
        yield
        working.result()


@pytest.mark.parametrize("planner", [plan_move, plan_copy])
def test_undo_waits_for_a_writer_and_leaves_no_sidecar_of_its_alone(photos, out, journal, planner):
    _all_done(apply(_plan(photos, out, "a.jpg", planner=planner), journal))
    before = contents(photos)
    with _writer_at_work(out, lambda: (out / "a.xmp").write_text("rating")):
        reasons = _reasons(undo(journal))
    assert "has a.xmp beside it" in reasons["a.cr2"]
    assert _names(out) == ["a.cr2", "a.cr2.xmp", "a.jpg", "a.xmp"]
    assert contents(photos) == before


def test_what_comes_while_the_photos_before_are_taken_back_is_seen(photos, out, journal):
    put(photos, ["c.jpg"])
    _all_done(apply(_plan(photos, out, "a.jpg", "c.jpg"), journal))
    going_back = undo(journal)
    assert next(going_back).target == str(photos / "c.jpg")
    (out / "a.xmp").write_text("edits")
    assert "has a.xmp beside it" in _reasons(going_back)["a.cr2"]


def test_a_copy_goes_from_beside_what_had_been_copied_before(photos, out, journal):
    put(out, ["a.jpg", "a.cr2.xmp"])
    for name in ("a.jpg", "a.cr2.xmp"):
        shutil.copy2(photos / name, out / name)
    outcomes = _all_done(apply(_plan(photos, out, planner=plan_copy), journal))
    assert {os.path.basename(outcome.source) for outcome in outcomes if outcome.kind == "keep"} == {
        "a.jpg",
        "a.cr2.xmp",
    }
    _all_done(undo(journal))
    assert _names(out) == ["a.cr2.xmp", "a.jpg"]


@pytest.mark.parametrize("change", ["copy", "copy of the same time", "original", "original gone"])
def test_a_copy_that_may_be_the_only_one_is_kept(photos, out, journal, change):
    _all_done(apply(_plan(photos, out, planner=plan_copy), journal))
    if change == "original gone":
        (photos / "a.jpg").unlink()
    else:
        victim = (photos if change == "original" else out) / "a.jpg"
        status = victim.stat()
        victim.write_bytes(b"x" * status.st_size)
        if change == "copy of the same time":
            os.utime(victim, ns=(status.st_atime_ns, status.st_mtime_ns))
    there = contents(out)
    assert list(_reasons(undo(journal))) == ["a.jpg"]
    assert {path: value for path, value in there.items() if "day" not in path} == contents(out)


def test_a_photo_with_a_file_that_cannot_go_stays_whole_and_the_next_goes(photos, out, journal, disk):
    plan = _plan(photos, out)
    (photos / "a.jpg").unlink()
    before = contents(photos)
    outcomes = list(apply(plan, journal))
    assert _reasons(outcomes) == {"a.jpg": "is no longer there"}
    assert _names(photos) == ["a.cr2", "a.cr2.xmp", "day/keep.jpg"]
    _all_done(undo(journal))
    assert contents(photos) == before


def test_a_full_disk_leaves_everything_where_it_was(photos, out, journal):
    before = contents(photos)
    plan = _plan(photos, out)
    with on(FullDisk("other")):
        outcomes = list(apply(plan, journal))
    assert all(outcome.reason.startswith("No space left on device") for outcome in outcomes)
    assert len(outcomes) == 2
    assert contents(photos) == before
    assert not out.exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_a_target_that_takes_no_files_is_told(photos, journal):
    before = contents(photos)
    with pytest.raises(PlacingError, match=r"/proc/out"):
        list(apply(_plan(photos, Path("/proc/out")), journal))
    assert contents(photos) == before


def test_a_card_pulled_out_is_told_and_not_made_up_for(photos, out, journal):
    plan = _plan(photos, out)
    out.mkdir()
    outcomes = apply(plan, journal)
    assert isinstance(next(outcomes), Operation)
    before = contents(photos)
    os.rename(out, out.with_name("pulled"))
    rest = list(outcomes)
    assert "plugged in" in rest[-1].reason
    assert contents(photos).items() >= before.items()
    assert not out.exists()
    assert "plugged in" in next(o.reason for o in undo(journal) if isinstance(o, NotDone))
    os.rename(out.with_name("pulled"), out)
    _all_done(undo(journal))
    assert _names(photos) == sorted(NAMES)


@pytest.mark.skipif(os.name != "posix", reason="symlinks need a privilege on Windows")
def test_undo_does_not_follow_a_folder_that_became_a_link(photos, out, journal):
    _all_done(apply(_plan(photos, out), journal))
    elsewhere = out.with_name("elsewhere")
    os.rename(out, elsewhere)
    out.symlink_to(elsewhere)
    there = contents(elsewhere)
    assert all("leads elsewhere" in reason for reason in _reasons(undo(journal)).values())
    assert contents(elsewhere) == there


def test_a_journal_that_names_a_file_outside_its_target_is_not_believed(photos, out, journal, tmp_path):
    _all_done(apply(_plan(photos, out), journal))
    put(tmp_path, ["precious"])
    with sqlite3.connect(tmp_path / "scores.db") as connection:
        connection.execute("UPDATE organise_operations SET target = ?", (os.fsencode(tmp_path / "precious"),))
    connection.close()
    assert _reasons(undo(journal)).keys() == {"precious"}
    assert (tmp_path / "precious").exists()


def test_nothing_is_moved_without_a_journal(photos, out, journal, tmp_path):
    before = contents(photos)
    plan = _plan(photos, out)
    outcomes = apply(plan, journal)
    next(outcomes)
    with sqlite3.connect(tmp_path / "scores.db", timeout=0) as connection:
        connection.execute("DROP TABLE organise_operations")
    connection.close()
    with pytest.raises(JournalError, match="no photo is touched without it"):
        list(outcomes)
    assert contents(photos).items() >= {k: v for k, v in before.items() if "day" in k}.items()


def test_only_one_process_organises_at_a_time(photos, out, journal, tmp_path):
    outcomes = apply(_plan(photos, out), journal)
    next(outcomes)
    with journal_at(tmp_path / "scores.db") as other:
        with pytest.raises(JournalError, match="another dpiqa-batch"):
            list(recover(other))
        outcomes.close()
        assert list(recover(other)) == []


def test_a_run_can_be_stopped_between_photos(photos, out, journal):
    before = contents(photos)
    outcomes = apply(_plan(photos, out), journal)
    next(outcomes)
    outcomes.close()
    assert _names(out) == ["a.cr2", "a.cr2.xmp", "a.jpg"]
    _all_done(undo(journal))
    assert contents(photos) == before


def test_a_journal_in_memory_will_do(photos, out):
    before = contents(photos)
    with closing(Store(None)) as store:
        _all_done(apply(_plan(photos, out), Journal(store.connection)))
        _all_done(undo(Journal(store.connection)))
    assert contents(photos) == before


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' file systems do not take such names")
def test_names_of_any_bytes_go_and_come_back(photos, out, journal, disk):
    name = os.fsdecode(b"caf\xe9\n/b\xff\xc3\n")
    put(photos, [f"{name}.jpg", f"{name}.jpg.xmp"])
    before = contents(photos)
    _all_done(apply(_plan(photos, out, f"{name}.jpg"), journal))
    assert _names(out) == sorted([f"{name}.jpg", f"{name}.jpg.xmp"])
    _all_done(undo(journal))
    assert contents(photos) == before


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="needs extended attributes")
def test_a_copy_keeps_extended_attributes(photos, out, journal):
    try:
        os.setxattr(photos / "a.jpg", "user.rating", b"5")
    except OSError:
        pytest.skip("needs a file system with extended attributes")
    _all_done(apply(_plan(photos, out, planner=plan_copy), journal))
    assert os.getxattr(out / "a.jpg", "user.rating") == b"5"


@pytest.fixture
def another_file_system(tmp_path):
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs /dev/shm on another file system than the temporary folder")
    folder = tempfile.mkdtemp(dir=memory)
    yield Path(folder)
    shutil.rmtree(folder)


def test_photos_go_to_another_file_system_and_come_back(photos, journal, another_file_system):
    before = contents(photos)
    plan = _plan(photos, another_file_system / "out")
    _all_done(apply(plan, journal))
    moved = contents(another_file_system)
    assert {o.source: moved[o.target] for o in plan.operations}.items() <= before.items()
    assert _names(photos) == ["day/keep.jpg"]
    _all_done(undo(journal))
    assert contents(photos) == before
    assert contents(another_file_system) == {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("back", [False, True])
def test_a_rating_that_is_written_during_a_move_is_not_lost(kind, back, photos, out, journal, tmp_path):
    """The second one changes neither the size nor the time of the file."""
    source, target = save_photo(photos / "c.jpg"), out / "c.jpg"
    with (
        closing(Store(tmp_path / "scores.sqlite3")) as store,
        closing(WriteJournal(store.database)) as write_journal,
        ThreadPoolExecutor(1) as pool,
    ):
        writing = []

        def rate(path, stars):
            given = Verdict(None, stars, "", "", datetime.now(timezone.utc), None, "photographer", True)
            return Writer(store, write_journal, Settings("embed")).write(str(path), given)

        def meanwhile():
            writing.append(pool.submit(rate, target if back else source, 5))
            with contextlib.suppress(FutureTimeout):
                writing[0].result(0.5)

        rate(source, 3)
        moving = apply(_plan(photos, out, "c.jpg"), journal)
        if back:
            _all_done(moving)
            moving = undo(journal)
        with on(BusyDisk(kind, photos if back else out, meanwhile)):
            list(moving)
        (written,) = writing[0].result()
    stars = [said_by_photo(str(file)).exif.rating for file in (source, target) if file.exists()]
    assert stars == ([5] if isinstance(written, Written) else [3])


@pytest.mark.parametrize("kind", KINDS)
def test_what_another_program_saves_during_a_move_is_not_removed(kind, photos, out, journal):
    """It keeps the size and the time, as many do."""
    photo = photos / "a.cr2"
    before, old = photo.stat(), photo.read_bytes()

    def save():
        new = photos / "new"
        new.write_bytes(b"#" * before.st_size)
        os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
        new.replace(photo)

    with on(BusyDisk(kind, out, save)):
        reasons = _reasons(apply(_plan(photos, out, "a.jpg"), journal))
    assert "was changed while it was being moved" in reasons["a.cr2"]
    assert photo.read_bytes() == b"#" * before.st_size
    assert _names(photos) == sorted(NAMES)
    # A copy of the old version goes. The old version itself may be the only one: it stays, and is named.
    assert _names(out) == ([] if kind == "other" else ["a.cr2"])
    if kind != "other":
        assert (out / "a.cr2").read_bytes() == old
        assert f"{out / 'a.cr2'} stays" in reasons["a.cr2"]
    assert list(recover(journal)) == []
    assert journal.latest() is None


class DyingDisk(Disk):
    """Stands for a process that is killed when it wants to give the first file its new name."""

    def _as_this_kind(self, name, real, *args, **kwargs):
        if name == "link" or self.forever:
            self.forever = True
            raise KeyboardInterrupt
        return super()._as_this_kind(name, real, *args, **kwargs)


def test_putting_right_what_was_killed_waits_for_a_writer(photos, out, journal):
    before = contents(photos)
    with on(DyingDisk("links")), pytest.raises(KeyboardInterrupt):
        list(apply(_plan(photos, out, "a.jpg"), journal))
    os.link(photos / "a.jpg", out / "a.jpg")
    seen = []
    with _writer_at_work(photos, lambda: seen.extend(_names(out))):
        _all_done(recover(journal))
    assert seen == ["a.jpg"]
    assert contents(photos) == before
    assert not out.exists()


@pytest.mark.parametrize("kind", ["links", "no links"])
@pytest.mark.parametrize("same", [True, False])
def test_what_somebody_put_there_after_a_kill_stays(kind, same, photos, out, journal):
    before = contents(photos)
    with on(DyingDisk(kind)), pytest.raises(KeyboardInterrupt):
        list(apply(_plan(photos, out, "a.jpg"), journal))
    if same:
        shutil.copy2(photos / "a.jpg", out / "a.jpg")
    else:
        (out / "a.jpg").write_bytes(b"theirs")
    theirs = contents(out)
    with on(Disk(kind)):
        assert "stays" in _reasons(recover(journal))["a.jpg"]
        assert list(recover(journal)) == []
    assert contents(out) == theirs
    assert contents(photos) == before
