"""The step `tag_trends`: questions -> tag_trends_weekly, one row a (week, tag).

The share of the site's questions that have the tag, and whether it has risen or fallen in the 104 weeks up to this one.
Shares, since the site's volume fell tenfold: counts of every tag fall. One week of a tag is too few questions to see a
change in; two years of them are not, and each half of those has every season once.
"""

from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, SparkSession, Window, WindowSpec
from pyspark.sql import functions as F

from soflow_jobs.lake import Lake, say
from soflow_jobs.periods import monday, week_start, week_years, years_between
from soflow_jobs.stats import (
    LEVEL,
    shrunk_log2_ratio,
    trend_z,
    two_sided_p,
    wilson_high,
    wilson_low,
    with_q,
    with_value,
)
from soflow_jobs.task import Task

PRIOR_WEEKS = 12
YEAR_WEEKS = 52
TREND_WEEKS = 104
NEW_WEEKS = 26  # a tag is new for that long after its first question on the site
MIN_QUESTIONS = 30  # in 104 weeks: below it no direction is told
FIRST_MONDAY = "1970-01-05"  # weeks are numbered from here

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

    A tag has a row in each week in which it has questions, and in weeks without when it had 30 in the 104 up to then.
    """
    seen_until = questions.groupBy("site").agg(F.max("observed_at").alias("seen_until"))
    return trends_of(tag_weeks(questions), site_weeks(questions), seen_until, years)


def trends_of(weekly: DataFrame, totals: DataFrame, seen_until: DataFrame, years: set[int] | None) -> DataFrame:
    """The same from what tag_weeks and site_weeks count, and until when each site was looked at."""
    first = weekly.groupBy("site", "tag").agg(F.min("week").alias("first_week"))
    site_first = totals.groupBy("site").agg(F.min("week").alias("site_first_week"))

    site = with_lookback(totals, ["site"])
    site = site.select("site", "week", *[F.col(name).alias(f"site_{name}") for name in LOOKBACK])
    now = with_lookback(with_silent_weeks(weekly, totals), ["site", "tag"])
    if years is not None:
        now = now.where(F.year("week").isin(sorted(years)))
    rows = (
        now.where((F.col("n") > 0) | (F.col("trend_n") >= MIN_QUESTIONS))
        .join(site, on=["site", "week"], how="inner")
        .join(first, on=["site", "tag"], how="inner")
        .join(site_first, on=["site"], how="inner")
        .join(seen_until, on=["site"], how="inner")
    )
    return describe(rows)


def tag_weeks(questions: DataFrame) -> DataFrame:
    """(site, tag, week, number, n): questions with the tag in the week that starts on `week`."""
    exploded = questions.select("site", week_start(F.col("created_at")).alias("week"), F.explode("tags").alias("tag"))
    return _numbered(exploded.groupBy("site", "tag", "week").agg(F.count("*").alias("n")))


def site_weeks(questions: DataFrame) -> DataFrame:
    """(site, week, number, n): questions, each once however many tags it has."""
    weeks = questions.select("site", week_start(F.col("created_at")).alias("week"))
    return _numbered(weeks.groupBy("site", "week").agg(F.count("*").alias("n")))


def _numbered(weeks: DataFrame) -> DataFrame:
    return weeks.withColumn("number", (F.datediff("week", F.lit(FIRST_MONDAY)) / 7).cast("int"))


def with_silent_weeks(weekly: DataFrame, totals: DataFrame) -> DataFrame:
    """The weeks of a tag, and those without a question of it until 103 weeks after one, of tags with 30 in any 104."""
    over_tag = Window.partitionBy("site", "tag")
    busiest = weekly.withColumn("trend_n", F.sum("n").over(_range(over_tag, TREND_WEEKS - 1, 0)))
    busy = busiest.groupBy("site", "tag").agg((F.max("trend_n") >= MIN_QUESTIONS).alias("busy"))
    last = totals.groupBy("site").agg(F.max("number").alias("last"))
    follows = F.lead("number").over(over_tag.orderBy("number"))
    spans = weekly.withColumn("follows", follows).join(busy, on=["site", "tag"], how="inner")
    spans = spans.join(last, on=["site"], how="inner")
    until = F.least(F.coalesce(F.col("follows") - 1, F.col("last")), F.col("number") + TREND_WEEKS - 1, F.col("last"))
    until = F.when(F.col("busy"), until).otherwise(F.col("number"))
    each = spans.select("site", "tag", "week", "number", "n", F.explode(F.sequence("number", until)).alias("silent"))
    return each.select(
        "site",
        "tag",
        F.date_add("week", ((F.col("silent") - F.col("number")) * 7).cast("int")).alias("week"),
        F.col("silent").alias("number"),
        F.when(F.col("silent") == F.col("number"), F.col("n")).otherwise(F.lit(0)).cast("bigint").alias("n"),
    )


# What a week looks back at: its own count, that of the 12 weeks before and of the week a year before; of the 104 weeks
# up to it the counts, those of the last 52, and what a trend is made of.
LOOKBACK = ["n", "prior", "year_ago", "trend_n", "year_n", "moment", "square"]


def with_lookback(weekly: DataFrame, key: list[str]) -> DataFrame:
    """(key, week, LOOKBACK) of each week that is there; weeks that are not count as 0."""
    whole, n, number = Window.partitionBy(*key), F.col("n"), F.col("number").cast("bigint")

    def total(value: Column, first: int, last: int) -> Column:
        return F.coalesce(F.sum(value).over(_range(whole, first, last)), F.lit(0))

    return weekly.select(
        *key,
        "week",
        "n",
        total(n, PRIOR_WEEKS, 1).alias("prior"),
        total(n, YEAR_WEEKS, YEAR_WEEKS).alias("year_ago"),
        total(n, TREND_WEEKS - 1, 0).alias("trend_n"),
        total(n, YEAR_WEEKS - 1, 0).alias("year_n"),
        total(number * n, TREND_WEEKS - 1, 0).alias("moment"),
        total(number * number * n, TREND_WEEKS - 1, 0).alias("square"),
    )


def _range(whole: WindowSpec, first: int, last: int) -> WindowSpec:
    """The weeks from `first` to `last` before a week."""
    return whole.orderBy("number").rangeBetween(-first, -last)


def describe(rows: DataFrame) -> DataFrame:
    """Counts and lookbacks -> the table's columns."""
    n, total = F.col("n"), F.col("site_n")
    # Of tags with too few questions no trend is looked for, so that they are no part of the family of tests.
    trend = trend_z(*[F.col(name) for name in ("trend_n", "moment", "site_trend_n", "site_moment", "site_square")])
    found = rows.withColumn("z", F.when(F.col("trend_n") >= MIN_QUESTIONS, trend))
    found = with_q(with_value(found, "p", two_sided_p, "z"), ["site", "week"])
    return found.select(
        "site",
        F.col("week").alias("week_start"),
        "tag",
        n.alias("n_questions"),
        total.alias("site_questions"),
        (n / total).alias("share"),
        wilson_low(n, total).alias("share_lo"),
        wilson_high(n, total).alias("share_hi"),
        shrunk_log2_ratio(n, total, F.col("prior"), F.col("site_prior")).alias("growth_12w_log2"),
        shrunk_log2_ratio(n, total, F.col("year_ago"), F.col("site_year_ago")).alias("yoy_log2"),
        F.col("year_n").alias("n_52w"),
        F.col("site_year_n").alias("site_52w"),
        (F.col("trend_n") - F.col("year_n")).alias("n_52w_before"),
        (F.col("site_trend_n") - F.col("site_year_n")).alias("site_52w_before"),
        "z",
        "p",
        "q",
        status().alias("status"),
        (F.date_add("week", 7).cast("timestamp") > F.col("seen_until")).alias("partial"),
    )


