"""questions + answers -> tag_response, one row a (tag, kind of asker): how many questions got an answer that is good.

Good: by another than the asker, within 30 days, and by now accepted or with a positive score. Only questions that have
had those 30 days count, of the newest twelve months. A newcomer's question is the asker's first in the lake: those from
before the lake begins, and deleted ones, nobody knows. Whole and without partitions, as an old question that turns up
makes a newcomer's question of any month another's.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from soflow_jobs.periods import month_start
from soflow_jobs.stats import wilson_high, wilson_low

DAYS = 30  # so long a question has for its answer
MONTHS = 12
LOW_N = 30  # of fewer questions the rate says little

THREAD = ["site", "question_id"]


def tag_response(questions: DataFrame, answers: DataFrame, horizon: DataFrame) -> DataFrame:
    """All columns but `_run_id`; `horizon` is tag_health's observed_until. All questions of the lake are needed."""
    good = answers.where(F.col("is_accepted") | (F.col("score") > 0))
    good = good.where(~F.coalesce(F.col("is_self_answer"), F.lit(False)))
    first = good.groupBy(*THREAD).agg(F.min("created_at").alias("first_good_at"))
    asked = with_askers(questions).join(horizon, on="site", how="inner")
    # The last month whose every question was 30 days old.
    old_enough = F.date_sub(F.to_date("seen_until"), DAYS)
    asked = asked.withColumn("newest", F.add_months(F.trunc(old_enough, "month"), -1))
    month = month_start(F.col("created_at"))
    asked = asked.where((month <= F.col("newest")) & (month > F.add_months("newest", -MONTHS)))
    seconds = F.unix_timestamp("first_good_at") - F.unix_timestamp("created_at")
    helped = F.coalesce(seconds <= DAYS * 86_400, F.lit(False))
    each = asked.join(first, on=THREAD, how="left").select(
        "site", "newest", "known_since", "askers", helped.cast("bigint").alias("helped"), "tags"
    )
    each = each.withColumn("tag", F.explode(F.array_distinct("tags"))).withColumn("askers", F.explode("askers"))
    each = each.where(F.col("askers").isNotNull())
    counted = each.groupBy("site", "tag", "askers", "newest", "known_since")
    n, n_helped = F.col("n"), F.col("n_helped")
    return counted.agg(F.count("*").alias("n"), F.sum("helped").alias("n_helped")).select(
        "site",
        "tag",
        "askers",
        F.add_months("newest", 1 - MONTHS).alias("since"),
        F.last_day("newest").alias("until"),
        "n",
        "n_helped",
        (n_helped / n).alias("helped_rate"),
        wilson_low(n_helped, n).alias("helped_lo"),
        wilson_high(n_helped, n).alias("helped_hi"),
        (n < LOW_N).alias("low_n"),
        "known_since",
    )


def with_askers(questions: DataFrame) -> DataFrame:
    """The questions with `askers`, the kinds that they count for, and since when questions of the site are known.

    Those of deleted accounts count for `all`, and null.
    """
    since = questions.groupBy("site").agg(F.to_date(F.min("created_at")).alias("known_since"))
    by_asker = Window.partitionBy("site", "owner_user_id").orderBy("created_at", "question_id")
    kind = F.when(F.row_number().over(by_asker) == 1, "newcomer").otherwise("returning")
    kind = F.when(F.col("owner_user_id").isNotNull(), kind)
    marked = questions.withColumn("askers", F.array(F.lit("all"), kind))
    return marked.select(*THREAD, "tags", "created_at", "askers").join(since, on="site", how="inner")
