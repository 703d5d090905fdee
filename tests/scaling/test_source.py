"""What a job is about: listed in a fixed order, cut into parts, and said plainly where there is nothing."""

import os

import pytest
from makers.photo_tables import save_table
from makers.photos import save_photo

from dpiqa_desktop.scaling.source import Entry, Source
from dpiqa_desktop.scaling.storage import Storage, plain
from dpiqa_plugin.errors import UsageError


def parts(source, column=None, size=3):
    return [[entry.name for entry in part] for part in Source(str(source), column).parts(Storage(), size)]


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_a_folder_is_listed_as_on_one_machine(tmp_path):
    touch(tmp_path, "b.jpg", "a.jpg", "a.CR2", ".hidden.jpg", "notes.txt", "sub/c.png", "sub/d.png")
    found = parts(tmp_path)
    assert [[os.path.relpath(name, tmp_path) for name in part] for part in found] == [
        ["a.jpg", "b.jpg", os.path.join("sub", "c.png")],
        [os.path.join("sub", "d.png")],
    ]


def test_a_column_of_paths(tmp_path):
    photo = str(tmp_path / "a.jpg")
    table = save_table(tmp_path / "list.parquet", [photo, None, "s3://bucket/b.jpg", photo])
    first, second = Source(str(table), "photo").parts(Storage(), 3)
    assert first == [
        Entry(photo),
        Entry(f"{table}#1", "the table has no path here"),
        Entry("s3://bucket/b.jpg"),
    ]
    assert second == [Entry(photo)]


def test_parts_of_a_column_of_bytes_are_whole_row_groups(tmp_path):
    save_table(tmp_path / "tables" / "b.parquet", [b"x"] * 2, group=4)
    save_table(tmp_path / "tables" / "a.parquet", [b"x"] * 10, group=4)
    save_table(tmp_path / "tables" / "_plan.parquet", ["another program's own"])
    sizes = [len(part) for part in parts(tmp_path / "tables", "photo", size=5)]
    assert sizes == [8, 2, 2]
    assert parts(tmp_path / "tables", "photo", size=5)[1] == [
        f"{tmp_path}/tables/a.parquet#{row}" for row in (8, 9)
    ]


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("none", None, "no such file or folder"),
        ("none.parquet", "photo", "no such file or folder"),
        ("empty", None, "no photos in"),
        ("empty", "photo", "no Parquet files in"),
        ("list.parquet", None, "say by --column where the photos are: number, photo"),
        ("list.parquet", "image", "has no column image; say by --column where the photos are: number, photo"),
        ("list.parquet", "number", "holds neither bytes nor paths, but int64"),
        ("broken.parquet", "photo", "is not a Parquet file, or is damaged"),
        ("ftp://host/photos", None, "begins with s3:// or gs://"),
        ("s3://key:secret@bucket/photos", None, "no key before it"),
    ],
)
def test_what_cannot_be_a_source_is_said(name, column, message, tmp_path):
    (tmp_path / "empty").mkdir()
    save_table(tmp_path / "list.parquet", ["a.jpg"])
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    source = name if "://" in name else str(tmp_path / name)
    with pytest.raises(UsageError, match=message):
        list(Source(source, column).parts(Storage(source), 3))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(tmp_path):
    save_photo(tmp_path / "photo.jpg")
    tmp_path.chmod(0)
    try:
        with pytest.raises(UsageError, match="cannot read"):
            list(Source(str(tmp_path / "list.parquet"), "photo").parts(Storage(), 3))
    finally:
        tmp_path.chmod(0o700)


def test_an_address_without_its_options():
    assert plain("s3://bucket/photos/?endpoint_override=localhost:1&scheme=http") == "s3://bucket/photos"
    assert plain("photos/") == os.path.abspath("photos")
