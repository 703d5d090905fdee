"""Photos and sidecars as a run leaves them, read back by other tools; and as they were, after its undo."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import piexif
import pytest
from makers.photos import save_photo
from PIL import Image

from dpiqa_desktop.engine.marks import changed_at
from dpiqa_desktop.engine.store import Judged, Record, Store, content_hash, file_state
from dpiqa_desktop.metadata.plan import Policy, Verdict
from dpiqa_desktop.metadata.sync import sync
from dpiqa_desktop.metadata.targets import NotWritten, Settings, UpToDate
from dpiqa_desktop.metadata.undo import TakenBack, undo
from dpiqa_desktop.metadata.write import Writer, Written
from dpiqa_desktop.metadata.write_journal import WriteJournal
from dpiqa_desktop.process_lock import writing_alone

VERDICT = Verdict(0.73214, 4, "dpiqa_lite", "6f6364567c73", datetime(2026, 5, 1, 12, tzinfo=timezone.utc))
BETTER = Verdict(0.91, 5, "dpiqa_lite", "6f6364567c73", datetime(2026, 5, 2, 12, tzinfo=timezone.utc))
EMBEDDED = ("jpg", "png", "webp", "tif")
SIDECAR = b"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:darktable="http://darktable.sf.net/"
   darktable:xmp_version="5">
   <darktable:history>
    <rdf:Seq>
     <rdf:li darktable:num="0" darktable:operation="exposure" darktable:params="gz02eJxjYGBg"/>
    </rdf:Seq>
   </darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
needs_exiftool = pytest.mark.skipif(not shutil.which("exiftool"), reason="needs ExifTool")


@pytest.fixture
def store(tmp_path):
    with closing(Store(tmp_path / "scores.sqlite3")) as store:
        yield store


@pytest.fixture
def shoot(tmp_path):
    folder = tmp_path / "shoot"
    folder.mkdir()
    return folder


@pytest.fixture
def journal(store):
    with closing(WriteJournal(store.database)) as journal:
        yield journal


@pytest.fixture
def write(store, journal):
    def write(photo, verdict=VERDICT, **settings):
        return Writer(store, journal, Settings(**settings)).write(str(photo), verdict)

    return write


@pytest.fixture
def take_back(store, journal):
    return lambda run=1: list(undo(journal.entries(run), journal, store))


def tree(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def exiftool(path):
    """All that ExifTool reads, by group and name, but for what it says of the file itself."""
    command = ["exiftool", "-j", "-G1", "-a", "-n", "-struct", str(path)]
    (tags,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return {
        name: value for name, value in tags.items() if not name.startswith(("System:", "Source", "File:"))
    }


def rated(path, stars):
    """A JPEG with EXIF of a camera, and a rating of the photographer's."""
    exif = piexif.dump(
        {"0th": {piexif.ImageIFD.Make: b"Canon", 0x4746: stars}, "Exif": {piexif.ExifIFD.MakerNote: b"note"}}
    )
    with Image.open(save_photo(path)) as image:
        image.save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", EMBEDDED)
@needs_exiftool
def test_other_tools_read_what_was_written_and_the_pixels_are_the_same(suffix, shoot, write):
    photo = save_photo(shoot / f"a.{suffix}")
    with Image.open(photo) as image:
        before = image.tobytes()
    policy = Policy(keywords=True, labels=True, microsoft=True)
    (outcome,) = write(photo, policy=policy)
    assert outcome == Written(str(photo), outcome.summary, made=False, rating_kept=False)
    tags = exiftool(photo)
    assert {name: tags[name] for name in tags if name.startswith(("XMP-", "IFD0:Rating"))} == {
        "XMP-xmp:Rating": 4,
        "XMP-xmp:Label": "Green",
        "XMP-dpiqa:Score": 0.7321,
        "XMP-dpiqa:Rating": 4,
        "XMP-dpiqa:Label": "Green",
        "XMP-dpiqa:Model": "dpiqa_lite",
        "XMP-dpiqa:ModelHash": "6f6364567c73",
        "XMP-dpiqa:ScoredAt": "2026:05:01 12:00:00Z",
        "XMP-dc:Subject": ["IQA|0.7"],
        "XMP-lr:HierarchicalSubject": ["IQA|0.7"],
        "XMP-microsoft:RatingPercent": 75,
        "IFD0:Rating": 4,
        "IFD0:RatingPercent": 73,
    }
    with Image.open(photo) as image:
        assert image.tobytes() == before


@pytest.mark.parametrize("suffix", EMBEDDED)
def test_undo_gives_back_the_same_bytes(suffix, shoot, write, take_back, journal):
    photo = save_photo(shoot / f"a.{suffix}")
    before = tree(shoot)
    write(photo)
    write(photo, BETTER)
    assert tree(shoot) != before
    assert take_back(2) == [TakenBack(str(photo), removed=False, exactly=True)]
    assert take_back(1) == [TakenBack(str(photo), removed=False, exactly=True)]
    assert tree(shoot) == before
    assert journal.latest() is None


def test_a_second_run_changes_nothing(shoot, write):
    photo = save_photo(shoot / "a.jpg")
    write(photo)
    before = tree(shoot)
    assert write(photo) == [UpToDate(str(photo), rating_kept=False)]
    assert tree(shoot) == before


