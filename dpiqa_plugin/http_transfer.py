"""Fetch one file over HTTP so that a broken transfer goes on where it stopped, also in a later run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from requests import Response

_BLOCK = 1 << 20
TIMEOUT = (20, 60)
"""Seconds to wait for a connection and, once connected, for the next bytes."""


class TransferError(Exception):
    """A transfer did not bring the file. The text is a clause that says why."""


def fetch(url: str, folder: Path, name: str) -> Path:
    """Bring a file into ``folder``, going on from what an earlier call left there, with a progress bar.

    Going on takes a 206 answer to ``Range`` with ``If-Range`` (RFC 9110, 13.1.5 and 14.2) for the validator
    that came with the first bytes. Without one, or when the file has changed at the server, it starts again.

    Args:
        url: http or https.
        folder: existing and private to this file; keeps the partial file when the transfer breaks.
        name: of the file in ``folder``.

    Returns:
        Path of the file, as long as the server announced.

    Raises:
        TransferError: no connection, an error answer, a web page, or fewer bytes than announced.
        OSError: the disk is full, or another error in writing.
    """
    import requests

    partial = _Partial(folder / name, folder / "validator")
    headers = {"Accept-Encoding": "identity", **partial.range_headers()}
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if response.status_code == 416:  # the partial file is longer than the one now at the server
                partial.discard()
            else:
                _refuse_unusable(response)
                partial.receive(response)
                return partial.path
    except requests.RequestException as error:
        raise TransferError(connection_problem(error, urlsplit(url).netloc)) from error
    return fetch(url, folder, name)


def connection_problem(error: Exception, host: str) -> str:
    """Clause for an exception of ``requests``."""
    import requests

    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke before the end; run again to go on from there"
    if isinstance(error, requests.exceptions.Timeout):
        return f"{host} did not answer in time"
    if isinstance(error, requests.exceptions.ConnectionError):
        return f"no connection to {host} (is this machine online?)"
    return f"{host} could not be asked ({error})"


def _refuse_unusable(response: Response) -> None:
    if response.status_code not in (200, 206):
        raise TransferError(f"the server answered {response.status_code} {response.reason}")
    # Checked before the partial file is touched: a hotel's login page must not cost three gigabytes.
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise TransferError("the server sent a web page instead of the file")


class _Partial:
    """The bytes that have come so far, and the validator of the file at the server that they belong to."""

    def __init__(self, path: Path, validator: Path) -> None:
        self.path = path
        self._validator = validator

    def range_headers(self) -> dict[str, str]:
        if not self.path.exists() or not self._validator.exists():
            return {}
        size = self.path.stat().st_size
        return {"Range": f"bytes={size}-", "If-Range": self._validator.read_text()} if size else {}

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._validator.unlink(missing_ok=True)

    def receive(self, response: Response) -> None:
        """Append a 206 answer, or start again with a 200 answer."""
        start = self._start_of(response)
        total = _announced_size(response, start)
        self._write(response, start, total)
        size = self.path.stat().st_size
        if total is not None and size != total:
            raise TransferError(f"only {size:,} of {total:,} bytes came; run again to go on from there")

    def _start_of(self, response: Response) -> int:
        if response.status_code == 200:
            return 0
        start = self.path.stat().st_size
        if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            raise TransferError("the server sent another part of the file than the one asked for")
        return start

    def _write(self, response: Response, start: int, total: int | None) -> None:
        from tqdm import tqdm

        if not start:
            self._validator.unlink(missing_ok=True)  # it never stands beside other bytes than its own
        with (
            self.path.open("ab" if start else "wb") as file,
            tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=self.path.name) as progress,
        ):
            if not start and (validator := _strong_validator(response)):
                self._validator.write_text(validator)
            for block in response.iter_content(_BLOCK):
                file.write(block)
                progress.update(len(block))


def _strong_validator(response: Response) -> str | None:
    if _is_encoded(response):
        return None  # byte positions would count compressed bytes
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _announced_size(response: Response, start: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() and not _is_encoded(response) else None


def _is_encoded(response: Response) -> bool:
    return response.headers.get("Content-Encoding", "identity") != "identity"
