"""text_sentiment, tag_pairs, tag_health, tag_sentiment: rows computed by hand."""

import math

import pytest
from builders import at, day

from soflow_jobs import tag_health, tag_pairs, tag_sentiment, text_sentiment
from soflow_jobs.stats import shrunk_log2_ratio, two_shares_z, wilson_high, wilson_low

SITE = "stackoverflow"
QUESTION = (
    "site string, question_id bigint, tags array<string>, created_at timestamp, observed_at timestamp, "
    "answer_count int, is_answered boolean, accepted_answer_id bigint, closed_at timestamp, score int, "
    "owner_user_id bigint"
)
ANSWER = "site string, question_id bigint, created_at timestamp, observed_at timestamp, is_self_answer boolean"
SEEN = at("2026-03-01")


def asked(number, created, tags=("java",), answers=0, score=0, owner=10, accepted=None, closed=None, answered=False):
    return (SITE, number, list(tags), at(created), SEEN, answers, answered, accepted, closed, score, owner)


def measured(spark, questions, answers, seen=SEEN):
    """tag_health's rows by (month, tag), as dicts."""
    questions = spark.createDataFrame(questions, QUESTION)
    answers = spark.createDataFrame([(SITE, q, at(created), seen, own) for q, created, own in answers], ANSWER)
    rows = tag_health.tag_health(questions, answers, tag_health.observed_until(questions, answers)).collect()
    return {(str(row["month"]), row["tag"]): row.asDict() for row in rows}


def test_statistics_against_published_and_hand_computed_values(spark):
    one = spark.createDataFrame(
        [(10, 100, 60, 1200), (0, 50, 0, 0), (5, 5, 5, 5), (0, 50, 0, 100)], "n int, t int, b int, u int"
    )
    from pyspark.sql import functions as F

    n, t, b, u = (F.col(name) for name in "ntbu")
    columns = [wilson_low(n, t), wilson_high(n, t), shrunk_log2_ratio(n, t, b, u), two_shares_z(n, t, b, u)]
    first, nothing, whole, never = (tuple(row) for row in one.select(*columns).collect())
    # Wilson for 10 of 100: 0.0552 to 0.1744 (Newcombe 1998). Expected 5, so log2(12 / 7). z: pooled share
    # 70 / 1300, less by the square root of 1299 / 1300.
    assert first == pytest.approx((0.05522914, 0.17436566, 0.77760758, 2.1274709), abs=1e-5)
    assert nothing[:2] == pytest.approx((0.0, 0.07134759), abs=1e-6)
    assert nothing[2:] == (None, None)
    assert whole == (pytest.approx(0.56551772, abs=1e-6), 1.0, 0.0, None)
    assert never[2:] == (0.0, None)


def test_time_to_first_answer_leaves_out_the_askers_own(spark):
    questions = [asked(1, "2026-01-05"), asked(2, "2026-01-06", answers=2), asked(3, "2026-01-07")]
    answers = [
        (1, "2026-01-05 00:30", True),
        (1, "2026-01-05 02:00", False),
        (2, "2026-01-06 00:59", None),
        (2, "2026-01-06 00:10", False),
    ]
    row = measured(spark, questions, answers)["2026-01-01", "java"]
    assert (row["n"], row["n_cohort"], row["mature"], row["median_ttfa_s"]) == (3, 3, True, 7200)
    rates = [
        row[name] for name in ("answered_1h", "answered_24h", "answered_7d", "self_answered_rate", "no_answer_rate")
    ]
    assert rates == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1 / 3, 2 / 3])


def test_the_median_is_null_when_fewer_than_half_were_answered_within_7_days(spark):
    questions = [asked(n, "2026-01-05") for n in (1, 2, 3, 4)]
    one_answer = [(1, "2026-01-05 01:00", False), (2, "2026-01-12 00:00:01", False)]
    assert measured(spark, questions, one_answer)["2026-01-01", "java"]["median_ttfa_s"] is None
    two_answers = [*one_answer[:1], (2, "2026-01-12", False)]
    assert measured(spark, questions, two_answers)["2026-01-01", "java"]["median_ttfa_s"] == 604_800


def test_young_questions_are_not_in_the_cohort(spark):
    questions = [asked(1, "2026-02-22"), asked(2, "2026-02-22 00:00:01"), asked(3, "2026-01-31")]
    rows = measured(spark, questions, [(2, "2026-02-22 00:10", False)])
    february = rows["2026-02-01", "java"]
    assert (february["n"], february["n_cohort"], february["mature"]) == (2, 1, False)
    assert (february["answered_1h"], february["median_ttfa_s"]) == (0.0, None)
    assert rows["2026-01-01", "java"]["mature"] is True


