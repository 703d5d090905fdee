"""``dpiqa-train``: arguments to a recipe."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dpiqa_plugin.errors import DPIQAError, MissingExtraError
from dpiqa_training.config import LITE_RECIPE, read_lite_config

if TYPE_CHECKING:
    from dpiqa_plugin.models.lite import Lite
    from dpiqa_training.datasets.labelled import LabelledPhoto

_PHOTOS = (".jpg", ".png")


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 a reason was printed, 2 bad usage."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except DPIQAError as error:
        print(f"dpiqa-train: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"dpiqa-train: {MissingExtraError(f'training ({error.name})', 'training')}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dpiqa-train", description="Train and measure DP-IQA models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    lite = commands.add_parser("lite", help="train dpiqa_lite on BIQ2021; resumes what a kill interrupted")
    lite.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of BIQ2021")
    lite.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="for the checkpoint and the finished weights"
    )
    lite.add_argument(
        "--config", type=Path, default=LITE_RECIPE, metavar="FILE", help="recipe (default: the bundled one)"
    )
    lite.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")
    lite.set_defaults(run=_train_lite)
    evaluate = commands.add_parser("evaluate", help="how well dpiqa_lite follows the raters of BIQ2021")
    evaluate.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of BIQ2021")
    evaluate.add_argument(
        "--part",
        choices=("validation", "test"),
        default="validation",
        help="the photos to choose recipes by (default), or the official test part",
    )
    evaluate.add_argument(
        "--weights", type=Path, metavar="FILE", help="lite.safetensors (default: the bundled one)"
    )
    evaluate.add_argument(
        "--ladders",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="also distort the photos in DIR and see whether scores fall; may be given twice",
    )
    evaluate.set_defaults(run=_evaluate)
    return parser


def _train_lite(arguments: argparse.Namespace) -> None:
    from dpiqa_training.datasets.biq2021 import read_training, read_validation
    from dpiqa_training.export import export_lite
    from dpiqa_training.recipes.lite import train_lite

    config = read_lite_config(arguments.config)
    print(config)
    training = read_training(arguments.data)
    validation = read_validation(arguments.data)
    print(f"{len(training)} photos to train on, {len(validation)} to validate on")
    arguments.out.mkdir(parents=True, exist_ok=True)
    model = train_lite(config, training, validation, arguments.out, arguments.device)
    export_lite(model, arguments.out)
    _print_agreement(model, validation)


def _evaluate(arguments: argparse.Namespace) -> None:
    from dpiqa_plugin.models.lite import load_lite
    from dpiqa_training.datasets.biq2021 import read_test, read_validation

    model = load_lite(arguments.weights) if arguments.weights else load_lite()
    read = read_test if arguments.part == "test" else read_validation
    _print_agreement(model, read(arguments.data))
    if arguments.ladders:
        _print_ladders(model, arguments.ladders)


def _print_agreement(model: Lite, photos: list[LabelledPhoto]) -> None:
    import numpy as np

    from dpiqa_training.calibration import calibration, judge_photos
    from dpiqa_training.evaluate import agreement_by_subset

    judged = judge_photos(model, photos, "cpu")
    print(f"{'subset':<8}{'photos':>7}{'SRCC':>8}{'PLCC':>8}{'KRCC':>8}{'RMSE':>8}")
    for name, row in agreement_by_subset(judged.scores, photos).items():
        print(f"{name:<8}{row.count:>7}{row.srcc:>8.4f}{row.plcc:>8.4f}{row.krcc:>8.4f}{row.rmse:>8.4f}")
    found = calibration(judged.scores, judged.deviations, np.array([photo.mos for photo in photos]))
    print(
        f"deviation: {found.mean_deviation:.4f} on average; MOS within one {found.within_one:.1%}, "
        f"within two {found.within_two:.1%}; SRCC with the error {found.srcc:.3f}"
    )


def _print_ladders(model: Lite, folders: list[Path]) -> None:
    from dpiqa_training.ladder_ranking import ranked_rightly

    clean = [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in _PHOTOS]
    if not clean:
        raise DPIQAError(f"no {', '.join(_PHOTOS)} in {', '.join(map(str, folders))}")
    print(f"neighbouring severities ranked rightly, {len(clean)} photos:")
    for kind, share in ranked_rightly(model, clean, "cpu").items():
        print(f"{kind:<14}{share:>8.3f}")


if __name__ == "__main__":
    sys.exit(main())