@needs_exiftool
def test_a_rating_of_the_photographers_stays_and_the_photo_gets_its_score(shoot, write):
    photo = rated(shoot / "a.jpg", 2)
    before = exiftool(photo)
    (outcome,) = write(photo)
    assert outcome.rating_kept
    tags = exiftool(photo)
    assert tags["XMP-dpiqa:Score"] == 0.7321
    assert {name for name in tags if name not in before} == {
        "XMP-x:XMPToolkit",
        *(f"XMP-dpiqa:{name}" for name in ("Score", "Model", "ModelHash", "ScoredAt")),
    } & set(tags)
    assert {name: tags.get(name) for name in before} == before


@needs_exiftool
def test_it_is_overwritten_if_asked_for_and_comes_back_by_undo(shoot, write, take_back):
    photo = rated(shoot / "a.jpg", 2)
    before = photo.read_bytes()
    (outcome,) = write(photo, policy=Policy(overwrite_ratings=True))
    assert not outcome.rating_kept
    assert exiftool(photo)["IFD0:Rating"] == exiftool(photo)["XMP-xmp:Rating"] == 4
    take_back()
    assert photo.read_bytes() == before


@needs_exiftool
def test_a_rating_set_by_another_tool_after_ours_stays(shoot, write):
    photo = save_photo(shoot / "a.jpg")
    write(photo)
    subprocess.run(["exiftool", "-q", "-overwrite_original", "-XMP-xmp:Rating=2", str(photo)], check=True)
    (outcome,) = write(photo, BETTER)
    assert outcome.rating_kept
    tags = exiftool(photo)
    assert (tags["XMP-xmp:Rating"], tags["XMP-dpiqa:Score"]) == (2, 0.91)
    assert "XMP-dpiqa:Rating" not in tags


@needs_exiftool
def test_undo_of_a_file_that_another_tool_changed_takes_back_only_what_was_ours(shoot, write, take_back):
    photo = rated(shoot / "a.jpg", 0)
    write(photo)
    changes = ["-XMP-dc:Title=The cake", "-XMP-xmp:Rating=5"]
    subprocess.run(["exiftool", "-q", "-overwrite_original", *changes, str(photo)], check=True)
    assert take_back() == [TakenBack(str(photo), removed=False, exactly=False)]
    tags = exiftool(photo)
    assert (tags["XMP-dc:Title"], tags["XMP-xmp:Rating"], tags["IFD0:Rating"]) == ("The cake", 5, 0)
    assert not any("dpiqa" in name for name in tags)
    assert "IFD0:RatingPercent" not in tags


@pytest.mark.parametrize("suffix", EMBEDDED)
@needs_exiftool
def test_undo_of_a_file_that_had_no_rating_and_was_changed_leaves_it_unrated(suffix, shoot, write, take_back):
    """Also where a block of EXIF would have nothing left in it."""
    photo = save_photo(shoot / f"a.{suffix}")
    write(photo)
    subprocess.run(["exiftool", "-q", "-overwrite_original", "-XMP-dc:Title=The cake", photo], check=True)
    assert take_back() == [TakenBack(str(photo), removed=False, exactly=False)]
    tags = exiftool(photo)
    assert tags["XMP-dc:Title"] == "The cake"
    assert not any("dpiqa" in name or name.endswith("RatingPercent") for name in tags)
    assert "XMP-xmp:Rating" not in tags
    assert tags.get("IFD0:Rating", 0) == 0


@needs_exiftool
def test_undo_takes_back_each_of_the_two_exif_tags_that_is_still_ours(shoot, write, take_back):
    photo = rated(shoot / "a.jpg", 0)
    write(photo)
    subprocess.run(["exiftool", "-q", "-overwrite_original", "-IFD0:Rating=2", photo], check=True)
    take_back()
    tags = exiftool(photo)
    assert tags["IFD0:Rating"] == 2
    assert "IFD0:RatingPercent" not in tags


def exiftool_sets(path, *tags):
    subprocess.run(["exiftool", "-q", "-overwrite_original", *tags, str(path)], check=True)


@pytest.mark.parametrize("suffix", EMBEDDED)
@needs_exiftool
def test_undo_leaves_a_rating_and_a_colour_of_the_photographers_that_equal_ours(
    suffix, shoot, write, take_back
):
    """The photo came back from elsewhere, and does not say that they are ours."""
    photo = save_photo(shoot / f"a.{suffix}")
    original = photo.read_bytes()
    write(photo, policy=Policy(labels=True, microsoft=True))
    photo.write_bytes(original)
    given = ["-XMP-xmp:Rating=4", "-XMP-microsoft:RatingPercent=75", "-XMP-xmp:Label=Green"]
    exiftool_sets(photo, *given, "-IFD0:Rating=4", "-IFD0:RatingPercent=73")
    before = photo.read_bytes()
    take_back()
    assert photo.read_bytes() == before


@needs_exiftool
def test_undo_leaves_stars_of_ours_that_the_photographer_made_his(shoot, write, take_back):
    """He set others over ours, so that they were ours no more, and then the same again."""
    photo = save_photo(shoot / "a.jpg")
    write(photo)
    exiftool_sets(photo, "-XMP-xmp:Rating=2", "-IFD0:Rating=2")
    write(photo, BETTER)
    exiftool_sets(photo, "-XMP-xmp:Rating=4", "-IFD0:Rating=4")
    take_back(2)
    tags = exiftool(photo)
    assert (tags["XMP-dpiqa:Score"], tags["XMP-xmp:Rating"], tags["IFD0:Rating"]) == (0.7321, 4, 4)
    assert "XMP-dpiqa:Rating" not in tags
    (outcome,) = write(photo, BETTER)
    assert outcome.rating_kept
    take_back(3)
    take_back(1)
    tags = exiftool(photo)
    assert (tags["XMP-xmp:Rating"], tags["IFD0:Rating"]) == (4, 4)


