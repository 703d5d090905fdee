"""How fast scores are written into JPEGs, beside copying and ExifTool, and how fast they are read back.

    python benchmarks/metadata.py                 # 100 JPEGs of 10 MB: about 4 GB of disk
    python benchmarks/metadata.py --photos 20 --folder /media/card

Needs ExifTool on the path. Each way gets copies of the same files, and the ways take turns, ten files each,
so that what else the disk does falls on all of them. Every way waits until the new file is on the disk;
copying and ExifTool do one file after the other, as ``cp`` and ExifTool do.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import piexif
from photo_maker import make_jpegs

from dpiqa_desktop.engine.store import Store
from dpiqa_desktop.metadata.plan import Verdict
from dpiqa_desktop.metadata.read import said_by_photo
from dpiqa_desktop.metadata.targets import Settings
from dpiqa_desktop.metadata.write import Writer, Written
from dpiqa_desktop.metadata.write_journal import WriteJournal

TURN = 10
SIZE = (7600, 5000)  # 10 MB as photo_maker draws them


def main() -> None:
    """Print files a second of each way, and the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=100, help="JPEGs of 10 MB (default: %(default)s)")
    parser.add_argument("--folder", help="where to put them (default: the system's temporary folder)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as scratch:
        compare(Path(scratch), asked.photos)


def compare(scratch: Path, count: int) -> None:
    """Write into all photos in every way."""
    originals = make_jpegs(scratch / "originals", count, SIZE, distinct=3)
    for path in originals:
        piexif.insert(piexif.dump({"0th": {piexif.ImageIFD.Make: b"Maker"}}), str(path))
    ours, theirs = (
        [Path(shutil.copy(path, _folder(scratch / name))) for path in originals]
        for name in ("ours", "theirs")
    )
    size = sum(path.stat().st_size for path in originals) / count / 1e6
    print(f"{count} JPEGs of {size:.1f} MB, {os.cpu_count()} cores, in {scratch}")
    database = scratch / "scores.sqlite3"
    with (
        closing(Store(database)) as store,
        closing(WriteJournal(database)) as journal,
        ExifTool() as exiftool,
    ):
        writer = Writer(store, journal, Settings(where="embed"))
        copies = _folder(scratch / "copies")
        ways: dict[str, tuple[Callable[[list[Path]], None], list[Path]]] = {
            "copy and fsync": (lambda paths: copy(paths, copies), originals),
            "dpiqa-batch --write embed": (lambda paths: embed(writer, paths), ours),
            "exiftool -stay_open": (exiftool.write, theirs),
        }
        seconds = dict.fromkeys(ways, 0.0)
        for start in range(0, count, TURN):
            for name, (write, paths) in ways.items():
                started = time.perf_counter()
                write(paths[start : start + TURN])
                seconds[name] += time.perf_counter() - started
    rates = {name: count / taken for name, taken in seconds.items()}
    for name, rate in rates.items():
        print(f"{name:28}{rate:8.1f} files/s{rate / rates['copy and fsync']:8.2f} of copying")
    read_back(ours)


def read_back(paths: list[Path]) -> None:
    """Read what was written, the files being in the system's cache."""
    repeats = max(1, 2000 // len(paths))
    started = time.perf_counter()
    for _ in range(repeats):
        for path in paths:
            said_by_photo(str(path))
    rate = repeats * len(paths) / (time.perf_counter() - started)
    print(f"{'reading scores back':28}{rate:8.0f} files/s")


def copy(paths: list[Path], folder: Path) -> None:
    """Copy as carefully as a write should be: the content and the name are on the disk."""
    for source in paths:
        temporary = folder / "temporary"
        shutil.copyfile(source, temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(folder / source.name)
        sync_folder(folder)


def embed(writer: Writer, paths: list[Path]) -> None:
    """Write as the batch tool does, with journal and verification."""
    verdict = Verdict(0.7321, 4, "dpiqa_lite", "0123456789ab", datetime.now(timezone.utc))
    for outcomes in writer.write_all((str(path), verdict) for path in paths):
        assert [type(outcome) for outcome in outcomes] == [Written], outcomes


class ExifTool:
    """One process for all files; ExifTool itself does not wait for the disk, so we do."""

    def __enter__(self) -> ExifTool:
        command = ["exiftool", "-stay_open", "True", "-@", "-"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *exception: object) -> None:
        self._tell("-stay_open", "False")
        self._process.wait()

    def write(self, paths: list[Path]) -> None:
        """Set the same rating; a score of ours it does not know without a configuration."""
        for path in paths:
            self._write(path)

    def _write(self, path: Path) -> None:
        self._tell(
            "-overwrite_original", "-P", "-XMP-xmp:Rating=4", "-IFD0:Rating=4", "-IFD0:RatingPercent=73"
        )
        self._tell(str(path), "-execute")
        assert self._process.stdout is not None
        said = list(iter(self._process.stdout.readline, "{ready}\n"))
        assert any("1 image files updated" in line for line in said), (path, said)
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        sync_folder(path.parent)

    def _tell(self, *arguments: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n".join(arguments) + "\n")
        self._process.stdin.flush()


def sync_folder(folder: Path) -> None:
    """Wait until a folder's names are on the disk."""
    number = os.open(folder, os.O_RDONLY)
    os.fsync(number)
    os.close(number)


def _folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


if __name__ == "__main__":
    main()
