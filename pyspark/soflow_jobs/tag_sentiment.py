"""The step `tag_sentiment`: text_sentiment + questions -> tag_sentiment_weekly, one row a (week, tag, unit type).

Questions tell of trouble by nature, so a tag is compared with all texts of the same kind in the same week, never with
zero. A text in another language, or of which there is the title alone, is in no mean; it is counted.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from soflow_jobs.lake import Lake, say
from soflow_jobs.periods import week_start, week_years
from soflow_jobs.stats import Z95
from soflow_jobs.task import Task

MIN_UNITS = 30  # below it a tag gets no label
WEEK = ["site", "week_start", "unit_type"]
THREAD = ["site", "question_id"]
MOOD = ["question_id", "text_part", "n_sentences", "polarity_net", "p_negative", "p_positive"]
UNIT = ["site", "unit_id", "unit_type", "created_at", "created_month", *MOOD]

# Means are computed of whole numbers of this many parts of 1: then their order does not matter, on any engine.
PARTS = 10_000


def run(spark: SparkSession, task: Task) -> None:
    """Writes the years of changed texts, and of all texts on questions whose month changed (their tags may have)."""
    lake = Lake(spark, task)
    texts = {partition["created_month"] for partition in lake.changed("text_sentiment")}
    asked = {partition["created_month"] for partition in lake.changed("questions")}
    if not texts and not asked:
        return
    units = lake.table("text_sentiment", UNIT).withColumn("week_start", week_start(F.col("created_at")))
    questions = lake.table("questions", [*THREAD, "tags", "created_month"])
    if not task.everything:
        years = week_years(texts) | years_of_units_on(units, questions, asked)
        units = units.where(F.year("week_start").isin(sorted(years)))
    rows = tag_sentiment(units, questions).withColumn("_run_id", F.lit(task.run))
    say(months=len(texts | asked))
    lake.write("tag_sentiment_weekly", rows.withColumn("year", F.year("week_start")))


def tag_sentiment(units: DataFrame, questions: DataFrame) -> DataFrame:
    """All columns but `_run_id`. `units` needs whole weeks. A text without sentences says nothing and is left out."""
    spoken = units.where(F.col("n_sentences") > 0).select(*WEEK, "question_id", *in_parts())
    baseline = spoken.groupBy(*WEEK).agg(mean("net").alias("baseline_net"))
    tags = questions.select(*THREAD, F.explode("tags").alias("tag"))
    by_tag = spoken.join(tags, on=THREAD, how="inner").groupBy(*WEEK, "tag")
    middle, half = interval()
    measured = by_tag.agg(
        F.count("net").alias("n_units"),
        F.sum(F.when(F.col("net").isNull(), 1).otherwise(0)).alias("n_left_out"),
        mean("net").alias("net_mean"),
        middle.alias("middle"),
        half.alias("half"),
    )
    rows = measured.where(F.col("n_units") > 0).join(baseline, on=WEEK, how="inner")
    rows = rows.withColumn("net_lo", F.greatest(F.lit(-1.0), F.col("middle") - F.col("half")))
    rows = rows.withColumn("net_hi", F.least(F.lit(1.0), F.col("middle") + F.col("half")))
    rows = rows.withColumn("diff_vs_baseline", F.col("net_mean") - F.col("baseline_net"))
    return rows.withColumn("label", label()).drop("middle", "half")


def in_parts() -> list[Column]:
    """`net` and `square` of a text in whole numbers of PARTS and PARTS squared; null for a text that is left out.

    The square is that of what the text is (-1, 0 or 1), as its probabilities expect it; of its net where VADER decided.
    """
    net, negative, positive = (
        F.round(F.when(is_body(), F.col(name)) * PARTS).cast("bigint")
        for name in ("polarity_net", "p_negative", "p_positive")
    )
    return [net.alias("net"), F.coalesce((negative + positive) * PARTS, net * net).alias("square")]


def is_body() -> Column:
    """Whether there is more of the text than a title."""
    return F.coalesce(F.col("text_part"), F.lit("body")) != "title"


def mean(column: str) -> Column:
    """Aggregate: the mean of whole numbers of PARTS, as a double; null when there is none."""
    n = F.count(column)
    return F.sum(column).cast("double") / F.when(n > 0, n) / float(PARTS)


def interval() -> tuple[Column, Column]:
    """Aggregates: the middle and half the length of the 95 % interval of what the texts are on average.

    Two made-up texts, one negative and one positive and each by half, keep it from being too short for few texts, as
    Agresti and Min do for a difference of two shares of the same n: Statistics in Medicine 24 (2005), 729-740.
    """
    n = F.count("net").cast("double") + 2.0
    middle = F.sum("net").cast("double") / n / float(PARTS)
    square = (F.sum("square").cast("double") / float(PARTS * PARTS) + 1.0) / n
    return middle, Z95 * F.sqrt((square - middle * middle) / n)


def label() -> Column:
    """low_n below 30 texts; above or below when the 95 % interval does not hold the baseline; else at."""
    # All texts alike: no spread, and a difference in a mean's last bits is none.
    clear = F.abs("diff_vs_baseline") > 1e-9
    return (
        F.when(F.col("n_units") < MIN_UNITS, "low_n")
        .when(clear & (F.col("net_lo") > F.col("baseline_net")), "above")
        .when(clear & (F.col("net_hi") < F.col("baseline_net")), "below")
        .otherwise("at")
    )


def years_of_units_on(units: DataFrame, questions: DataFrame, months: set[str]) -> set[int]:
    """The years (of the week's Monday) with a text on a question of these months."""
    if not months:
        return set()
    changed = questions.where(F.col("created_month").isin(sorted(months))).select(*THREAD)
    found = units.join(changed, on=THREAD, how="left_semi").select(F.year("week_start").alias("year")).distinct()
    return {row[0] for row in found.collect()}
