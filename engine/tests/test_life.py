"""Nothing that the launcher started outlives it, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from launched import BUSY, SOON_SECONDS, alive, all_gone, needs_proc


@pytest.fixture
def busy(launcher, engine, tmp_path):
    """A launcher in the middle of a Python function, recognisable by a variable that all its children inherit."""
    script = tmp_path / "busy.py"
    script.write_text(BUSY)
    process = launcher("step", "--engine", engine, "--script", script, SOFLOW_TEST_MARK=str(tmp_path))
    for line in process.stdout:
        if line == "busy\n":
            break
    time.sleep(4 if engine == "spark" else 1)
    yield process
    process.kill()


@needs_proc
def test_the_end_of_stdin_ends_everything(busy, tmp_path):
    assert alive(tmp_path)
    busy.stdin.close()
    assert all_gone(tmp_path)
    assert os.listdir(tmp_path / "tmp") == []


@needs_proc
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_everything_at_once(busy, tmp_path, number, code):
    busy.send_signal(number)
    assert busy.wait(SOON_SECONDS) == code
    assert all_gone(tmp_path)
    assert os.listdir(tmp_path / "tmp") == []


@needs_proc
def test_killing_the_launcher_itself_leaves_no_worker(busy, tmp_path):
    busy.kill()
    assert all_gone(tmp_path)


@needs_proc
def test_killing_soflow_ends_the_launcher(engine, tmp_path):
    """A stand-in for soflow is killed, so that the pipe is closed by the system and by nobody's good will."""
    script = tmp_path / "busy.py"
    script.write_text(BUSY)
    launch = Path(__file__).parent.parent / "launch.py"
    parent = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-u', {str(launch)!r}, 'step', '--engine', {engine!r},"
        f" '--script', {str(script)!r}], stdin=subprocess.PIPE)\nchild.wait()\n"
    )
    environment = {**os.environ, "SOFLOW_TEST_MARK": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, env=environment)
    assert process.stdout.readline() == b"busy\n"
    process.kill()
    assert all_gone(tmp_path)


def test_what_threads_still_write_into_scratch_goes_too(step, tmp_path):
    """They write for a while after the script has ended; whoever looked once would have left some of it."""
    found = step("""
import os, tempfile, threading, time
folder, until = os.getcwd(), time.monotonic() + 0.3
def write(number):
    os.makedirs(f"{folder}/made/{number}")
    while time.monotonic() < until and os.path.isdir(f"{folder}/made/{number}"):
        open(f"{folder}/made/{number}/{time.monotonic()}", "w").close()
for number in range(4):
    threading.Thread(target=write, args=(number,), daemon=True).start()
""")
    assert found.code == 0, found.err
    assert os.listdir(tmp_path / "tmp") == []
