"""The step `tag_sentiment`: text_sentiment + questions -> tag_sentiment_weekly, one row a (week, tag, unit type).

Questions tell of trouble by nature, so a tag is compared with all texts of the same kind in the same week, never with
zero.
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
UNIT = ["site", "unit_id", "unit_type", "question_id", "created_at", "n_sentences", "polarity_net", "created_month"]


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
    spoken = units.where(F.col("n_sentences") > 0).select(*WEEK, "question_id", "polarity_net")
    baseline = spoken.groupBy(*WEEK).agg(F.avg("polarity_net").alias("baseline_net"))
    tags = questions.select(*THREAD, F.explode("tags").alias("tag"))
    by_tag = spoken.join(tags, on=THREAD, how="inner").groupBy(*WEEK, "tag")
    measured = by_tag.agg(
        F.count("*").alias("n_units"),
        F.avg("polarity_net").alias("net_mean"),
        F.stddev_samp("polarity_net").alias("deviation"),
    )
    half = F.when(F.col("n_units") > 1, Z95 * F.col("deviation") / F.sqrt("n_units"))
    rows = measured.join(baseline, on=WEEK, how="inner")
    rows = rows.withColumn("net_lo", F.col("net_mean") - half).withColumn("net_hi", F.col("net_mean") + half)
    rows = rows.withColumn("diff_vs_baseline", F.col("net_mean") - F.col("baseline_net"))
    return rows.withColumn("label", label()).drop("deviation")


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
