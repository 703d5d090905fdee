"""``dpiqa-train``: arguments to a recipe."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dpiqa_plugin.errors import DPIQAError, MissingExtraError
from dpiqa_training.config import LITE_RECIPE, read_lite_config
from dpiqa_training.evaluate_options import add_evaluate_arguments, read_evaluate_options, run_evaluation


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
    evaluate = commands.add_parser("evaluate", help="how well metrics follow opinion on labelled photos")
    add_evaluate_arguments(evaluate)
    evaluate.set_defaults(run=_evaluate)
    return parser


def _train_lite(arguments: argparse.Namespace) -> None:
    from dpiqa_training.datasets.biq2021 import read_training, read_validation
    from dpiqa_training.export import export_lite
    from dpiqa_training.recipes.lite import train_lite

    config = read_lite_config(arguments.config)
    print(config)
    training = read_training(arguments.data, config.subsets)
    validation = read_validation(arguments.data)
    print(f"{len(training)} photos to train on, {len(validation)} to validate on")
    arguments.out.mkdir(parents=True, exist_ok=True)
    model = train_lite(config, training, validation, arguments.out / "checkpoint.pt", arguments.device)
    export_lite(model, arguments.out)
    _print_agreement(arguments.out / "lite.safetensors", arguments.data)


def _evaluate(arguments: argparse.Namespace) -> None:
    from dpiqa_training.evaluation_report import report, write_report

    options = read_evaluate_options(arguments)
    evaluation = run_evaluation(options)
    print(report(evaluation))
    for file in write_report(evaluation, options.out) if options.out else ():
        print(file)


def _print_agreement(weights: Path, data: Path) -> None:
    from dpiqa_plugin.models.lite import load_lite
    from dpiqa_training.datasets.biq2021 import read_validation
    from dpiqa_training.evaluate import evaluate_model

    model = load_lite(weights)
    print(f"{'subset':<8}{'photos':>7}{'SRCC':>8}{'PLCC':>8}{'KRCC':>8}{'RMSE':>8}")
    for name, row in evaluate_model(model, read_validation(data), "cpu").items():
        print(f"{name:<8}{row.count:>7}{row.srcc:>8.4f}{row.plcc:>8.4f}{row.krcc:>8.4f}{row.rmse:>8.4f}")


if __name__ == "__main__":
    sys.exit(main())
