"""The task's tables as DataFrames, and DataFrames as partition directories. The only module that reads and writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import reduce
from operator import or_
from pathlib import Path
from urllib.parse import unquote

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from soflow_jobs.schemas import PARTITIONS, TABLES, Columns, ddl, names
from soflow_jobs.task import Output, Partition, Published, Task

Keep = Callable[[Partition], bool]

# Where Spark leaves the columns of a table without rows. Sail writes no file without rows; its launcher does.
COLUMNS = "_schema"
# What stands for a null among partition values, also where an engine makes an empty text of it.
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
# What Spark escapes in the name of a partition's directory. Source: its ExternalCatalogUtils.charToEscape.
ESCAPED = set("\"#%'*/:=?\\\x7f{[]^") | {chr(code) for code in range(1, 32)}


class Lake:
    """What one task may read and write. Finds out once what upstream steps of this run have written."""

    def __init__(self, spark: SparkSession, task: Task) -> None:
        self.spark = spark
        self.task = task
        self._live: dict[str, tuple[Published, ...]] = {}

    def live(self, table: str) -> tuple[Published, ...]:
        """The directories that make up the table; upstream's partitions replace published ones of the same values."""
        if table not in self._live:
            source = self.task.input(table)
            fresh = partitions_in(self.spark, source.upstream, table) if source.upstream else []
            old = [without(each, fresh) for each in source.published]
            new = [Published(source.upstream, tuple(fresh), tuple(fresh))] if fresh else []
            self._live[table] = tuple(old + new)
        return self._live[table]

    def table(self, table: str, columns: Iterable[str] | None = None, keep: Keep | None = None) -> DataFrame:
        """The table's rows: all columns and partition columns, or `columns`; of all partitions, or those to `keep`."""
        return read(self.spark, self.live(table), table, columns, keep)

    def changed(self, table: str) -> list[Partition]:
        """The live partitions that the output has not taken in yet; all of them when everything is to be computed."""
        part = "partitions" if self.task.everything else "changed"
        return [partition for each in self.live(table) for partition in getattr(each, part)]

    def current(self, table: str, columns: Iterable[str] | None = None, keep: Keep | None = None) -> DataFrame:
        """The output table as published before this run: what new rows must be merged with."""
        return read(self.spark, self.task.output(table).current, table, columns, keep)

    def write(self, table: str, frame: DataFrame) -> None:
        """Writes the frame, which has the table's columns and those partition columns that the output does not fix.

        Every partition is one hash bucket of the shuffle, so a small one is one file. A frame without rows may or may
        not leave an empty directory. Raises when something is there already.
        """
        output = self.task.output(table)
        free = [column for column in output.partition_by if column not in output.only]
        rows = frame.select(*names(TABLES[table]), *free)
        if free:
            rows = rows.repartition(*free)
        writer = rows.write.option("compression", "zstd")
        (writer.partitionBy(*free) if free else writer).parquet(place(output))


def place(output: Output) -> str:
    """Where a step writes: the output's prefix, or the partition of it that is fixed."""
    return output.prefix + "".join(f"/{column}={escaped(value)}" for column, value in output.only.items())


def leave_columns(spark: SparkSession, task: Task) -> None:
    """Says which columns the outputs have to which nothing was written: no file of theirs does. See docs/task.md."""
    for table, output in task.outputs.items():
        if table not in TABLES:
            continue
        schema = TABLES[table]
        try:
            written = spark.read.schema(ddl(schema)).parquet(place(output)).inputFiles()
        except AnalysisException as cause:
            if "PATH_NOT_FOUND" not in str(cause):
                raise
            written = []
        if not written:
            # On a laptop the engine's launcher may have left them already.
            empty(spark, schema).write.mode("ignore").parquet(f"{place(output)}/{COLUMNS}")


