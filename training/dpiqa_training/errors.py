"""The errors of training that a user can meet, beside those of ``dpiqa_plugin``."""

from __future__ import annotations

from dpiqa_plugin.errors import DPIQAError, UsageError


class RecipeError(UsageError):
    """A recipe cannot be read, or asks for what cannot be done on this machine."""


class ResumeError(DPIQAError):
    """A checkpoint cannot be gone on from: it is damaged, or of another recipe, photos or processes."""


class CacheError(DPIQAError):
    """What a frozen model made of a photo is not in the cache, or cannot be read from it or written to it."""


class CheckpointError(DPIQAError):
    """The state of a run cannot be written."""


class LogError(DPIQAError):
    """The log of a run cannot be written."""


class DivergedError(DPIQAError):
    """The model cannot learn: the loss is no longer a number, or no gradient gets through."""


def plain_message(error: DPIQAError) -> str:
    """Give the error's own words: before one of a process that decodes photos torch puts its traceback."""
    name = f"{type(error).__module__}.{type(error).__name__}"
    return str(error).rstrip().rpartition(f"\n{name}: ")[2]