def test_a_month_matures_7_days_after_its_end(spark):
    for seen, mature in ((at("2026-02-07 23:59:59"), False), (at("2026-02-08"), True)):
        rows = measured(spark, [asked(1, "2026-01-05")], [(1, "2026-01-05 01:00", False)], seen)
        assert rows["2026-01-01", "java"]["mature"] is mature


def test_without_any_answers_known_nothing_is_told_about_answering(spark):
    row = measured(spark, [asked(1, "2020-01-05", answers=3)], [])["2020-01-01", "java"]
    assert [row[name] for name in ("n_cohort", "answered_1h", "answered_7d", "median_ttfa_s")] == [0, None, None, None]
    assert (row["mature"], row["no_answer_rate"]) == (False, 0.0)


def test_the_other_rates_of_a_month(spark):
    questions = [
        asked(1, "2026-01-05", ("java", "c#"), answers=1, score=-2, accepted=7, answered=True),
        asked(2, "2026-01-06", owner=None, score=5, closed=at("2026-01-07"), answers=1),
        asked(3, "2026-01-07", owner=10, score=1),
        asked(4, "2026-01-08", owner=11, score=2),
    ]
    row = measured(spark, questions, [])["2026-01-01", "java"]
    names = (
        "no_answer_rate not_answered_rate accepted_rate closed_rate neg_score_rate median_score distinct_askers".split()
    )
    assert [row[name] for name in names] == [0.5, 0.75, 0.25, 0.25, 0.25, 1.5, 2]


def test_an_answer_before_its_question_counts_as_immediate(spark):
    row = measured(spark, [asked(1, "2026-01-05")], [(1, "2026-01-04", False)])["2026-01-01", "java"]
    assert (row["median_ttfa_s"], row["answered_1h"]) == (0, 1.0)


def pairs(spark, rows):
    frame = spark.createDataFrame(rows, "site string, question_id bigint, tags array<string>, created_at timestamp")
    found = tag_pairs.tag_pairs(frame).collect()
    return {(str(row["month"]), row["tag_a"], row["tag_b"]): row.asDict() for row in found}


def test_pairs_are_sorted_counted_once_and_rare_ones_dropped(spark):
    rows = [(SITE, n, ["java", "c#", "java"], at("2026-01-05")) for n in range(5)]
    rows += [(SITE, 100 + n, ["java", "spring"], at("2026-01-06")) for n in range(4)]
    rows += [(SITE, 200, ["go"], at("2026-01-07"))]
    found = pairs(spark, rows)
    assert list(found) == [("2026-01-01", "c#", "java")]
    row = found["2026-01-01", "c#", "java"]
    assert (row["n_both"], row["n_a"], row["n_b"], row["rank"], row["delta_rank_12m"]) == (5, 5, 9, 1, None)
    assert row["lift"] == pytest.approx(5 * 10 / (5 * 9))
    assert row["npmi"] == pytest.approx(math.log(50 / 45) / math.log(2))


def test_a_pair_on_every_question_has_npmi_1(spark):
    rows = [(SITE, n, ["a", "b"], at("2026-01-05")) for n in range(5)]
    assert pairs(spark, rows)["2026-01-01", "a", "b"]["npmi"] == 1.0


def test_rank_change_compares_with_the_same_month_a_year_ago(spark):
    def month(created, ab, cd):
        many = [(SITE, n, ["a", "b"], at(created)) for n in range(ab)]
        return many + [(SITE, 100 + n, ["c", "d"], at(created)) for n in range(cd)]

    found = pairs(spark, month("2025-01-05", 9, 5) + month("2026-01-05", 6, 8))
    assert [found["2026-01-01", a, b]["delta_rank_12m"] for a, b in (("a", "b"), ("c", "d"))] == [-1, 1]
    assert found["2025-01-01", "a", "b"]["delta_rank_12m"] is None


def test_ranks_of_equal_pairs_follow_their_names(spark):
    rows = [(SITE, n, ["d", "c", "b"], at("2026-01-05")) for n in range(5)]
    assert [found["rank"] for _, found in sorted(pairs(spark, rows).items())] == [1, 2, 3]


UNITS = (
    "site string, unit_type string, question_id bigint, week_start date, n_sentences int, polarity_net double, "
    "text_part string, p_negative double, p_positive double"
)


def sentiment_rows(spark, units, tags):
    """tag_sentiment's rows by (unit type, tag), of units (type, question, sentences, net, and what else differs)."""
    usual = {"text_part": "body", "p_negative": None, "p_positive": None}
    rows = []
    for kind, question, n, net, *more in units:
        rows.append((SITE, kind, question, day("2026-01-05"), n, net, *{**usual, **dict(*more)}.values()))
    frame = spark.createDataFrame(rows, UNITS)
    questions = spark.createDataFrame(
        [(SITE, q, t) for q, t in tags.items()], "site string, question_id bigint, tags array<string>"
    )
    rows = tag_sentiment.tag_sentiment(frame, questions).collect()
    return {(row["unit_type"], row["tag"]): row.asDict() for row in rows}


