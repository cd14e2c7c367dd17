"""The step `tag_pairs`: questions -> tag_pairs_monthly, one row a (month, pair of tags asked together), and
tag_communities.

Lift and NPMI say how much oftener than by chance; a pair of two common tags has a high count and a lift of 1.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from soflow_jobs.communities import MAX_LINKS, communities
from soflow_jobs.communities import MIN_BOTH as MIN_LINK
from soflow_jobs.lake import Lake, say
from soflow_jobs.periods import month_start
from soflow_jobs.schemas import TAG_COMMUNITIES, ddl, names
from soflow_jobs.stats import wilson_high, wilson_low
from soflow_jobs.task import Task

MIN_BOTH = 5  # rarer pairs are chance
LOW_N = 10  # of fewer the lift is hardly known
PAIR = ["site", "tag_a", "tag_b"]
PAIR_MONTHS = 12  # findings and communities: of so many months
MIN_TAG = 10  # questions of each tag, in those


def run(spark: SparkSession, task: Task) -> None:
    """Writes the years of the changed months, and the years after, which compare with them; tag_communities whole."""
    lake = Lake(spark, task)
    months = {partition["created_month"] for partition in lake.changed("questions")}
    if not months:
        return
    years = {int(month[:4]) + after for month in months for after in (0, 1)}
    needed = years | {year - 1 for year in years}
    questions = lake.table(
        "questions",
        ["site", "question_id", "tags", "created_at"],
        keep=lambda partition: int(partition["created_month"][:4]) in needed,
    )
    rows = tag_pairs(questions).withColumn("year", F.year("month")).withColumn("_run_id", F.lit(task.run))
    say(months=len(months))
    lake.write("tag_pairs_monthly", rows.where(F.col("year").isin(sorted(years))))
    seen = lake.table("questions", ["site", "question_id", "tags", "created_at", "observed_at"])
    lake.write("tag_communities", tag_communities(spark, seen).withColumn("_run_id", F.lit(task.run)))


def tag_pairs(questions: DataFrame) -> DataFrame:
    """All columns but `_run_id`, for every month of the questions given. A rank needs its month complete."""
    tagged = questions.select(
        "site", "question_id", month_start(F.col("created_at")).alias("month"), F.array_distinct("tags").alias("tags")
    )
    totals = tagged.groupBy("site", "month").agg(F.count("*").alias("n_all"))
    first = tagged.select("site", "question_id", "month", "tags", F.explode("tags").alias("tag_a"))
    single = first.groupBy("site", "month", "tag_a").agg(F.count("*").alias("n_a"))
    pairs = first.select("site", "month", "tag_a", F.explode("tags").alias("tag_b"))
    counted = pairs.where(F.col("tag_a") < F.col("tag_b")).groupBy("month", *PAIR).agg(F.count("*").alias("n_both"))
    other = single.withColumnRenamed("tag_a", "tag_b").withColumnRenamed("n_a", "n_b")
    rows = (
        counted.where(F.col("n_both") >= MIN_BOTH)
        .join(single, on=["site", "month", "tag_a"], how="inner")
        .join(other, on=["site", "month", "tag_b"], how="inner")
        .join(totals, on=["site", "month"], how="inner")
    )
    return with_rank_change(describe(rows))


def describe(rows: DataFrame) -> DataFrame:
    """Counts -> lift, npmi and rank."""
    lift = F.col("n_both") * F.col("n_all") / (F.col("n_a") * F.col("n_b"))
    rarer, chance = F.least("n_a", "n_b"), F.greatest("n_a", "n_b") / F.col("n_all")
    return rows.select(
        "site",
        "month",
        "tag_a",
        "tag_b",
        "n_both",
        "n_a",
        "n_b",
        lift.alias("lift"),
        (wilson_low(F.col("n_both"), rarer) / chance).alias("lift_lo"),
        (wilson_high(F.col("n_both"), rarer) / chance).alias("lift_hi"),
        npmi(lift, F.col("n_both"), F.col("n_all")).alias("npmi"),
        F.row_number().over(_by_rank()).alias("rank"),
        (F.col("n_both") < LOW_N).alias("low_n"),
    )


def npmi(lift: Column, n_both: Column, n_all: Column) -> Column:
    """ln(lift) / -ln(p), from -1 (never together) over 0 (as by chance) to 1 (never apart).

    When every question has both tags p is 1 and the quotient 0/0; never apart, so 1.
    """
    quotient = F.ln(lift) / -F.ln(n_both / n_all)
    return F.when(n_both == n_all, 1.0).otherwise(F.greatest(F.lit(-1.0), F.least(F.lit(1.0), quotient)))


def with_rank_change(rows: DataFrame) -> DataFrame:
    """Adds delta_rank_12m: places climbed since the same month of the year before."""
    before = rows.select(*PAIR, F.add_months("month", 12).alias("month"), F.col("rank").alias("rank_before"))
    joined = rows.join(before, on=[*PAIR, "month"], how="left")
    return joined.select(*rows.columns, (F.col("rank_before") - F.col("rank")).alias("delta_rank_12m"))


def _by_rank() -> Window:
    # Integers only: a double's last bit differs between engines. A smaller n_a * n_b is a larger lift.
    order = [F.col("n_both").desc(), (F.col("n_a") * F.col("n_b")).asc(), F.col("tag_a").asc(), F.col("tag_b").asc()]
    return Window.partitionBy("site", "month").orderBy(*order)


def tag_communities(spark: SparkSession, questions: DataFrame) -> DataFrame:
    """All columns but `_run_id`: the communities of each site's tags in the newest twelve months that were over."""
    pairs = year_pairs(questions)
    rarer, chance = F.least("n_a", "n_b"), F.greatest("n_a", "n_b") / F.col("n_all")
    more = (F.col("n_both") >= MIN_LINK) & (wilson_low(F.col("n_both"), rarer) / chance > 1)
    first = Window.partitionBy("site").orderBy(F.col("n_both").desc(), "tag_a", "tag_b")
    links = pairs.where(more).withColumn("place", F.row_number().over(first)).where(F.col("place") <= MAX_LINKS)
    span = [F.add_months("newest", 1 - PAIR_MONTHS).alias("since"), F.last_day("newest").alias("until")]
    sites: dict[tuple, list] = {}
    for site, since, until, *link in links.select("site", *span, "tag_a", "tag_b", "n_both").collect():
        sites.setdefault((site, since, until), []).append(tuple(link))
    columns = [column for column in TAG_COMMUNITIES if column[0] != "_run_id"]
    rows = []
    for (site, since, until), found in sorted(sites.items()):
        about = {"site": site, "since": since, "until": until}
        rows += [tuple({**about, **row}[name] for name in names(columns)) for row in communities(found)]
    return spark.createDataFrame(rows, ddl(columns))