def status() -> Column:
    """low_n, new, rising, falling or stable; the first that holds.

    New: the tag's first question is less than 26 weeks back, and the site is known for a year before that.
    """
    is_new = (F.col("first_week") > F.date_sub("week", 7 * NEW_WEEKS)) & (
        F.col("site_first_week") <= F.date_sub("week", 7 * (NEW_WEEKS + YEAR_WEEKS))
    )
    stands_out = F.col("q") < LEVEL
    return (
        F.when(F.col("trend_n") < MIN_QUESTIONS, "low_n")
        .when(is_new, "new")
        .when(stands_out & (F.col("z") > 0), "rising")
        .when(stands_out & (F.col("z") < 0), "falling")
        .otherwise("stable")
    )


def touched_years(questions: DataFrame, months: set[str]) -> set[int]:
    """The years with a row that the changed months may alter.

    Their own weeks and the 104 that look back at them; the weeks that may have been partial when the other months were
    observed; and the weeks in which a tag (or the site) counted as new until an earlier question of it turned up.
    Not found: a tag that was taken off its first question, which makes a later year's rows new; `scope: all` does.
    """
    changed = F.col("created_month").isin(sorted(months))
    # Dates, since a collected timestamp is in the driver's time zone.
    before, now = F.to_date(F.max(F.when(~changed, F.col("observed_at")))), F.to_date(F.max("observed_at"))
    seen = questions.agg(before, now).collect()[0]
    partial = years_between(seen[0] and monday(seen[0]) - timedelta(weeks=1), seen[1])
    return week_years(months, TREND_WEEKS) | partial | years_no_longer_new(questions, changed)


def years_no_longer_new(questions: DataFrame, changed: Column) -> set[int]:
    """The years in which what was a tag's, or the site's, first week before the change made the tag, or all, new."""
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
    return range(first_week.year, (first_week + timedelta(weeks=NEW_WEEKS + YEAR_WEEKS)).year + 1)
