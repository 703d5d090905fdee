"""Downloads from a web server and from Google Drive: whole, broken, resumed, refused, over real connections.

Google Drive is played by a local server; gdown's own code talks to it.
"""

import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from makers.weights_server import QUOTA_PAGE, Answer, WeightsServer, send_google_to, serve_drive_file

from dpiqa_plugin import fingerprint
from dpiqa_plugin.download import DriveFile, WebFile, download
from dpiqa_plugin.errors import WeightsError

DRIVE = DriveFile("18G9bcCogpTGXy1VZnBKOxQT8aXnhHNKB")
HTML = "text/html; charset=utf-8"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server(monkeypatch):
    with WeightsServer() as running:
        send_google_to(running.url(""), monkeypatch)
        yield running


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "cache" / "pyiqa" / "dpiqa_koniq.pth"


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> bytes:
    return torch_file(tmp_path_factory.mktemp("content"), seed=1)


def torch_file(folder: Path, seed: int) -> bytes:
    """A torch archive of about 2.5 MB, some blocks of the transfers' 0.5 and 1 MB."""
    torch.save(
        {"weight": torch.rand(650_000, generator=torch.Generator().manual_seed(seed))}, folder / "file.pth"
    )
    return (folder / "file.pth").read_bytes()


def failure(source, target, min_size=0) -> str:
    """Message of a download that must fail, after checking that it says what to do by hand."""
    with pytest.raises(WeightsError) as caught:
        download(source, target, min_size)
    message = str(caught.value)
    assert target.name in message
    assert str(source) in message
    assert f"get it from {source.page} with a browser and save it as {target}" in message
    assert not target.exists()
    return message


def assert_arrived(target: Path, content: bytes) -> None:
    assert target.read_bytes() == content
    fingerprint.check(target)
    left = {path.name.removeprefix(target.name) for path in target.parent.iterdir()}
    assert {"", ".sha256"} <= left <= {"", ".sha256", ".lock"}


def kept_bytes(target: Path) -> int:
    folder = target.with_name(f"{target.name}.part")
    return sum(path.stat().st_size for path in folder.glob(f"{target.name}*"))


class Origin:
    """Both kinds of source answer alike to these tests."""

    def __init__(self, server: WeightsServer, kind: str) -> None:
        self._server = server
        self._kind = kind
        self.source = DRIVE if kind == "drive" else WebFile(server.url("/dpiqa.pth"))

    def serve(self, content: bytes, cut_at: int | None = None) -> None:
        if self._kind == "drive":
            serve_drive_file(self._server, content, cut_at)
        else:
            self._server.answers["/dpiqa.pth"] = Answer(content, cut_at=cut_at)

    def answer(self, answer: Answer) -> None:
        self._server.answers = {"/uc": answer, "/dpiqa.pth": answer}


@pytest.fixture(params=["web", "drive"])
def origin(request, server) -> Origin:
    return Origin(server, request.param)


def test_a_file_arrives_whole_and_leaves_nothing_else_behind(origin, target, content):
    origin.serve(content)
    download(origin.source, target, min_size=len(content))
    assert_arrived(target, content)


def test_everyone_may_read_what_arrived(origin, target, content):
    """gdown makes files for their owner alone; a cache may serve several users."""
    origin.serve(content)
    download(origin.source, target)
    (target.parent / "ordinary").touch()
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE((target.parent / "ordinary").stat().st_mode)


def test_a_broken_transfer_goes_on_where_it_stopped(origin, server, target, content):
    origin.serve(content, cut_at=2_000_000)
    assert "run again to go on from there" in failure(origin.source, target)
    kept = kept_bytes(target)
    assert kept > 1_000_000
    origin.serve(content)
    download(origin.source, target)
    assert_arrived(target, content)
    assert server.requests[-1].headers["Range"] == f"bytes={kept}-"


def test_a_file_that_changed_at_the_server_is_never_mixed_with_the_old_one(server, target, content, tmp_path):
    source = WebFile(server.url("/dpiqa.pth"))
    server.answers["/dpiqa.pth"] = Answer(content, cut_at=2_000_000)
    failure(source, target)
    changed = torch_file(tmp_path, seed=2)
    server.answers["/dpiqa.pth"] = Answer(changed, etag='"second"')
    download(source, target)
    assert_arrived(target, changed)


@pytest.mark.parametrize(
    "habits",
    [{"etag": None}, {"etag": 'W/"weak"'}, {"ranges": False}],
    ids=["no validator", "weak validator", "no ranges"],
)
def test_a_server_that_cannot_resume_is_asked_for_the_whole_file(habits, server, target, content):
    source = WebFile(server.url("/dpiqa.pth"))
    server.answers["/dpiqa.pth"] = Answer(content, cut_at=2_000_000, **habits)
    failure(source, target)
    server.answers["/dpiqa.pth"] = Answer(content, **habits)
    download(source, target)
    assert_arrived(target, content)


