"""A file is replaced whole, with all that belongs to it, or not touched; and nobody's writes are lost."""

import contextlib
import errno
import os
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import killed_replacer
from makers.photo_folders import Disk, on

from dpiqa_desktop.engine.store import content_hash
from dpiqa_desktop.metadata import belongings, replace_file, strays
from dpiqa_desktop.metadata.replace_file import (
    ReplaceError,
    Version,
    create_new,
    remove_file,
    replace_spliced,
    version_of,
)
from dpiqa_desktop.metadata.splice import Splice
from dpiqa_desktop.metadata.strays import remove_strays
from dpiqa_desktop.process_lock import lock, writing_alone

OLD = b"JPEG" + bytes(range(256)) * 10_000
SPLICES = (Splice(4, OLD[4:10], b"XMP " * 50), Splice(2_000_000, b"", b"more"))
NEW = OLD[:4] + b"XMP " * 50 + OLD[10:2_000_000] + b"more" + OLD[2_000_000:]
MTIME_NS = 1_234_567_890_123_456_789
# Named as nobody would name a file, with the writer's lock gone.
STRAY = ".IMG_1.jpg.dpiqa-0123456789abcdef0123456789abcdef.tmp"

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="as on Linux")
root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "IMG_1.jpg"
    path.write_bytes(OLD)
    os.utime(path, ns=(MTIME_NS - 5, MTIME_NS))
    return path


def _version(path) -> Version:
    with open(path, "rb") as file:
        return version_of(file)


def _replace(path, before=None, keep_mtime=True, verify=lambda file: None) -> Version:
    return replace_spliced(str(path), SPLICES, before or _version(path), keep_mtime, verify)


def _refused(path, match, **arguments):
    """The file is as it was, and alone."""
    before = sorted(os.listdir(path.parent))
    with pytest.raises(ReplaceError, match=match) as caught:
        _replace(path, **arguments)
    assert str(caught.value).startswith(str(path))
    assert sorted(os.listdir(path.parent)) == before


def test_replaces(photo):
    seen = []
    now = _replace(photo, verify=lambda file: seen.append((file.read(), photo.read_bytes())))
    assert seen == [(NEW, OLD)]
    assert photo.read_bytes() == NEW
    assert os.listdir(photo.parent) == [photo.name]
    assert now == _version(photo) == Version(len(NEW), MTIME_NS, content_hash(str(photo)))


def test_times_are_kept(photo):
    os.utime(photo, ns=(MTIME_NS - 5, MTIME_NS))
    before = Version(len(OLD), 0, content_hash(str(photo)))
    atime_ns = photo.stat().st_atime_ns
    _replace(photo, before, verify=lambda file: file.read())
    assert photo.stat().st_atime_ns == atime_ns
    assert photo.stat().st_mtime_ns == MTIME_NS


def test_times_are_not_kept_if_not_asked_for(photo):
    now = _replace(photo, keep_mtime=False)
    assert now.mtime_ns == photo.stat().st_mtime_ns > MTIME_NS


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755, 0o2755])
@posix
def test_permissions_are_kept(photo, mode):
    photo.chmod(mode)
    _replace(photo)
    assert stat.S_IMODE(photo.stat().st_mode) == mode


@posix
def test_a_private_photo_is_private_at_every_moment(photo):
    photo.chmod(0o600)
    seen = set()

    def look(name):
        seen.update(stat.S_IMODE(path.stat().st_mode) for path in photo.parent.iterdir())

    before = _version(photo)
    with on(Disk(at=1, what=look, forever=True, late=True), replace_file, strays, belongings):
        _replace(photo, before)
    assert seen == {0o600}


@root
def test_the_owner_is_kept(photo):
    os.chown(photo, 12345, 54321)
    _replace(photo)
    assert (photo.stat().st_uid, photo.stat().st_gid) == (12345, 54321)


