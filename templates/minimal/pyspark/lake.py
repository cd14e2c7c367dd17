"""What every step needs: its session and task, and the tables that it reads and writes.

The task says where they are, so the same step runs on a laptop and on a cluster. These functions are for tables that a
step writes as a whole, and not for those with `update: merge`.
"""

import argparse
import json
from functools import reduce

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType


def start():
    """Returns the session, and the task that is named on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", required=True, metavar="URI")
    spark = SparkSession.builder.getOrCreate()
    return spark, json.loads(spark.read.text(parser.parse_args().task, wholetext=True).first()[0])


def read(spark, task, table):
    """Returns a table: what is published of it, but for the partitions that a step before this one has just written.

    The values of partition columns are texts.
    """
    source = task["inputs"][table]
    by = source["partition_by"]
    frames = [rows(spark, source["upstream"], by)] if source["upstream"] else []
    written = {row[0] for frame in frames for row in frame.select(key(by)).distinct().collect()}
    for part in source["published"]:
        live = {"/".join(values[column] for column in by) for values in part["partitions"]} - written
        if live:
            frames.append(rows(spark, part["prefix"], by).where(key(by).isin(sorted(live))))
    return reduce(lambda above, below: above.unionByName(below), frames)


def write(frame, task, table):
    """Writes a table. Readers see it once all steps have finished and all checks hold."""
    output = task["outputs"][table]
    by = output["partition_by"]
    # A partition is one bucket of the shuffle, so a small one is one file.
    writer = frame.repartition(*by).write.partitionBy(*by) if by else frame.write
    writer.parquet(output["prefix"])


def rows(spark, prefix, by):
    """Returns the rows below a prefix."""
    stored = [field for field in spark.read.parquet(prefix).schema.fields if field.name not in by]
    columns = stored + [StructField(column, StringType()) for column in by]
    return spark.read.schema(StructType(columns)).parquet(prefix)


def key(by):
    """Returns the column that tells partitions apart."""
    return F.concat_ws("/", *by) if by else F.lit("")
