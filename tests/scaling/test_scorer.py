"""What an actor does with a part, in this process: the engine's scores, wherever the photos come from."""

import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from makers.photo_tables import save_table
from makers.photos import save_photo
from pyarrow import fs, parquet

from dpiqa_desktop.engine.backends import create_backend
from dpiqa_desktop.engine.run import choose_stages, run
from dpiqa_desktop.engine.steps import Steps
from dpiqa_desktop.engine.store import Store
from dpiqa_desktop.events import Failed, Scored
from dpiqa_desktop.scaling.plan import Settings, make_plan
from dpiqa_desktop.scaling.scorer import Scorer, Work
from dpiqa_desktop.scaling.source import Source
from dpiqa_desktop.scaling.storage import Storage, plain
from dpiqa_plugin.errors import UsageError

BACKEND = create_backend("dpiqa_lite")


@pytest.fixture(scope="module")
def photos(tmp_path_factory, request):
    """Photos of several formats, one broken, in two folders."""
    folder = tmp_path_factory.mktemp("photos")
    examples = request.config.rootpath / "examples" / "photos"
    for name in ("dog.jpg", "sumac.png", "bulb.webp"):
        shutil.copy(examples / name, folder)
    (folder / "sub #1?").mkdir()
    save_photo(folder / "sub #1?" / "large %20.jpg", 1, (2000, 1500))
    (folder / "sub #1?" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    return folder


@pytest.fixture(scope="module")
def local(photos):
    """What the engine of one machine says: events by path below the folder."""
    paths = [str(path) for path in photos.rglob("*.*") if path.is_file()]
    events = run(paths, Steps(BACKEND, Store(None)), choose_stages(BACKEND))
    return {e.path.removeprefix(f"{photos}/"): e for e in events if isinstance(e, (Scored, Failed))}


def start(address, out, column=None, size=4):
    """Make the plan as a job does."""
    storage = Storage(address, out)
    source = Source(plain(address), column)
    settings = Settings(BACKEND.identity, source.name, column, 10**8, size)
    plan = make_plan(storage, plain(out), settings, source.parts(storage, size))
    work = Work(
        plan=plan,
        source=source,
        addresses=(address, out),
        bytes=source.holds_bytes(storage),
        metric="dpiqa_lite",
        device="cpu",
        backend="auto",
        batch_size=None,
        max_pixels=10**8,
        cores=1,
        model=BACKEND.identity,
    )
    return storage, Scorer(work)


def score(*arguments):
    """Make the plan and all its parts; return the rows, in order."""
    storage, scorer = start(*arguments)
    plan = scorer.work.plan
    rows = []
    for part in range(len(plan.sizes)):
        told = scorer.score(part)
        filesystem, path = storage.find(plan.part(part))
        of_part = parquet.read_table(path, filesystem=filesystem).to_pylist()
        assert told["scored"] == sum(row["error"] is None for row in of_part)
        assert [failure["path"] for failure in told["failed"]] == [r["path"] for r in of_part if r["error"]]
        rows += of_part
    assert plan.done(storage) == list(range(len(plan.sizes)))
    return rows


def agree(row, event):
    """Equal to the last bit: a float32 becomes a Python float without loss."""
    assert row["model"] == BACKEND.identity
    if isinstance(event, Failed):
        assert (row["score"], row["error"]) == (None, event.reason)
    else:
        assert (row["score"], row["uncertainty"], row["error"]) == (event.score, event.uncertainty, None)


def test_a_folder(photos, local, tmp_path):
    rows = score(str(photos), str(tmp_path / "out"))
    assert len(rows) == len(local) == 5
    for row in rows:
        agree(row, local[row["path"].removeprefix(f"{photos}/")])


def test_a_column_of_paths(photos, local, tmp_path):
    names = [*local, "gone.jpg"]
    table = save_table(tmp_path / "list.parquet", [f"{photos}/{name}" for name in names])
    *rows, gone = score(str(table), str(tmp_path / "out"), "photo")
    for row, name in zip(rows, local, strict=True):
        agree(row, local[name])
    assert gone["error"] == "No such file or directory"


def test_a_column_of_bytes(photos, local, tmp_path):
    contents = [(photos / name).read_bytes() for name in local]
    table = save_table(tmp_path / "photos.parquet", [*contents, None, *contents], group=2)
    rows = score(str(table), str(tmp_path / "out"), "photo")
    assert [row["path"] for row in rows] == [f"{table}#{number}" for number in range(11)]
    assert rows[5]["error"] == "the table has no photo here"
    for row, event in zip([*rows[:5], *rows[6:]], [*local.values()] * 2, strict=True):
        agree(row, event)


@pytest.fixture(scope="module", autouse=True)
def keys():
    """What a client of object storage wants to have, whatever it is."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


class Bucket:
    """A bucket on a server of this process; ``options`` lead there."""

    address = "s3://bucket"

    def __init__(self) -> None:
        self.server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self.server.start()
        host, port = self.server.get_host_and_port()
        self.options = f"?endpoint_override={host}:{port}&scheme=http&region=us-east-1"
        self._files, _ = fs.FileSystem.from_uri(f"s3://bucket/{self.options}&allow_bucket_creation=true")
        self._files.create_dir("bucket")

    def put(self, name: str, content: bytes) -> None:
        with self._files.open_output_stream(f"bucket/{name}") as file:
            file.write(content)

    def put_all(self, folder: Path, prefix: str) -> None:
        for path in folder.rglob("*.*"):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())


@pytest.fixture(scope="module")
def bucket(keys):
    bucket = Bucket()
    yield bucket
    bucket.server.stop()


def test_object_storage_to_object_storage(photos, local, bucket):
    bucket.put_all(photos, "photos")
    rows = score(f"s3://bucket/photos{bucket.options}", f"s3://bucket/scores/out{bucket.options}")
    assert len(rows) == len(local)
    for row in rows:
        agree(row, local[row["path"].removeprefix("s3://bucket/photos/")])


def test_an_object_that_is_gone_is_a_row_with_a_reason(photos, local, bucket, tmp_path):
    bucket.put("few/dog.jpg", (photos / "dog.jpg").read_bytes())
    table = save_table(tmp_path / "list", ["s3://bucket/few/dog.jpg", "s3://bucket/few/gone.jpg"])
    bucket.put("list.parquet", table.read_bytes())
    dog, gone = score(f"s3://bucket/list.parquet{bucket.options}", str(tmp_path / "out"), "photo")
    agree(dog, local["dog.jpg"])
    assert "does not exist" in gone["error"]


class Forbidding(BaseHTTPRequestHandler):
    """Object storage after the keys have expired."""

    def do_HEAD(self) -> None:
        self.send_response(403)
        self.end_headers()

    do_GET = do_HEAD  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


def test_no_part_is_written_when_the_keys_expire(photos, tmp_path):
    """All its photos would be failures, and never be looked at again."""
    bucket = Bucket()
    bucket.put("photos/dog.jpg", (photos / "dog.jpg").read_bytes())
    _, scorer = start(f"s3://bucket/photos{bucket.options}", str(tmp_path / "out"))
    address = bucket.server.get_host_and_port()
    bucket.server.stop()
    with ThreadingHTTPServer(address, Forbidding) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            with pytest.raises(OSError, match="ACCESS_DENIED"):
                scorer.score(0)
        finally:
            server.shutdown()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["_plan.parquet"]


@pytest.mark.parametrize("name", ["nowhere/photos", "empty.parquet"])
def test_what_is_not_in_the_bucket(name, bucket):
    address = f"s3://bucket/{name}{bucket.options}"
    with pytest.raises(UsageError, match="no such file or folder: s3://bucket"):
        list(Source(plain(address), None).parts(Storage(address), 3))
