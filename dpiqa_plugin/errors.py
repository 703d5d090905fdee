"""The errors a user can meet: each says what happened, to which file, and what to do next."""

from __future__ import annotations


class DPIQAError(Exception):
    """Base of every error this project raises on purpose. ``str(error)`` is meant for the user's eyes."""


class MissingExtraError(DPIQAError, ImportError):
    """A feature needs packages that the light base leaves out.

    Args:
        feature: what was asked for, e.g. ``"the metric dpiqa"``.
        extra: name of the extra of the distribution ``dpiqa`` that brings them.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs packages that are not installed. "
            f'Install them with: pip install "dpiqa[{extra}]"'
        )
        self.extra = extra


class WeightsError(DPIQAError):
    """Model weights could not be found, fetched, trusted or fitted to the model."""


class PhotoError(DPIQAError):
    """One photo could not be read. The batch records the reason and goes on."""


class UsageError(DPIQAError):
    """What was asked for cannot be done as asked: a folder that is not there, a metric nobody knows."""


class MetricError(DPIQAError):
    """A metric that exists could not be made ready, for a reason other than its weights."""


class StoreError(DPIQAError):
    """The store of scores cannot be opened or written. A run goes on without it."""


class ReportError(DPIQAError):
    """The results could not be written where they should go."""
