"""A local web server that answers as the real ones do: ranges, validators, broken transfers, web pages."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

import pytest
import requests


@dataclass(frozen=True)
class Answer:
    """How one address answers.

    Attributes:
        content: body for the whole file.
        etag: validator; None for a server that sends none.
        ranges: whether ``Range`` is honoured.
        cut_at: the connection closes after this byte of the file, whatever was announced.
        stays_open: with ``cut_at``: closes only once this is set.
        announces_length: without it, the end of the connection is the end of the file.
    """

    content: bytes = b""
    status: int = 200
    content_type: str = "application/octet-stream"
    etag: str | None = '"first"'
    ranges: bool = True
    cut_at: int | None = None
    stays_open: threading.Event | None = None
    announces_length: bool = True
    location: str | None = None
    attachment: bool = False


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    path: str
    headers: dict[str, str]

    def query(self, key: str) -> str | None:
        """Value of one query parameter."""
        return parse_qs(urlsplit(self.path).query).get(key, [None])[0]


class WeightsServer:
    """Serves ``answers`` by path, on 127.0.0.1, and keeps what was asked in ``requests``."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Callable[[Request], Answer]] = {}
        self.requests: list[Request] = []
        self._server = _QuietServer(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def __enter__(self) -> WeightsServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests."""


def _handler_of(server: WeightsServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            request = Request(self.path, dict(self.headers))
            server.requests.append(request)
            answer = server.answers.get(urlsplit(self.path).path, Answer(b"nothing here", status=404))
            self._send(answer(request) if callable(answer) else answer)

        def _send(self, answer: Answer) -> None:
            start = self._requested_start(answer)
            if start and start >= len(answer.content):
                answer, start = Answer(status=416), 0
            self.send_response(206 if start else answer.status)
            self._send_headers(answer, start)
            self.wfile.write(answer.content[start : answer.cut_at])
            if answer.stays_open:
                answer.stays_open.wait(timeout=60)
            self.close_connection = True

        def _send_headers(self, answer: Answer, start: int) -> None:
            size = len(answer.content)
            headers = {
                "Content-Type": answer.content_type,
                "Content-Length": str(size - start) if answer.announces_length else None,
                "Content-Range": f"bytes {start}-{size - 1}/{size}" if start else None,
                "ETag": answer.etag,
                "Location": answer.location,
                "Content-Disposition": 'attachment; filename="weights.pth"' if answer.attachment else None,
            }
            for name, value in headers.items():
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()

        def _requested_start(self, answer: Answer) -> int:
            wanted = self.headers.get("Range", "")
            if not answer.ranges or not wanted or self.headers.get("If-Range", answer.etag) != answer.etag:
                return 0
            return int(wanted.removeprefix("bytes=").removesuffix("-"))

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def serve_drive_file(server: WeightsServer, content: bytes, cut_at: int | None = None) -> None:
    """Answer as Google Drive does for a big public file: redirect, "can't scan it" page, then the file."""
    file = Answer(content, cut_at=cut_at, attachment=True)
    page = Answer(_CONFIRM_PAGE.encode(), content_type="text/html; charset=utf-8", etag=None)
    first_host = "https://drive.usercontent.google.com/download?export=download&id="
    server.answers["/uc"] = lambda request: Answer(status=303, location=f"{first_host}{request.query('id')}")
    server.answers["/download"] = lambda request: file if request.query("confirm") == "t" else page


def send_google_to(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let requests to Google's hosts reach a local address, as a changed name server would."""
    real_send = requests.adapters.HTTPAdapter.send

    def send(
        adapter: requests.adapters.HTTPAdapter, request: requests.PreparedRequest, **options: object
    ) -> requests.Response:
        asked = urlsplit(request.url)
        if not asked.netloc.endswith(".google.com"):
            return real_send(adapter, request, **options)
        rerouted = request.copy()
        rerouted.url = f"{server_url}{asked.path}?{asked.query}"
        response = real_send(adapter, rerouted, **options)
        response.url = request.url
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)


# On one line, as Google sends it: gdown looks for the whole form line by line.
_CONFIRM_PAGE = (
    "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>"
    '<p class="uc-warning-caption">Google Drive can\'t scan this file for viruses.</p>'
    '<form id="download-form" action="https://drive.usercontent.google.com/download" method="get">'
    '<input type="submit" id="uc-download-link" value="Download anyway"/>'
    '<input type="hidden" name="id" value="an-id"><input type="hidden" name="export" value="download">'
    '<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="a-uuid">'
    "</form></body></html>"
)

QUOTA_PAGE = (
    "<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>"
    '<p class="uc-error-caption">Sorry, you can\'t view or download this file at this time.</p>'
    '<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently. Please try '
    "accessing the file again later. If the file you are trying to access is particularly large or is shared "
    "with many people, it may take up to 24 hours to be able to view or download the file.</p></body></html>"
)
