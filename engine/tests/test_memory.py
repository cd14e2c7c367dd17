"""A process stays within its share of memory: the engine spills, and what does not fit ends and says so."""

import os

import pytest
from launched import needs_proc

MB = 1 << 20

HOARD = "kept = bytearray(500 << 20)\nwhile True:\n    pass\n"

# Sorts four times what the engine may keep in memory.
SORT = """
from pyspark.sql import SparkSession, functions as F
spark = SparkSession.builder.getOrCreate()
rows = spark.range(40_000_000).orderBy(F.hash("id"), "id").select(F.monotonically_increasing_id().alias("at"), "id")
print("count", rows.agg(F.count_distinct("at"), F.sum("id")).first())
"""


@needs_proc
def test_what_takes_more_than_its_share_is_ended_and_says_so(step, tmp_path):
    done = step(HOARD, "--memory", str(400 * MB))
    assert done.code == 90
    assert done.facts == [{"engine_error": "it needs more than 400 MB of memory, its share", "kind": "memory"}]
    assert os.listdir(tmp_path / "tmp") == []


def test_a_sort_that_does_not_fit_spills(step, engine):
    if engine != "sail":
        pytest.skip("Spark's heap is what bounds it")
    done = step(SORT, "--memory", str(400 * MB))
    assert (done.code, done.err) == (0, "")
    assert str(sum(range(40_000_000))) in done.out
