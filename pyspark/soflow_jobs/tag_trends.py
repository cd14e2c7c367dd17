"""The step `tag_trends`: questions -> tag_trends_weekly, one row a (week, tag).

The share of the site's questions that have the tag, against the 12 weeks before and the same week a year (52 weeks)
before. Shares, since the site's volume fell tenfold: counts of every tag fall.
"""

from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from soflow_jobs.lake import Lake, say
from soflow_jobs.periods import monday, week_start, week_years, years_between
from soflow_jobs.stats import Z95, shrunk_log2_ratio, two_shares_z, wilson_high, wilson_low
from soflow_jobs.task import Task

PRIOR_WEEKS = 12
YEAR_WEEKS = 52
NEW_WEEKS = 26  # a tag is new for that long after its first question
MIN_QUESTIONS = 30  # in the week or in the 12 before: below it no direction is told

COLUMNS = ["site", "question_id", "tags", "created_at", "observed_at", "created_month"]


def run(spark: SparkSession, task: Task) -> None:
    """Writes the years whose rows a changed month of questions can alter."""
    lake = Lake(spark, task)
    months = {partition["created_month"] for partition in lake.changed("questions")}
    if not months:
        return
    questions = lake.table("questions", COLUMNS)
    years = None if task.everything else touched_years(questions, months)
    rows = tag_trends(questions, years).withColumn("_run_id", F.lit(task.run))
    say(months=len(months))
    lake.write("tag_trends_weekly", rows.withColumn("year", F.year("week_start")))


def tag_trends(questions: DataFrame, years: set[int] | None) -> DataFrame:
    """Rows of the weeks that start in `years` (None: all), without `_run_id` and `year`.

    A tag has a row in each week in which it has questions, and in weeks without when it had 30 in the 12 before.
    """
    weekly = tag_weeks(questions)
    totals = site_weeks(questions)
    first = weekly.groupBy("site", "tag").agg(F.min("week").alias("first_week"))
    site_first = totals.groupBy("site").agg(F.min("week").alias("site_first_week"))
    seen_until = questions.groupBy("site").agg(F.max("observed_at").alias("seen_until"))

    now = with_lookback(weekly, ["site", "tag"], years)
    site_now = with_lookback(totals, ["site"], years).where(F.col("n") > 0)
    site_now = site_now.select("site", "week", *[F.col(c).alias(f"site_{c}") for c in ("n", "prior", "year_ago")])
    rows = (
        now.where((F.col("n") > 0) | (F.col("prior") >= MIN_QUESTIONS))
        .join(site_now, on=["site", "week"], how="inner")
        .join(first, on=["site", "tag"], how="inner")
        .join(site_first, on=["site"], how="inner")
        .join(seen_until, on=["site"], how="inner")
    )
    return describe(rows)


def tag_weeks(questions: DataFrame) -> DataFrame:
    """(site, tag, week, n): questions with the tag in the week that starts on `week`."""
    exploded = questions.select("site", week_start(F.col("created_at")).alias("week"), F.explode("tags").alias("tag"))
    return exploded.groupBy("site", "tag", "week").agg(F.count("*").alias("n"))


def site_weeks(questions: DataFrame) -> DataFrame:
    """(site, week, n): questions, each once however many tags it has."""
    weeks = questions.select("site", week_start(F.col("created_at")).alias("week"))
    return weeks.groupBy("site", "week").agg(F.count("*").alias("n"))


def with_lookback(weekly: DataFrame, key: list[str], years: set[int] | None) -> DataFrame:
    """(key, week, n, prior, year_ago): the week's count, the sum of the 12 weeks before, the count 52 weeks before.

    Every count is sent to the weeks that look back at it, so weeks without questions count as 0 and no engine's range
    frames are needed. Weeks after the last one of the data are there too: they join with no week of the site.
    """
    offsets = F.array(*[F.lit(7 * week) for week in (*range(PRIOR_WEEKS + 1), YEAR_WEEKS)])
    sent = weekly.select(*key, "week", "n", F.explode(offsets).alias("days"))
    sent = sent.select(*key, F.date_add(F.col("week"), F.col("days")).alias("week"), "n", "days")
    if years is not None:
        sent = sent.where(F.year("week").isin(sorted(years)))
    in_prior = F.col("days").between(7, 7 * PRIOR_WEEKS)
    return sent.groupBy(*key, "week").agg(
        _sum_where(F.col("days") == 0).alias("n"),
        _sum_where(in_prior).alias("prior"),
        _sum_where(F.col("days") == 7 * YEAR_WEEKS).alias("year_ago"),
    )


