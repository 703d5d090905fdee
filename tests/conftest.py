"""What every test shares: a home of its own, no network beyond this machine, the maintainers' data folder."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from dpiqa_plugin import freed_memory

# How long a busy machine takes for an example says nothing.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Spell out names of files that are no UTF-8 in what was logged: pytest-xdist cannot send them."""
    report = yield
    report.sections = [
        (title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections
    ]
    return report


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with reference tensors and data sets, which is not part of the repository."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs the folder shared/ beside the repository")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _private_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Neither find what the developer has in a cache nor leave anything there."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(home / name.lower()))
        for name in ("TORCH_HOME", "HF_HOME", "PYTHONSTARTUP", "DPIQA_AUTOLOAD"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _freed_memory_goes_back() -> Iterator[None]:
    """What the largest test needs must not stay with this process while others start theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(freed_memory, "keep_freed_memory", lambda: False)
        yield


@pytest.fixture
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of scores for one test, so that it sees no other's."""
    home = tmp_path / "home"
    for name in ("HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home))
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """This process is as good as unplugged: only this machine's own servers answer."""
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def guarded_look_up(host, *args, **kwargs):
        if not _is_local(host):
            raise socket.gaierror(socket.EAI_NONAME, f"tests have no network; {host!r} was asked for")
        return look_up(host, *args, **kwargs)

    def guarded_connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            raise OSError(f"tests have no network; {address!r} was asked for")
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", guarded_look_up)
        patch.setattr(socket.socket, "connect", guarded_connect)
        yield


def _is_local(host: object) -> bool:
    name = os.fsdecode(host) if isinstance(host, (str, bytes)) else host
    if name in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        return False
