"""``dpiqa-train``: arguments to a recipe."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dpiqa_plugin import freed_memory
from dpiqa_plugin.errors import DPIQAError, MissingExtraError, UsageError
from dpiqa_training.config import (
    LITE_RECIPE,
    STUDENT_RECIPE,
    TEACHER_RECIPE,
    LiteConfig,
    PaperConfig,
    StudentConfig,
    TeacherConfig,
    read_config,
)
from dpiqa_training.errors import plain_message
from dpiqa_training.evaluate_options import add_evaluate_arguments, read_evaluate_options, run_evaluation
from dpiqa_training.usage import make_out_folder, require_file, require_folder, require_teacher

if TYPE_CHECKING:
    from dpiqa_training.datasets import LabelledPhoto

_DATASETS = ("koniq", "clive", "flive", "spaq")


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 the work failed, 2 bad usage, 130 stopped.

    The reason is printed. A command line that cannot be parsed ends in ``SystemExit`` with code 2, as
    argparse does.
    """
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except DPIQAError as error:
        print(f"dpiqa-train: {plain_message(error)}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except ModuleNotFoundError as error:
        print(f"dpiqa-train: {MissingExtraError(f'training ({error.name})', 'training')}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("dpiqa-train: stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dpiqa-train", description="Train and measure DP-IQA models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_teacher(commands)
    _add_student(commands)
    _add_lite(commands)
    _add_evaluate(commands)
    _add_embed_prompts(commands)
    _add_export(commands)
    return parser


def _add_teacher(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    teacher = commands.add_parser(
        "teacher", help="train DP-IQA's teacher from Stable Diffusion 1.5; resumes what a kill interrupted"
    )
    _add_paper_options(teacher, TEACHER_RECIPE)
    teacher.add_argument(
        "--base",
        metavar="DIR",
        help="Stable Diffusion 1.5 in the layout of diffusers (default: from the hub)",
    )
    teacher.set_defaults(run=_train_teacher)


def _add_student(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    student = commands.add_parser(
        "student", help="distil DP-IQA's student from a teacher; resumes what a kill interrupted"
    )
    _add_paper_options(student, STUDENT_RECIPE)
    student.add_argument(
        "--teacher",
        metavar="FILE",
        help="the teacher's weights, or koniq, clive, ... for the published ones; needed unless --reduced",
    )
    student.add_argument(
        "--trunk", type=Path, metavar="FILE", help="torchvision's EfficientNet-B7 (default: downloaded)"
    )
    student.set_defaults(run=_train_student)


def _add_paper_options(command: argparse.ArgumentParser, recipe: Path) -> None:
    command.add_argument("--dataset", choices=_DATASETS, required=True, help="what to train on")
    command.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="its folder, as published or as pyiqa has it"
    )
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="for cache, checkpoint, log and weights"
    )
    command.add_argument(
        "--config", type=Path, default=recipe, metavar="FILE", help="recipe (default: the bundled one)"
    )
    command.add_argument(
        "--splits",
        type=Path,
        metavar="DIR",
        help="folder of the split file, DATASET.csv, written if missing (default: OUT)",
    )
    command.add_argument(
        "--prompts", type=Path, metavar="FILE", help="prompt embeddings (default: the cache's, or computed)"
    )
    command.add_argument(
        "--workers", type=_count, default=4, metavar="N", help="processes that decode photos"
    )
    command.add_argument(
        "--reduced",
        action="store_true",
        help="a tiny random model, to try data and recipe without weights or a GPU; its scores mean nothing",
    )


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a number, 0 or above, got {text!r}")
    return int(text)


def _add_lite(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    lite = commands.add_parser("lite", help="train dpiqa_lite on BIQ2021; resumes what a kill interrupted")
    lite.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of BIQ2021")
    lite.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="for cache, checkpoint, log and weights"
    )
    lite.add_argument(
        "--config", type=Path, default=LITE_RECIPE, metavar="FILE", help="recipe (default: the bundled one)"
    )
    lite.add_argument(
        "--clean",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="folder of more photos without faults, to learn distortions from; may be given again",
    )
    lite.set_defaults(run=_train_lite)


def _add_evaluate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    evaluate = commands.add_parser("evaluate", help="how well metrics follow opinion on labelled photos")
    add_evaluate_arguments(evaluate)
    evaluate.set_defaults(run=_evaluate)


def _add_embed_prompts(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    embed = commands.add_parser("embed-prompts", help="embed the teacher's 1485 prompts with CLIP, once")
    embed.add_argument(
        "--model", metavar="DIR", help="CLIP ViT-L/14 in the layout of transformers (default: from the hub)"
    )
    embed.add_argument(
        "--out", type=Path, metavar="FILE", help="safetensors (default: the metric's own cache)"
    )
    embed.set_defaults(run=_embed_prompts)


def _add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    export = commands.add_parser("export", help="finished weights in the form that is handed on")
    export.add_argument("model", choices=("teacher", "student", "lite"))
    export.add_argument("weights", type=Path, metavar="FILE", help="what training wrote, MODEL.safetensors")
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="for the files")
    export.set_defaults(run=_export)


def _train_teacher(arguments: argparse.Namespace) -> None:
    require_file("--prompts", arguments.prompts)
    from dpiqa_training.base_weights import STABLE_DIFFUSION
    from dpiqa_training.recipes.teacher import train_teacher

    config = read_config(arguments.config, TeacherConfig)
    training, validation = _photos_of(arguments, config)
    weights = train_teacher(
        config,
        training,
        validation,
        arguments.out,
        arguments.dataset,
        base=arguments.base or STABLE_DIFFUSION,
        prompts=arguments.prompts,
        reduced=arguments.reduced,
        workers=arguments.workers,
    )
    _say(f"the best epoch's weights: {weights}")


def _train_student(arguments: argparse.Namespace) -> None:
    # With --reduced nothing of these is read, but a typing error shows while it costs nothing.
    if arguments.teacher is not None:
        require_teacher(arguments.teacher)
    elif not arguments.reduced:
        raise UsageError(
            "a student learns from a teacher: give --teacher FILE, as dpiqa-train teacher wrote it"
        )
    require_file("--prompts", arguments.prompts)
    require_file("--trunk", arguments.trunk)
    from dpiqa_training.recipes.student import train_student

    config = read_config(arguments.config, StudentConfig)
    training, validation = _photos_of(arguments, config)
    weights = train_student(
        config,
        training,
        validation,
        arguments.out,
        arguments.dataset,
        teacher=arguments.teacher,
        prompts=arguments.prompts,
        trunk=arguments.trunk,
        reduced=arguments.reduced,
        workers=arguments.workers,
    )
    _say(f"the best epoch's weights: {weights}")


def _photos_of(
    arguments: argparse.Namespace, config: PaperConfig
) -> tuple[list[LabelledPhoto], list[LabelledPhoto]]:
    """Print the recipe, and give the photos to train on and those to choose the best epoch by."""
    from dpiqa_training.datasets.catalogue import read_dataset
    from dpiqa_training.splits import Shares, of_part, split_photos

    require_folder(arguments.data, arguments.dataset)
    _say(config)
    make_out_folder(arguments.out)
    file = (arguments.splits or arguments.out) / f"{arguments.dataset}.csv"
    shares = Shares(val=config.validation_share, seed=config.seed)
    photos = split_photos(file, arguments.data, read_dataset(arguments.dataset, arguments.data), shares)
    training, chosen_by = of_part(photos, "train"), of_part(photos, "val")
    if config.select_on == "test":
        # As the authors: all but the test photos are trained on, and the best epoch is the best on those.
        training, chosen_by = training + chosen_by, of_part(photos, "test")
        _say("the epoch is chosen on the test photos: figures on them will look better than they are")
    _say(f"{len(training)} photos to train on, {len(chosen_by)} to choose the best epoch by; split: {file}")
    return training, chosen_by


def _say(text: object) -> None:
    """Print it once, not by each process of a launcher."""
    if _is_first():
        print(text)


def _is_first() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _train_lite(arguments: argparse.Namespace) -> None:
    from dpiqa_training.datasets.biq2021 import read_training, read_validation
    from dpiqa_training.evaluate import evaluate
    from dpiqa_training.evaluation_report import report
    from dpiqa_training.export import export_lite
    from dpiqa_training.recipes.lite import train_lite
    from dpiqa_training.scorers import weights_scorer
    from dpiqa_training.severity_ladders import find_clean_photos

    require_folder(arguments.data, "BIQ2021")
    clean = find_clean_photos(arguments.clean)
    config = read_config(arguments.config, LiteConfig)
    _say(config)
    training = read_training(arguments.data)
    validation = read_validation(arguments.data)
    _say(f"{len(training)} photos to train on, {len(validation)} to validate on")
    make_out_folder(arguments.out)
    freed_memory.keep_freed_memory()  # a step on two cores takes two thirds of the time
    model = train_lite(config, training, validation, arguments.out, clean)
    if not _is_first():
        return
    export_lite(model, arguments.out)
    weights = weights_scorer(arguments.out / "lite.safetensors", "cpu")  # as most of its users will
    print(report(evaluate([weights], {"biq2021": validation})))


def _evaluate(arguments: argparse.Namespace) -> None:
    from dpiqa_training.evaluation_report import report, write_report

    options = read_evaluate_options(arguments)
    evaluation = run_evaluation(options)
    print(report(evaluation))
    for file in write_report(evaluation, options.out) if options.out else ():
        print(file)


def _embed_prompts(arguments: argparse.Namespace) -> None:
    from dpiqa_plugin.locate import cache_dir
    from dpiqa_plugin.prompt_embeddings import (
        CLIP,
        FILENAME,
        compute_prompt_embeddings,
        save_prompt_embeddings,
    )

    out = arguments.out or cache_dir() / FILENAME
    save_prompt_embeddings(compute_prompt_embeddings(arguments.model or CLIP), out)
    print(f"embeddings of 1485 prompts: {out}")


def _export(arguments: argparse.Namespace) -> None:
    from dpiqa_plugin.models.lite import load_lite
    from dpiqa_training.export import export_lite, export_student, export_teacher

    require_file("FILE", arguments.weights)
    make_out_folder(arguments.out)
    if arguments.model == "lite":
        export_lite(load_lite(arguments.weights), arguments.out)
    elif arguments.model == "student":
        export_student(arguments.weights, arguments.out)
    else:
        export_teacher(arguments.weights, arguments.out)
    print(f"written to {arguments.out}")


if __name__ == "__main__":
    sys.exit(main())
