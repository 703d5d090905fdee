"""A folder is listed once, and sidecars that come later are still seen."""

from __future__ import annotations

import os

from dpiqa_desktop.metadata.targets import Listing


def test_sidecars_that_come_after_the_listing_are_seen(tmp_path, monkeypatch):
    for name in ("a.CR2", "a.jpg", "b.jpg", "b.XMP", "c.CR2", "c.CR2.xmp", "c.CR2.jpg", "d.jpg.xmp"):
        (tmp_path / name).touch()
    listing, listed, listdir = Listing(), [], os.listdir
    monkeypatch.setattr(
        "dpiqa_desktop.metadata.targets.os.listdir", lambda path: listed.append(path) or listdir(path)
    )

    def now(name):
        return listing.files_now(str(tmp_path / name))

    assert now("a.jpg") == ["a.CR2", "a.jpg"]
    for name in ("a.xmp", "a.jpg.xmp", "a.CR2.xmp", "new.jpg", "new.xmp", "d.jpg"):
        (tmp_path / name).touch()
    assert now("a.jpg") == ["a.CR2", "a.CR2.xmp", "a.jpg", "a.jpg.xmp", "a.xmp"]
    assert now("new.jpg") == ["new.jpg", "new.xmp"]
    assert now("d.jpg") == ["d.jpg", "d.jpg.xmp"], "of which only the sidecar was there"
    assert now("b.jpg") == ["b.XMP", "b.jpg"]
    assert now("c.CR2.jpg") == ["c.CR2.jpg"], "the sidecar is the RAW file's"
    (tmp_path / "a.xmp").unlink()
    assert now("a.CR2") == ["a.CR2", "a.CR2.xmp", "a.jpg", "a.jpg.xmp"]
    assert listed == [str(tmp_path)]
