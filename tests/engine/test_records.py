"""Reports hold every photo once, best first, under names that lead back to the files, whole or not at all."""

import csv
import json
import os
import sys
from datetime import datetime

import pytest

from dpiqa_desktop.engine.stars import Thresholds
from dpiqa_desktop.events import Failed, Scored
from dpiqa_desktop.records import COLUMNS, Results, write_csv, write_json, write_parquet
from dpiqa_plugin.errors import MissingExtraError, ReportError

ODD_NAME = 'two "words", 相片 👩‍🚀\nline.jpg'
RAW_NAME = os.fsdecode(b"caf\xe9.jpg") if sys.platform == "linux" else "café.jpg"


CLOCK = 1_700_000_000.25  # 2023-11-14 22:13:20.25


def collected(*events, lower_better=False):
    results = Results("m", lower_better)
    for event in events:
        results.add(event)
    return results


@pytest.fixture
def results():
    return collected(
        Scored("worse.jpg", 0.25),
        Failed("broken.jpg", "the file is empty"),
        Scored(RAW_NAME, 0.5, captured_at=CLOCK, uncertainty=0.0625),
        Scored(ODD_NAME, 0.123456789, captured_at=-1.5),
    )


@pytest.fixture
def report(results):
    """A burst of two and a lone photo, of which one has no time."""
    return results.report(Thresholds(), [["worse.jpg", RAW_NAME]])


def test_best_first_by_the_metrics_own_direction(results):
    assert [photo.score for photo in results.report(Thresholds()).photos] == [0.5, 0.25, 0.123456789]
    results.lower_better = True
    photos = results.report(Thresholds()).photos
    assert [photo.score for photo in photos] == [0.123456789, 0.25, 0.5]
    assert [photo.stars for photo in photos] == [5, 4, 3]


def test_a_photo_that_was_scored_again_counts_once():
    results = collected(Failed("a.jpg", "is cut off"), Scored("b.jpg", 0.4), Scored("a.jpg", 0.3))
    results.add(Scored("b.jpg", 0.5))
    report = results.report(Thresholds())
    assert [(photo.path, photo.score) for photo in report.photos] == [("b.jpg", 0.5), ("a.jpg", 0.3)]
    assert report.failed == ()


def test_equal_scores_have_a_fixed_order():
    results = collected(Scored("b", 1), Scored("a", 1), Scored("c", 2))
    assert [photo.path for photo in results.report(Thresholds()).photos] == ["c", "a", "b"]


@pytest.mark.parametrize("lower_better", [False, True])
def test_each_burst_has_one_best_photo(lower_better):
    scores = {"a": 1, "b": 3, "c": 3, "d": 2, "e": 5, "f": 0}
    results = collected(*(Scored(path, score) for path, score in scores.items()), lower_better=lower_better)
    photos = {
        photo.path: photo for photo in results.report(Thresholds(), [["c", "a", "b"], ["f", "d"]]).photos
    }
    assert {path: photo.burst for path, photo in photos.items()} == {
        "a": 1,
        "b": 1,
        "c": 1,
        "d": 2,
        "e": None,
        "f": 2,
    }
    best = {path for path, photo in photos.items() if photo.best_of_burst}
    assert best == (
        {"a", "f"} if lower_better else {"b", "d"}
    )  # of b and c, which are equal, the first by path


