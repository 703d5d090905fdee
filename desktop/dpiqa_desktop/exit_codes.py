"""How a run ended, as a number for scripts: ``docs/exit-codes.md`` documents every one."""

from __future__ import annotations

from enum import IntEnum

from dpiqa_plugin.errors import DPIQAError, UsageError


class ExitCode(IntEnum):
    """What ``dpiqa-batch`` returns to the shell."""

    ALL_SCORED = 0
    SOME_FAILED = 1
    USAGE = 2  # argparse's own choice, too
    CANNOT_RUN = 3
    CRASHED = 70  # EX_SOFTWARE of sysexits.h
    INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def code_of_error(error: DPIQAError) -> ExitCode:
    """The code of an error that ended the run before or after the scoring."""
    return ExitCode.USAGE if isinstance(error, UsageError) else ExitCode.CANNOT_RUN


def code_of_run(failed: int, interrupted: bool) -> ExitCode:
    """The code of a run that got as far as scoring: an interruption wins over failed photos."""
    if interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.SOME_FAILED if failed else ExitCode.ALL_SCORED