def describe(rows: DataFrame) -> DataFrame:
    """Counts and lookbacks -> the table's columns."""
    n, total = F.col("n"), F.col("site_n")
    prior, total_prior = F.col("prior"), F.col("site_prior")
    return rows.select(
        "site",
        F.col("week").alias("week_start"),
        "tag",
        n.alias("n_questions"),
        total.alias("site_questions"),
        (n / total).alias("share"),
        wilson_low(n, total).alias("share_lo"),
        wilson_high(n, total).alias("share_hi"),
        shrunk_log2_ratio(n, total, prior, total_prior).alias("growth_12w_log2"),
        shrunk_log2_ratio(n, total, F.col("year_ago"), F.col("site_year_ago")).alias("yoy_log2"),
        two_shares_z(n, total, prior, total_prior).alias("z"),
        status(two_shares_z(n, total, prior, total_prior)).alias("status"),
        (F.date_add("week", 7).cast("timestamp") > F.col("seen_until")).alias("partial"),
    )


def status(z: Column) -> Column:
    """new, low_n, rising, falling or stable; the first that holds.

    New: the tag's first question is less than 26 weeks back and the site's is not.
    """
    is_new = (F.col("first_week") > F.date_sub("week", 7 * NEW_WEEKS)) & (
        F.col("site_first_week") <= F.date_sub("week", 7 * NEW_WEEKS)
    )
    too_few = (F.col("n") < MIN_QUESTIONS) & (F.col("prior") < MIN_QUESTIONS)
    return (
        F.when(is_new, "new")
        .when(too_few, "low_n")
        .when(z > Z95, "rising")
        .when(z < -Z95, "falling")
        .otherwise("stable")
    )


def touched_years(questions: DataFrame, months: set[str]) -> set[int]:
    """The years with a row that the changed months may alter.

    Their own weeks and the 52 that look back at them; the weeks that may have been partial when the other months were
    observed; and the 26 weeks in which a tag (or the site) counted as new until an earlier question of it turned up.
    Not found: a tag that was taken off its first question, which makes a later year's rows new; `scope: all` does.
    """
    changed = F.col("created_month").isin(sorted(months))
    # Dates, since a collected timestamp is in the driver's time zone.
    before, now = F.to_date(F.max(F.when(~changed, F.col("observed_at")))), F.to_date(F.max("observed_at"))
    seen = questions.agg(before, now).collect()[0]
    partial = years_between(seen[0] and monday(seen[0]) - timedelta(weeks=1), seen[1])
    return week_years(months, YEAR_WEEKS) | partial | years_no_longer_new(questions, changed)


def years_no_longer_new(questions: DataFrame, changed: Column) -> set[int]:
    """The years of the 26 weeks after what was a tag's, or the site's, first week before the change."""
    week = week_start(F.col("created_at"))
    marked = questions.select("site", "tags", week.alias("week"), changed.alias("changed"))
    tags = marked.select("site", F.explode("tags").alias("tag"), "week", "changed")
    whole_site = marked.select("site", F.lit(None).cast("string").alias("tag"), "week", "changed")
    firsts = (
        tags.unionByName(whole_site)
        .groupBy("site", "tag")
        .agg(
            F.min(F.when(F.col("changed"), F.col("week"))).alias("changed_first"),
            F.min(F.when(~F.col("changed"), F.col("week"))).alias("other_first"),
        )
    )
    found = firsts.where(F.col("changed_first") < F.col("other_first")).select("other_first").distinct().collect()
    return {year for row in found for year in _new_years(row[0])}


def _new_years(first_week: date) -> range:
    return range(first_week.year, (first_week + timedelta(weeks=NEW_WEEKS)).year + 1)


def _sum_where(condition: Column) -> Column:
    return F.sum(F.when(condition, F.col("n")).otherwise(F.lit(0)))
