"""The embedded engine's server is reached through the launcher's stdin, and ends with it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from launched import all_gone, needs_proc

LAUNCH = Path(__file__).parent.parent / "launch.py"

# The preface of HTTP/2 with empty settings; the server answers with settings of its own. Source: RFC 9113, 3.4 and 6.5.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\4" + bytes(5)


@pytest.fixture
def served(engine, tmp_path):
    """A launcher that serves, and the socket to it."""
    if engine != "sail":
        pytest.skip("only the embedded engine is a server")
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-u", str(LAUNCH), "serve", "--engine", "sail"]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "SOFLOW_TEST_MARK": str(tmp_path)}
    with theirs:
        process = subprocess.Popen(command, stdin=theirs, stderr=subprocess.PIPE, text=True, env=environment)
    ours.settimeout(60)
    yield process, ours
    process.kill()
    ours.close()


def answers(connection):
    connection.sendall(PREFACE)
    frame = connection.recv(9)
    return len(frame) == 9 and frame[3] == 4


@needs_proc
def test_it_ends_with_soflow(served, tmp_path):
    process, connection = served
    assert answers(connection)
    connection.close()
    assert process.wait(60) == 129
    assert all_gone(tmp_path) and os.listdir(tmp_path) == []


@needs_proc
def test_a_signal_ends_it(served, tmp_path):
    process, connection = served
    assert answers(connection)
    process.terminate()
    assert process.wait(60) == 143
    assert all_gone(tmp_path) and os.listdir(tmp_path) == []


@needs_proc
def test_nothing_of_pyspark_is_loaded(served):
    process, connection = served
    assert answers(connection)
    with open(f"/proc/{process.pid}/maps") as maps:
        loaded = maps.read()
    assert "pysail" in loaded and "pyarrow" not in loaded and "pandas" not in loaded
