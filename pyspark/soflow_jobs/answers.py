"""The step `answers`: raw.answers + questions -> answers, one row an answer, the newest version.

`is_self_answer` and `first_in_thread` depend on the thread, which other months may hold. So the flags of every thread
that a new answer or a changed question touches are computed from all its known answers, and a month in which a flag
turns out different is rewritten too.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from soflow_jobs.ingest import ingest, merge, months_of, newest
from soflow_jobs.lake import Lake
from soflow_jobs.records import ANSWERS
from soflow_jobs.task import Task

FLAGS = ["is_self_answer", "first_in_thread"]
THREAD = ["site", "question_id"]
PLACE = ["site", "answer_id", "question_id", "created_at", "owner_user_id", "created_month"]


def run(spark: SparkSession, task: Task) -> None:
    """Writes the `created_month` partitions whose answers or flags change, and the quarantine when there is any."""
    lake = Lake(spark, task)
    incoming = ingest(spark, task, lake, ANSWERS)
    asked = lake.table("questions", ["site", "question_id", "owner_user_id"])
    changed = lake.changed("questions")
    touched = lake.table("questions", THREAD, keep=lambda partition: partition in changed)
    threads = touched.unionByName(incoming.select(*THREAD)).distinct()

    known = lake.current("answers", [*PLACE, *FLAGS]).join(threads, on=THREAD, how="left_semi")
    fresh = newest(incoming, "answer_id").select(*PLACE)
    flags = thread_flags(all_answers(known, fresh), asked)
    months = sorted({*months_of(incoming), *months_of(changed_flags(known, flags))})
    if months:
        lake.write("answers", with_flags(merge(lake, ANSWERS, incoming, months), flags))


def all_answers(known: DataFrame, fresh: DataFrame) -> DataFrame:
    """One row for each answer of the threads: the fresh version where there is one."""
    kept = known.select(*PLACE).join(fresh.select("site", "answer_id"), on=["site", "answer_id"], how="left_anti")
    return fresh.unionByName(kept)


def thread_flags(answers: DataFrame, asked: DataFrame) -> DataFrame:
    """(site, answer_id, is_self_answer, first_in_thread) of complete threads.

    is_self_answer is null when the question is not known, and false when either account is deleted. The first answer is
    the earliest; of two in the same second the one with the lower id.
    """
    asker = asked.select(*THREAD, F.col("owner_user_id").alias("asker_id"), F.lit(True).alias("known"))
    same = F.coalesce(F.col("owner_user_id") == F.col("asker_id"), F.lit(False))
    order = Window.partitionBy(*THREAD).orderBy(F.col("created_at").asc(), F.col("answer_id").asc())
    return answers.join(asker, on=THREAD, how="left").select(
        "site",
        "answer_id",
        F.when(F.col("known"), same).alias("is_self_answer"),
        (F.row_number().over(order) == 1).alias("first_in_thread"),
    )


def changed_flags(known: DataFrame, flags: DataFrame) -> DataFrame:
    """The known answers whose stored flags are no longer right."""
    now = flags.select("site", "answer_id", *[F.col(flag).alias(f"{flag}_now") for flag in FLAGS])
    same = F.lit(True)
    for flag in FLAGS:
        same = same & F.col(flag).eqNullSafe(F.col(f"{flag}_now"))
    return known.join(now, on=["site", "answer_id"], how="inner").where(~same)


def with_flags(merged: DataFrame, flags: DataFrame) -> DataFrame:
    """The rows with new flags where their thread was touched, with those they had elsewhere."""
    now = flags.select("site", "answer_id", F.lit(True).alias("touched"), *[F.col(f).alias(f"{f}_now") for f in FLAGS])
    joined = merged.join(now, on=["site", "answer_id"], how="left")
    for flag in FLAGS:
        joined = joined.withColumn(flag, F.when(F.col("touched"), F.col(f"{flag}_now")).otherwise(F.col(flag)))
    return joined.drop("touched", *[f"{flag}_now" for flag in FLAGS])
