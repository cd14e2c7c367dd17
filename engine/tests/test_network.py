"""Nobody else reaches the engine while a step runs, where the kernel allows that; and who needs the network has it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

LAUNCH = Path(__file__).parent.parent / "launch.py"
sys.path.insert(0, str(LAUNCH.parent))

from soflow_launch import network  # noqa: E402

# What a neighbour needs: the port. It says where it is, and waits to be told to go on.
WAITING = """
import os, sys
from pyspark.sql import SparkSession
print(os.readlink("/proc/self/ns/net"), os.environ.get("SPARK_REMOTE"), flush=True)
print(SparkSession.builder.getOrCreate().range(3).count(), flush=True)
with open(os.environ["SOFLOW_TEST_GATE"]) as gate:
    gate.read()
"""


def allowed():
    told = subprocess.run(
        [sys.executable, LAUNCH, "network"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    return json.loads(told.stdout.removeprefix("@soflow "))["network"]


def listened(table):
    """Returns the local addresses of listening sockets in a table of the kernel: state 0A."""
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    return {row[1] for row in rows if row[3] == "0A"}


def test_a_step_is_alone_with_its_engine(launcher, engine, tmp_path):
    reason = allowed()
    if reason is not None:
        pytest.skip(f"this kernel gives no network of its own: {reason}")
    gate, script = tmp_path / "gate", tmp_path / "waiting.py"
    os.mkfifo(gate)
    script.write_text(WAITING)
    process = launcher("step", "--engine", engine, "--network", "none", "--script", script, SOFLOW_TEST_GATE=str(gate))
    try:
        where, _ = process.stdout.readline().split()
        assert process.stdout.readline() == "3\n", "the engine works there"
        assert where != os.readlink("/proc/self/ns/net")
        listening, ports = (listened(Path(f"/proc/{whose}/net/tcp")) for whose in ("self", process.pid))
        assert ports and not ports & listening, "it listens where nobody else looks"
        gate.write_text("")
        assert process.wait(60) == 0
    finally:
        process.kill()


def test_the_person_stays_who_they_are():
    reason = allowed()
    if reason is not None:
        pytest.skip(f"this kernel gives no network of its own: {reason}")
    code = "import os; from soflow_launch import network; print(network.leave(), os.getuid(), os.getgid())"
    told = subprocess.run([sys.executable, "-c", code], cwd=LAUNCH.parent, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["None", str(os.getuid()), str(os.getgid())]


def test_where_it_is_not_allowed_nothing_changes_and_the_reason_is_told(monkeypatch):
    def refused(flags):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(network, "unshare", refused)
    before = os.readlink("/proc/self/ns/net")
    assert "Operation not permitted" in network.leave()
    assert os.readlink("/proc/self/ns/net") == before


@pytest.mark.parametrize(
    ("task", "document", "needed"),
    [
        ("s3://bucket/task.json", None, True),
        ("file://{}", {"inputs": {"raw": {"parts": ["file:///lake/raw"]}}, "output": "/lake/curated"}, False),
        ("file:{}", {"inputs": {"raw": {"parts": ["s3://bucket/raw/x.json.gz"]}}}, True),
        ("file:{}", {"parameters": {"note": "see s3://bucket"}}, False),
        ("file:///not/there.json", None, False),
    ],
)
def test_what_is_elsewhere_needs_the_network(tmp_path, task, document, needed):
    path = tmp_path / "a #task.json"
    if document is not None:
        path.write_text(json.dumps(document))
    wanted = SimpleNamespace(script_arguments=["--task", task.format(path)], request=None)
    assert network.is_needed(wanted) is needed
