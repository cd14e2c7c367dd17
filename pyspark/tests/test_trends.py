"""tag_trends: weekly shares, lookbacks and the status, by hand."""

import datetime
import math

import pytest
from builders import at, day

from soflow_jobs import tag_trends

SITE = "stackoverflow"
SCHEMA = (
    "site string, question_id bigint, tags array<string>, created_at timestamp, observed_at timestamp, "
    "created_month string"
)


def frame(spark, groups, seen="2026-06-01"):
    """Questions: (day, tags, how many) each."""
    rows = []
    for created, tags, count in groups:
        rows += [(SITE, len(rows) + n, tags, at(created), at(seen), created[:7]) for n in range(count)]
    return spark.createDataFrame(rows, SCHEMA)


def trends(spark, groups, years=None, seen="2026-06-01"):
    rows = tag_trends.tag_trends(frame(spark, groups, seen), years).collect()
    return {(str(row["week_start"]), row["tag"]): row.asDict() for row in rows}


def test_a_share_is_of_questions_not_of_tags(spark):
    rows = trends(
        spark, [("2026-01-07", ["java", "c#"], 2), ("2026-01-11 23:59", ["java"], 2), ("2026-01-12", ["go"], 1)]
    )
    assert {(key, row["n_questions"], row["site_questions"]) for key, row in rows.items()} == {
        (("2026-01-05", "java"), 4, 4),
        (("2026-01-05", "c#"), 2, 4),
        (("2026-01-12", "go"), 1, 1),
    }
    row = rows["2026-01-05", "c#"]
    assert (row["share"], row["share_lo"], row["share_hi"]) == pytest.approx((0.5, 0.15003899, 0.84996101), abs=1e-6)
    assert (row["growth_12w_log2"], row["yoy_log2"], row["z"]) == (None, None, None)


def test_growth_looks_at_12_weeks_and_counts_the_empty_ones(spark):
    groups = [("2025-10-06", ["x"], 50), ("2025-10-13", ["x"], 6), ("2025-10-13", ["y"], 54), ("2026-01-05", ["x"], 10)]
    groups += [("2025-12-29", ["y"], 60), ("2026-01-05", ["y"], 10)]
    row = trends(spark, groups)["2026-01-05", "x"]
    # 2025-10-06 is 13 weeks back. Before: 6 of 120; now 10 of 20; expected 1.
    assert row["growth_12w_log2"] == pytest.approx(math.log2((10 + 2) / (1 + 2)))


def cochran_armitage(weeks):
    """z of the trend of a share over weeks: (number, with the tag, all) each."""
    x, n = sum(w[1] for w in weeks), sum(w[2] for w in weeks)
    mean = sum(t * total for t, _, total in weeks) / n
    above = sum((t - mean) * count for t, count, _ in weeks)
    spread = sum((t - mean) ** 2 * total for t, _, total in weeks)
    return above / math.sqrt(x / n * (1 - x / n) * spread)


def test_a_trend_is_over_104_weeks(spark):
    counts = [(0, 60, 100), (1, 9, 30), (52, 12, 60), (60, 5, 50), (103, 20, 50), (104, 14, 20)]
    groups = []
    for number, tagged, total in counts:
        monday = str(datetime.date(2024, 1, 8) + datetime.timedelta(weeks=number))
        groups += [(monday, ["x"], tagged), (monday, ["y"], total - tagged)]
    rows = trends(spark, groups, seen="2027-01-01")
    x, y = rows["2026-01-05", "x"], rows["2026-01-05", "y"]
    z = cochran_armitage(counts[1:])
    p = math.erfc(abs(z) / math.sqrt(2))
    assert (x["z"], x["p"], y["z"]) == pytest.approx((z, p, -z), rel=1e-9)
    # Two tags, both with this p: each is the other's opposite.
    assert (x["q"], y["q"]) == pytest.approx((p, p), rel=1e-9)
    found = (x["n_52w"], x["site_52w"], x["n_52w_before"], x["site_52w_before"])
    assert found == (5 + 20 + 14, 120, 9 + 12, 90)


def test_a_chance_among_many_tags_is_none(spark):
    from pyspark.sql import functions as F

    from soflow_jobs.stats import with_q

    given = [
        ("a", 1, 0.01),
        ("a", 2, 0.04),
        ("a", 3, 0.03),
        ("a", 4, 0.9),
        ("a", 5, None),
        ("b", 6, 0.2),
        ("b", 7, 0.2),
    ]
    frame = spark.createDataFrame(given, "family string, id int, p double")
    q = {row["id"]: row["q"] for row in with_q(frame, ["family"]).collect()}
    assert q == {1: 0.04, 2: pytest.approx(0.16 / 3), 3: pytest.approx(0.16 / 3), 4: 0.9, 5: None, 6: 0.2, 7: 0.2}
    ten = {row["id"]: row["q"] for row in with_q(frame, ["family"], F.lit(10)).collect()}
    assert (ten[1], ten[4]) == (0.1, 1.0)