@needs_exiftool
def test_undo_makes_ours_again_what_the_photographer_has_not_set_since(shoot, write, take_back):
    """He confirmed our stars in the window, and took that back."""
    photo = save_photo(shoot / "a.jpg")
    write(photo)
    write(photo, dataclasses.replace(VERDICT, rating_by="photographer", replaces_rating=True))
    assert "XMP-dpiqa:Rating" not in exiftool(photo)
    exiftool_sets(photo, "-XMP-dc:Title=The cake")
    take_back(2)
    assert exiftool(photo)["XMP-dpiqa:Rating"] == exiftool(photo)["XMP-xmp:Rating"] == 4
    take_back(1)
    assert "XMP-xmp:Rating" not in exiftool(photo)


@needs_exiftool
def test_stars_of_ours_that_were_taken_away_do_not_come_back(shoot, write):
    """By a program that knows XMP's rating, and leaves EXIF's."""
    photo = save_photo(shoot / "a.jpg")
    write(photo)
    subprocess.run(["exiftool", "-q", "-overwrite_original", "-XMP-xmp:Rating=", photo], check=True)
    (outcome,) = write(photo, BETTER)
    assert outcome.rating_kept
    tags = exiftool(photo)
    assert tags["XMP-dpiqa:Score"] == 0.91
    assert "XMP-xmp:Rating" not in tags


def test_undo_waits_for_who_writes_the_same_photo(shoot, write, take_back):
    """A sidecar is locked by its photo's name, whichever naming it has."""
    (shoot / "a.CR2").write_bytes(b"")
    write(shoot / "a.CR2", naming="darktable")
    with ThreadPoolExecutor(1) as pool:
        with writing_alone(str(shoot / "a")):
            undoing = pool.submit(take_back)
            with pytest.raises(FutureTimeout):
                undoing.result(0.3)
            assert (shoot / "a.CR2.xmp").exists()
        undoing.result()
    assert not (shoot / "a.CR2.xmp").exists()


@pytest.mark.parametrize(
    ("naming", "name"), [("adobe", "a.xmp"), ("darktable", "a.CR2.xmp"), (None, "a.xmp")]
)
def test_raw_gets_a_sidecar_and_is_not_touched(naming, name, shoot, write, take_back):
    raw = shoot / "a.CR2"
    raw.write_bytes(b"II*\0" + b"not much of a photo")
    os.chmod(raw, 0o400)
    raw_bytes = raw.read_bytes()
    (outcome,) = write(raw, naming=naming)
    # What the RAW file says cannot be read, and it might be rated.
    assert outcome == Written(str(shoot / name), outcome.summary, made=True, rating_kept=True)
    assert raw.read_bytes() == raw_bytes
    assert set(tree(shoot)) == {"a.CR2", name}
    assert take_back() == [TakenBack(str(shoot / name), removed=True, exactly=True)]
    assert set(tree(shoot)) == {"a.CR2"}


@pytest.mark.parametrize("name", ["a.CR2.xmp", "a.xmp", "a.XMP"])
@needs_exiftool
def test_an_existing_sidecar_is_extended_and_all_else_in_it_stays(name, shoot, write, take_back):
    (shoot / "a.CR2").write_bytes(b"")
    (shoot / name).write_bytes(SIDECAR)
    before = exiftool(shoot / name)
    write(shoot / "a.CR2")
    tags = exiftool(shoot / name)
    assert before.items() <= tags.items()
    assert tags["XMP-dpiqa:Score"] == 0.7321
    assert all(line in (shoot / name).read_bytes() for line in SIDECAR.splitlines())
    assert set(tree(shoot)) == {"a.CR2", name}
    take_back()
    assert (shoot / name).read_bytes() == SIDECAR


@needs_exiftool
def test_raw_and_jpeg_are_one_photo(shoot, write):
    jpeg, raw = save_photo(shoot / "a.jpg"), shoot / "a.NEF"
    save_photo(shoot / "a.tif").rename(raw)
    outcomes = write(jpeg)
    assert [outcome.path for outcome in outcomes] == [str(jpeg), str(shoot / "a.xmp")]
    assert exiftool(jpeg)["XMP-xmp:Rating"] == exiftool(shoot / "a.xmp")["XMP-xmp:Rating"] == 4
    assert exiftool(raw) == exiftool(save_photo(shoot / "b.tif"))


