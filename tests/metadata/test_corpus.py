"""Real cameras' files, written into, and compared with what they were by ExifTool, Exiv2 and own parsers.

The comparison is the maintainers' ``check_preserved.py``, which shares no code with the writer.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import warnings
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest

from dpiqa_desktop.engine.store import Store
from dpiqa_desktop.metadata.plan import Verdict
from dpiqa_desktop.metadata.targets import NotWritten, Settings
from dpiqa_desktop.metadata.write import Writer, Written
from dpiqa_desktop.metadata.write_journal import WriteJournal

EXAMPLES = Path(__file__).parents[2] / "examples" / "photos"
VERDICTS = (
    Verdict(0.73214, 4, "dpiqa_lite", "6f6364567c73", datetime(2026, 5, 1, 12, tzinfo=timezone.utc)),
    Verdict(0.12, 1, "dpiqa_lite", "6f6364567c73", datetime(2026, 5, 2, 12, tzinfo=timezone.utc)),
)
# A rating of 0, "unrated", in Windows' property: two that differ would help nobody, so it follows.
ALLOWED = ["xmp:MicrosoftPhoto:Rating", "et:XMP-microsoft:RatingPercent"]
FALSE_ALARMS = {
    # A WebP in the simple format holds no metadata: it becomes one in the extended format, with a header of
    # flags (RFC 9649, 2.7). ExifTool shows both.
    "bulb.webp": {"File:FileType", "RIFF:WebP_Flags"},
}


@pytest.fixture(scope="module")
def compare(shared):
    """Return what is reported of two files: parts that are lost, changed or added."""
    script = shared / "tools" / "check_preserved.py"
    if not script.is_file():
        pytest.skip("needs the maintainers' comparison")
    if not shutil.which("exiftool"):
        pytest.skip("needs ExifTool")
    spec = importlib.util.spec_from_file_location("check_preserved", script)
    checker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checker)
    allow = checker.Allow(checker.DEFAULT_ALLOW + ALLOWED)
    exiftool = checker.ExifTool()

    def compare(before, after):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of odd files
            layers = ("struct", "exiftool", "exiv2", "pixels")
            report = checker.check(str(before), str(after), allow, exiftool, layers, False, False)
        known = FALSE_ALARMS.get(before.name, set())
        return [item for item in report.items if item[0] != "NOTE" and item[2] not in known]

    yield compare
    exiftool.close()
    exiftool.p.stdout.close()


def test_nothing_is_lost_in_real_files(shared, compare, tmp_path):
    """Twice, because the second change finds other places than the first."""
    camera = shared / "data" / "camera"
    if not camera.is_dir():
        pytest.skip("needs the cameras' files")
    reported, written = {}, 0
    with (
        closing(Store(tmp_path / "scores.sqlite3")) as store,
        closing(WriteJournal(tmp_path / "scores.sqlite3")) as journal,
    ):
        for number, original in enumerate(files(camera, EXAMPLES)):
            folder = tmp_path / str(number)
            folder.mkdir()
            photo = Path(shutil.copyfile(original, folder / original.name))
            for verdict in VERDICTS:
                (outcome,) = Writer(store, journal, Settings("embed")).write(str(photo), verdict)
                if isinstance(outcome, NotWritten):
                    assert photo.read_bytes() == original.read_bytes()
                    break
                written += isinstance(outcome, Written)
                if found := compare(original, photo):
                    reported[str(original)] = found
            assert os.listdir(folder) == [original.name]
    assert reported == {}
    assert written > 300  # of 175 files, twice


def files(*folders):
    """All files that are no sidecars."""
    return [
        path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (".xmp", ".md")
    ]
