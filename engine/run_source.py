"""Runs a SQL file or the code cells of a notebook as a step of a job.

soflow puts the file's code behind this text, as `SOURCE`, and runs the whole as the step's script: on a laptop, and
with `spark-submit` on a cluster. It needs Python 3.9, PySpark from 3.4 on and nothing else.

In a cell there are `spark`, `tables`, `save(table, frame)` and `parameters`; the tables that the step reads are views
of their names, also for SQL. In SQL `:name` is the parameter of that name.
"""

import argparse
import json
import linecache
import os
import sys
import traceback
from functools import reduce
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

# Where the columns of a table without rows are: docs/task.md.
COLUMNS = "_schema"
# What stands for a null among partition values, also where an engine makes an empty text of it.
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
# What Spark escapes in the name of a partition's directory. Source: its ExternalCatalogUtils.charToEscape.
ESCAPED = set("\"#%'*/:=?\\\x7f{[]^") | {chr(code) for code in range(1, 32)}


def main(source):
    """Runs `source`, whose `path` people know it by and whose `cells` have a `name`, a text `python` or `sql`, and for
    SQL the name that its result gets, `into`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", required=True, metavar="URI")
    arguments = parser.parse_args()
    spark = SparkSession.builder.appName("soflow").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    try:
        task = json.loads(read_text(spark, arguments.task))
        outputs = Outputs(spark, task)
        for name, given in task["inputs"].items():
            make_view(spark, name, given)
        run_cells(spark, source, task, outputs)
        outputs.must_be_complete()
    finally:
        spark.stop()


def run_cells(spark, source, task, outputs):
    """Runs one cell after another. Ends the process after a failure, which is printed as the author's own."""
    scope = {
        "__name__": "__main__",
        "spark": spark,
        "tables": Tables(spark),
        "save": outputs.save,
        "parameters": task["parameters"],
        "display": print,
    }
    for cell in source["cells"]:
        name = f"{source['path']} {cell['name']}".strip()
        try:
            if "sql" in cell:
                result = query(spark, cell["sql"], task["parameters"])
                if cell["into"]:
                    scope[cell["into"]] = result
                    result.createOrReplaceTempView(cell["into"])
                elif source["language"] == "sql":
                    outputs.save(next(iter(task["outputs"])), result)
                else:
                    result.show()
                continue
            text = cell["python"]
            linecache.cache[name] = (len(text), None, text.splitlines(True), name)
            exec(compile(text, name, "exec"), scope)
        except SystemExit:
            raise
        except BaseException as error:
            print_trimmed(error, name, "sql" in cell)
            sys.exit(1)


def query(spark, text, parameters):
    return spark.sql(text, args=parameters) if parameters and ":" in text else spark.sql(text)


