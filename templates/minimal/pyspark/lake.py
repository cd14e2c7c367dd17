"""What every step needs: its session and task, and the tables that it reads and writes.

The task says where they are, so the same step runs on a laptop and on a cluster. These functions are for tables without
`partition-by`.
"""

import argparse
import json

from pyspark.sql import SparkSession


def start():
    """Returns the session, and the task that is named on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", required=True, metavar="URI")
    spark = SparkSession.builder.getOrCreate()
    return spark, json.loads(spark.read.text(parser.parse_args().task, wholetext=True).first()[0])


def read(spark, task, table):
    """Returns a table: as a step before this one has just written it, or as it is published."""
    source = task["inputs"][table]
    return spark.read.parquet(source["upstream"] or source["published"][0]["prefix"])


def write(frame, task, table):
    """Writes a table whole. Readers see it once all steps have finished and all checks hold."""
    frame.write.parquet(task["outputs"][table]["prefix"])