@pytest.mark.parametrize("where", ["jpeg", "raw", "sidecar", "other sidecar", "unreadable sidecar"])
@needs_exiftool
def test_a_rating_in_any_file_of_a_photo_keeps_ours_out_of_all(where, shoot, write):
    jpeg, raw = save_photo(shoot / "a.jpg"), shoot / "a.NEF"
    save_photo(shoot / "a.tif").rename(raw)
    rated_sidecar = SIDECAR.replace(
        b'xmp_version="5"', b'xmp_version="5" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="3"'
    )
    if where == "jpeg":
        rated(jpeg, 3)
    elif where == "raw":
        shutil.copy(raw, shoot / "b.tif")
        subprocess.run(
            ["exiftool", "-q", "-overwrite_original", "-IFD0:Rating=3", shoot / "b.tif"], check=True
        )
        (shoot / "b.tif").rename(raw)
    elif where == "sidecar":
        (shoot / "a.xmp").write_bytes(rated_sidecar)
    elif where == "other sidecar":
        (shoot / "a.xmp").write_bytes(SIDECAR)
        (shoot / "a.jpg.xmp").write_bytes(rated_sidecar)
    else:
        (shoot / "a.NEF.xmp").write_bytes(b"<broken")
    outcomes = write(jpeg)
    assert all(isinstance(outcome, NotWritten) or outcome.rating_kept for outcome in outcomes)
    for path in shoot.iterdir():
        if path.suffix in (".jpg", ".xmp") and b"<broken" not in path.read_bytes():
            tags = exiftool(path)
            assert "XMP-dpiqa:Rating" not in tags
            assert tags.get("XMP-xmp:Rating", 3) == tags.get("IFD0:Rating", 3) == 3
    assert any("XMP-dpiqa:Score" in exiftool(path) for path in (jpeg, shoot / "a.jpg.xmp") if path.exists())


def test_what_cannot_be_embedded_goes_beside_it_or_is_said(shoot, write):
    photo = shoot / "a.jpg"
    xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'.encode("utf-16")
    with Image.open(save_photo(photo)) as image:
        image.save(photo, xmp=xmp)
    before = photo.read_bytes()
    (refused,) = write(photo, where="embed")
    assert isinstance(refused, NotWritten)
    assert "not in UTF-8" in refused.reason
    assert refused.sidecar_would_do
    (made,) = write(photo)
    assert (made.path, made.made, made.rating_kept) == (str(shoot / "a.xmp"), True, True)
    assert photo.read_bytes() == before


def test_embed_makes_no_sidecar(shoot, write):
    save_photo(shoot / "a.jpg")
    (shoot / "a.CR2").write_bytes(b"")
    (shoot / "b.CR2").write_bytes(b"")
    assert [type(outcome) for outcome in write(shoot / "a.jpg", where="embed")] == [Written]
    reason = "it is RAW, and is never changed"
    raw = str(shoot / "b.CR2")
    assert write(raw, where="embed") == [NotWritten(raw, reason, sidecar_would_do=True)]
    assert set(tree(shoot)) == {"a.jpg", "a.CR2", "b.CR2"}


def test_sidecar_leaves_the_photo_alone(shoot, write):
    photo = save_photo(shoot / "a.jpg")
    before = photo.read_bytes()
    write(photo, where="sidecar", naming="darktable")
    assert photo.read_bytes() == before
    assert set(tree(shoot)) == {"a.jpg", "a.jpg.xmp"}


def test_two_photos_of_one_name_do_not_share_a_sidecar(shoot, write):
    for name in ("a.jpg", "a.png"):
        save_photo(shoot / name)
    write(shoot / "a.jpg", where="sidecar")
    write(shoot / "a.png", BETTER, where="sidecar")
    assert set(tree(shoot)) == {"a.jpg", "a.png", "a.jpg.xmp", "a.png.xmp"}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take the two names for one")
@pytest.mark.parametrize("there", [[], ["a.JPG.xmp"], ["a.jpg.xmp"]])
def test_two_photos_whose_names_differ_in_capitals_do_not_share_a_sidecar(there, shoot, write):
    for number, name in enumerate(("a.JPG", "a.jpg")):
        Image.new("RGB", (40, 40), (number, 0, 0)).save(shoot / name)
    for name in there:
        (shoot / name).write_bytes(SIDECAR)
    for name, verdict in (("a.jpg", BETTER), ("a.JPG", VERDICT), ("a.jpg", BETTER)):
        write(shoot / name, verdict, where="sidecar")
    assert b'dpiqa:Score="0.9100"' in (shoot / "a.jpg.xmp").read_bytes()
    assert b'dpiqa:Score="0.7321"' in (shoot / "a.JPG.xmp").read_bytes()


@pytest.mark.parametrize("other", ["a.CR2", "a.cr2"])
@pytest.mark.parametrize("naming", [None, "adobe", "darktable"])
@pytest.mark.parametrize("there", [[], ["a.CR2.xmp"]])
def test_a_photo_that_has_another_ones_name_in_its_own_leaves_it_its_sidecar(
    there, naming, other, shoot, write
):
    (shoot / other).write_bytes(b"raw data")
    for name in there:
        (shoot / name).write_bytes(SIDECAR)
    preview = save_photo(shoot / "a.CR2.jpg")
    write(shoot / other, VERDICT, naming=naming)
    (outcome,) = write(preview, BETTER, naming=naming, where="sidecar")
    assert outcome.path == str(shoot / "a.CR2.jpg.xmp")
    (outcome,) = write(shoot / other, VERDICT, naming=naming)
    assert isinstance(outcome, UpToDate)
    shutil.rmtree(shoot)
    shoot.mkdir()
    (outcome,) = write(save_photo(preview), BETTER, naming="adobe", where="sidecar")
    assert outcome.path == str(shoot / "a.CR2.xmp")  # nobody else's


