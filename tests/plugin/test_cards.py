"""The model cards: nine metrics, no two of them sharing a file or a download."""

import json
import math

import pytest

from dpiqa_plugin import fingerprint
from dpiqa_plugin.cards import CARDS
from dpiqa_plugin.models.lite import BUNDLED_WEIGHTS


def test_all_nine_metrics_have_a_card():
    datasets = ("", "-clive", "-flive", "-spaq")
    assert set(CARDS) == {f"dpiqa{d}" for d in datasets} | {f"dpiqa_student{d}" for d in datasets} | {
        "dpiqa_lite"
    }
    assert all(card.metric == name for name, card in CARDS.items())


def test_no_two_cards_share_a_file_or_a_download():
    assert len({card.filename for card in CARDS.values()}) == 9
    assert len({card.drive_id for card in CARDS.values() if card.drive_id}) == 8


def test_only_the_bundled_model_needs_no_download():
    assert [name for name, card in CARDS.items() if card.drive_id is None] == ["dpiqa_lite"]


def test_the_bundled_files_and_what_is_said_of_them_belong_together():
    sha256 = fingerprint.sha256(BUNDLED_WEIGHTS)
    assert f"`{sha256}`" in BUNDLED_WEIGHTS.with_suffix(".md").read_text(encoding="utf-8")
    assert sha256.encode() in BUNDLED_WEIGHTS.with_suffix(".onnx").read_bytes()
    assert CARDS["dpiqa_lite"].size == BUNDLED_WEIGHTS.stat().st_size


@pytest.mark.parametrize(("metric", "drop"), [("dpiqa", "vae.decoder."), ("dpiqa_student", "nothing")])
def test_sizes_follow_from_the_published_tables(metric, drop, shared):
    table = json.loads((shared / "reference" / f"{CARDS[metric].architecture}_state_dict.json").read_text())
    numbers = sum(math.prod(shape) for shape in table.values())
    kept = sum(math.prod(shape) for key, shape in table.items() if not key.startswith(drop))
    assert CARDS[metric].size == pytest.approx(4 * numbers, rel=0.01)
    assert 0.99 * 2 * kept < CARDS[metric].min_size <= 2 * kept


def test_drive_ids_are_the_published_ones(shared):
    published = (shared / "reference" / "README.md").read_text()
    for card in CARDS.values():
        if card.drive_id:
            row = next(line for line in published.splitlines() if card.drive_id in line)
            assert row.split("|")[1].strip() == card.trained_on
            assert row.split("|")[2 if card.architecture == "teacher" else 3].strip() == card.drive_id
