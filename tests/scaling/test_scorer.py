"""What an actor does with a part, in this process: the engine's scores, wherever the photos come from."""

import os
import re
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from makers.buckets import GsBucket, S3Bucket, save_service_account
from makers.photo_tables import save_table
from makers.photos import save_photo
from pyarrow import parquet

from dpiqa_desktop.engine.backends import create_backend
from dpiqa_desktop.engine.run import choose_stages, run
from dpiqa_desktop.engine.steps import Steps
from dpiqa_desktop.engine.store import Store
from dpiqa_desktop.events import Failed, Scored
from dpiqa_desktop.scaling.plan import Settings, find_plan, make_plan
from dpiqa_desktop.scaling.scorer import SCHEMA, Scorer, Work
from dpiqa_desktop.scaling.source import Source
from dpiqa_desktop.scaling.storage import Storage, plain
from dpiqa_plugin.errors import ReportError, UsageError

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
    """Make the plan as a job does, or find it."""
    storage = Storage(address, out)
    source = Source(plain(address), column)
    settings = Settings(BACKEND.identity, source.name, column, 10**8, size)
    plan = find_plan(storage, plain(out), settings)
    plan = plan or make_plan(storage, plain(out), settings, source.parts(storage, size))
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


KINDS = [S3Bucket, GsBucket]


@pytest.fixture(scope="module")
def google_account(tmp_path_factory):
    file = tmp_path_factory.mktemp("google") / "account.json"
    save_service_account(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        yield


@pytest.fixture(scope="module", params=KINDS)
def bucket(request, google_account):
    with pytest.MonkeyPatch.context() as patch:
        bucket = request.param(patch)
        yield bucket
        bucket.stop()


def test_object_storage_to_object_storage(photos, local, bucket):
    bucket.put_all(photos, "photos")
    job = f"{bucket.address}/photos{bucket.options}", f"{bucket.address}/scores/out{bucket.options}"
    rows = score(*job)
    assert [row["path"] for row in rows] == [
        f"{bucket.address}/photos/{name}"
        for name in ("bulb.webp", "dog.jpg", "sumac.png", "sub #1?/broken.jpg", "sub #1?/large %20.jpg")
    ]
    for row in rows:
        agree(row, local[row["path"].removeprefix(f"{bucket.address}/photos/")])
    storage, again = start(*job)
    assert again.work.plan.done(storage) == [0, 1]


def test_a_column_of_bytes_in_object_storage(photos, local, bucket, tmp_path):
    table = save_table(tmp_path / "photos", [(photos / name).read_bytes() for name in local], group=2)
    bucket.put("sets/train/photos.parquet", table.read_bytes())
    rows = score(f"{bucket.address}/sets{bucket.options}", str(tmp_path / "out"), "photo")
    assert rows[0]["path"] == f"{bucket.address}/sets/train/photos.parquet#0"
    for row, event in zip(rows, local.values(), strict=True):
        agree(row, event)


def test_an_object_that_is_gone_is_a_row_with_a_reason(photos, local, bucket, tmp_path):
    bucket.put("few/dog.jpg", (photos / "dog.jpg").read_bytes())
    names = [f"{bucket.address}/few/{name}" for name in ("dog.jpg", "gone.jpg", "/no key.jpg")]
    bucket.put("list.parquet", save_table(tmp_path / "list", names).read_bytes())
    dog, gone, no_key = score(
        f"{bucket.address}/list.parquet{bucket.options}", str(tmp_path / "out"), "photo"
    )
    agree(dog, local["dog.jpg"])
    assert bucket.absence in gone["error"]
    assert "error_info" not in gone["error"]
    assert "Empty path component" in no_key["error"]


class Forbidding(BaseHTTPRequestHandler):
    """Object storage after the keys have expired."""

    def do_HEAD(self) -> None:
        self.send_response(403)
        self.end_headers()

    do_GET = do_HEAD  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


class ForbiddingOne(Forbidding):
    """Google's, for somebody who may read and list objects, all but one, and know nothing of the bucket."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.send_response(403 if path.endswith(("/b/bucket", "dog.jpg")) else 404)
        self.end_headers()


def score_behind(kind, handler, photos, out, patch):
    """Score the one photo in a bucket in front of which there is suddenly another server."""
    bucket = kind(patch)
    bucket.put("photos/dog.jpg", (photos / "dog.jpg").read_bytes())
    _, scorer = start(f"{bucket.address}/photos{bucket.options}", str(out))
    bucket.stop()
    with ThreadingHTTPServer(bucket.host_port, handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            return scorer.score(0)
        finally:
            server.shutdown()


@pytest.mark.parametrize("kind", KINDS)
def test_no_part_is_written_when_the_keys_expire(kind, photos, tmp_path, google_account, monkeypatch):
    """All its photos would be failures, and never be looked at again."""
    with pytest.raises(OSError, match=kind.refusal):
        score_behind(kind, Forbidding, photos, tmp_path / "out", monkeypatch)
    assert os.listdir(tmp_path / "out") == ["_plan.parquet"]


def test_one_object_that_is_refused_is_a_failure(photos, tmp_path, google_account, monkeypatch):
    told = score_behind(GsBucket, ForbiddingOne, photos, tmp_path / "out", monkeypatch)
    ((failure),) = told["failed"]
    assert failure["reason"].startswith("cannot be fetched: PERMISSION_DENIED: ")


@pytest.mark.parametrize("name", ["bucket/nowhere/photos", "bucket/empty.parquet", "nobucket/photos"])
def test_what_is_not_in_object_storage(name, bucket):
    address = bucket.address.replace("bucket", name)
    with pytest.raises(UsageError, match=f"no such file or folder: {address}"):
        list(Source(address, None).parts(Storage(address + bucket.options), 3))


def test_no_bucket_to_write_to(photos, bucket):
    out = bucket.address.replace("bucket", "nobucket/scores")
    with pytest.raises(ReportError, match=f"--out {out}: cannot be written"):
        start(str(photos), out + bucket.options)


def test_google_without_credentials(tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "gone.json"))
    with pytest.raises(
        UsageError, match=r"cannot read gs://bucket/photos: .*Cannot open credentials file \S+$"
    ):
        list(Source("gs://bucket/photos", None).parts(Storage(), 3))


def test_google_is_not_waited_for_for_a_quarter_of_an_hour():
    """That would be its client's default, before it says that there are no credentials."""
    found = [Storage(address).find("gs://bucket/x")[0] for address in PATIENCE]
    assert [filesystem.equals(found[0]) for filesystem in found] == [True, True, False]


PATIENCE = [f"gs://bucket/{query}" for query in ("", "?retry_limit_seconds=30", "?retry_limit_seconds=900")]


def test_every_column_is_documented(request):
    document = (request.config.rootpath / "docs" / "scaling.md").read_text(encoding="utf-8")
    table = document.partition("| column | what |")[2].partition("\n\n")[0]
    columns = [name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row[: row.find("|", 1)])]
    assert columns == SCHEMA.names