def test_auto_embeds_although_another_photo_has_a_sidecar_of_nearly_its_name(shoot, write):
    (shoot / "a.CR2").write_bytes(b"raw data")
    (shoot / "a.CR2.xmp").write_bytes(SIDECAR)
    (outcome,) = write(save_photo(shoot / "a.CR2.jpg"))
    assert outcome.path == str(shoot / "a.CR2.jpg")


@pytest.mark.parametrize(("photo", "name"), [("é", "e\u0301"), ("e\u0301", "é")])
def test_a_sidecar_may_spell_its_photos_accents_in_another_way(photo, name, shoot, write):
    rating = b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="1" darktable:xmp_version'
    (shoot / f"{name}.jpg.xmp").write_bytes(SIDECAR.replace(b"darktable:xmp_version", rating))
    (outcome,) = write(save_photo(shoot / f"{photo}.jpg"))
    assert (outcome.made, outcome.rating_kept) == (False, True)
    assert os.path.samefile(outcome.path, shoot / f"{name}.jpg.xmp")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take the two names for one")
def test_two_photos_that_differ_in_the_spelling_of_accents_do_not_share_a_sidecar(shoot, write):
    for name in ("é.jpg", "e\u0301.jpg"):
        save_photo(shoot / name)
    for name in ("é.jpg", "e\u0301.jpg", "é.jpg"):
        (outcome,) = write(shoot / name, where="sidecar", naming="darktable")
        assert outcome.path == str(shoot / f"{name}.xmp")


def test_raw_files_are_judged_by_one_photo_only(shoot, write):
    for name in ("a.jpg", "a.png"):
        save_photo(shoot / name)
    (shoot / "a.RAF").write_bytes(b"raw data")
    assert [Path(outcome.path).name for outcome in write(shoot / "a.jpg")] == ["a.jpg", "a.xmp"]
    assert [Path(outcome.path).name for outcome in write(shoot / "a.png", BETTER)] == ["a.png"]


def test_two_raw_files_of_one_name_have_sidecars_of_their_own(shoot, write):
    for name in ("a.RAF", "a.X3F"):
        (shoot / name).write_bytes(b"raw data")
    for name in ("a.RAF", "a.X3F"):
        assert [Path(outcome.path).name for outcome in write(shoot / name)] == [f"{name}.xmp"]


def test_a_sidecar_that_comes_while_we_write_is_seen(shoot, store, journal):
    for name in ("a.RAF", "b.RAF"):
        (shoot / name).write_bytes(b"raw data")

    def photos():
        for _ in range(20):  # more than are written at once
            yield str(shoot / "a.RAF"), VERDICT
        rating = b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="3" darktable:xmp_version'
        (shoot / "b.xmp").write_bytes(SIDECAR.replace(b"darktable:xmp_version", rating))
        yield str(shoot / "b.RAF"), VERDICT

    *_, (outcome,) = Writer(store, journal, Settings()).write_all(photos())
    assert (outcome.made, outcome.rating_kept) == (False, True)


def test_who_changed_a_file_last_is_known_while_we_write(shoot, store, journal):
    photo, raw = save_photo(shoot / "a.jpg"), shoot / "b.RAF"
    raw.write_bytes(b"raw data")
    files = [str(photo), str(shoot / "b.xmp")]
    before = [changed_at(path) for path in files]
    writer = Writer(store, journal, Settings())
    for verdict in (VERDICT, BETTER):
        for path in (photo, raw):
            (outcome,) = writer.write(str(path), verdict)
            assert isinstance(outcome, Written)
    assert [writer.changed_by_others_at(path) for path in files] == before == [before[0], None]
    for path in files:
        Path(path).write_bytes(Path(path).read_bytes() + b" ")
    assert [writer.changed_by_others_at(path) for path in files] == [changed_at(path) for path in files]


def test_what_others_say_while_a_photos_files_are_read_is_not_overwritten(shoot, store, journal):
    photo = rated(shoot / "a.jpg", 4)
    before = tree(shoot)
    verdicts = iter([dataclasses.replace(VERDICT, rating_by="photographer", replaces_rating=True), VERDICT])
    ((outcome,),) = Writer(store, journal, Settings()).write_all([(str(photo), lambda: next(verdicts))])
    assert isinstance(outcome, NotWritten)
    assert "changed by another program" in outcome.reason
    assert tree(shoot) == before


@pytest.mark.skipif(os.name != "posix", reason="Windows asks for a privilege to make links")
def test_a_rating_beside_the_file_that_a_link_leads_to_keeps_ours_out(shoot, tmp_path, write):
    album = tmp_path / "album"
    album.mkdir()
    (shoot / "a.CR2").write_bytes(b"raw data")
    rating = b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="1" darktable:xmp_version'
    (shoot / "a.CR2.xmp").write_bytes(SIDECAR.replace(b"darktable:xmp_version", rating))
    (album / "first.jpg").symlink_to(save_photo(shoot / "a.jpg"))
    (outcome,) = write(album / "first.jpg")
    assert outcome.rating_kept


def test_photos_that_come_one_by_one_are_written_with_the_files_that_came_with_them(shoot, store, journal):
    writer = Writer(store, journal, Settings())
    writer.write(str(save_photo(shoot / "a.jpg")), VERDICT)
    (shoot / "b.RAF").write_bytes(b"raw data")
    rating = b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="3" darktable:xmp_version'
    (shoot / "b.xmp").write_bytes(SIDECAR.replace(b"darktable:xmp_version", rating))
    outcomes = writer.write(str(save_photo(shoot / "b.jpg")), VERDICT)
    assert {(os.path.basename(outcome.path), outcome.rating_kept) for outcome in outcomes} == {
        ("b.jpg", True),
        ("b.xmp", True),
    }


