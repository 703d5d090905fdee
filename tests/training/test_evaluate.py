"""Evaluation from photos to tables: scores beside the MOS of their photos, figures as scipy gives them."""

import json
from dataclasses import replace

import numpy as np
import pyiqa
import pytest
import torch
from makers import labelled_sets
from makers.scripted_backends import brightness, detail, scripted
from makers.tiny_training import EXAMPLES
from PIL import Image
from safetensors.torch import save_file
from scipy import stats
from subjects import make_subject

from dpiqa_desktop.engine.backends.torch_backend import usable_device
from dpiqa_plugin.errors import (
    DPIQAError,
    MetricError,
    PhotoError,
    ReportError,
    UsageError,
    WeightsError,
)
from dpiqa_plugin.models.lite import BUNDLED_WEIGHTS
from dpiqa_plugin.preprocess import squash
from dpiqa_plugin.weights_file import ABOUT_KEY
from dpiqa_training import scorers
from dpiqa_training.cli import main
from dpiqa_training.correlation import agreement
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.datasets.biq2021 import read_validation
from dpiqa_training.datasets.catalogue import READERS, read_part
from dpiqa_training.distortions import KINDS
from dpiqa_training.evaluate import evaluate
from dpiqa_training.evaluation_report import report, write_report
from dpiqa_training.scorers import metric_scorer, weights_scorer
from dpiqa_training.severity_ladders import find_clean_photos, rank_ladders


@pytest.fixture
def greys(tmp_path) -> list[LabelledPhoto]:
    """24 grey photos, brighter and better from one to the next, but for noise in the MOS; two subsets."""
    rng = np.random.default_rng(0)
    photos = []
    for number in range(24):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (20, 10), (10 * number,) * 3).save(path)
        mos = float(np.clip(number / 24 + rng.normal(0, 0.1), 0, 1))
        photos.append(LabelledPhoto(path, mos, "odd" if number % 2 else "even"))
    return photos


def test_scores_are_compared_with_the_mos_of_their_photos(greys):
    evaluation = evaluate([scripted("bright", brightness)], {"greys": greys})
    mos = [photo.mos for photo in greys]
    whole = evaluation.comparisons[0]
    assert (whole.dataset, whole.subset, whole.metric) == ("greys", "all", "bright")
    assert whole.agreement.srcc == pytest.approx(stats.spearmanr(range(24), mos).statistic)
    assert whole.interval.low.srcc < whole.agreement.srcc < whole.interval.high.srcc
    np.testing.assert_allclose(evaluation.scored[0].scores["bright"], 10 * np.arange(24) / 255, atol=1e-6)


def test_subsets_are_measured_by_themselves(greys):
    by_subset = {
        c.subset: c for c in evaluate([scripted("bright", brightness)], {"greys": greys}).comparisons
    }
    assert list(by_subset) == ["all", "even", "odd"]
    odd = [photo.mos for photo in greys[1::2]]
    assert by_subset["odd"].agreement.plcc == pytest.approx(
        stats.pearsonr(range(12), odd).statistic, abs=1e-6
    )


def test_a_metric_whose_lower_scores_are_better_is_turned_over(greys):
    scorers = [
        scripted("bright", brightness),
        scripted("dark", lambda photo: 100 - 90 * brightness(photo), lower_better=True, score_range=(0, 100)),
    ]
    evaluation = evaluate(scorers, {"greys": greys})
    bright, dark = evaluation.comparisons[:2]
    for figure in ("srcc", "plcc", "krcc", "plcc_fitted", "rmse_fitted"):
        assert getattr(dark.agreement, figure) == pytest.approx(getattr(bright.agreement, figure), abs=1e-5)
    assert dark.interval.low.srcc == pytest.approx(bright.interval.low.srcc, abs=1e-6)
    assert (bright.on_mos_scale, dark.on_mos_scale) == (True, False)
    assert evaluation.scored[0].scores["dark"][0] == pytest.approx(100)


