"""The teacher's recipe on the reduced model: it learns, trains what it should, and nothing stale is used."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from makers.event_log import logged
from makers.tiny_papers import TEACHER, save_tiny_koniq
from safetensors.torch import load_file

from dpiqa_plugin import metrics
from dpiqa_plugin.metrics import DPIQA
from dpiqa_plugin.models.teacher import REDUCED, Teacher
from dpiqa_plugin.weights_file import about
from dpiqa_training.datasets.koniq import read_koniq
from dpiqa_training.errors import DivergedError, RecipeError, ResumeError
from dpiqa_training.recipes.teacher import train_teacher
from dpiqa_training.splits import of_part


@pytest.fixture(autouse=True)
def _fresh_accelerator():
    """Precision is fixed once a process; a program runs one recipe, a test run many."""
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return read_koniq(save_tiny_koniq(tmp_path_factory.mktemp("koniq")))


@pytest.fixture
def train(photos, tmp_path):
    def run(config, out="out", repeat=1):
        (tmp_path / out).mkdir(exist_ok=True)
        training = of_part(photos, "train") * repeat
        return train_teacher(config, training, of_part(photos, "val"), tmp_path / out, "koniq", reduced=True)

    return run


@pytest.fixture(scope="module")
def finished(photos, tmp_path_factory):
    """A run of the whole recipe."""
    AcceleratorState._reset_state(reset_partial_state=True)
    out = tmp_path_factory.mktemp("finished")
    return train_teacher(
        TEACHER, of_part(photos, "train"), of_part(photos, "val"), out, "koniq", reduced=True
    )


def losses(weights: Path) -> dict[int, float]:
    return logged(weights.with_name("tensorboard"), "training/loss")


def test_the_loss_falls_on_a_few_photos(train):
    config = replace(TEACHER, epochs=3, decay_epochs=2, flips=False, micro_batch=4, checkpoint_steps=100)
    found = list(losses(train(config, repeat=10)).values())
    assert len(found) == 60
    assert sum(found[-5:]) < 0.2 * sum(found[:5])


def test_a_map_that_no_gradient_gets_past_is_refused(train):
    with pytest.raises(DivergedError, match="another seed"):
        train(replace(TEACHER, seed=4))


def test_more_photos_than_a_gpus_memory_holds_are_refused(train, monkeypatch):
    def too_much(*_arguments, **_options):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(Teacher, "forward", too_much)
    with pytest.raises(RecipeError, match=r"micro_batch = \d+ is too much .*2\.00 GiB.*set a smaller one"):
        train(TEACHER)


def test_the_best_epoch_is_what_the_metric_loads(finished):
    weights = finished
    srcc = logged(weights.with_name("tensorboard"), "validation/srcc")
    best = torch.load(weights.with_name("checkpoint.pt"), weights_only=True)["best_srcc"]
    assert best == pytest.approx(max(srcc.values()), abs=1e-6)
    model = Teacher(REDUCED)
    model.load_state_dict(load_file(weights))
    assert about(weights)["model"] == "teacher"
    assert about(weights)["recipe"]["seed"] == TEACHER.seed


def test_the_metric_obeys_the_vae_range_that_the_file_names(train, monkeypatch):
    weights = train(replace(TEACHER, epochs=1, vae_range="signed"))
    teacher = importlib.import_module("dpiqa_plugin.models.teacher")
    monkeypatch.setattr(teacher, "TeacherConfig", reduced_config)
    monkeypatch.setattr(metrics, "load_prompt_embeddings", lambda *_: torch.zeros(REDUCED.prompt_shape))
    assert DPIQA(weights=weights).model.config.vae_range == "signed"


def reduced_config(vae_range="unit"):
    return replace(REDUCED, vae_range=vae_range)


def test_the_vae_stays_and_all_else_that_runs_is_trained(finished):
    torch.manual_seed(TEACHER.seed)  # as the recipe does before it builds the model
    before = Teacher(REDUCED).state_dict()
    after = torch.load(finished.with_name("checkpoint.pt"), weights_only=True)["model"]
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    stay = ("vae.", "unet.conv_norm_out.", "unet.conv_out.", "QFD.bnc1.", "QFD.classifier_dist.")
    assert not {name for name in changed if name.startswith(stay)}
    # Not simply all others: where the reduced U-Net sees one position, its self-attention has no choice.
    for part in (
        "gamma",
        "text_adapter.fc.0",
        "img_adapter.conv_in",
        "unet.conv_in",
        "unet.up_blocks.3",
        "QFD.fc3",
    ):
        assert {name for name in changed if name.startswith(part)}, part


def test_what_saves_memory_changes_no_loss(train):
    config = replace(TEACHER, epochs=1)
    plain = losses(train(config))
    for changes in ({"gradient_checkpointing": True}, {"micro_batch": 1}, {"micro_batch": 4}):
        saving = losses(train(replace(config, **changes), str(changes)))
        # The order of sums differs, and Adam's first steps see the sign of a gradient more than its size.
        assert saving == pytest.approx(plain, rel=1e-3), changes


def test_prompts_are_projected_anew_after_every_step():
    """A model that was run before each step agrees with one that starts from the same weights."""
    torch.manual_seed(0)
    model = Teacher(REDUCED).train()
    model.set_prompt_embeddings(torch.randn(REDUCED.prompt_shape))
    image = torch.rand(2, 3, 64, 64)
    trained = [*model.text_adapter.parameters(), model.gamma]
    trained += [
        p for name, p in model.unet.named_parameters() if "attn2.to_k" in name or "attn2.to_v" in name
    ]
    optimizer = torch.optim.Adam(trained, lr=0.05)
    earlier = model(image).score.detach()
    for _ in range(3):
        with torch.no_grad():
            model(image)  # what a cache would be filled by
        model(image).score.sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        fresh = Teacher(REDUCED)
        fresh.load_state_dict(model.state_dict())
        fresh.set_prompt_embeddings(model.prompt_embeddings)
        with torch.no_grad():
            now = model(image).score
            torch.testing.assert_close(now, fresh(image).score, rtol=0, atol=1e-6)
        assert (now - earlier).abs().max() > 1e-4
        earlier = now


def test_the_prompts_gradient_is_that_of_a_projection_for_every_photo():
    torch.manual_seed(0)
    model = Teacher(REDUCED).double()
    model.set_prompt_embeddings(torch.randn(REDUCED.prompt_shape, dtype=torch.float64))
    image = torch.rand(3, 3, 64, 64, dtype=torch.float64)
    model(image).score.sum().backward()
    together = model.gamma.grad.clone()
    model.gamma.grad = None
    for one in image:
        model(one[None]).score.sum().backward()
    torch.testing.assert_close(model.gamma.grad, together)


def test_bfloat16_trains_and_keeps_weights_in_float32(train):
    weights = train(replace(TEACHER, epochs=1, precision="bf16"))
    assert all(
        value.dtype == torch.float32 for value in load_file(weights).values() if value.is_floating_point()
    )


def test_the_ranking_loss_is_part_of_the_loss(train):
    weights = train(replace(TEACHER, epochs=1, ranking_weight=0.5))
    log = weights.with_name("tensorboard")
    parts = [logged(log, f"training/{name}")[1] for name in ("score", "ranking")]
    assert parts[1] > 0
    assert sum(parts) == pytest.approx(losses(weights)[1])


def test_the_rate_falls_in_steps(finished):
    rates = logged(finished.with_name("tensorboard"), "training/lr")
    assert [round(rates[step], 6) for step in (1, 7, 8, 12)] == [1e-3, 1e-3, 2e-4, 2e-4]


def test_a_checkpoint_of_another_recipe_is_refused(train):
    train(replace(TEACHER, epochs=1))
    with pytest.raises(ResumeError, match="other recipe"):
        train(replace(TEACHER, epochs=2))


def test_a_checkpoint_of_other_photos_is_refused(train, photos):
    train(replace(TEACHER, epochs=1))
    photos[0], kept = replace(photos[0], mos=0.123), photos[0]
    try:
        with pytest.raises(ResumeError, match="other photos"):
            train(replace(TEACHER, epochs=1))
    finally:
        photos[0] = kept


def test_fewer_photos_than_a_step_takes_are_refused(train):
    with pytest.raises(RecipeError, match="8 photos to train on are fewer than batch_size, 16"):
        train(replace(TEACHER, batch_size=16))


def test_a_loss_that_is_no_number_stops_the_run(train):
    with pytest.raises(DivergedError, match="lower lr"):
        train(replace(TEACHER, lr=1e30))