@pytest.mark.skipif(os.name != "posix", reason="Windows knows neither")
def test_mode_and_time_are_kept_and_a_locked_photo_is_left(shoot, write):
    photo = save_photo(shoot / "a.jpg")
    os.chmod(photo, 0o640)
    os.utime(photo, ns=(1_500_000_000_000_000_001, 1_400_000_000_000_000_003))
    write(photo)
    status = photo.stat()
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert status.st_mtime_ns == 1_400_000_000_000_000_003
    write(photo, BETTER, keep_mtime=False)
    assert photo.stat().st_mtime_ns > 1_500_000_000_000_000_000
    os.chmod(photo, 0o444)
    before = photo.read_bytes()
    (outcome,) = write(photo)
    assert isinstance(outcome, NotWritten)
    assert "read-only" in outcome.reason
    assert photo.read_bytes() == before


def test_scores_are_kept_although_the_files_content_changed(shoot, store, write, take_back):
    photo = save_photo(shoot / "a.jpg")
    judged = Judged(0.5, 17.0, 3)
    store.record([Record(str(photo), file_state(str(photo)), content_hash(str(photo)), judged)], "lite")
    before = file_state(str(photo))
    write(photo)
    assert file_state(str(photo)) != before
    assert store.find(str(photo), file_state(str(photo)), "lite") == judged
    take_back()
    assert store.find(str(photo), file_state(str(photo)), "lite") == judged
    assert store.find_content(content_hash(str(photo)), "lite") == judged


@pytest.mark.parametrize("where", ["embed", "sidecar"])
def test_another_computer_takes_the_scores_over(where, shoot, tmp_path, write):
    photo = save_photo(shoot / "a.jpg")
    write(photo, where=where)
    with closing(Store(tmp_path / "other.sqlite3")) as other:
        assert sync([str(photo)], other, "dpiqa_lite-anotherhash0") == 0
        assert sync([str(photo)], other, "dpiqa_lite-6f6364567c73") == 1
        judged = other.find(str(photo), file_state(str(photo)), "dpiqa_lite-6f6364567c73")
        assert (judged.score, judged.scored_at) == (0.7321, VERDICT.scored_at.timestamp())
        assert sync([str(photo)], other, "dpiqa_lite-6f6364567c73") == 0


@pytest.mark.parametrize("text", [b"nan", b"7.5", b"-0.1", b"", b"0,7"])
def test_a_score_that_makes_no_sense_is_not_taken_over(text, shoot, tmp_path, write):
    photo = save_photo(shoot / "a.jpg")
    write(photo, where="sidecar")
    sidecar = shoot / "a.xmp"
    sidecar.write_bytes(sidecar.read_bytes().replace(b"0.7321", text))
    with closing(Store(tmp_path / "other.sqlite3")) as other:
        assert sync([str(photo)], other, "dpiqa_lite-6f6364567c73") == 0


@pytest.mark.skipif(os.name != "posix", reason="symlinks need a privilege on Windows")
def test_a_journal_leads_nowhere_else(shoot, tmp_path, write, take_back):
    """A folder that became a link since: what lies behind it is not what was written."""
    photo = save_photo(shoot / "a.jpg")
    write(photo)
    elsewhere = tmp_path / "elsewhere"
    shoot.rename(elsewhere)
    shoot.symlink_to(elsewhere, target_is_directory=True)
    before = tree(elsewhere)
    (outcome,) = take_back()
    assert isinstance(outcome, NotWritten)
    assert tree(elsewhere) == before


def test_undo_of_a_folder_takes_back_all_that_was_written_in_it_and_nothing_else(
    shoot, store, tmp_path, write, journal
):
    other = tmp_path / "shoot2"
    other.mkdir()
    photos = [save_photo(shoot / "a.jpg"), save_photo(other / "a.jpg")]
    before = tree(shoot)
    for verdict in (VERDICT, BETTER):
        for photo in photos:
            write(photo, verdict)
    written = tree(other)
    outcomes = list(undo(journal.entries_below(os.path.realpath(shoot)), journal, store))
    assert [outcome.exactly for outcome in outcomes] == [True, True]
    assert tree(shoot) == before
    assert tree(other) == written


def test_an_undo_that_is_stopped_goes_on_where_it_was(shoot, store, write, take_back, journal):
    photos = [save_photo(shoot / f"{number}.jpg", number) for number in range(30)]
    before = tree(shoot)
    with closing(WriteJournal(store.database)) as other:
        writer = Writer(store, other, Settings())
        for photo in photos:
            writer.write(str(photo), VERDICT)
    with closing(undo(journal.entries(writer.run), journal, store)) as outcomes:
        first = [next(outcomes).path for _ in range(3)]
    assert first == [os.path.realpath(photo) for photo in reversed(photos[-3:])]
    now = tree(shoot)
    left = {name for name, content in now.items() if content != before[name]}
    assert {os.path.basename(entry.path) for entry in journal.entries(writer.run)} == {
        os.path.basename(name) for name in left
    }
    assert 0 < len(left) < 27  # what was at hand is carried to its end
    assert len(take_back(writer.run)) == len(left)
    assert tree(shoot) == before
    assert journal.latest() is None


