"""Object storage on this machine: a bucket of each kind, found by what a user's own would be found by."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import fs

# In a process of its own: pyarrow waits for an answer without letting go of Python's lock.
_EMULATOR = """
import sys
from gcp_storage_emulator.server import create_server

server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
server.start()
print(server._api._httpd.server_address[1], flush=True)
sys.stdin.read()
server.stop()
"""


class Bucket:
    """``address`` and ``options`` lead to it; ``host_port`` to its server.

    Args:
        patch: keeps what was set in the environment.
    """

    address: str
    options = ""
    host_port: tuple[str, int]

    def put(self, name: str, content: bytes) -> None:
        filesystem, _ = fs.FileSystem.from_uri(f"{self.address}/{self.options}")
        with filesystem.open_output_stream(f"bucket/{name}") as file:
            file.write(content)

    def put_all(self, folder: Path, prefix: str) -> None:
        for path in folder.rglob("*.*"):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())


class S3Bucket(Bucket):
    address = "s3://bucket"
    refusal = "ACCESS_DENIED"
    absence = "does not exist"

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        self._server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._server.start()
        host, port = self.host_port = self._server.get_host_and_port()
        self.options = f"?endpoint_override={host}:{port}&scheme=http&region=us-east-1"
        files, _ = fs.FileSystem.from_uri(f"s3://bucket/{self.options}&allow_bucket_creation=true")
        files.create_dir("bucket")

    def stop(self) -> None:
        self._server.stop()


class GsBucket(Bucket):
    address = "gs://bucket"
    refusal = "PERMISSION_DENIED"
    absence = "NOT_FOUND"

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("gcp_storage_emulator")
        self._server = subprocess.Popen(
            [sys.executable, "-c", _EMULATOR],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.host_port = ("127.0.0.1", int(self._server.stdout.readline()))
        patch.setenv("CLOUD_STORAGE_EMULATOR_ENDPOINT", "http://{}:{}".format(*self.host_port))

    def stop(self) -> None:
        self._server.communicate()


def save_service_account(file: Path) -> None:
    """Google's client signs its requests with such a key and asks nobody for leave."""
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account",
        "client_email": "tests@example.com",
        "private_key_id": "1",
        "private_key": key.decode(),
        "token_uri": "http://127.0.0.1:1/",
    }
    file.write_text(json.dumps(account))