def print_trimmed(error, name, is_sql):
    """Prints a traceback from the author's first line on: the frames before it are ours."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != name:
        frames = frames.tb_next
    if frames is None and is_sql:
        print(f'Traceback (most recent call last):\n  File "{name}"', file=sys.stderr)
        print("".join(traceback.format_exception_only(type(error), error)), end="", file=sys.stderr)
        return
    traceback.print_exception(type(error), error.with_traceback(frames), frames, file=sys.stderr)


class Tables:
    """The tables that the step reads, by name: `tables["orders"]`."""

    def __init__(self, spark):
        self.spark = spark

    def __getitem__(self, name):
        return self.spark.table(name)


class Outputs:
    """The tables that the step writes."""

    def __init__(self, spark, task):
        self.spark = spark
        self.wanted = task["outputs"]
        self.saved = []

    def save(self, table, frame):
        """Writes a table: a frame of Spark's, or one of pandas'. Readers see it once the run is published."""
        if table not in self.wanted:
            known = ", ".join(sorted(self.wanted))
            raise ValueError(f"the step does not write `{table}`: in the job file its `writes` are {known}")
        if table in self.saved:
            raise ValueError(f"`{table}` has been saved before")
        if not isinstance(frame, DataFrame) and not hasattr(frame, "sparkSession"):
            frame = self.spark.createDataFrame(frame)
        output = self.wanted[table]
        fixed = output["only"]
        free = [column for column in output["partition_by"] if column not in fixed]
        lacking = [column for column in free if column not in frame.columns]
        if lacking:
            raise ValueError(f"`{table}` is partitioned by `{lacking[0]}`, which is no column of what is saved")
        frame = frame.drop(*fixed)
        place = output["prefix"] + "".join(f"/{column}={escaped(value)}" for column, value in fixed.items())
        # A partition is one bucket of the shuffle, so a small one is one file.
        rows = frame.repartition(*free) if free else frame
        writer = rows.write.option("compression", "zstd")
        (writer.partitionBy(*free) if free else writer).parquet(place)
        if free and is_empty(self.spark, place):
            frame.limit(0).write.mode("ignore").parquet(f"{place}/{COLUMNS}")
        self.saved.append(table)

    def must_be_complete(self):
        missing = [table for table in self.wanted if table not in self.saved]
        if missing:
            print(f"the notebook did not save {', '.join(missing)}: `save(table, frame)` does", file=sys.stderr)
            sys.exit(1)


def make_view(spark, name, given):
    """Makes a view of a table: the live partitions as published, but for those that this run has written anew."""
    by = given["partition_by"]
    fresh = read(spark, given["upstream"], by) if given["upstream"] else None
    written = partitions_of(fresh, by) if fresh is not None else set()
    frames = []
    for part in given["published"]:
        live = {key(values, by) for values in part["partitions"]}
        frame = read(spark, part["prefix"], by) if live - written else None
        if frame is not None:
            frames.append(frame.where(key_of(by).isin(sorted(live - written))) if by else frame)
    if fresh is not None and (written or not frames):
        frames.append(fresh)
    if not frames:
        print(f"table {name} is empty, and nobody has said which columns it has: it cannot be queried", file=sys.stderr)
        return
    whole = reduce(lambda above, below: above.unionByName(below, allowMissingColumns=True), frames)
    # A null in the name of a directory is a text to some engines.
    nulls = {column: F.when(key_of([column]) != HIVE_NULL, F.col(column)) for column in by}
    columns = [nulls[column].alias(column) if column in nulls else F.col(column) for column in whole.columns]
    whole.select(*columns).createOrReplaceTempView(name)


def read(spark, prefix, by):
    """Returns the rows below a prefix, partition columns as texts; none, when there is no more than a file of columns;
    None when that is missing too."""
    for place in (prefix, f"{prefix}/{COLUMNS}"):
        try:
            found = spark.read.parquet(place).schema
        except Exception as error:
            if not is_missing(error):
                raise
            continue
        fields = [field for field in found.fields if field.name not in by]
        if not fields:
            # Sail's word for a folder without files.
            continue
        texts = [StructField(column, StringType()) for column in by]
        return spark.read.schema(StructType(fields + texts)).parquet(place)
    return None


def is_empty(spark, place):
    try:
        return not spark.read.parquet(place).inputFiles()
    except Exception as error:
        if not is_missing(error):
            raise
        return True


def is_missing(error):
    # Spark's words for a folder that is not there, and for one without files.
    words = ("PATH_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA")
    return any(word in str(error) for word in words)


def key(values, by):
    return "\x01".join(values[column] or HIVE_NULL for column in by)


def key_of(by):
    null = F.lit(HIVE_NULL)
    texts = [F.when(F.coalesce(F.col(column), F.lit("")) == "", null).otherwise(F.col(column)) for column in by]
    return F.concat_ws("\x01", *texts)


def partitions_of(frame, by):
    if not by:
        return {""}
    return {row[0] for row in frame.select(key_of(by)).distinct().collect()}


def escaped(value):
    return "".join(f"%{ord(char):02X}" if char in ESCAPED else char for char in value)


def read_text(spark, uri):
    if not uri.startswith("file:"):
        return spark.read.text(uri, wholetext=True).collect()[0][0]
    # Not by a parser of URLs: `#` and `?` are part of a folder's name.
    path = "/" + uri[len("file:") :].lstrip("/")
    with open(path if os.path.exists(path) else unquote(path), encoding="utf-8") as file:
        return file.read()
