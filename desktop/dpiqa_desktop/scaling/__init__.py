"""Past one machine: the same scores by a Ray cluster, as Parquet in parts that no second run repeats."""

from __future__ import annotations

from dpiqa_desktop.exit_codes import ExitCode
from dpiqa_desktop.options import BatchOptions
from dpiqa_plugin.errors import MissingExtraError


def score_on_cluster(options: BatchOptions) -> ExitCode:
    """Do what ``--ray`` asks for.

    Raises:
        MissingExtraError: Ray is not installed.
        DPIQAError: nothing could be scored, or not everything could be written.
    """
    try:
        import ray.data  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("--ray", "ray") from error
    from dpiqa_desktop.scaling.job import score_source

    return score_source(options)
