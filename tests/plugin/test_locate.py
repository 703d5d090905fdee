"""Finding weights: explicit path, cache, download, in this order; and what is said when none has them."""

import dataclasses
from pathlib import Path

import pytest
import torch
from makers.weights_server import Answer, WeightsServer, send_google_to, serve_drive_file

from dpiqa_plugin import fingerprint
from dpiqa_plugin.cards import CARDS
from dpiqa_plugin.errors import WeightsError
from dpiqa_plugin.locate import cache_dir, find_weights
from dpiqa_plugin.teacher_conversion import converted_path

STUDENT = dataclasses.replace(CARDS["dpiqa_student"], min_size=1)
TEACHER = CARDS["dpiqa"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("NO_PROXY", "*")
    folder = cache_dir()
    assert folder == tmp_path / "torch" / "hub" / "pyiqa"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def server(monkeypatch):
    with WeightsServer() as running:
        send_google_to(running.url(""), monkeypatch)
        yield running


@pytest.fixture
def content(tmp_path) -> bytes:
    torch.save({"weight": torch.ones(3)}, tmp_path / "content.pth")
    return (tmp_path / "content.pth").read_bytes()


def test_a_path_is_taken_as_it_is_and_nothing_is_written_beside_it(tmp_path, server):
    path = tmp_path / "mine" / "epoch 3.pth"
    path.parent.mkdir()
    path.write_bytes(b"judged when it is read")
    assert find_weights(STUDENT, path) == find_weights(STUDENT, str(path)) == path
    assert list(path.parent.iterdir()) == [path]
    assert server.requests == []


def test_a_path_may_start_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mine.pth").touch()
    assert find_weights(STUDENT, "~/mine.pth") == tmp_path / "mine.pth"


def test_a_cached_file_needs_no_network_and_gets_its_sha256_recorded(cache, server, content):
    (cache / "dpiqa_student_koniq.pth").write_bytes(content)  # put there by hand
    path = find_weights(STUDENT)
    assert path == cache / "dpiqa_student_koniq.pth"
    assert fingerprint.sha256(path) in fingerprint.record_path(path).read_text()
    assert server.requests == []


def test_the_record_of_the_first_use_stays(cache, content):
    path = cache / "dpiqa_student_koniq.pth"
    path.write_bytes(content)
    find_weights(STUDENT)
    path.write_bytes(content + b"damage")
    find_weights(STUDENT)
    with pytest.raises(WeightsError, match="has changed"):
        fingerprint.check(path)


def test_a_missing_file_comes_from_google_drive_under_its_published_id(cache, server, content):
    serve_drive_file(server, content)
    path = find_weights(STUDENT)
    assert path == cache / "dpiqa_student_koniq.pth"
    assert path.read_bytes() == content
    assert server.requests[0].query("id") == STUDENT.drive_id


def test_the_name_of_a_data_set_takes_that_card_of_the_same_architecture(cache, content):
    for name in ("dpiqa_student_clive.pth", "dpiqa_clive.pth"):
        (cache / name).write_bytes(content)
    assert find_weights(STUDENT, "clive") == cache / "dpiqa_student_clive.pth"
    assert find_weights(TEACHER, "clive") == cache / "dpiqa_clive.pth"


def test_an_address_is_fetched_once(cache, server, content):
    server.answers["/models/mine.pth"] = Answer(content)
    first = find_weights(STUDENT, server.url("/models/mine.pth?download=1"))
    assert first == find_weights(STUDENT, server.url("/models/mine.pth?download=1"))
    assert first.read_bytes() == content
    assert first.parent == cache
    assert first.name.endswith("mine.pth")
    assert len(server.requests) == 1


def test_addresses_with_the_same_file_name_do_not_meet(server, content, tmp_path):
    server.answers["/a/model.pth"] = Answer(content)
    server.answers["/b/model.pth"] = Answer(content)
    assert find_weights(STUDENT, server.url("/a/model.pth")) != find_weights(
        STUDENT, server.url("/b/model.pth")
    )


def test_a_file_too_small_for_the_architecture_is_refused(server, content):
    serve_drive_file(server, content)
    with pytest.raises(WeightsError, match="too small") as caught:
        find_weights(TEACHER)
    assert TEACHER.drive_id in str(caught.value)
    assert str(cache_dir() / "dpiqa_koniq.pth") in str(caught.value)


def test_the_converted_teacher_is_enough_when_the_original_was_deleted(cache, server):
    converted = converted_path(cache / "dpiqa_koniq.pth")
    converted.touch()
    assert find_weights(TEACHER) == converted
    assert server.requests == []


@pytest.mark.parametrize("weights", ["kadid", "/nowhere/weights.pth"])
def test_anything_else_is_refused_with_what_is_possible(weights):
    with pytest.raises(WeightsError, match="not a file") as caught:
        find_weights(STUDENT, weights)
    assert weights in str(caught.value)
    assert "clive, flive, koniq, spaq" in str(caught.value)


def test_the_bundled_model_is_trained_on_its_own_data_only():
    with pytest.raises(WeightsError, match="one of: biq2021"):
        find_weights(CARDS["dpiqa_lite"], "koniq")


def test_a_bundled_file_that_is_gone_means_a_damaged_installation():
    gone = dataclasses.replace(CARDS["dpiqa_lite"], filename="gone.safetensors")
    with pytest.raises(WeightsError, match=r"gone\.safetensors is missing.*install"):
        find_weights(gone)
