"""The step `tag_health`: questions + answers -> tag_health_monthly, one row a (month, tag), and tag_response.

Whether and when a question is answered is right-censored: a question of today has had no time. So answered_* and
median_ttfa_s look only at questions at least 7 days old when answers were last observed (the cohort), all three rates
at the same ones, so 1 h <= 24 h <= 7 d always holds. The median is Kaplan-Meier's: with nobody censored before 7 days
it is the time by which half of *all* questions of the month had an answer, and there is none when fewer than half had
one within 7 days. Another's answer counts, not the asker's own.
"""

from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from soflow_jobs.lake import Lake, say
from soflow_jobs.periods import month_start, years_between
from soflow_jobs.schemas import TAG_RESPONSE, names
from soflow_jobs.stats import share_where, wilson_high, wilson_low
from soflow_jobs.tag_response import tag_response
from soflow_jobs.task import Task

HOUR, DAY = 3_600, 86_400  # seconds
HORIZON = 7 * DAY
LOW_N = 30  # of fewer questions the rates say little

THREAD = ["site", "question_id"]
QUESTION = (
    "site question_id tags created_at observed_at answer_count is_answered accepted_answer_id closed_at score "
    "owner_user_id created_month"
).split()
ANSWER = ("site question_id answer_id created_at observed_at is_self_answer is_accepted score created_month").split()


def run(spark: SparkSession, task: Task) -> None:
    """Writes the years of changed questions, of questions with changed answers, and of months that may have matured.

    tag_response it writes whole.
    """
    lake = Lake(spark, task)
    changed_questions = {p["created_month"] for p in lake.changed("questions")}
    changed_answers = {p["created_month"] for p in lake.changed("answers")}
    if not changed_questions and not changed_answers:
        return
    questions, answers = lake.table("questions", QUESTION), lake.table("answers", ANSWER)
    horizon = observed_until(questions, answers)
    response = tag_response(questions, answers, horizon).withColumn("_run_id", F.lit(task.run))
    lake.write("tag_response", response.select(*names(TAG_RESPONSE)))
    if not task.everything:
        years = touched_years(questions, answers, changed_questions, changed_answers)
        questions = lake.table("questions", QUESTION, keep=lambda p: int(p["created_month"][:4]) in years)
    rows = tag_health(questions, answers, horizon)
    say(months=len(changed_questions | changed_answers))
    rows = rows.withColumn("_run_id", F.lit(task.run)).withColumn("year", F.year("month"))
    lake.write("tag_health_monthly", rows)


def observed_until(questions: DataFrame, answers: DataFrame) -> DataFrame:
    """(site, seen_until): until when both questions and answers are known. A site without answers has no row."""
    asked = questions.groupBy("site").agg(F.max("observed_at").alias("asked_until"))
    answered = answers.groupBy("site").agg(F.max("observed_at").alias("answered_until"))
    both = asked.join(answered, on=["site"], how="inner")
    return both.select("site", F.least("asked_until", "answered_until").alias("seen_until"))


def tag_health(questions: DataFrame, answers: DataFrame, horizon: DataFrame) -> DataFrame:
    """All columns but `_run_id`, for the months of the questions given."""
    threads = with_first_answer(questions, answers).join(horizon, on=["site"], how="left")
    created, month = F.col("created_at"), month_start(F.col("created_at"))
    in_cohort = F.unix_timestamp("seen_until") - F.unix_timestamp(created) >= HORIZON
    next_month = F.add_months(month, 1).cast("timestamp")
    is_mature = F.unix_timestamp("seen_until") - F.unix_timestamp(next_month) >= HORIZON
    tagged = threads.select(
        *[column for column in threads.columns if column != "tags"],
        month.alias("month"),
        F.coalesce(in_cohort, F.lit(False)).alias("in_cohort"),
        F.coalesce(is_mature, F.lit(False)).alias("mature"),
        F.explode("tags").alias("tag"),
    )
    return finish(tagged.groupBy("site", "month", "tag").agg(*aggregates()))