def test_what_never_took_place_needs_no_undo(shoot, write, take_back, journal):
    """The journal comes first: a kill right after it leaves the file as it was."""
    photo = save_photo(shoot / "a.jpg")
    write(photo)
    (entry,) = journal.entries(1)
    take_back()
    assert journal.latest() is None
    journal.write(1, entry.path, entry.before, entry.splices, entry.properties)
    before = tree(shoot)
    assert take_back() == []
    assert tree(shoot) == before
    assert journal.latest() is None


def test_a_photo_that_is_gone_is_said_and_the_others_are_taken_back(shoot, store, write, take_back, journal):
    writer = Writer(store, journal, Settings())
    photos = [save_photo(shoot / name) for name in ("a.jpg", "b.jpg")]
    before = photos[0].read_bytes()
    for photo in photos:
        list(writer.write(str(photo), VERDICT))
    photos[1].unlink()
    gone, back = take_back(writer.run)
    assert (gone.path, "is gone" in gone.reason) == (str(photos[1]), True)
    assert back.exactly
    assert photos[0].read_bytes() == before


@pytest.mark.parametrize("lost", ["photo", "folder"])
def test_a_photo_that_comes_back_is_taken_back_then_and_meanwhile_hides_no_earlier_run(
    lost, shoot, tmp_path, write, take_back, journal
):
    """A photo is renamed and gets its name back; a card is pulled out and plugged in again."""
    earlier, later = save_photo(tmp_path / "a.jpg"), save_photo(shoot / "b.jpg")
    before = later.read_bytes()
    write(earlier)
    write(later)
    there = later if lost == "photo" else shoot
    elsewhere = there.rename(tmp_path / "elsewhere")
    assert journal.latest() == 2
    (missed,) = take_back(2)
    assert ("gone" if lost == "photo" else "plugged in") in missed.reason
    assert journal.latest() == 1
    elsewhere.rename(there)
    assert journal.latest() == 2
    assert [outcome.exactly for outcome in take_back(2)] == [True]
    assert later.read_bytes() == before
    assert journal.latest() == 1
    take_back(1)
    assert journal.latest() is None


def test_what_a_later_run_changed_again_waits_until_that_is_taken_back(shoot, write, take_back):
    photo = rated(shoot / "a.jpg", 5)
    before = tree(shoot)
    write(photo, policy=Policy(overwrite_ratings=True))
    write(photo, BETTER)
    written = tree(shoot)
    (left,) = take_back(1)
    assert isinstance(left, NotWritten)
    assert "run 2 wrote into it later" in left.reason
    assert tree(shoot) == written
    assert take_back(2) == take_back(1) == [TakenBack(str(photo), removed=False, exactly=True)]
    assert tree(shoot) == before


def test_many_photos_of_several_runs_are_taken_back_at_once(shoot, store, write, journal):
    """More than leave the journal at once."""
    photos = [save_photo(shoot / f"{number}.jpg", number) for number in range(60)]
    before = tree(shoot)
    for verdict in (VERDICT, BETTER):
        list(Writer(store, journal, Settings()).write_all((str(photo), verdict) for photo in photos))
    outcomes = list(undo(journal.entries_below(os.path.realpath(shoot)), journal, store))
    assert [outcome.exactly for outcome in outcomes] == [True] * 120
    assert tree(shoot) == before
    assert journal.latest() is None


@pytest.mark.skipif(os.name != "posix", reason="Windows knows no modes")
def test_what_was_not_written_is_not_in_the_journal(shoot, store, write, journal):
    photo = save_photo(shoot / "a.jpg")
    os.chmod(photo, 0o444)
    writer = Writer(store, journal, Settings())
    assert [type(outcome) for outcome in writer.write(str(photo), VERDICT)] == [NotWritten]
    assert writer.run is None
    assert journal.latest() is None


@pytest.mark.parametrize("where", ["auto", "sidecar"])
def test_a_later_date_alone_touches_no_file(where, shoot, write):
    photo = save_photo(shoot / "a.jpg")
    write(photo, where=where)
    later = dataclasses.replace(VERDICT, scored_at=datetime(2027, 1, 1, tzinfo=timezone.utc))
    (outcome,) = write(photo, later, where=where)
    assert isinstance(outcome, UpToDate)


@pytest.mark.skipif(os.name != "posix", reason="symlinks need a privilege on Windows")
@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_two_names_of_one_file_do_not_hinder_each_other(link, shoot, store, journal):
    photo = save_photo(shoot / "a.jpg")
    before = photo.read_bytes()
    for name in ("b.jpg", "c.jpg", "d.jpg"):
        link(photo, shoot / name)
    photos = [(str(path), VERDICT) for path in sorted(shoot.iterdir())]
    for _ in range(10):
        outcomes = Writer(store, journal, Settings()).write_all(photos)
        assert not [outcome for of_one in outcomes for outcome in of_one if isinstance(outcome, NotWritten)]
        assert all(
            outcome.exactly for outcome in undo(journal.entries_below(str(shoot.resolve())), journal, store)
        )
        assert set(tree(shoot).values()) == {before}


def test_a_stray_goes_although_nothing_is_to_be_written(shoot, write):
    photo = save_photo(shoot / "a.jpg")
    write(photo)
    stray = shoot / f".a.jpg.dpiqa-{'0' * 32}.tmp"
    stray.write_bytes(b"half a photo")
    assert [type(outcome) for outcome in write(photo)] == [UpToDate]
    assert not stray.exists()


