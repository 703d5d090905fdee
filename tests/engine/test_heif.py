"""HEIC and AVIF become the pixels they show, upright once, or a reason why not."""

import contextlib
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from makers.fresh_interpreter import output_of
from makers.photos import exif_block, save_heic, scene
from PIL import Image, features

from dpiqa_desktop.engine.decode import decode
from dpiqa_plugin.errors import PhotoError
from dpiqa_plugin.preprocess import squash

pillow_heif = pytest.importorskip("pillow_heif")
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow does not write AVIF")

TOLERANCE = 4  # as for the other lossy formats
UPRIGHT_FIRST = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # EXIF orientation -> transposition that undoes it


def _distance(a, b):
    return np.abs(a.astype(int) - b.astype(int)).mean()


def _stored(orientation):
    """The scene as a camera held so would store it."""
    return scene().transpose(Image.Transpose(UPRIGHT_FIRST[orientation])) if orientation > 1 else scene()


@pytest.mark.parametrize("name", ["a.heic", "a.HEIF", "named_wrongly.jpg"])
def test_heic_shows_the_scene_whatever_its_name(name, tmp_path):
    save_heic(scene(), tmp_path / "a.heic")
    (tmp_path / "a.heic").rename(tmp_path / name)
    assert _distance(decode(str(tmp_path / name), None).pixels, np.asarray(scene())) < TOLERANCE
    assert _distance(decode(str(tmp_path / name), 96).pixels, squash(scene(), 96)) < TOLERANCE


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_is_turned_once(orientation, tmp_path):
    """The file holds the turn twice, as HEIF's own and in EXIF, where it is for information only."""
    save_heic(_stored(orientation), tmp_path / "a.heic", exif_block(orientation=orientation))
    content = (tmp_path / "a.heic").read_bytes()
    assert (b"irot" in content or b"imir" in content) == (orientation > 1)
    assert _distance(decode(str(tmp_path / "a.heic"), None).pixels, np.asarray(scene())) < TOLERANCE


@needs_avif
@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_once(orientation, tmp_path):
    exif = b"Exif\0\0" + exif_block(b"2021:02:03 04:05:06", orientation=orientation)
    _stored(orientation).save(tmp_path / "a.avif", quality=95, subsampling="4:4:4", exif=exif)
    decoded = decode(str(tmp_path / "a.avif"), None)
    assert _distance(decoded.pixels, np.asarray(scene())) < TOLERANCE
    assert decoded.captured_at == datetime(2021, 2, 3, 4, 5, 6, tzinfo=timezone.utc).timestamp()


def test_heic_tells_when_it_was_taken(tmp_path):
    save_heic(scene(), tmp_path / "a.heic", exif_block(b"2021:02:03 04:05:06", b"25"))
    expected = datetime(2021, 2, 3, 4, 5, 6, 250_000, tzinfo=timezone.utc).timestamp()
    assert decode(str(tmp_path / "a.heic"), 64).captured_at == expected


def test_transparency_shows_white(tmp_path):
    save_heic(Image.new("RGBA", (64, 64), (0, 0, 0, 0)), tmp_path / "a.heic")
    assert decode(str(tmp_path / "a.heic"), None).pixels.min() > 250


def test_the_embedded_thumbnail_is_not_taken_for_the_photo(tmp_path):
    """A thumbnail of the size asked for, which pillow-heif would give for a draft, has lost the detail."""
    save_heic(scene(1600, 1200), tmp_path / "plain.heic")
    save_heic(scene(1600, 1200), tmp_path / "thumbnailed.heic", thumbnails=[400])
    plain, thumbnailed = (decode(str(tmp_path / f"{n}.heic"), 96).pixels for n in ("plain", "thumbnailed"))
    assert (plain == thumbnailed).all()


def test_a_bomb_is_refused(tmp_path):
    save_heic(scene(80, 60), tmp_path / "a.heic")
    assert decode(str(tmp_path / "a.heic"), 64, max_pixels=4800).pixels.shape == (64, 64, 3)
    with pytest.raises(PhotoError, match=r"80 x 60 pixels .* refused"):
        decode(str(tmp_path / "a.heic"), 64, max_pixels=4799)


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_no_damage_gets_past_as_another_error(tmp_path):
    save_heic(scene(80, 60), tmp_path / "a.heic", exif_block(b"2021:02:03 04:05:06", orientation=6))
    content = (tmp_path / "a.heic").read_bytes()
    damage = np.random.default_rng(0)
    outcomes = set()
    for _ in range(60):
        broken = bytearray(content)
        for at in damage.integers(0, len(broken), 5):
            broken[at] = int(damage.integers(0, 256))
        (tmp_path / "victim").write_bytes(broken[: int(damage.integers(20, len(broken) + 1))])
        try:
            outcomes.add(decode(str(tmp_path / "victim"), 64).pixels.shape)
        except PhotoError:
            outcomes.add("refused")
    assert "refused" in outcomes
    assert outcomes <= {(64, 64, 3), "refused"}


def test_threads_that_load_the_reader_together_all_get_pixels(tmp_path):
    save_heic(scene(), tmp_path / "a.heic")
    code = f"""
from concurrent.futures import ThreadPoolExecutor
from dpiqa_desktop.engine.decode import decode
with ThreadPoolExecutor(8) as pool:
    photos = list(pool.map(lambda _: decode({str(tmp_path / "a.heic")!r}, 64).pixels, range(16)))
print(all((photo == photos[0]).all() for photo in photos))"""
    assert output_of(code, tmp_path) == "True"


def test_threads_do_not_mix_photos(tmp_path):
    scenes = [scene(seed=0), scene(80, 200, seed=1)]
    for index, photo in enumerate(scenes):
        save_heic(photo, tmp_path / f"{index}.heic")
    with ThreadPoolExecutor(4) as pool:
        decoded = list(pool.map(lambda i: decode(str(tmp_path / f"{i % 2}.heic"), None), range(12)))
    for index, photo in enumerate(decoded):
        assert _distance(photo.pixels, np.asarray(scenes[index % 2])) < TOLERANCE


@pytest.mark.parametrize(("name", "feature"), [("a.heic", "HEIF"), ("a.avif", "AVIF")])
def test_without_the_extra_the_reason_says_what_to_install(name, feature, tmp_path, monkeypatch):
    save_heic(scene(), tmp_path / "a.heic")
    heic = (tmp_path / "a.heic").read_bytes()
    (tmp_path / "a.avif").write_bytes(heic[:8] + b"avif" + heic[12:])
    for module in ("pillow_heif", "pillow_heif.HeifImagePlugin", "PIL.AvifImagePlugin"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delattr("PIL.AvifImagePlugin", raising=False)
    with pytest.raises(PhotoError) as caught:
        decode(str(tmp_path / name), 64)
    assert f"reading {feature} files needs packages that are not installed" in str(caught.value)
    assert 'pip install "dpiqa[raw]"' in str(caught.value)


def test_films_of_the_same_container_are_no_photos(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypisom" + bytes(100))
    with pytest.raises(PhotoError, match="is not a JPEG"):
        decode(str(tmp_path / "a.heic"), 64)


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_camera_files_decode_or_say_why(shared):
    refused = set()
    for path in sorted(Path(shared / "data" / "camera").rglob("*.hei[cf]")):
        with contextlib.suppress(PhotoError):
            assert decode(str(path), 64).pixels.shape == (64, 64, 3)
            continue
        refused.add(path.name)
    assert refused <= {"corrupted.heic", "empty.heic", "truncated.heic", "QuickTime.heic"}