def test_all_metrics_are_compared_on_the_same_photos(greys):
    def unsure(photo: np.ndarray) -> float:
        return float("nan") if photo.mean() == 30 else brightness(photo)

    evaluation = evaluate([scripted("bright", brightness), scripted("unsure", unsure)], {"greys": greys})
    assert [c.agreement.count for c in evaluation.comparisons[:2]] == [23, 23]
    assert evaluation.scored[0].left_out == [greys[3]]
    assert "greys: 1 photos without a number" in report(evaluation)


def test_a_failing_metric_and_an_unreadable_photo_are_named(greys):
    def broken(photo: np.ndarray) -> float:
        raise RuntimeError("too grey")

    with pytest.raises(MetricError, match=r"the metric broken failed on .*0\.png or .*2\.png: too grey"):
        evaluate([scripted("broken", broken)], {"greys": greys})
    greys[5].path.write_bytes(b"")
    with pytest.raises(PhotoError, match=r"5\.png: .*empty"):
        evaluate([scripted("bright", brightness)], {"greys": greys})


def test_one_photo_is_too_few(greys):
    with pytest.raises(DPIQAError, match="greys: 1 photos, 1 with a score"):
        evaluate([scripted("bright", brightness)], {"greys": greys[:1]})


def test_the_report_holds_every_figure_of_every_data_set(greys, tmp_path):
    scorers = [
        scripted("bright", brightness),
        scripted("constant", lambda photo: 0.5, lower_better=True, score_range=None),
    ]
    evaluation = evaluate(scorers, {"first": greys[:12], "second": greys})
    out = tmp_path / "out"
    files = write_report(evaluation, out)
    assert [file.name for file in files] == [
        "evaluation.md",
        "evaluation.json",
        "scatter-first.png",
        "scatter-second.png",
    ]
    assert sorted(out.iterdir()) == sorted(files)
    tables = files[0].read_text(encoding="utf-8")
    mean = np.mean([c.agreement.srcc for c in evaluation.comparisons if c.subset == "all"][::2])
    assert f" {mean:.3f} " in tables.split("SRCC across data sets")[1]
    data = json.loads(files[1].read_text(encoding="utf-8"))
    assert data["metrics"] == {"bright": "scripted-0", "constant": "scripted-0"}
    assert len(data["photos"]) == 36
    assert data["photos"][35] == {
        "dataset": "second",
        "photo": str(greys[23].path),
        "mos": greys[23].mos,
        "scores": {"bright": pytest.approx(230 / 255), "constant": 0.5},
        "uncertainties": {},
    }
    assert data["comparisons"][1]["agreement"]["srcc"] is None
    with Image.open(files[3]) as plot:
        assert plot.width > plot.height  # two metrics side by side


def test_a_report_that_cannot_be_written_is_named(greys, tmp_path):
    evaluation = evaluate([scripted("bright", brightness)], {"greys": greys[:2]})
    with pytest.raises(ReportError, match=r"cannot write the report to .*0\.png"):
        write_report(evaluation, tmp_path / "0.png")


def test_a_mean_over_data_sets_leaves_out_those_trained_on(greys):
    scorer = replace(scripted("bright", brightness), trained_on="first")
    evaluation = evaluate([scorer], {"first": greys[:12], "second": greys})
    _, across = report(evaluation).split("| SRCC across data sets")
    cells = [cell.strip() for cell in across.splitlines()[2].split("|")]
    assert cells[2].endswith("*")
    assert cells[4] == cells[3]


def test_ladders_are_ranked_by_their_kind_of_fault():
    clean = [EXAMPLES / "dog.jpg", EXAMPLES / "flowers.jpg"]
    scorers = [scripted("detail", detail, input_size=64), scripted("soft", detail, lower_better=True)]
    results = {(r.metric, r.kind): r for r in rank_ladders(scorers, clean)}
    assert len(results) == 2 * len(KINDS)
    assert {result.pairs for result in results.values()} == {10}
    assert results["detail", "defocus"].ranked_rightly == 1
    assert results["soft", "defocus"].ranked_rightly == 0
    assert results["soft", "noise"].ranked_rightly == 1


