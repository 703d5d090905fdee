"""Joins a Ray cluster, or starts one on this machine, and chooses what of it an actor gets."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import ray

from dpiqa_desktop.engine.backends import create_backend
from dpiqa_desktop.options import DEFAULT_METRIC, BatchOptions
from dpiqa_plugin.errors import DPIQAError, MetricError, UsageError

# More do not help a single Python process: what it does between decoding and scoring takes turns.
_MOST_CORES = 4
_SECONDS_TO_ANSWER = 10


@dataclass(frozen=True)
class Share:
    """What an actor gets.

    Attributes:
        cores: for decoding, and for the model if that runs on the CPU.
        gpus: may be a part of one.
        actors: that fit into the cluster as it is now.
    """

    cores: int
    gpus: float
    actors: int


@dataclass(frozen=True)
class Model:
    """A metric as the cluster's machines have it; see ``Backend``."""

    identity: str
    description: str


@contextlib.contextmanager
def joined(address: str) -> Iterator[None]:
    """Be part of the cluster inside the ``with``.

    Args:
        address: ``HOST:PORT``, ``"auto"`` for the one that runs here, ``"local"`` for a new one on this
            machine; empty for the one that runs here, else a new one.

    Raises:
        UsageError: it cannot be joined.
    """
    # Photos are nobody's business: Ray would tell its makers about the cluster.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Or it prints an error for every pool of actors whose constructor has arguments.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    _expect_somebody(address)
    try:
        ray.init(address or None, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(f"--ray {address}: this cluster cannot be joined: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _expect_somebody(address: str) -> None:
    """Find out in seconds that nobody is there: Ray goes on trying for minutes."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise UsageError(f"--ray {address}: no cluster answers there: {error}") from error


def choose_share(options: BatchOptions) -> Share:
    """As asked for; else GPUs for what wants them where there are any, with their machines' cores.

    Raises:
        UsageError: GPUs are asked for, and no machine has them: one that is started by and by has cores, but
            seldom GPUs, so that a job would wait for ever.
    """
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    gpus = options.num_gpus
    if gpus is None:
        gpus = 1.0 if _wants_gpu(options, machines) else 0.0
    cores = options.num_cpus or _cores(machines, gpus)
    share = Share(cores, gpus, sum(_actors(machine, cores, gpus) for machine in machines))
    if gpus and not share.actors:
        raise UsageError(
            f"no machine of the cluster has {gpus:g} GPUs and {cores} cores for a model: add one by "
            "ray start --num-gpus, or ask for less, for none by --num-gpus 0 --device cpu"
        )
    return share


def _wants_gpu(options: BatchOptions, machines: list[dict[str, float]]) -> bool:
    if options.device != "auto":
        return options.device == "cuda"
    # The bundled model waits for the decoders wherever it runs.
    heavy = options.metric != DEFAULT_METRIC and options.backend != "openvino"
    return heavy and any(machine.get("GPU", 0) >= 1 for machine in machines)


def _cores(machines: list[dict[str, float]], gpus: float) -> int:
    if gpus:
        shares = [m.get("CPU", 1) * gpus / m["GPU"] for m in machines if m.get("GPU", 0) >= gpus]
        return max(1, int(min(shares, default=_MOST_CORES)))
    largest = max((machine.get("CPU", 0) for machine in machines), default=0)
    return min(_MOST_CORES, int(largest)) or _MOST_CORES


def _actors(machine: dict[str, float], cores: int, gpus: float) -> int:
    fitting = machine.get("CPU", 0) / cores
    return int(min(fitting, machine.get("GPU", 0) / gpus) if gpus else fitting)


def device_of(options: BatchOptions, share: Share) -> str:
    """The device in an actor: its machine may have a GPU that is not the actor's."""
    if options.device == "auto":
        return "cuda" if share.gpus else "cpu"
    return options.device


def look_at_model(options: BatchOptions, share: Share) -> Model:
    """Let a machine that will score tell what the metric is there.

    Raises:
        DPIQAError: it cannot be had there.
    """
    task = ray.remote(_look).options(num_cpus=share.cores, num_gpus=share.gpus)
    found = ray.get(task.remote(options.metric, device_of(options, share), options.backend))
    if isinstance(found, Model):
        return found
    usage, told = found
    raise UsageError(told) if usage else MetricError(told)


def _look(metric: str, device: str, backend: str) -> Model | tuple[bool, str]:
    """The model, or whether it was asked for wrongly, and what is wrong."""
    try:
        found = create_backend(metric, device, backend)
    except DPIQAError as error:  # as words: not every error survives the way back
        return isinstance(error, UsageError), str(error)
    return Model(found.identity, found.description)