def read(
    spark: SparkSession,
    published: Iterable[Published],
    table: str,
    columns: Iterable[str] | None = None,
    keep: Keep | None = None,
) -> DataFrame:
    """The live partitions under each prefix, as one frame with the table's declared types, partition columns last.

    One scan a prefix, pruned to its live partitions; an empty frame when there are none. A column that older files
    lack is null.
    """
    schema = TABLES[table] + PARTITIONS[table]
    wanted = list(columns) if columns is not None else names(schema)
    frames = []
    for each in published:
        partitions = [p for p in each.partitions if keep is None or keep(p)]
        if partitions:
            frame = spark.read.schema(ddl(schema)).parquet(each.prefix)
            live = frame.where(is_one_of(partitions, PARTITIONS[table])) if PARTITIONS[table] else frame
            frames.append(live.select(*wanted))
    if not frames:
        return empty(spark, schema).select(*wanted)
    return reduce(lambda above, below: above.unionByName(below), frames)


def empty(spark: SparkSession, schema: Columns) -> DataFrame:
    """No rows of this schema."""
    return spark.createDataFrame([], ddl(schema))


def partitions_in(spark: SparkSession, prefix: str, table: str) -> list[Partition]:
    """The partitions with rows under a prefix, sorted; none when nothing is there."""
    columns = PARTITIONS[table]
    schema = ddl(TABLES[table] + columns)
    try:
        found = spark.read.schema(schema).parquet(prefix).select(*names(columns)).distinct().collect()
    except AnalysisException as cause:
        # Spark says so, Sail reads nothing; both mean that the step before had nothing to write.
        if "PATH_NOT_FOUND" in str(cause):
            return []
        raise
    nulls = {None: HIVE_NULL, "": HIVE_NULL}
    rows = [{column: nulls.get(value, str(value)) for column, value in row.asDict().items()} for row in found]
    return sorted(rows, key=lambda row: tuple(row.values()))


def without(published: Published, replaced: list[Partition]) -> Published:
    """The published directory with the replaced partitions no longer live."""
    return Published(
        published.prefix,
        tuple(p for p in published.partitions if p not in replaced),
        tuple(p for p in published.changed if p not in replaced),
    )


def is_one_of(partitions: list[Partition], columns: Columns) -> Column:
    """True for rows of these partitions, in the form that engines prune directories by: `a in (..) and b = ..`."""
    first, *rest = names(columns)
    by_rest: dict[tuple[str, ...], list[str]] = {}
    for partition in partitions:
        by_rest.setdefault(tuple(partition[column] for column in rest), []).append(partition[first])
    conditions = []
    for values, firsts in sorted(by_rest.items()):
        condition = is_any(first, firsts)
        for column, value in zip(rest, values, strict=True):
            condition = condition & is_any(column, [value])
        conditions.append(condition)
    return reduce(or_, conditions)


def is_any(column: str, values: list[str]) -> Column:
    """True for rows whose partition column has one of these values."""
    texts = sorted(value for value in values if value != HIVE_NULL)
    conditions = [F.col(column).isin(texts)] if texts else []
    if len(texts) < len(values):
        conditions.append(F.coalesce(F.col(column).cast("string"), F.lit("")).isin("", HIVE_NULL))
    return reduce(or_, conditions)


def escaped(value: str) -> str:
    """A partition value as Spark spells it in a directory's name."""
    return "".join(f"%{ord(char):02X}" if char in ESCAPED else char for char in value)


def read_text(spark: SparkSession, uri: str) -> str:
    """The text at a URI: a path, `file:`, or whatever the engine reads. Behind `file://` is the path as it is."""
    if not uri.startswith("file:") and "://" in uri:
        return spark.read.text(uri, wholetext=True).collect()[0][0]
    # Not by a parser of URLs: `#` and `?` are part of a folder's name.
    path = Path("/" + uri.removeprefix("file:").lstrip("/") if uri.startswith("file:") else uri)
    return (path if path.exists() else Path(unquote(str(path)))).read_text(encoding="utf-8")


def say(**facts: int | str) -> None:
    """Tells soflow a fact about the step, for its progress line."""
    print("@soflow " + json.dumps(facts), flush=True)