@contextlib.contextmanager
def _as_nobody():
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o777)
    os.setresuid(65534, 65534, 0)
    try:
        yield Path(folder)
    finally:
        os.setresuid(0, 0, 0)
        shutil.rmtree(folder)


def _old_at(path):
    path.write_bytes(OLD)
    return path


@root
@linux
def test_a_file_whose_owner_cannot_be_kept_is_left_alone():
    with _as_nobody() as folder:
        photo = _old_at(folder / "IMG_1.jpg")
        photo.chmod(0o666)
        os.setresuid(0, 0, 0)
        os.chown(photo, 12345, -1)
        os.setresuid(65534, 65534, 0)
        _refused(photo, "owner.* cannot be kept")
        assert photo.read_bytes() == OLD


@root
@linux
def test_a_folder_that_may_not_be_written():
    with _as_nobody() as folder:
        photo = _old_at(folder / "IMG_1.jpg")
        before = _version(photo)
        os.setresuid(0, 0, 0)
        folder.chmod(0o755)
        os.setresuid(65534, 65534, 0)
        _refused(photo, "no permission to make a file in its folder")
        with pytest.raises(ReplaceError, match="no permission"):
            create_new(str(folder / "IMG_1.xmp"), b"")
        with pytest.raises(ReplaceError, match="may not be replaced"):
            remove_file(str(photo), before)
        assert photo.read_bytes() == OLD


@root
@linux
def test_a_file_that_may_not_be_read():
    with _as_nobody() as folder:
        photo = _old_at(folder / "IMG_1.jpg")
        before = _version(photo)
        photo.chmod(0o222)
        _refused(photo, "cannot be read", before=before)


def test_a_read_only_file_is_left_alone(photo):
    """For root, too."""
    before = _version(photo)
    photo.chmod(0o444)
    _refused(photo, "read-only")
    with pytest.raises(ReplaceError, match="read-only"):
        remove_file(str(photo), before)
    assert photo.read_bytes() == OLD
    photo.chmod(0o644)


@posix
def test_a_system_that_does_not_do_what_it_says(photo, monkeypatch):
    photo.chmod(0o640)
    monkeypatch.setattr(os, "chmod", lambda *args: None)
    _refused(photo, "permissions cannot be kept")
    assert photo.read_bytes() == OLD


def _with_attribute(path):
    try:
        os.setxattr(path, "user.dpiqa.test", b"\0kept\xff")
    except OSError as error:
        pytest.skip(f"extended attributes: {error.strerror}")


@linux
def test_extended_attributes_are_kept(photo):
    _with_attribute(photo)
    _replace(photo)
    assert os.getxattr(photo, "user.dpiqa.test") == b"\0kept\xff"


