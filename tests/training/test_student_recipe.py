"""The student's recipe on reduced models: it learns opinion and the teacher's map, from the right views."""

import importlib
import weakref
from dataclasses import replace

import pytest
import torch
from accelerate.state import AcceleratorState
from makers.event_log import logged
from makers.tiny_papers import STUDENT, save_tiny_koniq
from safetensors.torch import load_file, save_file

from dpiqa_plugin.models.student import REDUCED, Student
from dpiqa_plugin.models.teacher import REDUCED as REDUCED_TEACHER
from dpiqa_plugin.models.teacher import Teacher
from dpiqa_plugin.weights_file import ABOUT_KEY
from dpiqa_training.batches import View
from dpiqa_training.datasets.koniq import read_koniq
from dpiqa_training.photo_views import PhotoViews
from dpiqa_training.recipes import student as recipe
from dpiqa_training.recipes.student import train_student
from dpiqa_training.splits import of_part

# So slow that the student stays what it was: its map may die at the tests' usual rate.
IDLE = replace(STUDENT, epochs=1, lr=1e-6)


@pytest.fixture(autouse=True)
def _fresh_accelerator():
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return read_koniq(save_tiny_koniq(tmp_path_factory.mktemp("koniq")))


@pytest.fixture
def train(photos, tmp_path):
    def run(config, repeat=1, **options):
        training = of_part(photos, "train") * repeat
        options = {"reduced": True, **options}
        return train_student(config, training, of_part(photos, "val"), tmp_path, "koniq", **options)

    return run


def test_score_and_map_are_learnt_on_a_few_photos(train):
    config = replace(STUDENT, epochs=5, lr=1e-3, micro_batch=4, flips=False, checkpoint_steps=100)
    log = train(config, repeat=10).with_name("tensorboard")
    for part, share in (("score", 0.5), ("map", 0.7)):
        found = list(logged(log, f"training/{part}").values())
        assert sum(found[-5:]) < share * sum(found[:5]), part


def test_the_best_epoch_loads_into_the_model_of_the_metric(train):
    Student(REDUCED).load_state_dict(load_file(train(IDLE)))


def test_the_teacher_looks_at_mirrored_views_only_where_they_are_trained_on(train, tmp_path):
    train(replace(IDLE, flips=False))
    assert len(list(tmp_path.rglob("teacher/**/*.safetensors"))) == 8
    assert not list(tmp_path.rglob("*-flipped.safetensors"))


def test_the_teachers_memory_is_free_when_the_student_trains(train, monkeypatch):
    make, teachers = recipe._reduced_teacher, []

    def make_watched():
        teacher = make()
        teachers.append(weakref.ref(teacher))
        return teacher

    def fit(*_):
        return [teacher() for teacher in teachers]

    monkeypatch.setattr(recipe, "_reduced_teacher", make_watched)
    monkeypatch.setattr(recipe, "fit", fit)
    assert train(IDLE) == [None]


def test_a_teacher_from_a_file_is_asked_in_the_range_it_was_trained_in(train, photos, tmp_path, monkeypatch):
    """All of the published path but the size of the models."""
    torch.manual_seed(1)
    teacher = Teacher(replace(REDUCED_TEACHER, vae_range="signed"))
    weights = tmp_path / "teacher.safetensors"
    save_file(teacher.state_dict(), weights, metadata={ABOUT_KEY: '{"vae_range": "signed"}'})
    prompts = torch.randn(REDUCED_TEACHER.prompt_shape)
    teacher.set_prompt_embeddings(prompts)
    monkeypatch.setattr(recipe, "load_prompt_embeddings", lambda _path: prompts)
    monkeypatch.setattr(
        importlib.import_module("dpiqa_plugin.models.teacher"),
        "TeacherConfig",
        lambda vae_range="unit": replace(REDUCED_TEACHER, vae_range=vae_range),
    )
    trunk = tmp_path / "trunk.safetensors"
    features = Student(REDUCED).base_model.features
    for layer in features.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
    features(torch.rand(8, 3, 64, 64))  # the statistics of what it sees are known, as ImageNet's trunk's are
    save_file({f"features.{name}": x for name, x in features.state_dict().items()}, trunk)
    monkeypatch.setattr(
        importlib.import_module("dpiqa_plugin.models.student"), "StudentConfig", lambda: REDUCED
    )
    config = replace(IDLE, flips=False)
    train(config, reduced=False, teacher=str(weights), trunk=trunk)
    entries = [load_file(path) for path in tmp_path.rglob("teacher/**/*.safetensors")]
    found = sorted(entry["teacher_score"].item() for entry in entries)
    assert len(found) == 8
    views = PhotoViews(of_part(photos, "train"), REDUCED_TEACHER.image_size)
    images = torch.stack([views[View(i, False)]["image"] for i in range(8)]).float() / 255
    with torch.no_grad():
        expected = teacher.eval()(images).score.squeeze(1).tolist()
    assert sorted(expected) == pytest.approx(found, abs=1e-4)
