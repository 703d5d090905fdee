"""The prompts: their number, their order, their exact wording."""

from dpiqa_plugin.prompts import PROMPTS


def test_there_are_1485_different_prompts():
    assert len(PROMPTS) == len(set(PROMPTS)) == 1485


def test_distortion_varies_fastest_and_quality_slowest():
    template = "a photo of a {} with {} artifacts, which is of {} quality"
    assert PROMPTS[0] == template.format("animal", "jpeg2000 compression", "bad")
    assert PROMPTS[1] == template.format("animal", "jpeg compression", "bad")
    assert PROMPTS[33] == template.format("cityscape", "jpeg2000 compression", "bad")
    assert PROMPTS[9 * 33] == template.format("animal", "jpeg2000 compression", "poor")
    assert PROMPTS[-1] == template.format("others", "other realistic", "perfect")
