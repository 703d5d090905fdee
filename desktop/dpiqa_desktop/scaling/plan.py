"""A job's list of photos, written down before the first is scored, so that its parts never change.

``_plan.parquet`` in the output folder has a row for each photo and a row group for each part. What is scored
is ``part-00000000-JOB.parquet`` and so on, where JOB stands for the model and the list: a part that is there
is done. Nothing is listed again when a job is resumed.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import xxhash
from pyarrow import fs, parquet

from dpiqa_desktop.scaling.source import Entry
from dpiqa_desktop.scaling.storage import Storage, is_remote
from dpiqa_plugin.errors import ReportError, UsageError

_NAME = "_plan.parquet"
# Names in the bytes that the system has for them: not all are UTF-8.
_SCHEMA = pa.schema({"name": pa.binary(), "reason": pa.string()})
_KEY = b"dpiqa"


@dataclass(frozen=True)
class Settings:
    """What must be equal for a job to be the same one, beside its list.

    Attributes:
        model: identity of the metric and its weights.
        source: where the photos are.
        column: of a table; None for files.
        max_pixels: larger photos are refused.
        part_size: photos to a part.
    """

    model: str
    source: str
    column: str | None
    max_pixels: int
    part_size: int


@dataclass(frozen=True)
class Plan:
    """The parts of a job.

    Attributes:
        out: folder with the plan and the parts.
        job: hash of model and list, hexadecimal.
        sizes: photos in each part.
    """

    out: str
    job: str
    sizes: tuple[int, ...]

    def part(self, number: int) -> str:
        """Name of a part's file."""
        return f"{self.out}/part-{number:08d}-{self.job}.parquet"

    def done(self, storage: Storage) -> list[int]:
        """Numbers of the parts that are there.

        Raises:
            UsageError: there are parts of another job.
        """
        expected = {_last(self.part(number)): number for number in range(len(self.sizes))}
        there = [_last(name) for name, _ in storage.listing(self.out)]
        parts = [name for name in there if name.startswith("part-")]
        strangers = [name for name in parts if name not in expected]
        if strangers:
            raise UsageError(f"{self.out} holds parts of another job, {strangers[0]}: give another --out")
        return [expected[name] for name in parts]


class Entries:
    """Reads the photos of one part after the other; keeps the plan open."""

    def __init__(self, storage: Storage, out: str) -> None:
        self._plan = storage.open_parquet(f"{out}/{_NAME}")

    def of(self, part: int) -> list[Entry]:
        """Photos of a part, in order."""
        rows = self._plan.read_row_group(part).to_pylist()
        return [Entry(os.fsdecode(row["name"]), row["reason"]) for row in rows]


def find_plan(storage: Storage, out: str, settings: Settings) -> Plan | None:
    """Read the plan in ``out``; None if there is nothing in that folder, or no folder.

    Raises:
        UsageError: something else is there, a job of other settings for one.
    """
    try:
        kind = storage.info(out).type
        if kind == fs.FileType.File:
            raise UsageError(f"--out {out}: is a file; give a folder")
        if storage.info(f"{out}/{_NAME}").type == fs.FileType.NotFound:
            if kind == fs.FileType.Directory and storage.listing(out):
                raise UsageError(
                    f"--out {out}: is not empty and holds no scores of dpiqa-batch --ray: give another folder"
                )
            return None
        with storage.open_parquet(f"{out}/{_NAME}") as plan:
            groups = plan.metadata
            told = json.loads(groups.metadata[_KEY])
            sizes = tuple(groups.row_group(number).num_rows for number in range(groups.num_row_groups))
    except (OSError, KeyError, pa.ArrowException) as error:
        raise UsageError(f"--out {out}: cannot be read: {error}") from error
    for key, value in asdict(settings).items():
        if told["settings"][key] != value:
            raise UsageError(
                f"--out {out}: holds scores of another job, with {key.replace('_', ' ')} "
                f"{told['settings'][key]} where this one has {value}: give another folder"
            )
    return Plan(out, told["job"], sizes)


def make_plan(storage: Storage, out: str, settings: Settings, parts: Iterable[list[Entry]]) -> Plan:
    """Write down what is to be scored; the folder is made if it is missing.

    Raises:
        UsageError: there are no photos.
        ReportError: it cannot be written.
    """
    digest = xxhash.xxh3_64(json.dumps(asdict(settings)).encode())
    sizes = []
    with tempfile.TemporaryDirectory(prefix="dpiqa-") as scratch:
        file = Path(scratch) / _NAME
        with parquet.ParquetWriter(file, _SCHEMA) as writer:
            for part in parts:
                names = [os.fsencode(entry.name) for entry in part]
                for name in names:
                    digest.update(name + b"\0")
                digest.update(b"\0")
                table = pa.table([names, [entry.reason for entry in part]], schema=_SCHEMA)
                writer.write_table(table, row_group_size=len(part))
                sizes.append(len(part))
            if not sizes:
                raise UsageError(f"no photos in {settings.source}")
            told = {"settings": asdict(settings), "job": digest.hexdigest()}
            writer.add_key_value_metadata({_KEY: json.dumps(told).encode()})
        try:
            if not is_remote(out):
                os.makedirs(out, exist_ok=True)
            storage.put(file, f"{out}/{_NAME}")
        except OSError as error:
            raise ReportError(f"--out {out}: cannot be written: {error.strerror or error}") from error
    return Plan(out, digest.hexdigest(), tuple(sizes))


def _last(name: str) -> str:
    return name.rpartition("/")[2]
