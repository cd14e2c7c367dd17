"""The step `comments`: raw.comments -> comments, one row a comment, the newest version."""

from pyspark.sql import SparkSession

from soflow_jobs.ingest import run_base
from soflow_jobs.records import COMMENTS
from soflow_jobs.task import Task


def run(spark: SparkSession, task: Task) -> None:
    """Writes the `created_month` partitions that the raw pages touch, and the quarantine when there is any."""
    run_base(spark, task, COMMENTS)
