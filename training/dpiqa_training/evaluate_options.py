"""What ``dpiqa-train evaluate`` is told to do, and doing it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dpiqa_plugin.errors import UsageError
from dpiqa_training.datasets import NAMES
from dpiqa_training.devices import require_device
from dpiqa_training.usage import make_out_folder, require_file

if TYPE_CHECKING:
    from dpiqa_training.evaluate import Evaluation


@dataclass(frozen=True)
class EvaluateOptions:
    """What to measure, and on what.

    Attributes:
        data: folder of each data set, by its name.
        part: ``val``, ``test`` or ``all``.
        splits: folder of split files; None for official splits.
        metrics: names in pyiqa, ours included.
        weights: of a model of ours that is no metric, measured beside the metrics; or None.
        ladders: folders of photos without faults to distort.
        out: folder for the report; None only prints it.
        device: ``auto``, ``cpu`` or a torch device.
    """

    data: dict[str, Path]
    part: str
    splits: Path | None
    metrics: tuple[str, ...]
    weights: Path | None
    ladders: tuple[Path, ...]
    out: Path | None
    device: str


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; imports nothing heavy, since ``--help`` comes through here."""
    parser.add_argument(
        "--data",
        nargs="+",
        default=[],
        metavar="NAME=DIR",
        help=f"data sets: {', '.join(NAMES)}, as published or in pyiqa's layout (default name: biq2021)",
    )
    parser.add_argument(
        "--part",
        choices=("val", "test", "all"),
        default="val",
        help="what to measure on; test once, at the end (default: val)",
    )
    parser.add_argument(
        "--splits", type=Path, metavar="DIR", help="folder of split files NAME.csv, written if not there"
    )
    parser.add_argument(
        "--metrics", nargs="+", metavar="METRIC", help="metrics of pyiqa, ours included (default: dpiqa_lite)"
    )
    parser.add_argument("--weights", type=Path, metavar="FILE", help="what dpiqa-train wrote, to measure")
    parser.add_argument(
        "--ladders",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="distort the faultless photos in DIR and see whether scores fall; may be given twice",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="for tables, JSON and scatter plots")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default: auto)")


def read_evaluate_options(arguments: argparse.Namespace) -> EvaluateOptions:
    """Validate what was parsed.

    Raises:
        UsageError: it makes no sense, or a file, folder or device is not there.
    """
    data: dict[str, Path] = {}
    for text in arguments.data:
        name, equals, folder = text.partition("=")
        # A folder by itself is BIQ2021's, also one with = in its name.
        name, folder = (name, folder) if equals and name in NAMES else ("biq2021", text)
        if name in data:
            raise UsageError(f"--data: {name} is given twice")
        if not Path(folder).is_dir():
            names = ", ".join(f"{name}=DIR" for name in NAMES)
            raise UsageError(f"--data: {folder} is not a folder; give one or more of {names}")
        data[name] = Path(folder)
    if not data and not arguments.ladders:
        raise UsageError("nothing to measure on: give --data, --ladders or both")
    require_file("--weights", arguments.weights)
    require_device(arguments.device, "auto")
    metrics = tuple(dict.fromkeys(arguments.metrics or (() if arguments.weights else ("dpiqa_lite",))))
    return EvaluateOptions(
        data,
        arguments.part,
        arguments.splits,
        metrics,
        arguments.weights,
        tuple(arguments.ladders),
        arguments.out,
        arguments.device,
    )


def run_evaluation(options: EvaluateOptions) -> Evaluation:
    """Read the data, make the metrics ready, score, compare.

    Raises:
        DPIQAError: whatever is wrong with data, metrics or photos.
    """
    from dpiqa_training.datasets.catalogue import read_part
    from dpiqa_training.evaluate import evaluate
    from dpiqa_training.scorers import metric_scorer, weights_scorer
    from dpiqa_training.severity_ladders import find_clean_photos, rank_ladders

    # Data and photos first: a typing error there should not wait for models to load.
    clean = find_clean_photos(options.ladders)
    datasets = {
        name: read_part(name, root, options.part, options.splits) for name, root in options.data.items()
    }
    if options.out:
        make_out_folder(options.out)
    scorers = [metric_scorer(metric, options.device) for metric in options.metrics]
    if options.weights:
        scorers.append(weights_scorer(options.weights, options.device))
    evaluation = evaluate(scorers, datasets)
    return replace(evaluation, ladders=rank_ladders(scorers, clean)) if clean else evaluation
