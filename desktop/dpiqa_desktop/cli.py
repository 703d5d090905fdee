"""The command ``dpiqa-batch``: arguments to options, options to a run, its end to an exit code.

Nothing heavy is imported at the top, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import time
import warnings
from collections.abc import Sequence
from typing import Any

from dpiqa_desktop.exit_codes import ExitCode, code_of_error, code_of_run
from dpiqa_desktop.options import DEFAULT_METRIC, BatchOptions
from dpiqa_plugin import __version__
from dpiqa_plugin.cards import CARDS
from dpiqa_plugin.errors import DPIQAError

_DESCRIPTION = """\
Scores photos by their technical quality and lists them from best to worst.
No photo is ever changed.

Folders are searched with all their subfolders for JPEG, PNG, WebP, TIFF and
BMP files. Names that begin with a dot are skipped.
"""
_EPILOG = """\
exit codes: 0 all scored, 1 some failed, 2 bad usage or no photos,
            3 cannot run, 130 interrupted (Ctrl-C)
"""

_ARGUMENTS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("paths",), {"metavar": "FOLDER|FILE", "nargs": "+", "help": "what to score"}),
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
        ("--batch-size",),
        {"metavar": "N", "type": int, "help": "photos to a call of the model (default: what suits it)"},
    ),
    (
        ("--top",),
        {"metavar": "N", "type": int, "help": "list the best N only; --csv and --json still get all"},
    ),
    (
        ("--csv",),
        {"metavar": "FILE", "help": "write every score, and every failure with its reason, to FILE"},
    ),
    (("--json",), {"metavar": "FILE", "help": "the same as JSON, one object a line"}),
    (("-q", "--quiet"), {"action": "store_true", "help": "say nothing but what failed; no table"}),
    (("--version",), {"action": "version", "version": f"%(prog)s {__version__}"}),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``dpiqa-batch`` with ``arguments``, or those of the command line; return its exit code."""
    _print_any_name()
    try:
        return score_photos(_parse(arguments))
    except DPIQAError as error:
        print(f"dpiqa-batch: error: {error}", file=sys.stderr)
        return code_of_error(error)
    except KeyboardInterrupt:
        print("dpiqa-batch: interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED


def score_photos(options: BatchOptions) -> ExitCode:
    """Find photos, load the metric, score, write what was asked for; Ctrl-C keeps what is scored.

    Raises:
        DPIQAError: nothing could be scored, or the results could not be written.
    """
    # Imported here, not above: they bring numpy, Pillow and tqdm.
    from dpiqa_desktop.console import Console
    from dpiqa_desktop.engine.backends import create_backend
    from dpiqa_desktop.engine.run import run
    from dpiqa_desktop.engine.scan import scan
    from dpiqa_desktop.engine.stars import default_rule
    from dpiqa_desktop.records import Results, write_csv, write_json

    _silence_libraries()
    found = scan(options.paths)
    backend = create_backend(options.metric, options.device)
    results = Results(options.metric, backend.lower_better)
    console = Console(options.quiet)
    console.start(len(found.photos), backend.description)
    started, interrupted = time.perf_counter(), False
    try:
        with contextlib.closing(run(found, backend, options.batch_size)) as events:
            for event in events:
                results.add(event)
                console.show(event)
    except KeyboardInterrupt:
        interrupted = True
    console.finish(len(results.scored), len(results.failed), time.perf_counter() - started, interrupted)
    known = CARDS.get(options.metric)
    report = results.report(default_rule(known.score_range if known else None))
    console.table(report.photos[: options.top])
    if options.csv:
        write_csv(report, options.csv)
    if options.json:
        write_json(report, options.json)
    return code_of_run(len(results.failed), interrupted)


def _parse(arguments: Sequence[str] | None) -> BatchOptions:
    parser = argparse.ArgumentParser(
        prog="dpiqa-batch",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for names, settings in _ARGUMENTS:
        parser.add_argument(*names, **settings)
    chosen = vars(parser.parse_args(arguments))
    return BatchOptions(paths=tuple(chosen.pop("paths")), **chosen)


def _print_any_name() -> None:
    """Let characters that the terminal's encoding lacks come out escaped instead of ending the run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _silence_libraries() -> None:
    """Keep Pillow's and pyiqa's warnings off the screen unless Python was asked to show them."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
