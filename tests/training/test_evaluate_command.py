"""``dpiqa-train evaluate`` on the excerpt of BIQ2021: how well the bundled model does, and how sure it is."""

import re

from dpiqa_training.cli import main


def test_it_prints_agreement_and_deviation(shared, capsys):
    assert main(["evaluate", "--data", str(shared / "data" / "biq2021-small")]) == 0
    told = capsys.readouterr().out
    assert "dpiqa_lite" in told
    within_two = float(re.search(r"deviation of dpiqa_lite: .* within two ([\d.]+)%", told)[1])
    assert within_two > 80


def test_the_test_part_of_an_excerpt_is_a_reason_to_stop(shared, capsys):
    assert main(["evaluate", "--data", str(shared / "data" / "biq2021-small"), "--part", "test"]) == 1
    assert "no test photos" in capsys.readouterr().err