def year_pairs(questions: DataFrame) -> DataFrame:
    """(site, newest, tag_a, tag_b, n_both, n_a, n_b, n_all, n_tags) of the newest twelve months that were over.

    Of tags with MIN_TAG questions, n_tags of the site; `newest` is the first day of the last month.
    """
    seen = questions.groupBy("site").agg(F.to_date(F.max("observed_at")).alias("seen"))
    month = month_start(F.col("created_at"))
    over = questions.join(seen, on="site", how="inner").withColumn("newest", F.add_months(F.trunc("seen", "month"), -1))
    over = over.where((month <= F.col("newest")) & (month > F.add_months("newest", -PAIR_MONTHS)))
    over = over.select("site", "newest", "question_id", F.array_distinct("tags").alias("tags"))
    totals = over.groupBy("site", "newest").agg(F.count("*").alias("n_all"))
    tagged = over.select("site", "question_id", "tags", F.explode("tags").alias("tag_a"))
    single = tagged.groupBy("site", "tag_a").agg(F.count("*").alias("n_a")).where(F.col("n_a") >= MIN_TAG)
    tags = single.groupBy("site").agg(F.count("*").alias("n_tags"))
    other = single.withColumnRenamed("tag_a", "tag_b").withColumnRenamed("n_a", "n_b")
    both = tagged.select("site", "tag_a", F.explode("tags").alias("tag_b")).where(F.col("tag_a") < F.col("tag_b"))
    both = both.groupBy("site", "tag_a", "tag_b").agg(F.count("*").alias("n_both"))
    for each in ((single, ["site", "tag_a"]), (other, ["site", "tag_b"]), (totals, ["site"]), (tags, ["site"])):
        both = both.join(each[0], on=each[1], how="inner")
    return both
