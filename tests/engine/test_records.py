"""Reports hold every photo once, best first, under names that lead back to the files, whole or not at all."""

import csv
import json
import os
import sys

import pytest

from dpiqa_desktop.events import Failed, Scored
from dpiqa_desktop.records import Results, write_csv, write_json
from dpiqa_plugin.errors import ReportError

ODD_NAME = 'two "words", 相片 👩‍🚀\nline.jpg'
RAW_NAME = os.fsdecode(b"caf\xe9.jpg") if sys.platform == "linux" else "café.jpg"


@pytest.fixture
def results():
    results = Results("dpiqa_lite", lower_better=False)
    events = [Scored("worse.jpg", 0.25), Failed("broken.jpg", "the file is empty"), Scored(RAW_NAME, 0.5)]
    for event in [*events, Scored(ODD_NAME, 0.123456789)]:
        results.add(event)
    return results


def test_best_first_by_the_metrics_own_direction(results):
    assert [photo.score for photo in results.ranked()] == [0.5, 0.25, 0.123456789]
    results.lower_better = True
    assert [photo.score for photo in results.ranked()] == [0.123456789, 0.25, 0.5]


def test_equal_scores_have_a_fixed_order():
    results = Results("m", lower_better=False, scored=[Scored("b", 1), Scored("a", 1), Scored("c", 2)])
    assert [photo.path for photo in results.ranked()] == ["c", "a", "b"]


def test_csv_reads_back(results, tmp_path):
    write_csv(results, str(tmp_path / "scores.csv"))
    with open(tmp_path / "scores.csv", encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], row["score"], row["error"]) for row in rows] == [
        (RAW_NAME, "0.5", ""),
        ("worse.jpg", "0.25", ""),
        (ODD_NAME, "0.1234568", ""),
        ("broken.jpg", "", "the file is empty"),
    ]
    assert {row["metric"] for row in rows} == {"dpiqa_lite"}


def test_json_lines_read_back(results, tmp_path):
    write_json(results, str(tmp_path / "scores.json"))
    rows = [json.loads(line) for line in (tmp_path / "scores.json").read_text("ascii").splitlines()]
    assert [(row["path"], row.get("score"), row.get("error")) for row in rows] == [
        (RAW_NAME, 0.5, None),
        ("worse.jpg", 0.25, None),
        (ODD_NAME, 0.1234568, None),
        ("broken.jpg", None, "the file is empty"),
    ]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is always full")
def test_a_full_disk_leaves_the_old_report_and_no_litter(results, tmp_path, monkeypatch):
    import resource

    (tmp_path / "scores.csv").write_text("yesterday's")
    results.scored = [Scored(f"{i:09d}.jpg", 0.5) for i in range(20_000)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(ReportError, match=r"cannot write .*scores\.csv"):
            write_csv(results, str(tmp_path / "scores.csv"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "scores.csv").read_text() == "yesterday's"
    assert os.listdir(tmp_path) == ["scores.csv"]


@pytest.mark.skipif(os.name != "posix", reason="symlinks need a privilege on Windows")
def test_a_link_to_a_report_stays_a_link(results, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "real" / "scores.csv")
    write_csv(results, str(tmp_path / "link.csv"))
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real" / "scores.csv").read_bytes().startswith(b"path,metric,score,error\n")
