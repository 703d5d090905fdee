"""The command ``dpiqa-batch``: arguments to options, options to a job, its end to an exit code.

Nothing heavy is imported at the top, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from dpiqa_desktop.exit_codes import ExitCode, code_of_error
from dpiqa_desktop.metadata.sidecar import NAMINGS
from dpiqa_desktop.options import BACKENDS, DEFAULT_METRIC, WRITE, BatchOptions, is_ray_address
from dpiqa_plugin import __version__
from dpiqa_plugin.errors import DPIQAError

_DESCRIPTION = """\
Scores photos by their technical quality and lists them from best to worst.
No photo is touched unless you ask for it: --write puts scores and stars into
the photos' metadata or beside them, and never over a rating of yours.

Folders are searched with all their subfolders. Names that begin with a dot are
skipped, and so are RAW files that have a JPEG or HEIC of the same name beside
them. Scores are kept: a second run scores only what is new.
"""
_EPILOG = """\
exit codes: 0 all scored, 1 some failed, 2 bad usage or no photos,
            3 cannot run, 70 a fault of ours, 130 interrupted (Ctrl-C)
"""

# Title of the group, then its arguments: names and what argparse is told of each.
_ARGUMENTS: tuple[tuple[str | None, tuple[tuple[tuple[str, ...], dict[str, Any]], ...]], ...] = (
    (
        None,
        (
            (("paths",), {"metavar": "FOLDER|FILE", "nargs": "*", "help": "what to score"}),
            (("-q", "--quiet"), {"action": "store_true", "help": "say nothing but what failed; no table"}),
            (("--version",), {"action": "version", "version": f"%(prog)s {__version__}"}),
        ),
    ),
    (
        "scoring",
        (
            (
                ("--metric",),
                {
                    "metavar": "NAME",
                    "default": DEFAULT_METRIC,
                    "help": "any no-reference metric of pyiqa (default: %(default)s, which is bundled)",
                },
            ),
            (
                ("--device",),
                {
                    "metavar": "NAME",
                    "default": "auto",
                    "help": "auto, cpu, cuda, cuda:1, mps, ... (default: %(default)s)",
                },
            ),
            (
                ("--backend",),
                {
                    "choices": BACKENDS,
                    "default": "auto",
                    "help": "what runs the model (default: %(default)s, OpenVINO on a CPU where it can)",
                },
            ),
            (
                ("--batch-size",),
                {
                    "metavar": "N",
                    "type": int,
                    "help": "photos to a call of the model (default: what suits it)",
                },
            ),
            (
                ("--max-pixels",),
                {"metavar": "MILLIONS", "type": float, "help": "refuse larger photos (default: 250)"},
            ),
            (("--force",), {"action": "store_true", "help": "score again what has been scored before"}),
            (
                ("--watch",),
                {
                    "action": "store_true",
                    "help": "then go on with what is dropped into the folders, till Ctrl-C",
                },
            ),
        ),
    ),
    (
        "results",
        (
            (
                ("--top",),
                {"metavar": "N", "type": int, "help": "list the best N only; the files below still get all"},
            ),
            (
                ("--stars",),
                {
                    "metavar": "RULE",
                    "help": "how scores become stars: four scores (default: 0.2,0.4,0.6,0.8), or percentile, "
                    "or percentile:10,35,65,90",
                },
            ),
            (
                ("--csv",),
                {"metavar": "FILE", "help": "write every score, and every failure with its reason, to FILE"},
            ),
            (("--json",), {"metavar": "FILE", "help": "the same as JSON, one object a line"}),
            (("--parquet",), {"metavar": "FILE", "help": "the same as Parquet"}),
            (
                ("--html",),
                {"metavar": "FILE", "help": "the same as a page with thumbnails, to open in a browser"},
            ),
        ),
    ),
    (
        "writing into photos and sidecars",
        (
            (
                ("--write",),
                {
                    "choices": WRITE,
                    "default": "none",
                    "help": "where scores and stars go: into the photos where nothing can be lost, else into "
                    "sidecars (auto); into the photos only (embed); into sidecars only (sidecar); "
                    "default: nowhere (none)",
                },
            ),
            (
                ("--sidecar",),
                {
                    "choices": NAMINGS,
                    "help": "what new sidecars are called: IMG_1.xmp (adobe) or IMG_1.CR2.xmp (darktable, "
                    "digiKam); default: as the one that is there, else adobe",
                },
            ),
            (
                ("--reject-below",),
                {"metavar": "SCORE", "type": float, "help": "mark as rejected what scores below SCORE"},
            ),
            (
                ("--overwrite-ratings",),
                {"action": "store_true", "help": "put our stars in place of your ratings, too"},
            ),
            (("--keywords",), {"action": "store_true", "help": "add a keyword, such as IQA|0.7"}),
            (("--labels",), {"action": "store_true", "help": "add a colour label: Green, Yellow or Red"}),
            (("--microsoft-rating",), {"action": "store_true", "help": "add MicrosoftPhoto:Rating"}),
            (("--touch",), {"action": "store_true", "help": "let the files' times show the change"}),
            (
                ("--sync",),
                {
                    "action": "store_true",
                    "help": "first take over scores that photos or sidecars carry from another computer",
                },
            ),
        ),
    ),
    (
        "sorting into folders",
        (
            (
                ("--move-below",),
                {
                    "metavar": "SCORE",
                    "type": float,
                    "help": "move photos that score below SCORE to the folder --to",
                },
            ),
            (
                ("--copy-top",),
                {"metavar": "N", "type": int, "help": "copy the best N photos to the folder --to"},
            ),
            (("--to",), {"metavar": "DIR", "help": "where to; no file there is ever overwritten"}),
        ),
    ),
    (
        "past one machine: dpiqa-batch --ray [ADDRESS] SOURCE --out DIR",
        (
            (
                ("--ray",),
                {
                    "metavar": "ADDRESS",
                    "nargs": "?",
                    "const": "",
                    "help": "score on a Ray cluster: SOURCE is a folder, s3://..., gs://... or Parquet; "
                    "ADDRESS is HOST:PORT, auto or local (default: the cluster that runs here, else this "
                    "machine's cores)",
                },
            ),
            (
                ("--out",),
                {
                    "metavar": "DIR",
                    "help": "where the scores go, as Parquet in parts; the same command again does what "
                    "is missing",
                },
            ),
            (
                ("--column",),
                {"metavar": "NAME", "help": "SOURCE is Parquet, with photos' bytes or paths in this column"},
            ),
            (
                ("--part-size",),
                {"metavar": "N", "type": int, "help": "photos to a part (default: 1000)"},
            ),
            (
                ("--num-cpus",),
                {"metavar": "N", "type": int, "help": "cores for each model (default: up to 4)"},
            ),
            (
                ("--num-gpus",),
                {
                    "metavar": "N",
                    "type": float,
                    "help": "GPUs for each model, 0.5 for half a one (default: 1 for models that need one)",
                },
            ),
        ),
    ),
    (
        "before and after",
        (
            (
                ("--dry-run",),
                {"action": "store_true", "help": "only say what would be written, moved or copied"},
            ),
            (
                ("--undo",),
                {
                    "metavar": "RUN|FOLDER",
                    "nargs": "?",
                    "const": "latest",
                    "help": "take back what a run wrote, moved or copied, or all that was ever written in "
                    "a folder (default: the latest run)",
                },
            ),
        ),
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``dpiqa-batch`` with ``arguments``, or those of the command line; return its exit code."""
    _open_closed_streams()
    _print_any_name()
    try:
        options = _parse(arguments)
        _silence_libraries()
        if options.ray is not None:
            from dpiqa_desktop.scaling import score_on_cluster

            return score_on_cluster(options)
        # Imported here, not above: it brings numpy, Pillow and tqdm.
        from dpiqa_desktop.job import score_photos, undo

        return undo(options) if options.undo else score_photos(options)
    except DPIQAError as error:
        print(f"dpiqa-batch: error: {error}", file=sys.stderr)
        return code_of_error(error)
    except KeyboardInterrupt:
        print("dpiqa-batch: interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except Exception as error:
        from dpiqa_desktop.crash_log import write_crash_log

        where = write_crash_log(error, sys.argv[1:] if arguments is None else arguments)
        print(f"dpiqa-batch: unexpected {type(error).__name__}: {error}\n{where}", file=sys.stderr)
        return ExitCode.CRASHED


def _parse(arguments: Sequence[str] | None) -> BatchOptions:
    parser = argparse.ArgumentParser(
        prog="dpiqa-batch",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for title, group in _ARGUMENTS:
        section = parser.add_argument_group(title) if title else parser
        for names, settings in group:
            section.add_argument(*names, **settings)
    chosen = vars(parser.parse_args(arguments))
    if chosen["ray"] and not is_ray_address(chosen["ray"]):  # --ray SOURCE, without an address
        chosen["paths"].insert(0, chosen["ray"])
        chosen["ray"] = ""
    return BatchOptions(paths=tuple(chosen.pop("paths")), **chosen)


def _open_closed_streams() -> None:
    """Give the numbers of streams that the shell closed to nobody: a file would get them, a photo perhaps.

    What a library says on stderr would then be written into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, open(number, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115


def _print_any_name() -> None:
    """Let characters that the terminal's encoding lacks come out escaped instead of ending the run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _silence_libraries() -> None:
    """Keep Pillow's and pyiqa's warnings off the screen unless Python was asked to show them."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
