"""What tests of several layers share."""

import pytest

from dpiqa_plugin.models import programs


@pytest.fixture
def runs(monkeypatch):
    """How often a program of OpenVINO's has been run."""
    run, ran = programs.run_program, []

    def noted(*arguments):
        ran.append(True)
        return run(*arguments)

    monkeypatch.setattr(programs, "run_program", noted)
    return ran
