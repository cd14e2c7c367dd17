"""Runs the launcher as soflow does: a child process whose stdin is a pipe that soflow holds.

SOFLOW_TEST_ENGINE=sail|spark <environment>/bin/python -m pytest engine/tests
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from launched import Launched, waited

LAUNCH = Path(__file__).parent.parent / "launch.py"


@pytest.fixture(scope="session")
def engine():
    return os.environ.get("SOFLOW_TEST_ENGINE", "sail")


@pytest.fixture
def launcher(tmp_path, engine):
    """Starts the launcher in a directory of its own, with its scratch space in another."""
    (tmp_path / "cwd").mkdir()
    (tmp_path / "tmp").mkdir()

    def start(*arguments, **environment):
        command = [sys.executable, "-u", str(LAUNCH), *map(str, arguments)]
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path / "cwd",
            env={**os.environ, "TMPDIR": str(tmp_path / "tmp"), **environment},
        )

    return start


@pytest.fixture
def step(launcher, engine, tmp_path):
    """Runs a script to its end."""

    def run(source, *options, **environment):
        script = tmp_path / "my_step.py"
        script.write_text(source)
        arguments = ["step", "--engine", engine, *options, "--script", script, "--", "--task", "file:///task.json"]
        return Launched(waited(launcher(*arguments, **environment)))

    return run