def test_a_tag_is_compared_with_all_texts_of_its_kind_and_week(spark):
    units = [("answer", 1, 1, 1.0)] * 20 + [("answer", 1, 1, 0.5)] * 20 + [("answer", 2, 1, -0.5)] * 40
    units += [("answer", 3, 1, -1.0), ("comment", 1, 1, 0.25), ("answer", 1, 0, 0.0), ("answer", 99, 1, 0.0)]
    rows = sentiment_rows(spark, units, {1: ["java", "go"], 2: ["php"], 3: ["perl"]})
    baseline = (20 * 1.0 + 20 * 0.5 - 40 * 0.5 - 1.0) / 82
    java = rows["answer", "java"]
    assert (java["n_units"], java["net_mean"], java["label"]) == (40, 0.75, "above")
    assert (java["baseline_net"], java["diff_vs_baseline"]) == pytest.approx((baseline, 0.75 - baseline))
    # By Agresti and Min: 20 + 20 / 4 squares, and a text more of each sign, by half.
    half = 1.959963985 * math.sqrt((26 / 42 - (30 / 42) ** 2) / 42)
    assert (java["net_lo"], java["net_hi"]) == pytest.approx((30 / 42 - half, 30 / 42 + half))
    assert rows["answer", "php"]["label"] == "below"
    perl = rows["answer", "perl"]
    half = 1.959963985 * math.sqrt((2 / 3 - 1 / 9) / 3)
    assert (perl["n_units"], perl["net_lo"], perl["label"]) == (1, -1.0, "low_n")
    assert perl["net_hi"] == pytest.approx(half - 1 / 3)
    assert rows["comment", "java"]["baseline_net"] == 0.25


def test_the_interval_holds_the_models_doubt(spark):
    """Texts all alike, each 20 % negative and 30 % positive: 20 squares expected in 40."""
    doubtful = ("answer", 1, 1, 0.1, {"p_negative": 0.2, "p_positive": 0.3})
    row = sentiment_rows(spark, [doubtful] * 40, {1: ["java"]})["answer", "java"]
    half = 1.959963985 * math.sqrt((21 / 42 - (4 / 42) ** 2) / 42)
    assert (row["net_lo"], row["net_mean"], row["net_hi"]) == pytest.approx((4 / 42 - half, 0.1, 4 / 42 + half))


@pytest.mark.parametrize("net", [-1.0, 0.0, 0.02, 1.0])
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_few_texts_have_a_long_interval_on_the_scale(spark, n, net):
    row = sentiment_rows(spark, [("answer", 1, 1, net)] * n, {1: ["java"]})["answer", "java"]
    assert -1 <= row["net_lo"] <= row["net_mean"] <= row["net_hi"] <= 1
    assert row["net_hi"] - row["net_lo"] > 0.5


def test_other_languages_and_titles_alone_are_counted_and_in_no_mean(spark):
    english = [("question", 1, 1, 0.5)] * 3
    title, foreign = ("question", 1, 1, -1.0, {"text_part": "title"}), ("question", 1, 2, None)
    tags = {1: ["java", "go"], 2: ["php"]}
    without = sentiment_rows(spark, english, tags)
    rows = sentiment_rows(spark, [*english, title, title, foreign, ("question", 2, 1, None)], tags)
    assert rows.keys() == without.keys()
    for key, row in rows.items():
        assert row == {**without[key], "n_left_out": 3}


def test_texts_all_alike_are_at_the_baseline(spark):
    rows = sentiment_rows(spark, [("answer", 1, 1, 0.1)] * 30, {1: ["java"]})
    assert rows["answer", "java"]["label"] == "at"


def test_a_comment_finds_its_question_through_the_answer(spark):
    comments = [
        (SITE, 1000, 1, None),
        (SITE, 1001, 101, None),
        (SITE, 1002, 55, None),
        (SITE, 1003, 56, "question"),
        (SITE, 1004, 57, "answer"),
    ]
    schema = "site string, comment_id bigint, post_id bigint, post_type string"
    from pyspark.sql import functions as F

    frame = spark.createDataFrame(comments, schema).withColumn("text", F.lit("x"))
    frame = frame.withColumn("created_at", F.lit(None).cast("timestamp")).withColumn("created_month", F.lit("2026-01"))
    questions = spark.createDataFrame([(SITE, 1)], "site string, question_id bigint")
    answers = spark.createDataFrame([(SITE, 101, 1)], "site string, answer_id bigint, question_id bigint")
    units = text_sentiment.comment_units(frame, questions, answers)
    rows = sorted(tuple(row) for row in units.select("unit_id", "question_id").collect())
    assert rows == [(1000, 1), (1001, 1), (1002, None), (1003, 56), (1004, None)]
