"""A launcher that has run, how to wait for one, and what is left of one."""

import json
import sys
import time
from pathlib import Path

import pytest

# Holds the engine, a Python worker included, in work that would last for minutes.
BUSY = """
import time
from pyspark.sql import SparkSession, functions as F
spark = SparkSession.builder.getOrCreate()
slow = F.udf(lambda x: time.sleep(120) or x, "long")
print("busy", flush=True)
spark.range(2).select(slow("id")).collect()
"""
SOON_SECONDS = 3


class Launched:
    def __init__(self, process):
        try:
            self.out, self.err = process.communicate(timeout=180)
        finally:
            process.kill()
        self.code = process.returncode

    @property
    def facts(self):
        """What the launcher itself said, as dictionaries."""
        return [json.loads(line[8:]) for line in self.out.splitlines() if line.startswith("@soflow ")]


def waited(process):
    """Waits with stdin open: closing it, as `communicate` does first, tells the launcher that soflow is gone."""
    held, process.stdin = process.stdin, None
    process.held = held
    return process


def alive(mark):
    """Returns the processes whose environment holds the mark. Linux only."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"SOFLOW_TEST_MARK={mark}\0".encode() in (entry / "environ").read_bytes():
                found.append((entry.name, (entry / "cmdline").read_bytes()[:80]))
        except OSError:
            pass
    return found


def all_gone(mark):
    deadline = time.monotonic() + SOON_SECONDS
    while alive(mark):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