def with_first_answer(questions: DataFrame, answers: DataFrame) -> DataFrame:
    """The questions with ttfa_s, seconds to another's first answer, and self_answered.

    An answer older than its question (merged threads) counts as immediate.
    """
    own = F.coalesce(F.col("is_self_answer"), F.lit(False))
    by_thread = answers.groupBy(*THREAD).agg(
        F.min(F.when(~own, F.col("created_at"))).alias("first_answer_at"),
        F.max(own.cast("int")).alias("self_answers"),
    )
    seconds = F.unix_timestamp("first_answer_at") - F.unix_timestamp("created_at")
    joined = questions.join(by_thread, on=THREAD, how="left")
    # greatest() would skip the null of a question without answers.
    ttfa = F.when(seconds.isNotNull(), F.greatest(seconds, F.lit(0)))
    joined = joined.withColumn("ttfa_s", ttfa.cast("bigint"))
    return joined.withColumn("self_answered", F.coalesce(F.col("self_answers") == 1, F.lit(False)))


def aggregates() -> list[Column]:
    """The measures of one (site, month, tag)."""
    return [
        F.count("*").alias("n"),
        F.sum(F.col("in_cohort").cast("bigint")).alias("n_cohort"),
        share_where(F.col("answer_count") == 0).alias("no_answer_rate"),
        share_where(~F.col("is_answered")).alias("not_answered_rate"),
        _answered_within(HOUR).alias("answered_1h"),
        _answered_within(DAY).alias("answered_24h"),
        _answered_within(HORIZON).alias("answered_7d"),
        F.sort_array(F.collect_list(F.when(F.col("ttfa_s") <= HORIZON, F.col("ttfa_s")))).alias("ttfas"),
        share_where(F.col("self_answered")).alias("self_answered_rate"),
        share_where(F.col("accepted_answer_id").isNotNull()).alias("accepted_rate"),
        share_where(F.col("closed_at").isNotNull()).alias("closed_rate"),
        share_where(F.col("score") < 0).alias("neg_score_rate"),
        F.expr("percentile(score, 0.5)").cast("double").alias("median_score"),
        F.countDistinct("owner_user_id").alias("distinct_askers"),
        F.min(F.col("mature").cast("int")).alias("all_mature"),
    ]


def finish(groups: DataFrame) -> DataFrame:
    """The median where there is one, intervals, and the flags as booleans."""
    mature = F.col("all_mature") == 1
    half = F.ceil(F.col("n") / 2).cast("int")
    median = F.when(mature & (F.size("ttfas") >= half), F.element_at("ttfas", F.greatest(half, F.lit(1))))
    finished = groups.withColumn("median_ttfa_s", median.cast("bigint")).withColumn("mature", mature)
    for rate, count in (("answered_24h", "n_cohort"), ("closed_rate", "n")):
        seen, total = F.round(F.col(rate) * F.col(count)), F.col(count)
        for end, interval in (("lo", wilson_low), ("hi", wilson_high)):
            finished = finished.withColumn(f"{rate}_{end}", F.when(total > 0, interval(seen, total)))
    return finished.withColumn("low_n", F.col("n_cohort") < LOW_N).drop("ttfas", "all_mature")


def touched_years(
    questions: DataFrame, answers: DataFrame, question_months: set[str], answer_months: set[str]
) -> set[int]:
    """The years of changed months, of the questions of changed answers, and of cohorts that may have come of age."""
    years = {int(month[:4]) for month in question_months}
    if answer_months:
        changed = answers.where(F.col("created_month").isin(sorted(answer_months))).select(*THREAD)
        asked = questions.select(*THREAD, F.year("created_at").alias("year"))
        found = asked.join(changed, on=THREAD, how="left_semi").select("year").distinct().collect()
        years |= {row[0] for row in found}
    before = [_last_seen(questions, question_months), _last_seen(answers, answer_months)]
    known = [seen for seen in before if seen]
    if known:
        now = max(seen for seen in (_last_seen(questions, set()), _last_seen(answers, set())) if seen)
        # A month comes of age 7 days after its end, so it began at most 38 days before.
        years |= years_between(min(known) - timedelta(days=38), now)
    return years


def _last_seen(frame: DataFrame, without_months: set[str]) -> date | None:
    kept = frame.where(~F.col("created_month").isin(sorted(without_months))) if without_months else frame
    return kept.agg(F.to_date(F.max("observed_at"))).collect()[0][0]


def _answered_within(seconds: int) -> Column:
    """Share of the cohort answered within `seconds`; null without a cohort."""
    answered = F.when(F.coalesce(F.col("ttfa_s") <= seconds, F.lit(False)), 1.0).otherwise(0.0)
    return F.avg(F.when(F.col("in_cohort"), answered))
