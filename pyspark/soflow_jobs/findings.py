"""The step `findings`: what the other tables say that is more than chance, one row a thing that was looked at.

Six kinds, each a family of tests: the trend of a tag's share (as tag_trends_weekly tells it), a tag that is asked about
far more than lately, a week that is unlike its season, how many of a tag's questions are answered within 24 hours, the
mood of its texts, and two tags on the same question. Everything that was tested has a row, so that nobody takes the few
that stand out for all that was looked at. Of the newest spans only.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from soflow_jobs.lake import Lake, say
from soflow_jobs.periods import week_start
from soflow_jobs.schemas import FINDINGS, names
from soflow_jobs.stats import (
    LEVEL,
    POWER_Z,
    Z95,
    critical_z,
    difference_high,
    difference_low,
    normal_of_t,
    shrunk_ratio,
    shrunk_ratio_end,
    t_of_normal,
    two_shares_z,
    two_sided_p,
    wilson_high,
    wilson_low,
    with_q,
    with_value,
)
from soflow_jobs.tag_pairs import PAIR_MONTHS, year_pairs
from soflow_jobs.tag_sentiment import is_body
from soflow_jobs.task import Task

YEAR_WEEKS = 52
EMERGING_WEEKS = 12  # emerging: so many weeks against the 52 before
SPAN_MONTHS = 6  # answered: so many months against as many before
# season: the weeks so many before that count, five around the same week of each of three years
SEASON = [52 * years + week for years in (1, 2, 3) for week in range(-2, 3)]
MIN_SEASON_WEEKS = 10  # season: of those with questions, two years
MIN_SEASON, MIN_EXPECTED = 30, 5.0  # season: questions of a tag in those weeks, and expected in the newest
MIN_LOOKED = 30  # emerging: questions of a tag in both spans, to be looked at
MIN_EMERGING, MIN_ASKERS = 30, 10  # emerging: questions in the newer span, and people who asked them, to stand out
MIN_ASKED = 20  # questions of a tag on each side
MIN_TEXTS, MIN_THREADS = 30, 20  # texts of a tag, and questions that they belong to
MIN_LIFT = 2.0  # a pair is told of when it is at least so many times as often as by chance

RATIOS = ["emerging", "pair"]  # kinds whose effect is a ratio and no difference
FAMILY = ["site", "kind"]
SIDES = ["n_now", "n_before", "value_now", "value_before", "effect", "effect_lo", "effect_hi"]


def run(spark: SparkSession, task: Task) -> None:
    """Writes the table whole."""
    lake = Lake(spark, task)
    trends = lake.table("tag_trends_weekly")
    questions = lake.table("questions", ["site", "question_id", "tags", "created_at", "observed_at", "owner_user_id"])
    units = lake.table(
        "text_sentiment",
        ["site", "question_id", "unit_type", "created_at", "text_part", "n_sentences", "polarity_net"],
    )
    found = [
        trend_findings(trends),
        emerging_findings(questions, trends),
        season_findings(trends),
        answered_findings(
            lake.table("tag_health_monthly", ["site", "month", "tag", "n_cohort", "answered_24h", "mature"])
        ),
        mood_findings(units, questions, trends),
        pair_findings(questions),
    ]
    rows = reduce(DataFrame.unionByName, found).withColumn("_run_id", F.lit(task.run))
    say(kinds=len(found))
    lake.write("findings", rows.select(*names(FINDINGS)))


def trend_findings(trends: DataFrame) -> DataFrame:
    """The trends of the newest week that was over, as tag_trends_weekly has them: a year against the one before."""
    newest = newest_weeks(trends)
    rows = trends.join(newest, on="site", how="inner").where(
        (F.col("week_start") == F.col("newest")) & F.col("q").isNotNull()
    )
    now = (F.col("n_52w"), F.col("site_52w"))
    before = (F.col("n_52w_before"), F.col("site_52w_before"))
    rows = rows.where(before[1] > 0).select(
        "site",
        F.lit("trend").alias("kind"),
        F.col("tag").alias("subject"),
        F.date_sub("newest", 7 * YEAR_WEEKS - 7).alias("since"),
        F.date_add("newest", 6).alias("until"),
        *_shares(now, before),
        "z",
        "p",
        "q",
        F.col("status").isin("rising", "falling").alias("stands_out"),
    )
    return with_detectable(rows)


def newest_weeks(trends: DataFrame) -> DataFrame:
    """(site, newest): the Monday of the last week that was over when it was looked at."""
    return trends.where(~F.col("partial")).groupBy("site").agg(F.max("week_start").alias("newest"))


def emerging_findings(questions: DataFrame, trends: DataFrame) -> DataFrame:
    """A tag's share of the questions of the newest 12 weeks that were over, against the 52 before: who comes up.

    Looked at are tags by their questions in both spans together, so that none is chosen for what is tested. The effect
    is the ratio of the shares, shrunk towards 1.
    """
    asked = questions.withColumn("week", week_start(F.col("created_at")))
    asked = asked.join(newest_weeks(trends), on="site", how="inner")
    span = F.date_sub("newest", 7 * (EMERGING_WEEKS + YEAR_WEEKS))
    asked = asked.where((F.col("week") <= F.col("newest")) & (F.col("week") > span))
    recent, one = F.col("week") > F.date_sub("newest", 7 * EMERGING_WEEKS), F.lit(1)
    totals = asked.groupBy("site").agg(
        _sum_where(recent, one).alias("site_now"), _sum_where(~recent, one).alias("site_before")
    )
    tagged = asked.withColumn("tag", F.explode(F.array_distinct("tags"))).groupBy("site", "newest", "tag")
    counted = tagged.agg(
        _sum_where(recent, one).alias("now"),
        _sum_where(~recent, one).alias("before"),
        F.countDistinct(F.when(recent, F.col("owner_user_id"))).alias("askers"),
    ).join(totals, on="site", how="inner")
    enough = F.col("now") + F.col("before") >= MIN_LOOKED
    counted = counted.where(enough & (F.col("site_now") > 0) & (F.col("site_before") > 0))
    now, before = (F.col("now"), F.col("site_now")), (F.col("before"), F.col("site_before"))
    rows = counted.select(
        "site",
        F.lit("emerging").alias("kind"),
        F.col("tag").alias("subject"),
        F.date_sub("newest", 7 * EMERGING_WEEKS - 7).alias("since"),
        F.date_add("newest", 6).alias("until"),
        now[0].alias("n_now"),
        before[0].alias("n_before"),
        (now[0] / now[1]).alias("value_now"),
        (before[0] / before[1]).alias("value_before"),
        shrunk_ratio(*now, *before).alias("effect"),
        shrunk_ratio_end(*now, *before, -Z95).alias("effect_lo"),
        shrunk_ratio_end(*now, *before, Z95).alias("effect_hi"),
        F.coalesce(two_shares_z(*now, *before), F.lit(0.0)).alias("z"),
        ((now[0] >= MIN_EMERGING) & (F.col("askers") >= MIN_ASKERS)).alias("widely"),
    )
    comes_up = F.col("stands_out") & F.col("widely") & (F.col("effect_lo") > 1)
    return judged(rows).withColumn("stands_out", comes_up).drop("widely")


def season_findings(trends: DataFrame) -> DataFrame:
    """A tag's share of the newest week that was over, against the same weeks of up to three years before.

    The spread between those weeks is estimated from themselves (quasi-Poisson: at least that of chance), so that what
    differs from year to year anyhow is no anomaly; t has one degree of freedom less than there are weeks.
    """
    back = (F.datediff("newest", "week_start") / 7).cast("int")
    weeks = trends.join(newest_weeks(trends), on="site", how="inner").withColumn("back", back)
    weeks = weeks.where(F.col("back").isin(0, *SEASON))
    n, total, before = F.col("n_questions"), F.col("site_questions"), F.col("back") > 0
    each = weeks.groupBy("site", "back").agg(F.max("site_questions").alias("site_questions"))
    sites = each.groupBy("site").agg(
        _sum_where(~before, total).alias("site_now"),
        _sum_where(before, total).alias("site_before"),
        _sum_where(before, F.lit(1)).alias("weeks"),
    )
    sums = weeks.groupBy("site", "newest", "tag").agg(
        _sum_where(~before, n).alias("now"),
        _sum_where(before, n).alias("before"),
        F.sum(F.when(before, n * n / total).otherwise(F.lit(0.0))).alias("squares"),
    )
    share = F.col("before") / F.col("site_before")
    sums = sums.join(sites.where(F.col("weeks") >= MIN_SEASON_WEEKS), on="site", how="inner")
    sums = sums.where((F.col("before") >= MIN_SEASON) & (F.col("site_now") * share >= MIN_EXPECTED) & (share < 1))
    freedom, chance = F.col("weeks") - 1, share * (1.0 - share)
    # Pearson's chi-squared over the weeks before, also those without a question of the tag.
    spread = (F.col("squares") - F.col("before") * share) / chance / freedom
    dispersion = F.greatest(F.lit(1.0), spread)
    error = F.sqrt(dispersion * chance * (1.0 / F.col("site_now") + 1.0 / F.col("site_before")))
    effect = F.col("now") / F.col("site_now") - share
    half = t_of_normal(Z95, freedom) * F.col("error")
    rows = sums.withColumn("error", error).select(
        "site",
        F.lit("season").alias("kind"),
        F.col("tag").alias("subject"),
        F.col("newest").alias("since"),
        F.date_add("newest", 6).alias("until"),
        F.col("now").alias("n_now"),
        F.col("before").alias("n_before"),
        (F.col("now") / F.col("site_now")).alias("value_now"),
        share.alias("value_before"),
        effect.alias("effect"),
        (effect - half).alias("effect_lo"),
        (effect + half).alias("effect_hi"),
        normal_of_t(effect / F.col("error"), freedom).alias("z"),
    )
    return judged(rows)


def answered_findings(health: DataFrame) -> DataFrame:
    """The share answered within 24 hours in the newest six mature months, against the six before."""
    mature = health.where(F.col("mature") & (F.col("n_cohort") > 0))
    newest = mature.groupBy("site").agg(F.max("month").alias("newest"))
    spans = mature.join(newest, on="site", how="inner").where(F.col("month") > F.add_months("newest", -2 * SPAN_MONTHS))
    recent = F.col("month") > F.add_months("newest", -SPAN_MONTHS)
    answered = F.round(F.col("answered_24h") * F.col("n_cohort")).cast("bigint")
    counted = spans.groupBy("site", "tag", "newest").agg(
        _sum_where(recent, answered).alias("now"),
        _sum_where(recent, F.col("n_cohort")).alias("asked"),
        _sum_where(~recent, answered).alias("before"),
        _sum_where(~recent, F.col("n_cohort")).alias("asked_before"),
    )
    counted = counted.where((F.col("asked") >= MIN_ASKED) & (F.col("asked_before") >= MIN_ASKED))
    now, before = (F.col("now"), F.col("asked")), (F.col("before"), F.col("asked_before"))
    rows = counted.select(
        "site",
        F.lit("answered").alias("kind"),
        F.col("tag").alias("subject"),
        F.add_months("newest", 1 - SPAN_MONTHS).alias("since"),
        F.last_day("newest").alias("until"),
        *_shares(now, before, of_all=True),
        F.coalesce(two_shares_z(*now, *before), F.lit(0.0)).alias("z"),
    )
    return judged(rows)


def mood_findings(units: DataFrame, questions: DataFrame, trends: DataFrame) -> DataFrame:
    """The mean polarity of a tag's texts of the newest 52 weeks against all texts of the same week and kind.

    Texts on one question are no independent witnesses: the error of the mean is that of threads (Liang and Zeger,
    Biometrika 73 (1986), 13-22), with one degree of freedom less than threads. The tag's own texts are among all, which
    makes the test a little too careful. Left out are texts in other languages and titles alone, as in
    tag_sentiment_weekly.
    """
    counts = (F.col("n_sentences") > 0) & F.col("polarity_net").isNotNull() & is_body()
    spoken = units.where(counts).withColumn("week", week_start(F.col("created_at")))
    spoken = spoken.join(newest_weeks(trends), on="site", how="inner")
    spoken = spoken.where((F.col("week") <= F.col("newest")) & (F.col("week") > F.date_sub("newest", 7 * YEAR_WEEKS)))
    alike = ["site", "week", "unit_type"]
    baseline = spoken.groupBy(*alike).agg(F.avg("polarity_net").alias("baseline"))
    everything = spoken.groupBy("site").agg(F.count("*").alias("n_all"))
    beside = spoken.join(baseline, on=alike, how="inner").withColumn("off", F.col("polarity_net") - F.col("baseline"))
    tags = questions.select("site", "question_id", F.explode("tags").alias("tag"))
    key = ["site", "tag", "newest"]
    threads = (
        beside.join(tags, on=["site", "question_id"], how="inner")
        .groupBy(*key, "question_id")
        .agg(F.sum("off").alias("off"), F.count("*").alias("n"), F.sum("polarity_net").alias("polarity"))
    )
    n, off = F.col("n"), F.col("off")
    sums = threads.groupBy(*key).agg(
        F.sum(n).alias("texts"),
        F.count("*").alias("threads"),
        (F.sum("polarity") / F.sum(n)).alias("mean"),
        (F.sum(off) / F.sum(n)).alias("effect"),
        F.sum(off * off).alias("off_off"),
        F.sum(off * n).alias("off_n"),
        F.sum(n * n).alias("n_n"),
    )
    sums = sums.where((F.col("texts") >= MIN_TEXTS) & (F.col("threads") >= MIN_THREADS))
    effect, count = F.col("effect"), F.col("threads")
    # Rounding must not make a sum of squares negative.
    squares = F.greatest(F.lit(0.0), F.col("off_off") - 2.0 * effect * F.col("off_n") + effect * effect * F.col("n_n"))
    error = F.sqrt(squares * count / (count - 1)) / F.col("texts")
    rows = sums.join(everything, on="site", how="inner").withColumn("error", error)
    half = t_of_normal(Z95, count - 1) * F.col("error")
    rows = rows.select(
        "site",
        F.lit("mood").alias("kind"),
        F.col("tag").alias("subject"),
        F.date_sub("newest", 7 * YEAR_WEEKS - 7).alias("since"),
        F.date_add("newest", 6).alias("until"),
        F.col("texts").alias("n_now"),
        (F.col("n_all") - F.col("texts")).alias("n_before"),
        F.col("mean").alias("value_now"),
        (F.col("mean") - effect).alias("value_before"),
        "effect",
        (effect - half).alias("effect_lo"),
        (effect + half).alias("effect_hi"),
        # All texts alike: no spread, and a difference in a mean's last bits is none.
        F.when((F.col("error") > 0) & (F.abs(effect) > 1e-9), normal_of_t(effect / F.col("error"), count - 1))
        .otherwise(0.0)
        .alias("z"),
    )
    return judged(rows)


def pair_findings(questions: DataFrame) -> DataFrame:
    """Two tags on the same question, in the newest twelve months that were over, against chance.

    Tested are all pairs of tags with enough questions; those that are never together have no row. The effect is the
    lift; its interval is that of the rarer tag's share of questions with the other.
    """
    both = year_pairs(questions)
    rarer, commoner = F.least("n_a", "n_b"), F.greatest("n_a", "n_b")
    chance = commoner / F.col("n_all")
    without = F.col("n_all") - rarer
    rows = both.select(
        "site",
        F.lit("pair").alias("kind"),
        F.concat("tag_a", F.lit(" + "), "tag_b").alias("subject"),
        F.add_months("newest", 1 - PAIR_MONTHS).alias("since"),
        F.last_day("newest").alias("until"),
        F.col("n_both").alias("n_now"),
        rarer.alias("n_before"),
        (F.col("n_both") / rarer).alias("value_now"),
        chance.alias("value_before"),
        (F.col("n_both") / rarer / chance).alias("effect"),
        (wilson_low(F.col("n_both"), rarer) / chance).alias("effect_lo"),
        (wilson_high(F.col("n_both"), rarer) / chance).alias("effect_hi"),
        F.coalesce(two_shares_z(F.col("n_both"), rarer, commoner - F.col("n_both"), without), F.lit(0.0)).alias("z"),
        (F.col("n_tags") * (F.col("n_tags") - 1) / 2).alias("pairs"),
    )
    judged_rows = judged(rows, F.col("pairs")).drop("pairs")
    return judged_rows.withColumn("stands_out", F.col("stands_out") & (F.col("effect_lo") >= MIN_LIFT))


def judged(rows: DataFrame, looked_at: Column | None = None) -> DataFrame:
    """The rows with p, q, stands_out and detectable."""
    rows = with_q(with_value(rows, "p", two_sided_p, "z"), FAMILY, looked_at)
    return with_detectable(rows.withColumn("stands_out", F.col("q") < LEVEL))


def with_detectable(rows: DataFrame) -> DataFrame:
    """The rows with the smallest effect that four of five times would have stood out, had it been the only one.

    Null where the effect is a ratio.
    """
    tests = rows.groupBy(*FAMILY).agg(F.count("*").alias("_tests"))
    level = rows.join(tests, on=FAMILY, how="inner").withColumn("_level", LEVEL / F.col("_tests"))
    width = (F.col("effect_hi") - F.col("effect_lo")) / (2.0 * Z95)
    asked = with_value(level, "_z", critical_z, "_level")
    detectable = F.when(~F.col("kind").isin(*RATIOS), (F.col("_z") + POWER_Z) * width)
    return asked.withColumn("detectable", detectable).drop("_tests", "_level", "_z", "z")


def _shares(now: tuple[Column, Column], before: tuple[Column, Column], of_all: bool = False) -> list[Column]:
    """The sides of a comparison of two shares; `of_all`: a side's n is all that were counted."""
    share, share_before = now[0] / now[1], before[0] / before[1]
    sides = [now[1], before[1]] if of_all else [now[0], before[0]]
    values = [*sides, share, share_before, share - share_before]
    values += [difference_low(*now, *before), difference_high(*now, *before)]
    return [value.alias(name) for value, name in zip(values, SIDES, strict=True)]


def _sum_where(condition: Column, value: Column) -> Column:
    return F.sum(F.when(condition, value).otherwise(F.lit(0)))
