"""Mutates real files, lets the writer of metadata and its undo loose on them, and checks what they left.

Not collected by pytest: run as ``python tests/fuzz_metadata.py [--minutes 10] [--seed 1] FOLDER...``. Each
case is a folder with one mutated photo, sometimes with a RAW file and sidecars of its name, and depends on
nothing but the seed, its number and the files given; ``--case N`` runs that one alone. What is checked:

- no exception leaves the writer or undo, and no case takes more than some seconds;
- writing the same again changes nothing;
- all bytes of the container but EXIF's and XMP's, all other tags of EXIF, all other properties in XMP, and
  the pixels are the same, each by a reader that shares no code with the writer;
- a rating that is not ours stays; a RAW file stays; nothing is there that should not be;
- undo gives all bytes back.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from makers.independent_readers import (
    PERCENT,
    RATING,
    bmff_items,
    exif_rating,
    further_images,
    masked_tiff,
    pixels,
    taken_apart,
    tiff_tags,
    xmp_properties,
)
from makers.mutations import DPIQA, MICROSOFT, XMP, mutated, seeds

from dpiqa_desktop.engine.companions import RAW_SUFFIXES
from dpiqa_desktop.engine.store import Store
from dpiqa_desktop.metadata.plan import Policy, Verdict
from dpiqa_desktop.metadata.targets import NotWritten, Settings, UpToDate
from dpiqa_desktop.metadata.undo import undo
from dpiqa_desktop.metadata.write import Outcome, Writer, Written
from dpiqa_desktop.metadata.write_journal import WriteJournal

_TOUCHED = {
    f"{{{XMP}}}Rating", f"{{{XMP}}}Label", f"{{{MICROSOFT}}}Rating", f"{{{MICROSOFT}/}}Rating",
    "{http://purl.org/dc/elements/1.1/}subject", "{http://ns.adobe.com/lightroom/1.0/}hierarchicalSubject",
}  # fmt: skip
_SLOWEST_SECONDS = 20.0
_NOON = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)


class WrongError(Exception):
    """The writer did what it must not."""


@dataclass(frozen=True)
class Case:
    """What is written where."""

    number: int
    photo: str
    files: dict[str, bytes]
    settings: Settings
    verdicts: tuple[Verdict, Verdict]


def make_case(seed: int, number: int, found: dict[str, list[bytes]]) -> Case:
    """Draw a case; the same for the same seed, number and files."""
    chance = random.Random(f"{seed}/{number}")
    photos = [each for each in found if each != ".xmp" and each not in RAW_SUFFIXES]
    weights = [4 if each == ".jpg" else 2 for each in photos]
    suffix = chance.choices(photos, weights)[0]
    name = f"a{suffix}"
    files = {name: mutated(chance.choice(found[suffix]), found[suffix], chance)}
    raw = [each for each in found if each in RAW_SUFFIXES]
    if raw and chance.random() < 0.15:
        kind = chance.choice(raw)
        files[f"a{kind}"] = mutated(chance.choice(found[kind]), found[kind], chance)
    for sidecar in ("a.xmp", f"a{suffix}.xmp"):
        if chance.random() < 0.12:
            files[sidecar] = mutated(chance.choice(found[".xmp"]), found[".xmp"], chance)
    keywords, labels, microsoft, overwrite = (chance.random() < share for share in (0.4, 0.3, 0.3, 0.15))
    settings = Settings(
        chance.choice(("auto", "embed", "embed", "sidecar")),
        chance.choice((None, "adobe", "darktable")),
        Policy(overwrite, keywords, labels, microsoft),
    )
    first, second = chance.sample(((0.12, 1), (0.05, -1), (0.4, 2), (0.73214, 4), (0.95, 5)), 2)
    verdicts = tuple(Verdict(score, stars, "dpiqa_lite", "6f63", _NOON) for score, stars in (first, second))
    return Case(number, name, files, settings, verdicts)  # type: ignore[arg-type]


class Fuzzer:
    """Runs cases in a scratch folder and counts what became of them."""

    def __init__(self, scratch: Path) -> None:
        self._folder = scratch / "photos"
        self._store = Store(scratch / "scores.sqlite3")
        self._journal = WriteJournal(scratch / "scores.sqlite3")
        self.counts: Counter[str] = Counter()

    def close(self) -> None:
        self._journal.close()
        self._store.close()

    def run(self, case: Case) -> None:
        """Do one case.

        Raises:
            WrongError: a promise is broken.
            Exception: whatever left the writer.
        """
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        for name, content in case.files.items():
            (self._folder / name).write_bytes(content)
        photo = self._folder / case.photo
        before_pixels = pixels(photo)
        started = time.process_time()
        runs = []
        for step, verdict in enumerate(case.verdicts):
            before = self._tree()
            outcomes = self._write(case, verdict, runs)
            self._count(case, outcomes, step)
            after = self._tree()
            self._check_written(case, before, after, outcomes)
            repeated = self._write(case, verdict, runs)
            if any(isinstance(outcome, Written) for outcome in repeated) or self._tree() != after:
                raise WrongError(f"writing the same again changed something: {repeated}")
        if before_pixels is not None and pixels(photo) != before_pixels:
            raise WrongError("pixels differ")
        for run in reversed(runs):
            for taken in undo(self._journal.entries(run), self._journal, self._store):
                if isinstance(taken, NotWritten) or not taken.exactly:
                    raise WrongError(f"not taken back: {taken}")
        if self._tree() != case.files:
            raise WrongError("undo did not give the same bytes back")
        if time.process_time() - started > _SLOWEST_SECONDS:
            raise WrongError(f"took {time.process_time() - started:.0f} s")

    def _write(self, case: Case, verdict: Verdict, runs: list[int]) -> list[Outcome]:
        writer = Writer(self._store, self._journal, case.settings)
        outcomes = writer.write(str(self._folder / case.photo), verdict)
        if writer.run is not None:
            runs.append(writer.run)
        return outcomes

    def _count(self, case: Case, outcomes: list[Outcome], step: int) -> None:
        if step:
            return
        suffix = Path(case.photo).suffix
        for outcome in outcomes:
            if isinstance(outcome, (NotWritten, UpToDate)):
                self.counts[f"{suffix} {'refused' if isinstance(outcome, NotWritten) else 'up to date'}"] += 1
            elif outcome.path.endswith(".xmp"):
                self.counts[f"{suffix} sidecar {'made' if outcome.made else 'extended'}"] += 1
            else:
                self.counts[f"{suffix} edited"] += 1

    def _tree(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self._folder.iterdir())}

    def _check_written(
        self, case: Case, before: dict[str, bytes], after: dict[str, bytes], outcomes: list[Outcome]
    ) -> None:
        told = {os.path.basename(outcome.path) for outcome in outcomes if isinstance(outcome, Written)}
        for name, content in after.items():
            if content == before.get(name):
                continue
            if name not in told:
                raise WrongError(f"{name} changed, and nobody says so")
            if Path(name).suffix in RAW_SUFFIXES:
                raise WrongError(f"{name} is RAW, and changed")
            if name not in before:
                if not name.endswith(".xmp"):
                    raise WrongError(f"{name} is new")
            elif name.endswith(".xmp"):
                check_xmp(before[name], content, case.settings.policy.overwrite_ratings)
            else:
                check_photo(before[name], content, case.settings.policy.overwrite_ratings)
        if not before.keys() <= after.keys():
            raise WrongError("a file is gone")


def check_photo(before: bytes, after: bytes, overwrite: bool) -> None:
    """Compare a photo with what became of it."""
    old, new = taken_apart(before), taken_apart(after)
    if before[4:8] == b"ftyp":
        # What we appended earlier may be overwritten; of the others, each item has to be what it was.
        shapes = [[(box[4:8], len(box)) for box in taken.rest] for taken in (old, new)]
        if shapes[1][: len(shapes[0])] != shapes[0] or any(
            kind != b"mdat" for kind, _ in shapes[1][len(old.rest) :]
        ):
            raise WrongError("boxes differ")
        if bmff_items(before) != bmff_items(after):
            raise WrongError("an image or another item differs")
        return
    if new.rest != old.rest:
        raise WrongError("other parts than EXIF and XMP differ")
    if before[:2] == b"\xff\xd8" and further_images(before) != further_images(after):
        raise WrongError("the Multi-Picture index points at other images")
    for was, now in ((old.exif, new.exif), (old.xmp, new.xmp)):
        if len(now) != max(len(was), 1) and (len(now) != len(was)):
            raise WrongError("a block of EXIF or XMP is gone, or there is one too many")
        if len(was) > 1 and was != now:
            raise WrongError("one of two blocks of a kind was changed")
    for block, changed in zip(old.exif, new.exif, strict=False):
        check_exif(block, changed, is_tiff=before[:2] in (b"II", b"MM"))
    for packet, edited in zip(old.xmp, new.xmp, strict=False):
        check_xmp(packet, edited, overwrite)
    if not overwrite and old.exif:
        check_exif_rating(old.exif[0], new.exif[0], old.xmp)


def check_exif(before: bytes, after: bytes, is_tiff: bool) -> None:
    """All bytes but the header stay where they were, but for ratings; all tags but ours are the same."""
    first = struct.unpack_from("<I" if before[:2] == b"II" else ">I", before, 4)[0]
    kept = 8 if before[4:8] != after[4:8] else first
    if is_tiff:
        # Either the directory moved to the end, or what fits was changed where it stands.
        masked = (before, after) if before[4:8] != after[4:8] else (masked_tiff(before), masked_tiff(after))
        if masked[0][8:] != masked[1][8 : len(before)]:
            raise WrongError("other bytes of the TIFF differ")
    elif len(after) < len(before) or before[8:kept] != after[8:kept]:
        raise WrongError("other bytes of EXIF differ")
    ours = {RATING, PERCENT, 700}
    # What led behind the block was lost before.
    old = {tag: value for tag, value in tiff_tags(before).items() if tag not in ours}
    new = {tag: value for tag, value in tiff_tags(after, limit=len(after)).items() if tag not in ours}
    if old.keys() != new.keys():
        raise WrongError("other tags of EXIF differ")
    for tag, (kind, value) in old.items():
        if value is not None and new[tag] != (kind, value):
            raise WrongError(f"the tag 0x{tag:04x} differs")


def check_exif_rating(before: bytes, after: bytes, packets: list[bytes]) -> None:
    """A rating of the photographer's in EXIF stays."""
    rating, percent = exif_rating(before)
    ours = _our_stars(packets[0]) if packets else None
    shown = rating if rating is not None else percent
    if (
        shown
        and (ours is None or not _same_number(str(shown), ours.replace("-1", "0")))
        and exif_rating(after) != (rating, percent)
    ):
        raise WrongError(f"EXIF's rating was {rating}, {percent} and is {exif_rating(after)}")