def test_csv_reads_back(report, tmp_path):
    write_csv(report, str(tmp_path / "scores.csv"))
    with open(tmp_path / "scores.csv", encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    assert rows == [
        (RAW_NAME, "m", "0.5", "0.0625", "3", "1", "true", "2023-11-14T22:13:20.250000", ""),
        ("worse.jpg", "m", "0.25", "", "2", "1", "false", "", ""),
        (ODD_NAME, "m", "0.1234568", "", "1", "", "false", "1969-12-31T23:59:58.500000", ""),
        ("broken.jpg", "m", "", "", "", "", "", "", "the file is empty"),
    ]


@pytest.mark.parametrize("name", ["a\r.jpg", "a\n.jpg", "a\r\nb.jpg", 'a".jpg', "a,b.jpg"])
def test_csv_leads_back_to_a_name_with_characters_of_its_own(name, tmp_path):
    write_csv(collected(Scored(name, 0.5)).report(Thresholds()), str(tmp_path / "scores.csv"))
    with open(tmp_path / "scores.csv", encoding="utf-8", newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == [name]


def test_csv_keeps_a_name_that_looks_like_a_formula(tmp_path):
    results = collected(Scored("=1+1.jpg", 0.5))
    write_csv(results.report(Thresholds()), str(tmp_path / "scores.csv"))
    assert (tmp_path / "scores.csv").read_text().splitlines()[1].startswith("=1+1.jpg,")


def test_json_lines_read_back(report, tmp_path):
    write_json(report, str(tmp_path / "scores.json"))
    rows = [json.loads(line) for line in (tmp_path / "scores.json").read_text("ascii").splitlines()]
    assert rows[0] == {
        "path": RAW_NAME,
        "metric": "m",
        "score": 0.5,
        "uncertainty": 0.0625,
        "stars": 3,
        "burst": 1,
        "best_of_burst": True,
        "captured_at": "2023-11-14T22:13:20.250000",
    }
    assert [(row["path"], row["score"], row["captured_at"]) for row in rows[1:3]] == [
        ("worse.jpg", 0.25, None),
        (ODD_NAME, 0.1234568, "1969-12-31T23:59:58.500000"),
    ]
    assert rows[3] == {"path": "broken.jpg", "metric": "m", "error": "the file is empty"}


def test_parquet_reads_back_with_types(report, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_parquet(report, str(tmp_path / "scores.parquet"))
    table = parquet.read_table(tmp_path / "scores.parquet")
    assert table.column_names == [*COLUMNS, "path_bytes"]
    table.validate(full=True)  # strings are UTF-8, for one
    best, worse, odd, broken = table.to_pylist()
    assert (best["score"], best["stars"], best["burst"], best["best_of_burst"]) == (0.5, 3, 1, True)
    assert (best["uncertainty"], worse["uncertainty"]) == (0.0625, None)
    assert best["captured_at"] == datetime(2023, 11, 14, 22, 13, 20, 250_000)
    assert worse["captured_at"] is None
    assert (odd["path"], odd["burst"], odd["best_of_burst"]) == (ODD_NAME, None, False)
    assert broken == dict.fromkeys(table.column_names) | {
        "path": "broken.jpg",
        "metric": "m",
        "error": "the file is empty",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' file systems do not take such names")
def test_parquet_leads_back_to_names_that_are_not_utf8(report, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_parquet(report, str(tmp_path / "scores.parquet"))
    best, worse, *_ = parquet.read_table(tmp_path / "scores.parquet").to_pylist()
    assert (best["path"], best["path_bytes"]) == (r"caf\xe9.jpg", b"caf\xe9.jpg")
    assert (worse["path"], worse["path_bytes"]) == ("worse.jpg", None)


def test_parquet_of_a_run_without_any_score_has_the_same_types(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    results = collected(Failed("broken.jpg", "the file is empty"))
    write_parquet(results.report(Thresholds()), str(tmp_path / "failed.parquet"))
    results.add(Scored("a.jpg", 0.5, captured_at=CLOCK))
    write_parquet(results.report(Thresholds()), str(tmp_path / "scored.parquet"))
    schema = parquet.read_schema(tmp_path / "failed.parquet")
    assert schema.equals(parquet.read_schema(tmp_path / "scored.parquet"))


def test_parquet_without_pyarrow_says_what_to_install(report, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # how Python marks what cannot be imported
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    with pytest.raises(MissingExtraError, match=r"--parquet .*dpiqa\[parquet\]"):
        write_parquet(report, str(tmp_path / "scores.parquet"))
    assert not os.listdir(tmp_path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is always full")
@pytest.mark.parametrize("write", [write_csv, write_json, write_parquet])
def test_a_full_disk_leaves_the_old_report_and_no_litter(write, tmp_path):
    import resource

    if write is write_parquet:
        pytest.importorskip("pyarrow")
    (tmp_path / "scores").write_text("yesterday's")
    results = collected(*(Scored(f"{i:09d}.jpg", i / 20_000) for i in range(20_000)))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(ReportError, match=r"cannot write .*scores"):
            write(results.report(Thresholds()), str(tmp_path / "scores"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "scores").read_text() == "yesterday's"
    assert os.listdir(tmp_path) == ["scores"]


@pytest.mark.skipif(os.name != "posix", reason="symlinks need a privilege on Windows")
def test_a_link_to_a_report_stays_a_link(report, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "real" / "scores.csv")
    write_csv(report, str(tmp_path / "link.csv"))
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real" / "scores.csv").read_bytes().startswith(b"path,metric,score,")