def test_each_rung_is_compared_with_the_one_before():
    path = EXAMPLES / "dog.jpg"
    clean = squash(Image.open(path).convert("RGB"), 512)

    def spots_the_clean(photo: np.ndarray) -> float:
        return float(np.array_equal(photo, clean))

    results = rank_ladders([scripted("spotter", spots_the_clean, input_size=512)], [path])
    assert [result.by_rung for result in results] == [[1, 0, 0, 0, 0]] * len(KINDS)
    assert {result.ranked_rightly for result in results} == {0.2}


def test_equal_scores_are_not_ranked_rightly():
    results = rank_ladders([scripted("constant", lambda photo: 0.5)], [EXAMPLES / "dog.jpg"])
    assert {result.ranked_rightly for result in results} == {0}


def test_a_folder_without_photos_has_no_ladders(tmp_path):
    with pytest.raises(UsageError, match="no photos here"):
        find_clean_photos([EXAMPLES, tmp_path])


def test_weights_of_a_file_score_as_the_bundled_metric():
    """One runs on torch, the other on OpenVINO, whose sums go in another order."""
    paths = [EXAMPLES / f"{name}.jpg" for name in ("dog", "dog_defocused", "waves")]
    bundled = metric_scorer("dpiqa_lite", "auto")
    by_torch, by_openvino = (
        weights_scorer(BUNDLED_WEIGHTS, "cpu").judge_files(paths),
        bundled.judge_files(paths),
    )
    np.testing.assert_allclose(by_torch.scores, by_openvino.scores, atol=1e-3)
    np.testing.assert_allclose(by_torch.uncertainties, by_openvino.uncertainties, atol=1e-3)
    assert bundled.trained_on == "biq2021"
    assert bundled.on_mos_scale


def test_weights_of_a_student_score_as_its_metric_does(tmp_path):
    subject = make_subject("dpiqa_student", tmp_path)
    weights = tmp_path / "student.safetensors"
    tensors = torch.load(subject.checkpoint, weights_only=True)
    save_file(tensors, weights, metadata={ABOUT_KEY: '{"model": "student", "dataset": "koniq"}'})
    paths = [EXAMPLES / "dog.jpg", EXAMPLES / "waves.jpg"]
    scorer = weights_scorer(weights, "cpu")
    assert scorer.trained_on == "koniq"
    judged = scorer.judge_files(paths)
    metric = pyiqa.create_metric("dpiqa_student", weights=str(weights), device="cpu")
    np.testing.assert_allclose(judged.scores, [metric(str(path)).item() for path in paths], atol=1e-3)
    assert judged.uncertainties is None


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('{"model": "oracle"}', "unknown model, 'oracle'"),
        ('{"model": ["lite"]}', "unknown model"),
        ("{", "does not say in JSON"),
        ("null", "says of itself None"),
        ('[["model", "lite"]]', "says of itself"),
    ],
)
def test_weights_of_nothing_that_is_known_are_refused(said, reason, tmp_path):
    weights = tmp_path / "weights.safetensors"
    save_file({"x": torch.zeros(1)}, weights, metadata={ABOUT_KEY: said})
    with pytest.raises(WeightsError, match=f"{weights.name} .*{reason}"):
        weights_scorer(weights, "cpu")


def test_weights_are_measured_on_the_fastest_device(monkeypatch):
    monkeypatch.setattr(scorers, "usable_device", lambda _name: torch.device("meta"))
    assert weights_scorer(BUNDLED_WEIGHTS, "auto").backend.description.endswith("on torch, meta")