def check_xmp(before: bytes, after: bytes, overwrite: bool) -> None:
    """All other properties stay, and a rating of the photographer's."""
    old, new = xmp_properties(before), xmp_properties(after)
    others = [
        Counter(
            (name, text)
            for name, text in said
            if name not in _TOUCHED and not name.startswith(f"{{{DPIQA}}}")
        )
        for said in (old, new)
    ]
    if others[0] != others[1]:
        raise WrongError(f"other properties differ: {others[0] - others[1]} became {others[1] - others[0]}")
    name = f"{{{XMP}}}Rating"
    ratings = [text for key, text in old if key == name]
    if overwrite or not ratings or ratings == ["0"]:
        return
    ours = _our_stars(before)
    now = [text for key, text in new if key == name]
    if not _same_number(ratings[0], ours) and now != ratings:
        raise WrongError(f"the rating in XMP was {ratings}, ours {ours}, and is {now}")


def _same_number(rating: str, ours: str | None) -> bool:
    try:
        return ours is not None and float(rating) == float(ours)
    except ValueError:
        return False


def _our_stars(packet: bytes) -> str | None:
    return dict(xmp_properties(packet)).get(f"{{{DPIQA}}}Rating")


# The run.


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="this one alone")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"), help="where failing cases go")
    parser.add_argument("folders", type=Path, nargs="*")
    options = parser.parse_args()
    found = seeds(options.folders)
    memory = Path("/dev/shm")  # nothing waits for a disk there
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as scratch:
        os.environ["XDG_DATA_HOME"] = scratch  # the locks' place
        fuzzer = Fuzzer(Path(scratch))
        end, failed, number = time.monotonic() + 60 * options.minutes, 0, options.case or 0
        while time.monotonic() < end:
            case = make_case(options.seed, number, found)
            try:
                fuzzer.run(case)
            except Exception as error:
                failed += 1
                _keep(case, error, options)
            number += 1
            if options.case is not None:
                break
        fuzzer.close()
    for what, many in sorted(fuzzer.counts.items()):
        sys.stdout.write(f"{many:8,} {what}\n")
    sys.stdout.write(f"{number - (options.case or 0):8,} cases, {failed} of them failed\n")
    return failed > 0


def _keep(case: Case, error: Exception, options: argparse.Namespace) -> None:
    folder = options.keep / f"{options.seed}-{case.number}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in case.files.items():
        (folder / name).write_bytes(content)
    again = f"--seed {options.seed} --case {case.number} {' '.join(map(str, options.folders))}"
    line = f"{again}: {type(error).__name__}: {str(error)[:300]}"
    (folder / "why.txt").write_text(
        f"{line}\n{case.settings}\n{case.verdicts}\n{''.join(traceback.format_exception(error))}"
    )
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
