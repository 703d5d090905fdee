"""Fetch one file from Google Drive with gdown, and put gdown's ways of failing into our words."""

from __future__ import annotations

import re
from pathlib import Path

from dpiqa_plugin.errors import MissingExtraError
from dpiqa_plugin.http_transfer import TIMEOUT, TransferError, connection_problem


def fetch(drive_id: str, folder: Path, name: str) -> Path:
    """Bring a public file into ``folder``, going on from where an earlier call stopped, with a progress bar.

    Args:
        drive_id: the file's id.
        folder: existing and private to this file: gdown resumes from whatever ``name*.part`` it finds there.
        name: of the file in ``folder``.

    Returns:
        Path of the file, as long as Google announced.

    Raises:
        TransferError: no connection, quota reached, a web page, or fewer bytes than announced.
        OSError: the disk is full, or another error in writing.
    """
    try:
        import gdown
    except ImportError as error:
        raise MissingExtraError("Downloading weights from Google Drive", "pyiqa") from error
    import requests

    try:
        # Without cookies: gdown would read and write ~/.cache/gdown, and public files need none.
        gdown.download(
            id=drive_id,
            output=str(folder / name),
            resume=True,
            use_cookies=False,
            timeout=TIMEOUT,
            log_messages={"start": f"Downloading {name}\n", "output": ""},
        )
    except gdown.exceptions.FileURLRetrievalError as error:
        raise TransferError(_refusal(str(error))) from error
    except gdown.exceptions.DownloadError as error:
        raise TransferError(
            f"the transfer broke off ({_one_line(str(error))}); run again to go on from there, "
            f"or delete {folder} to start afresh"
        ) from error
    except requests.HTTPError as error:
        raise TransferError(f"Google Drive refused it ({error})") from error
    except requests.RequestException as error:
        raise TransferError(connection_problem(error, "Google Drive")) from error
    return folder / name


def _refusal(gdown_text: str) -> str:
    text = _one_line(gdown_text)
    if re.search("too many users|quota", text, re.IGNORECASE):
        return (
            "its download quota at Google Drive is used up for now (Google says it may take up to 24 hours)"
        )
    return f"Google Drive sent a web page instead of the file ({text})"


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