@pytest.mark.parametrize(
    ("cuda", "mps", "best"), [(1, 0, "cuda"), (1, 1, "cuda"), (0, 1, "mps"), (0, 0, "cpu")]
)
def test_the_fastest_device_is_a_gpu_where_there_is_one(cuda, mps, best, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(cuda))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: bool(mps))
    assert usable_device("auto").type == best


@pytest.mark.parametrize("name", READERS)
def test_the_catalogue_knows_both_layouts(name, tmp_path):
    published = getattr(labelled_sets, name)(tmp_path / "published")
    pyiqa = labelled_sets.pyiqa_datasets(tmp_path / "datasets")
    assert read_part(name, published, "all")
    assert read_part(name, pyiqa, "all")


def test_an_official_part_needs_no_split_file(tmp_path):
    photos = read_part("koniq", labelled_sets.koniq(tmp_path), "val")
    assert [photo.path.name for photo in photos] == ["10043785683.jpg"]


def test_a_part_that_is_not_official_comes_from_a_split_file(tmp_path):
    root, splits = labelled_sets.clive(tmp_path / "clive"), tmp_path / "splits"
    with pytest.raises(UsageError, match=r"clive has no official part test; .*--splits DIR, or .*--part all"):
        read_part("clive", root, "test")
    splits.mkdir()
    (splits / "clive.csv").write_text("photo,split\nImages/3.bmp,test\nImages/1169.JPG,train\n")
    assert [photo.path.name for photo in read_part("clive", root, "test", splits)] == ["3.bmp"]
    with pytest.raises(UsageError, match=r"clive\.csv puts no photo into val; .*--part all"):
        read_part("clive", root, "val", splits)


def test_the_command_measures_data_sets_and_ladders(tmp_path, capsys):
    root = labelled_sets.koniq(tmp_path / "koniq")
    clean = tmp_path / "clean"
    labelled_sets.photos(clean, ("a.png",))
    out = tmp_path / "out"
    arguments = ["evaluate", "--data", f"koniq={root}", "--part", "all", "--ladders", str(clean)]
    assert main([*arguments, "--metrics", "dpiqa_lite", "piqe", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "| koniq " in printed
    assert "rightly ranked of 5 pairs" in printed
    assert "| dpiqa_lite, slightest against clean " in printed
    data = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert [c["metric"] for c in data["comparisons"]] == ["dpiqa_lite", "piqe"]
    assert len(data["ladders"]) == 2 * len(KINDS)
    scores = np.array([photo["scores"]["dpiqa_lite"] for photo in data["photos"]])
    mos = np.array([photo["mos"] for photo in data["photos"]])
    assert data["comparisons"][0]["agreement"]["plcc"] == pytest.approx(agreement(scores, mos).plcc)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "nothing to measure on"),
        (["--data", "koniq=nowhere"], "nowhere is not a folder"),
        (["--data", ".", "biq2021=."], "biq2021 is given twice"),
        (["--data", "biq2021=.", "--part", "all"], "Give --part val or --part test"),
        (["--ladders", "EXAMPLES", "--metrics", "nonsense"], "there is no metric nonsense"),
        (["--ladders", "EXAMPLES", "--weights", "no.safetensors"], "there is no file no.safetensors"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, reason, capsys):
    arguments = [str(EXAMPLES) if argument == "EXAMPLES" else argument for argument in arguments]
    assert main(["evaluate", *arguments]) == 2
    assert reason in capsys.readouterr().err


def test_a_folder_by_itself_is_biq2021(shared, tmp_path, capsys):
    root = shared / "data" / "biq2021-small"
    assert main(["evaluate", "--data", str(root), "--out", str(tmp_path)]) == 0
    whole = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))["comparisons"][0]
    assert (whole["dataset"], whole["subset"]) == ("biq2021", "all")
    assert whole["agreement"]["count"] == len(read_validation(root))
    assert whole["trained_on_it"]
    assert "dpiqa_lite*" in capsys.readouterr().out