@needs_exiftool
def test_undo_takes_back_a_rating_where_there_was_no_exif_and_others_wrote_since(shoot, write, take_back):
    photo = save_photo(shoot / "a.png")
    write(photo)
    subprocess.run(["exiftool", "-q", "-overwrite_original", "-XMP-dc:Title=x", str(photo)], check=True)
    assert [outcome.exactly for outcome in take_back()] == [False]
    tags = exiftool(photo)
    assert not any("dpiqa" in name for name in tags)
    assert (tags.get("XMP-xmp:Rating"), tags.get("IFD0:Rating", 0)) == (None, 0)


def test_a_broken_sidecar_is_named(shoot, write):
    (shoot / "a.RAF").write_bytes(b"raw data")
    (shoot / "a.xmp").write_bytes(b"<broken")
    (outcome,) = write(shoot / "a.RAF")
    assert isinstance(outcome, NotWritten)
    assert outcome.path == str(shoot / "a.xmp")


def test_scores_that_are_taken_over_cost_no_burst(shoot, store, write):
    photo = save_photo(shoot / "a.jpg")
    judged = Judged(0.5, 17.0, 3)
    model = "dpiqa_lite-6f6364567c73"
    store.record([Record(str(photo), file_state(str(photo)), content_hash(str(photo)), judged)], "other")
    write(photo)
    assert sync([str(photo)], store, model) == 1
    found = store.find(str(photo), file_state(str(photo)), model)
    assert (found.captured_at, found.likeness) == (17.0, 3)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.dng"])
def test_the_photographers_stars_from_the_window_replace_a_rating_and_can_be_taken_back(
    shoot, write, take_back, name
):
    photo = shoot / name
    save_photo(shoot / "new.tif" if name == "a.dng" else photo)
    if name == "a.dng":  # what a RAW file is built like
        (shoot / "new.tif").rename(photo)
    before = tree(shoot)
    write(photo)
    ours = tree(shoot)
    (outcome,) = write(
        photo, dataclasses.replace(VERDICT, stars=2, rating_by="photographer", replaces_rating=True)
    )
    assert "stars 2 (was 4" in outcome.summary
    (kept,) = write(photo, BETTER)
    assert kept.rating_kept, "it is theirs from then on"
    for run, state in ((3, None), (2, ours), (1, before)):
        take_back(run)
        assert state is None or tree(shoot) == state


RATED = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description %b xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:xmpNote="http://ns.adobe.com/xmp/note/" %b/>
</rdf:RDF></x:xmpmeta>"""
MAIN, MORE = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
GUID = b"0123456789ABCDEF0123456789ABCDEF"
ONE_STAR = RATED % (b'rdf:about=""', b'xmp:Rating="1"')
EXTENDED = MAIN + RATED % (b'rdf:about=""', b'xmpNote:HasExtendedXMP="' + GUID + b'"')


def extension(length):
    return MORE + GUID + struct.pack(">II", length, 0) + ONE_STAR


@pytest.mark.parametrize(
    "segments",
    [
        pytest.param([MAIN + RATED % (b'rdf:about=""', b'xmp:Label="x"'), MAIN + ONE_STAR], id="two of XMP"),
        pytest.param(
            [piexif.dump({"0th": {0x10F: b"x"}}), piexif.dump({"0th": {0x4746: 1}})], id="two of EXIF"
        ),
        pytest.param([MAIN[:-1] + b" \0" + ONE_STAR], id="odd XMP"),
        pytest.param([MAIN + RATED % (b'rdf:ID="x"', b'xmp:Rating="1"')], id="another node"),
        pytest.param([EXTENDED, extension(len(ONE_STAR) + 10)], id="extended XMP that is cut"),
        pytest.param([EXTENDED, *2 * [extension(len(ONE_STAR))]], id="extended XMP that is there twice"),
    ],
)
def test_where_programs_may_read_a_rating_and_we_cannot_for_certain_our_stars_stay_out(
    segments, shoot, write
):
    photo = save_photo(shoot / "a.jpg")
    inserted = b"".join(struct.pack(">HH", 0xFFE1, len(each) + 2) + each for each in segments)
    content = photo.read_bytes()
    photo.write_bytes(content[:2] + inserted + content[2:])
    (outcome,) = write(photo)
    assert outcome.rating_kept
    written = Path(outcome.path).read_bytes()
    assert b'dpiqa:Score="0.7321"' in written
    assert b"dpiqa:Rating" not in written
    assert b'xmp:Rating="4"' not in written


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_a_second_packet_keeps_our_stars_out(suffix, shoot, write):
    photo = shoot / f"a.{suffix}"
    with Image.open(save_photo(shoot / "a.jpg")) as image:
        image.save(photo, xmp=RATED % (b'rdf:about=""', b'xmp:Label="x"'))
    (shoot / "a.jpg").unlink()
    content = bytearray(photo.read_bytes())
    if suffix == "png":
        body = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + ONE_STAR
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        content[-12:-12] = 2 * chunk
    else:
        content += b"XMP " + struct.pack("<I", len(ONE_STAR)) + ONE_STAR + b"\0" * (len(ONE_STAR) % 2)
        content[4:8] = struct.pack("<I", len(content) - 8)
    photo.write_bytes(content)
    (outcome,) = write(photo)
    assert outcome.path == str(shoot / "a.xmp")
    assert outcome.rating_kept
