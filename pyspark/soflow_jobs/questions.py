"""The step `questions`: raw.questions -> questions, one row a question, the newest version."""

from pyspark.sql import SparkSession

from soflow_jobs.ingest import run_base
from soflow_jobs.records import QUESTIONS
from soflow_jobs.task import Task


def run(spark: SparkSession, task: Task) -> None:
    """Writes the `created_month` partitions that the raw pages touch, and the quarantine when there is any."""
    run_base(spark, task, QUESTIONS)
