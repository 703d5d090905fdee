"""Virtual environments that hold what was installed into them and nothing of this one."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

_SCRIPTS = "Scripts" if os.name == "nt" else "bin"


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Attributes:
        folder: where it is.
    """

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / _SCRIPTS / "python"

    @property
    def site_packages(self) -> Path:
        """Where its packages are."""
        place = self.run_python("import sysconfig; print(sysconfig.get_path('purelib'))").stdout
        return Path(place.strip())

    def run(self, command: str, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one of its commands, far from the checkout; ``variables`` are added to the environment."""
        return run_apart([self.folder / _SCRIPTS / command, *arguments], **variables)

    def run_python(self, code: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ``code`` in its interpreter, as ``run`` does."""
        return run_apart([self.python, *options, "-c", code], **variables)


def make_environment(folder: Path, *, pip: bool) -> Environment:
    """Create one with this interpreter's Python; without pip it takes a tenth of a second."""
    options = [] if pip else ["--without-pip"]
    run_apart([sys.executable, "-m", "venv", *options, folder]).check_returncode()
    return Environment(folder)


def unpack(wheel: Path, environment: Environment) -> None:
    """Install a pure wheel as pip would, but for commands and dependencies."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(environment.site_packages)


def run_apart(command: list[str | Path], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command where neither its folder nor a ``PYTHON...`` variable leads to the checkout."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        command,
        cwd="/",
        env={**inherited, **variables},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
