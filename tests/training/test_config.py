"""Recipes are read whole, and a wrong one is refused with the reason."""

import pytest

from dpiqa_training.config import (
    STUDENT_RECIPE,
    TEACHER_RECIPE,
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
