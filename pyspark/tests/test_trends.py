"""tag_trends: weekly shares, lookbacks and the status, by hand."""

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
    pooled = 16 / 140
    assert row["z"] == pytest.approx((0.5 - 0.05) / math.sqrt(pooled * (1 - pooled) * (1 / 20 + 1 / 120)))


def test_the_year_before_is_52_weeks_back_also_over_new_year(spark):
    groups = [("2024-12-30", ["x"], 1), ("2024-12-30", ["y"], 3), ("2025-12-29", ["x"], 4), ("2026-01-03", ["y"], 4)]
    row = trends(spark, groups)["2025-12-29", "x"]
    assert row["yoy_log2"] == pytest.approx(math.log2((4 + 2) / (2 + 2)))


def status_of(spark, before, now, others=100):
    """The status of tag x: `before` in an earlier week, `now` in this one, among others."""
    long_ago = [("2025-01-06", ["x", "y"], 1)]
    weeks = [
        ("2026-01-05", ["x"], before),
        ("2026-01-05", ["y"], others),
        ("2026-01-12", ["x"], now),
        ("2026-01-12", ["y"], others),
    ]
    return trends(spark, long_ago + weeks).get(("2026-01-12", "x"), {}).get("status")


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (30, 60, "rising"),
        (60, 30, "falling"),
        (30, 32, "stable"),
        (29, 29, "low_n"),
        (5, 30, "rising"),
        (30, 0, "falling"),
        (29, 0, None),
    ],
)
def test_a_direction_needs_30_questions_and_a_clear_difference(spark, before, now, expected):
    assert status_of(spark, before, now) == expected


def test_a_tag_is_new_for_26_weeks_if_the_site_is_older(spark):
    old = [("2025-01-06", ["y"], 1)]
    weeks = [("2026-01-05", ["x"], 40), ("2026-06-29", ["x"], 40), ("2026-07-06", ["x"], 40)]
    rows = trends(spark, old + weeks, seen="2027-01-01")
    found = [rows[week, "x"]["status"] for week in ("2026-01-05", "2026-06-29", "2026-07-06")]
    assert found == ["new", "new", "stable"]
    assert trends(spark, weeks[:1])["2026-01-05", "x"]["status"] == "stable"


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
        ({"2026-01"}, "2026-06-01", {2025, 2026, 2027}),
    ],
)
def test_years_that_a_changed_month_touches(spark, months, seen, expected):
    groups = [("2024-03-04", ["x"], 1), ("2025-05-05", ["x"], 1), ("2026-01-05", ["x"], 1)]
    assert tag_trends.touched_years(frame(spark, groups, seen), months) == expected


def test_a_first_question_found_late_touches_the_years_in_which_the_tag_was_new(spark):
    from pyspark.sql import functions as F

    groups = [("2010-01-04", ["x"], 1), ("2015-11-02", ["x", "z"], 1), ("2012-01-02", ["z"], 1)]
    changed = F.col("created_month") == "2010-01"
    assert tag_trends.years_no_longer_new(frame(spark, groups), changed) == {2015, 2016, 2012}


def test_days_of_the_type(spark):
    assert trends(spark, [("2026-01-07", ["a"], 1)])["2026-01-05", "a"]["week_start"] == day("2026-01-05")