def test_a_partial_file_longer_than_the_servers_is_thrown_away(server, target, content):
    source = WebFile(server.url("/dpiqa.pth"))
    server.answers["/dpiqa.pth"] = Answer(content + bytes(1_000_000), cut_at=len(content) + 500_000)
    failure(source, target)
    server.answers["/dpiqa.pth"] = Answer(content)
    download(source, target)
    assert_arrived(target, content)


def test_a_login_page_in_between_does_not_cost_the_partial_file(server, target, content):
    source = WebFile(server.url("/dpiqa.pth"))
    server.answers["/dpiqa.pth"] = Answer(content, cut_at=2_000_000)
    failure(source, target)
    kept = kept_bytes(target)
    server.answers["/dpiqa.pth"] = Answer(b"<html>Welcome to our hotel", content_type=HTML, ranges=False)
    assert "a web page instead of the file" in failure(source, target)
    assert kept_bytes(target) == kept


def test_a_web_page_that_calls_itself_a_file_is_refused_and_not_kept(origin, target):
    origin.serve(b"<!doctype html><html><body>not found, sorry</body></html>")
    assert "is a web page" in failure(origin.source, target)
    assert not target.with_name(f"{target.name}.part").exists()


def test_a_web_page_instead_of_the_file(origin, target):
    origin.answer(Answer(b"<html><body>Sign in</body></html>", content_type=HTML))
    assert "a web page instead of the file" in failure(origin.source, target)


def test_the_end_of_an_unannounced_length_is_checked_in_the_file(server, target, content):
    server.answers["/dpiqa.pth"] = Answer(content, cut_at=2_000_000, announces_length=False)
    assert "cut off" in failure(WebFile(server.url("/dpiqa.pth")), target)


def test_quota_reached(server, target):
    server.answers["/uc"] = Answer(QUOTA_PAGE.encode(), content_type=HTML)
    message = failure(DRIVE, target)
    assert "download quota" in message
    assert "24 hours" in message


def test_no_such_file(origin, target):
    origin.answer(Answer(b"<html>404", status=404, content_type=HTML))
    failure(origin.source, target)


def test_the_servers_own_error_is_told(server, target):
    server.answers["/dpiqa.pth"] = Answer(b"busy", status=503)
    assert "503" in failure(WebFile(server.url("/dpiqa.pth")), target)


def test_no_network(target, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        send_google_to(address, monkeypatch)
        assert "no connection to Google Drive" in failure(DRIVE, target)
        assert "no connection to 127.0.0.1" in failure(WebFile(f"{address}/dpiqa.pth"), target)


def test_too_small_or_not_weights_at_all(origin, target, content):
    origin.serve(content)
    assert "too small" in failure(origin.source, target, min_size=len(content) + 1)
    origin.serve(b"\x89PNG" + bytes(1000))
    assert "neither a torch nor a safetensors file" in failure(origin.source, target)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(("kind", "partial"), [("web", ""), ("drive", "abcdefgh.part")])
def test_disk_full(kind, partial, server, target, content):
    origin = Origin(server, kind)
    origin.serve(content)
    folder = target.with_name(f"{target.name}.part")
    folder.mkdir(parents=True)
    (folder / f"{target.name}{partial}").symlink_to("/dev/full")
    assert f"the disk is full at {target.parent}" in failure(origin.source, target)


def test_a_cache_that_cannot_be_written(origin, target):
    target.parent.parent.mkdir()
    target.parent.touch()  # a file where the cache directory should be
    assert f"{target.parent} cannot be written" in failure(origin.source, target)


FETCH = "import sys; from pathlib import Path; from dpiqa_plugin.download import *; "
FETCH += "download(WebFile(sys.argv[1]), Path(sys.argv[2]))"


def start_process(url: str, target: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, url, str(target)], stderr=subprocess.PIPE, text=True
    )


def wait_until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_processes_fetch_a_file_once(server, target, content):
    def slow(_):
        time.sleep(2)
        return Answer(content)

    server.answers["/dpiqa.pth"] = slow
    processes = [start_process(server.url("/dpiqa.pth"), target) for _ in range(2)]
    said = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert_arrived(target, content)
    assert len(server.requests) == 1
    assert any("Waiting for another process" in text for text in said)


def test_what_a_killed_process_has_fetched_is_not_fetched_again(server, target, content):
    over = threading.Event()
    server.answers["/dpiqa.pth"] = Answer(content, cut_at=2_000_000, stays_open=over)
    process = start_process(server.url("/dpiqa.pth"), target)
    wait_until(lambda: kept_bytes(target) > 0)
    process.kill()
    process.communicate(timeout=60)
    over.set()
    kept = kept_bytes(target)
    server.answers["/dpiqa.pth"] = Answer(content)
    download(WebFile(server.url("/dpiqa.pth")), target)
    assert_arrived(target, content)
    assert server.requests[-1].headers["Range"] == f"bytes={kept}-"