def test_the_year_before_is_52_weeks_back_also_over_new_year(spark):
    groups = [("2024-12-30", ["x"], 1), ("2024-12-30", ["y"], 3), ("2025-12-29", ["x"], 4), ("2026-01-03", ["y"], 4)]
    row = trends(spark, groups)["2025-12-29", "x"]
    assert row["yoy_log2"] == pytest.approx(math.log2((4 + 2) / (2 + 2)))


def status_of(spark, before, now, others=100):
    """The status of tag x: `before` in the week before, `now` in this one, among others."""
    weeks = [
        ("2022-01-03", ["x", "y"], 1),
        ("2026-01-05", ["x"], before),
        ("2026-01-05", ["y"], others),
        ("2026-01-12", ["x"], now),
        ("2026-01-12", ["y"], others),
    ]
    return trends(spark, weeks).get(("2026-01-12", "x"), {}).get("status")


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (30, 60, "rising"),
        (60, 30, "falling"),
        (30, 32, "stable"),
        (40, 55, "stable"),  # p = 0.17
        (10, 19, "low_n"),
        (2, 28, "rising"),
        (30, 0, "falling"),
        (29, 0, None),
    ],
)
def test_a_direction_needs_30_questions_and_a_clear_difference(spark, before, now, expected):
    assert status_of(spark, before, now) == expected


def test_a_tag_that_fell_silent_has_rows_for_two_years(spark):
    weeks = [("2023-01-02", ["x"], 30), ("2023-01-02", ["y"], 30), ("2024-12-23", ["y"], 9), ("2024-12-30", ["y"], 9)]
    rows = trends(spark, weeks, seen="2026-01-01")
    assert [key for key in rows if key[1] == "x"] == [("2023-01-02", "x"), ("2024-12-23", "x")]
    silent = rows["2024-12-23", "x"]
    assert (silent["n_questions"], silent["share"], silent["status"]) == (0, 0.0, "falling")


def test_a_tag_is_new_for_26_weeks_if_the_site_is_much_older(spark):
    old = [("2024-01-01", ["y"], 1)]
    weeks = [("2026-01-05", ["x"], 40), ("2026-06-29", ["x"], 40), ("2026-07-06", ["x"], 40), ("2026-07-06", ["r"], 1)]
    rows = trends(spark, old + weeks, seen="2027-01-01")
    found = [rows[week, "x"]["status"] for week in ("2026-01-05", "2026-06-29", "2026-07-06")]
    assert found == ["new", "new", "stable"]
    assert rows["2026-07-06", "r"]["status"] == "low_n"
    # Where the lake begins nobody knows what was there before.
    assert trends(spark, [("2025-06-02", ["y"], 1), *weeks[:1]])["2026-01-05", "x"]["status"] == "rising"


def test_the_week_that_was_not_over_is_partial(spark):
    groups = [("2026-01-05", ["x"], 1), ("2026-01-12", ["x"], 1)]
    rows = trends(spark, groups, seen="2026-01-18 23:59:59")
    assert [rows[week, "x"]["partial"] for week in ("2026-01-05", "2026-01-12")] == [False, True]
    assert trends(spark, groups, seen="2026-01-19")["2026-01-12", "x"]["partial"] is False


def test_only_the_years_asked_for_come_out_and_look_back_beyond_them(spark):
    groups = [("2025-12-22", ["x"], 3), ("2025-12-31", ["x"], 3), ("2026-01-05", ["x"], 3)]
    rows = trends(spark, groups, years={2026})
    assert list(rows) == [("2026-01-05", "x")]
    assert rows["2026-01-05", "x"]["growth_12w_log2"] == 0.0


@pytest.mark.parametrize(
    ("months", "seen", "expected"),
    [
        ({"2024-03"}, "2026-06-01", {2024, 2025, 2026}),  # its weeks, those that look back, those that were partial
        ({"2026-01"}, "2026-06-01", {2025, 2026, 2027, 2028}),
    ],
)
def test_years_that_a_changed_month_touches(spark, months, seen, expected):
    groups = [("2024-03-04", ["x"], 1), ("2025-05-05", ["x"], 1), ("2026-01-05", ["x"], 1)]
    assert tag_trends.touched_years(frame(spark, groups, seen), months) == expected


def test_a_first_question_found_late_touches_the_years_in_which_the_tag_was_new(spark):
    from pyspark.sql import functions as F

    groups = [("2010-01-04", ["x"], 1), ("2015-11-02", ["x", "z"], 1), ("2012-01-02", ["z"], 1)]
    changed = F.col("created_month") == "2010-01"
    assert tag_trends.years_no_longer_new(frame(spark, groups), changed) == {2012, 2013, 2015, 2016, 2017}


def test_days_of_the_type(spark):
    assert trends(spark, [("2026-01-07", ["a"], 1)])["2026-01-05", "a"]["week_start"] == day("2026-01-05")
