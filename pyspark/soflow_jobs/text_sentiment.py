"""The step `sentiment`: questions + answers + comments -> text_sentiment, one row a text.

A text that was never fetched (a page without bodies) has no row; of a question there is the title at least, and
text_part says so. A text in another language than English has a row without a score. A comment belongs to the question
it is on, or to the question of the answer it is on; where that post is not known, its question_id is null until its
month is scored again.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from soflow_jobs.lake import Lake, say
from soflow_jobs.pages import ARROW
from soflow_jobs.schemas import PARTITIONS, TEXT_SENTIMENT, ddl
from soflow_jobs.sentiment import ENGINES, engine_version, score
from soflow_jobs.task import Task, TaskError

TABLES = ("questions", "answers", "comments")
BATCH = 2_000  # texts an Arrow batch: keeps a worker's memory small with 8 MB bodies about


def run(spark: SparkSession, task: Task) -> None:
    """Writes the (created_month, unit_type) partitions whose posts changed."""
    engine = chosen(task)
    lake = Lake(spark, task)
    changed = {table: {p["created_month"] for p in lake.changed(table)} for table in TABLES}
    if not any(changed.values()):
        return
    asking = _changed(lake, "questions", changed, ["question_id", "title", "body_text"])
    answering = _changed(lake, "answers", changed, ["answer_id", "question_id", "body_text"])
    units = question_units(asking).unionByName(answer_units(answering))
    if changed["comments"]:
        comments = _changed(lake, "comments", changed, ["comment_id", "post_id", "post_type", "text"])
        asked = lake.table("questions", ["site", "question_id"])
        answered = lake.table("answers", ["site", "answer_id", "question_id"])
        units = units.unionByName(comment_units(comments, asked, answered))
    say(partitions=sum(len(months) for months in changed.values()))
    lake.write("text_sentiment", scored(units.where(F.col("text").isNotNull()), task.run, engine))


def chosen(task: Task) -> str:
    """What is to decide, by the parameter `sentiment`. Raises TaskError for a word that is none of ENGINES."""
    engine = task.parameters.get("sentiment", "model")
    if engine not in ENGINES:
        raise TaskError(f"`parameters.sentiment` is {engine!r}; it must be one of {', '.join(ENGINES)}")
    return engine


def question_units(questions: DataFrame) -> DataFrame:
    """The units of questions: the title is a text's first line, and all of it where nothing is left of the body."""
    text = F.concat_ws("\n", F.col("title"), F.col("body_text"))
    part = F.when(F.coalesce(F.col("body_text"), F.lit("")) == "", "title").otherwise("body")
    marked = questions.withColumn("text_part", part)
    return _units(marked, "question", F.col("question_id"), F.col("question_id"), text)


def answer_units(answers: DataFrame) -> DataFrame:
    """The units of answers."""
    marked = answers.withColumn("text_part", F.lit("body"))
    return _units(marked, "answer", F.col("answer_id"), F.col("question_id"), F.col("body_text"))


def comment_units(comments: DataFrame, questions: DataFrame, answers: DataFrame) -> DataFrame:
    """The units of comments, each with its question where the post is known.

    Questions and answers share one sequence of ids, so a post_id without a post_type is still one or the other.
    """
    asked = questions.select("site", F.col("question_id").alias("post_id"), F.col("question_id").alias("asked_id"))
    answered = answers.select("site", F.col("answer_id").alias("post_id"), F.col("question_id").alias("answered_id"))
    placed = comments.join(asked, on=["site", "post_id"], how="left").join(answered, on=["site", "post_id"], how="left")
    question = F.coalesce(
        F.when(F.coalesce(F.col("post_type"), F.lit("")) != "answer", F.col("asked_id")),
        F.when(F.coalesce(F.col("post_type"), F.lit("")) != "question", F.col("answered_id")),
        # The API has said what it is: no need to have seen the question.
        F.when(F.col("post_type") == "question", F.col("post_id")),
    )
    marked = placed.withColumn("text_part", F.lit("body"))
    return _units(marked, "comment", F.col("comment_id"), question, F.col("text"))


def scored(units: DataFrame, run_id: str, engine: str) -> DataFrame:
    """The units with their sentiment, in text_sentiment's columns and partition columns."""
    common = {"engine": ENGINES[engine], "engine_version": engine_version(engine), "_run_id": run_id}
    columns = TEXT_SENTIMENT + PARTITIONS["text_sentiment"]
    schema = pa.schema([(name, ARROW[kind]) for name, kind in columns])

    def add(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for start in range(0, batch.num_rows, BATCH):
                rows = batch.slice(start, BATCH).to_pylist()
                done = [{**row, **vars(score(row["text"], engine, row["unit_type"])), **common} for row in rows]
                yield pa.RecordBatch.from_pylist(done, schema)

    return units.mapInArrow(add, ddl(columns))


def _units(frame: DataFrame, unit_type: str, unit_id: Column, question_id: Column, text: Column) -> DataFrame:
    return frame.select(
        F.col("site"),
        F.lit(unit_type).alias("unit_type"),
        unit_id.alias("unit_id"),
        question_id.alias("question_id"),
        F.col("created_at"),
        F.col("created_month"),
        text.alias("text"),
        F.col("text_part"),
    )


def _changed(lake: Lake, table: str, changed: dict[str, set[str]], columns: list[str]) -> DataFrame:
    wanted = ["site", "created_at", "created_month", *columns]
    return lake.table(table, wanted, keep=lambda partition: partition["created_month"] in changed[table])