def _access_list(user):
    """Return a POSIX access list, version 2 of its form as attribute: ``user`` reads, the group too."""
    nobody = 0xFFFFFFFF
    entries = [(1, 6, nobody), (2, 4, user), (4, 4, nobody), (0x10, 4, nobody), (0x20, 0, nobody)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.mark.parametrize("inherited", [False, True])
@linux
def test_access_lists_are_kept_and_none_is_inherited(photo, inherited):
    """A folder's default access list must not open a photo to others, nor replace the photo's own."""
    _with_attribute(photo)
    if inherited:
        os.setxattr(photo.parent, "system.posix_acl_default", _access_list(1001))
    else:
        os.setxattr(photo, "system.posix_acl_access", _access_list(1000))
    attributes, mode = _attributes(photo), photo.stat().st_mode
    _replace(photo)
    assert (_attributes(photo), photo.stat().st_mode) == (attributes, mode)
    assert ("system.posix_acl_access" in attributes) != inherited


def _attributes(path):
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


@posix
def test_a_symbolic_link_stays_one(photo, tmp_path):
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "link.jpg"
    link.symlink_to("../IMG_1.jpg")
    beside = []
    _replace(link, verify=lambda file: beside.extend(tmp_path.glob(".*")))
    assert len(beside) == 1  # the temporary file is beside the photo, not beside the link
    assert os.readlink(link) == "../IMG_1.jpg"
    assert photo.read_bytes() == NEW
    assert not photo.is_symlink()


@posix
def test_a_hard_link_keeps_the_old_content(photo):
    os.link(photo, photo.with_name("other.jpg"))
    _replace(photo)
    assert photo.read_bytes() == NEW
    assert photo.with_name("other.jpg").read_bytes() == OLD


@posix
def test_what_is_no_file_is_left_alone(tmp_path):
    before = Version(0, 0, b"")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    for name in ("pipe.jpg", "folder.jpg"):
        _refused(tmp_path / name, "not a regular file", before=before)
    _refused(tmp_path / "loop.jpg", "leads nowhere", before=before)
    _refused(tmp_path / "gone.jpg", "no longer there", before=before)


@pytest.mark.parametrize(
    "name", [b"x" * 251 + b".jpg", "é".encode() * 125 + b".jpg", b"caf\xe9\xff.jpg", b"new\nline.jpg"]
)
@linux
def test_any_name(tmp_path, name):
    photo = tmp_path / os.fsdecode(name)
    photo.write_bytes(OLD)
    beside = []
    _replace(photo, verify=lambda file: beside.extend(tmp_path.glob(".*")))
    assert photo.read_bytes() == NEW
    (stray,) = beside
    stray.touch()  # as if the writer had been killed
    assert remove_strays(str(tmp_path)) == [str(stray)]
    assert os.listdir(tmp_path) == [photo.name]


def test_what_was_changed_since_is_left_alone(photo):
    before = _version(photo)
    changed = OLD[:-1] + b"?"
    photo.write_bytes(changed)
    os.utime(photo, ns=(MTIME_NS, MTIME_NS))  # as if nothing had happened
    _refused(photo, "was changed by another program", before=before)
    with pytest.raises(ReplaceError, match="was changed by another program"):
        remove_file(str(photo), before)
    assert photo.read_bytes() == changed


def test_what_was_changed_where_the_splices_go(photo):
    before = _version(photo)
    photo.write_bytes(b"?" * len(OLD))
    _refused(photo, "was changed by another program", before=before)


def test_splices_that_do_not_fit_are_a_mistake_of_the_caller(photo):
    with pytest.raises(ValueError, match="other bytes at 0"):
        replace_spliced(str(photo), [Splice(0, b"PNG", b"")], _version(photo), True, lambda file: None)
    assert os.listdir(photo.parent) == [photo.name]


def _touched(path):
    os.utime(path, ns=(MTIME_NS, MTIME_NS + 1))


def _replaced(path):
    path.with_name("other").write_bytes(OLD)
    os.utime(path.with_name("other"), ns=(MTIME_NS, MTIME_NS))
    os.replace(path.with_name("other"), path)


def _marked_read_only(path):
    path.chmod(0o444)


@pytest.mark.parametrize("change", [_touched, _replaced, _marked_read_only, os.unlink])
@posix
def test_whatever_happens_meanwhile_is_not_lost(photo, change):
    def verify(file):
        change(photo)
        states.append(_state(photo))

    states = []
    before = _version(photo)
    with pytest.raises(ReplaceError, match=r"changed by another program|no longer there"):
        _replace(photo, before, verify=verify)
    assert [_state(photo)] == states
    assert not list(photo.parent.glob(".*"))


def _state(path):
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_mode


@pytest.mark.parametrize("error", [KeyboardInterrupt, ReplaceError("x", "y"), ZeroDivisionError])
def test_whatever_verify_raises_goes_on(photo, error):
    def verify(file):
        raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        _replace(photo, verify=verify)
    assert photo.read_bytes() == OLD
    assert os.listdir(photo.parent) == [photo.name]


@pytest.mark.parametrize("at", [0, 5, 100, 1_999_000, len(NEW) - 1])
def test_what_does_not_read_back_is_thrown_away(photo, at, monkeypatch):
    """As if the disk had lost a byte between the flush and the comparison."""
    real = os.fsync

    def bad_disk(descriptor):
        real(descriptor)
        os.lseek(descriptor, at, os.SEEK_SET)
        os.write(descriptor, b"\x99")

    monkeypatch.setattr(os, "fsync", bad_disk)
    _refused(photo, "does not read back")
    assert photo.read_bytes() == OLD


@pytest.mark.parametrize("size", ["2600k", "4m", "5000k"])
@root
@linux
def test_a_full_disk(tmp_path, size):
    """At the start of the new file, in its middle, and two blocks before its end."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(tmp_path)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("cannot mount")
    try:
        photo = _old_at(tmp_path / "IMG_1.jpg")
        _refused(photo, "disk is full")
        with pytest.raises(ReplaceError, match="disk is full"):
            create_new(str(tmp_path / "IMG_1.xmp"), b"x" * 3_000_000)
        assert photo.read_bytes() == OLD
        assert os.listdir(tmp_path) == [photo.name]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@posix
def test_a_limit_on_the_size_of_files(photo):
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, limits[1]))
    try:
        _refused(photo, "larger than")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert photo.read_bytes() == OLD


@posix
@settings(max_examples=200, deadline=None)
@given(
    at=st.integers(1, 60),
    fault=st.sampled_from([errno.EIO, errno.ENOSPC, errno.EACCES, errno.EROFS, None]),
    late=st.booleans(),
    forever=st.booleans(),
    kind=st.sampled_from(["links", "no links"]),
)
def test_whatever_call_fails(at, fault, late, forever, kind):
    """Each file is old or new, in one piece; only our own errors leave; and strays can be removed."""
    struck = []

    def what(name):
        struck.append(name)
        raise KeyboardInterrupt if fault is None else OSError(fault, os.strerror(fault), f"<{name}>")

    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    try:
        photo, sidecar, undone = folder / "IMG_1.jpg", folder / "IMG_1.xmp", folder / "IMG_2.xmp"
        photo.write_bytes(OLD)
        undone.write_bytes(b"undone")
        versions = _version(photo), _version(undone)
        done = 0
        with (
            on(Disk(kind, at, what, forever, late), replace_file, strays, belongings),
            contextlib.suppress(ReplaceError, KeyboardInterrupt),
        ):
            _replace(photo, versions[0], verify=lambda file: file.read())
            done += 1
            create_new(str(sidecar), b"sidecar")
            done += 1
            remove_file(str(undone), versions[1])
            done += 1
        content = photo.read_bytes()
        assert content in ([NEW] if done else [OLD, NEW])
        assert done < 2 or sidecar.read_bytes() == b"sidecar"
        # An empty file holds the name for an instant where there are no hard links.
        assert not sidecar.exists() or sidecar.read_bytes() in (
            [b"sidecar"] if kind == "links" else [b"sidecar", b""]
        )
        assert done < 3 or not undone.exists()
        assert not undone.exists() or undone.read_bytes() == b"undone"
        if "unlink" not in struck:
            assert not list(folder.glob(".*"))
        remove_strays(str(folder))
        assert {path.name for path in folder.iterdir()} <= {photo.name, sidecar.name, undone.name}
    finally:
        shutil.rmtree(folder)


def test_a_new_file(tmp_path):
    path = tmp_path / "IMG_1.xmp"
    made = create_new(str(path), b"<x/>")
    assert path.read_bytes() == b"<x/>"
    assert made == _version(path)
    (tmp_path / "plain").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert path.stat().st_nlink == 1
    remove_file(str(path), made)
    assert os.listdir(tmp_path) == ["plain"]


def test_a_new_file_replaces_none(tmp_path):
    path = tmp_path / "IMG_1.xmp"
    path.write_bytes(b"the user's")
    with pytest.raises(ReplaceError, match="is there already"):
        create_new(str(path), b"<x/>")
    if os.name == "posix":
        (tmp_path / "IMG_2.xmp").symlink_to("nowhere")
        with pytest.raises(ReplaceError, match="is there already"):
            create_new(str(tmp_path / "IMG_2.xmp"), b"<x/>")
    assert path.read_bytes() == b"the user's"
    assert not list(tmp_path.glob(".*"))


@posix
@pytest.mark.parametrize("kind", ["links", "no links"])
def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path, kind):
    path = tmp_path / "IMG_1.xmp"
    appears = Disk(kind, late=True)
    appears.at, appears.what = _call_of("fsync", tmp_path), lambda name: path.write_bytes(b"the user's")
    with on(appears, replace_file, strays), pytest.raises(ReplaceError, match="is there already"):
        create_new(str(path), b"<x/>")
    assert path.read_bytes() == b"the user's"
    assert os.listdir(tmp_path) == [path.name]


def _call_of(name, folder):
    """Return which call to the disk flushes a new file."""
    calls = []
    disk = Disk(at=1, what=calls.append, forever=True, late=True)
    with on(disk, replace_file, strays):
        create_new(str(folder / "trial"), b"")
    (folder / "trial").unlink()
    return calls.index(name) + 1


@posix
def test_strays_go_and_nothing_else(tmp_path):
    kept = [
        STRAY + "x",
        STRAY[1:],
        STRAY.replace("dpiqa", "other"),
        STRAY.replace("0123", "wxyz"),
        ".IMG_1.jpg.tmp",
        "IMG_1.jpg",
    ]
    for name in [*kept, STRAY]:
        (tmp_path / name).write_bytes(b"")
    linked, folder, busy = (tmp_path / f".{n}{STRAY}" for n in ("link", "folder", "busy"))
    linked.symlink_to("IMG_1.jpg")
    folder.mkdir()
    with busy.open("w+b") as file:
        lock(file)
        assert remove_strays(str(tmp_path)) == [str(tmp_path / STRAY)]
        assert set(os.listdir(tmp_path)) == {*kept, linked.name, folder.name, busy.name}
    assert remove_strays(str(tmp_path)) == [str(busy)]
    assert remove_strays(str(tmp_path / "gone")) == []


@posix
def test_strays_are_removed_while_a_writer_works(photo):
    """Its temporary file is not taken for one that was left."""
    found = []
    _replace(photo, verify=lambda file: found.append(remove_strays(str(photo.parent))))
    assert found == [[]]
    assert photo.read_bytes() == NEW


def test_two_processes_and_two_threads_lose_nothing(tmp_path):
    counter = tmp_path / "counter"
    counter.write_bytes(b"0")
    command = [sys.executable, killed_replacer.__file__, "count", str(counter), "200"]
    with subprocess.Popen(command) as one, subprocess.Popen(command) as other:
        threads = [threading.Thread(target=killed_replacer.count, args=(str(counter), 50)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (one.returncode, other.returncode) == (0, 0)
    assert counter.read_bytes() == b"500"
    assert os.listdir(tmp_path) == ["counter"]


@posix
def test_a_lock_goes_with_its_process_and_is_one_for_all_ways_to_a_file(tmp_path, own_store):
    photo = _old_at(tmp_path / "IMG_1.jpg")
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    program = "import sys; from dpiqa_desktop.process_lock import writing_alone\n" + (
        "with writing_alone(sys.argv[1]): print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(photo)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"locked\n"
        taken = threading.Event()
        waiter = threading.Thread(target=_take, args=(str(tmp_path / "link" / "IMG_1.JPG"), taken))
        waiter.start()
        assert not taken.wait(0.2)
        holder.kill()
        waiter.join()
        assert taken.is_set()


def _take(path, taken):
    # A file and its sidecar at once, in any order, twice the same: one wait for all.
    with writing_alone(path, path + ".xmp", path):
        taken.set()
