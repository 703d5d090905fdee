"""Recipes are read whole, and a wrong one is refused with the reason."""

from dataclasses import replace

import pytest
from makers.tiny_papers import STUDENT, TEACHER
from makers.tiny_training import CONFIG, train

from dpiqa_training.config import (
    LITE_RECIPE,
    STUDENT_RECIPE,
    TEACHER_RECIPE,
    LiteConfig,
    StudentConfig,
    TeacherConfig,
    read_config,
)
from dpiqa_training.errors import RecipeError


def test_the_bundled_recipes_are_the_published_ones():
    teacher, student = read_config(TEACHER_RECIPE, TeacherConfig), read_config(STUDENT_RECIPE, StudentConfig)
    assert (teacher.lr, teacher.batch_size, teacher.decay_factor, teacher.vae_range) == (
        1e-5,
        16,
        0.2,
        "unit",
    )
    assert (student.lr, student.batch_size, student.decay_factor) == (1e-4, 24, 0.2)
    assert {teacher.select_on, student.select_on} == {"validation"}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("epochs = 15", "epoch = 15", "epoch, epochs"),
        ("epochs = 15", "epochs = 0", "epochs must be 1 or more"),
        ("epochs = 15", "epochs = 1.5", "epochs must be of type int, got 1.5"),
        ("epochs = 15", "epochs = true", "epochs must be of type int, got True"),
        ("lr = 1e-5", 'lr = "1e-5"', "lr must be of type float"),
        ("lr = 1e-5", "lr = 0", "lr must be above 0"),
        ("micro_batch = 4", "micro_batch = 5", "batch_size must be a multiple of micro_batch"),
        ('"bf16"', '"fp8"', "precision must be one of no, bf16"),
        ('select_on = "validation"', 'select_on = "train"', "select_on must be one of"),
        ('"unit"', '"0..255"', "vae_range must be one of"),
        ("validation_share = 0.1", "validation_share = 1", "between 0 and 1"),
        ("epochs = 15", "epochs =", "teacher.toml"),
    ],
)
def test_a_wrong_recipe_is_refused(old, new, reason, tmp_path):
    path = tmp_path / "teacher.toml"
    text = TEACHER_RECIPE.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(RecipeError, match=reason):
        read_config(path, TeacherConfig)


@pytest.mark.parametrize(
    ("config", "setting", "value", "reason"),
    [
        (CONFIG, "steps", 0, "1 or more, got 0"),
        (CONFIG, "batch_size", 0, "1 or more"),
        (CONFIG, "ladder_sources", 0, "1 or more"),
        (CONFIG, "clean_ladders", 0, "1 or more"),
        (CONFIG, "exposure_sources", -1, "0 or more"),
        (CONFIG, "camera_sources", -1, "0 or more"),
        (CONFIG, "ladders_per_step", 0, "1 or more"),
        (CONFIG, "warm_up_epochs", -1, "0 or more"),
        (CONFIG, "trunk_lr", -1e-4, "0 or more"),
        (CONFIG, "weight_decay", float("inf"), "0 or more, got inf"),
        (CONFIG, "plcc_weight", float("nan"), "0 or more, got nan"),
        (CONFIG, "checkpoint_seconds", -1.0, "0 or more"),
        (CONFIG, "head_lr", 0.0, "above 0"),
        (CONFIG, "warm_up_lr", float("nan"), "above 0"),
        (CONFIG, "warmup_fraction", 1.1, "0..1"),
        (CONFIG, "ema_decay", float("nan"), "0..1"),
        (CONFIG, "crop", 0.0, "0.02..1, got 0.0"),
        (CONFIG, "crop", 1.5, "0.02..1"),
        (CONFIG, "seed", -1, "0..4294967295"),
        (TEACHER, "lr", float("nan"), "above 0"),
        (TEACHER, "decay_factor", 0.0, "above 0"),
        (TEACHER, "ranking_weight", -1.0, "0 or more"),
        (TEACHER, "seed", 2**32, "0..4294967295"),
        (STUDENT, "map_weight", -1.0, "0 or more"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(config, setting, value, reason):
    with pytest.raises(ValueError, match=f"^{setting} must .*{reason}"):
        replace(config, **{setting: value})


def test_a_recipe_out_of_range_names_its_file(tmp_path):
    path = tmp_path / "lite.toml"
    path.write_text(LITE_RECIPE.read_text(encoding="utf-8").replace("steps = 2250", "steps = 0"))
    with pytest.raises(RecipeError, match=r"lite\.toml: steps must be 1 or more"):
        read_config(path, LiteConfig)


def test_the_ends_of_the_ranges_can_be_trained_with(tmp_path):
    """What is refused must be what fails, and no more."""
    least = {"steps": 1, "batch_size": 1, "ladder_sources": 1, "ladders_per_step": 1, "warm_up_epochs": 0}
    zeros = ("trunk_lr", "weight_decay", "warmup_fraction", "ema_decay", "ss02_weight", "plcc_weight")
    zeros += ("ladder_weight", "ladder_margin", "checkpoint_seconds")
    config = replace(CONFIG, **least, **dict.fromkeys(zeros, 0.0), crop=0.02, seed=2**32 - 1)
    assert all(value.isfinite().all() for value in train(tmp_path, config).state_dict().values())
