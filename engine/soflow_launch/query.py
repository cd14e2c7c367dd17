"""Runs a list of SQL statements over published tables on Spark and leaves each result in a file."""

import json
import os
from functools import reduce

from soflow_launch import result


def run(path):
    """Returns 0 if every statement ran, else 1. Writes `<id>.arrow` or `<id>.error.json` into the request's `output`.

    The request: `views` (name -> schema, reads), `statements` (id, sql and perhaps limit) and `output`.
    """
    from pyspark.sql import SparkSession

    with open(path) as file:
        request = json.load(file)
    spark = SparkSession.builder.getOrCreate()
    failed = 0
    for statement in request["statements"]:
        target = os.path.join(request["output"], statement["id"])
        try:
            for name, view in request["views"].items():
                rows(spark, view).createOrReplaceTempView(name)
            frame = spark.sql(statement["sql"])
            if statement["limit"] is not None:
                frame = frame.limit(statement["limit"])
            result.write(result.table(frame), f"{target}.arrow")
        except Exception as error:
            failed += 1
            with open(f"{target}.error.json", "w") as file:
                json.dump({"error": trimmed(error)}, file)
    return 1 if failed else 0


def rows(spark, view):
    """Returns the rows of a view, which is the union of its reads."""
    frames = []
    for read in view["reads"]:
        frame = spark.read.schema(read["schema"]).parquet(read["folder"]).selectExpr(*read["columns"])
        frames.append(frame.where(read["condition"]) if read["condition"] else frame)
    return reduce(lambda left, right: left.unionAll(right), frames or [spark.createDataFrame([], view["schema"])])


def trimmed(error):
    """Returns Spark's message without Java frames and plans, 2 000 characters at most."""
    text = getattr(error, "desc", None) or str(error)
    for marker in ("\n\tat ", "\nJVM stacktrace", "\n== Physical Plan", "\n'Project", ";\n'", "\nat org.apache"):
        text = text.split(marker, 1)[0]
    return text.strip().rstrip(";")[:2000] or type(error).__name__
