"""The step `question_tags`: questions -> question_tags, one row a tag of a question, for tools that have no lists."""

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from soflow_jobs.lake import Lake
from soflow_jobs.schemas import PARTITIONS, QUESTION_TAGS, names
from soflow_jobs.task import Task

TABLE = "question_tags"


def run(spark: SparkSession, task: Task) -> None:
    """Writes the `created_month` partitions whose questions have changed."""
    lake = Lake(spark, task)
    changed = lake.changed("questions")
    if not changed:
        return
    columns = ["site", "question_id", "tags", "created_at", "created_month"]
    questions = lake.table("questions", columns, keep=lambda partition: partition in changed)
    listed = questions.select("*", F.posexplode(F.array_distinct("tags")).alias("_at", "tag"))
    rows = listed.withColumn("position", (F.col("_at") + 1).cast("int")).withColumn("_run_id", F.lit(task.run))
    lake.write(TABLE, rows.select(*names(QUESTION_TAGS), *names(PARTITIONS[TABLE])))
