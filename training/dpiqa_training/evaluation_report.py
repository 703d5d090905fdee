"""An evaluation as tables to read, JSON to compute with, and scatter plots to look at."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dpiqa_plugin.atomic import replacing
from dpiqa_plugin.errors import ReportError
from dpiqa_training.correlation import fit_logistic
from dpiqa_training.distortions import KINDS
from dpiqa_training.evaluate import ALL, Comparison, Evaluation, ScoredPhotos

_NOTES = (
    "SRCC and PLCC with 95 % bootstrap intervals; PLCC fit and RMSE fit after a four-parameter logistic; "
    "RMSE in units of MOS, 0..1. *: trained on this data set."
)


def report(evaluation: Evaluation) -> str:
    """Give all tables, in Markdown."""
    parts = []
    if evaluation.comparisons:
        parts += [_agreement_table(evaluation.comparisons), _NOTES]
    if len(evaluation.scored) > 1:
        parts.append(_across_datasets(evaluation.comparisons))
    parts += [
        f"{some.dataset}: {len(some.left_out)} photos without a number from some metric are left out of all."
        for some in evaluation.scored
        if some.left_out
    ]
    if any(comparison.calibration for comparison in evaluation.comparisons):
        parts.append(_calibration_table(evaluation.comparisons))
    if evaluation.ladders:
        parts.append(_ladder_table(evaluation))
    return "\n\n".join(parts)


def write_report(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write ``evaluation.md``, ``evaluation.json`` and a ``scatter-<data set>.png`` for each.

    The JSON holds every figure with its interval, and the score of every photo; what is not defined is null.

    Returns:
        the files.

    Raises:
        ReportError: they cannot be written.
    """
    text, data = folder / "evaluation.md", folder / "evaluation.json"
    plots = [folder / f"scatter-{some.dataset}.png" for some in evaluation.scored]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(text) as beside:
            beside.write_text(report(evaluation) + "\n", encoding="utf-8")
        with replacing(data) as beside:
            plain = json.dumps(_plain(evaluation), indent=1, allow_nan=False)
            beside.write_text(plain + "\n", encoding="utf-8")
        for some, plot in zip(evaluation.scored, plots, strict=True):
            save_scatter(some, plot)
    except OSError as error:
        raise ReportError(f"cannot write the report to {folder}: {error}") from error
    return [text, data, *plots]


def save_scatter(scored: ScoredPhotos, file: Path) -> None:
    """Plot the scores of each metric against MOS, with the fitted logistic; PNG."""
    # Not pyplot, which would ask for a display and keep every figure.
    from matplotlib.figure import Figure

    mos = np.array([photo.mos for photo in scored.photos])
    figure = Figure(figsize=(4 * len(scored.scores), 4), layout="constrained")
    axes = figure.subplots(1, len(scored.scores), sharey=True, squeeze=False)[0]
    for axis, (metric, scores) in zip(axes, scored.scores.items(), strict=True):
        axis.scatter(scores, mos, s=6, alpha=0.4, linewidths=0)
        grid = np.linspace(scores.min(), scores.max(), 200)
        axis.plot(grid, fit_logistic(scores, mos)(grid), color="black", linewidth=1)
        axis.set(xlabel=metric, ylim=(0, 1))
    axes[0].set_ylabel(f"MOS of {scored.dataset}")
    with replacing(file) as beside:
        figure.savefig(beside, format="png", dpi=120)


def _agreement_table(comparisons: list[Comparison]) -> str:
    heading = (
        "data set",
        "subset",
        "photos",
        "metric",
        "SRCC",
        "PLCC",
        "PLCC fit",
        "KRCC",
        "RMSE",
        "RMSE fit",
    )
    return _markdown(heading, [_row(comparison) for comparison in comparisons])


def _row(comparison: Comparison) -> list[str]:
    of, low, high = comparison.agreement, comparison.interval.low, comparison.interval.high
    return [
        comparison.dataset,
        comparison.subset,
        str(of.count),
        comparison.metric + ("*" if comparison.trained_on_it else ""),
        f"{of.srcc:.3f} ({low.srcc:.3f} to {high.srcc:.3f})",
        f"{of.plcc:.3f} ({low.plcc:.3f} to {high.plcc:.3f})",
        f"{of.plcc_fitted:.3f}",
        f"{of.krcc:.3f}",
        f"{of.rmse:.3f}" if comparison.on_mos_scale else "-",
        f"{of.rmse_fitted:.3f}",
    ]


def _across_datasets(comparisons: list[Comparison]) -> str:
    whole = [comparison for comparison in comparisons if comparison.subset == ALL]
    found = {(c.metric, c.dataset): c for c in whole}
    datasets = list(dict.fromkeys(c.dataset for c in whole))
    rows = []
    for metric in dict.fromkeys(c.metric for c in whole):
        mine = [found[metric, dataset] for dataset in datasets]
        cells = [f"{c.agreement.srcc:.3f}{'*' if c.trained_on_it else ''}" for c in mine]
        # Data sets that it was trained on say nothing about others.
        others = [c.agreement.srcc for c in mine if not c.trained_on_it]
        rows.append([metric, *cells, f"{np.mean(others):.3f}" if others else "-"])
    return _markdown(("SRCC across data sets", *datasets, "mean without *"), rows)


def _calibration_table(comparisons: list[Comparison]) -> str:
    heading = ("uncertainty", "subset", "metric", "mean", "MOS within 1", "within 2", "SRCC with the error")
    rows = [
        [
            comparison.dataset,
            comparison.subset,
            comparison.metric,
            f"{found.mean_deviation:.3f}",
            f"{found.within_one:.3f}",
            f"{found.within_two:.3f}",
            f"{found.srcc:.3f}",
        ]
        for comparison in comparisons
        if (found := comparison.calibration)
    ]
    return _markdown(heading, rows)


def _ladder_table(evaluation: Evaluation) -> str:
    pairs = evaluation.ladders[0].pairs
    found = {(result.metric, result.kind): result for result in evaluation.ladders}
    rows = []
    for metric in dict.fromkeys(result.metric for result in evaluation.ladders):
        mine = [found[metric, kind] for kind in KINDS]
        rows.append([metric, *(f"{result.ranked_rightly:.3f}" for result in mine)])
        # By itself, since people may doubt it, too: half a stop may do a photo good.
        rows.append([f"{metric}, slightest against clean", *(f"{result.by_rung[0]:.3f}" for result in mine)])
    return _markdown((f"rightly ranked of {pairs} pairs", *KINDS), rows)


def _markdown(heading: Sequence[str], rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    lines = [heading, ["-" * width for width in widths], *rows]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |"
        for line in lines
    )


def _plain(evaluation: Evaluation) -> Any:
    return _without_nan(
        {
            "metrics": evaluation.identities,
            "comparisons": [asdict(comparison) for comparison in evaluation.comparisons],
            "ladders": [asdict(result) for result in evaluation.ladders],
            "photos": [
                {
                    "dataset": some.dataset,
                    "photo": str(photo.path),
                    "mos": photo.mos,
                    "scores": {metric: float(scores[index]) for metric, scores in some.scores.items()},
                    "uncertainties": {
                        metric: float(values[index]) for metric, values in some.uncertainties.items()
                    },
                }
                for some in evaluation.scored
                for index, photo in enumerate(some.photos)
            ],
            "left_out": [str(photo.path) for some in evaluation.scored for photo in some.left_out],
        }
    )


def _without_nan(value: Any) -> Any:
    """Replace NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
