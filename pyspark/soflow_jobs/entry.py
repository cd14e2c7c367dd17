"""What every entry point does: read --task, make the session, run one step."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from pyspark.sql import SparkSession

from soflow_jobs.lake import leave_columns, read_text
from soflow_jobs.task import Task, parse_task

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
}


def main(run: Callable[[SparkSession, Task], None]) -> None:
    """Runs the step with the task named on the command line. Lets every exception out: the traceback is the message."""
    parser = argparse.ArgumentParser(description="One step of a soflow job. soflow calls this; see docs/task.md.")
    parser.add_argument("--task", required=True, metavar="URI", help="the task file")
    arguments = parser.parse_args()
    spark = configure(SparkSession.builder.appName("soflow").getOrCreate())
    try:
        task = parse_task(read_text(spark, arguments.task))
        run(spark, task)
        leave_columns(spark, task)
    finally:
        spark.stop()


def configure(spark: SparkSession) -> SparkSession:
    """The session with what the steps rely on: times in UTC on every engine."""
    for key, value in SETTINGS.items():
        spark.conf.set(key, value)
    return spark
