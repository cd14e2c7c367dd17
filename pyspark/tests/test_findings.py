"""findings: what is compared, its test and its interval, each against the formula written out in plain Python."""

import math
from datetime import timedelta

import pytest
from builders import at, day

from soflow_jobs import findings
from soflow_jobs.stats import LEVEL

SITE = "stackoverflow"
Z95 = 1.959963984540054


def p_of(z):
    return math.erfc(abs(z) / math.sqrt(2))


def wilson(count, total):
    share, z2 = count / total, Z95**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    return middle - half, middle + half


def newcombe(now, total, before, total_before):
    one, other = now / total, before / total_before
    (low, high), (low_before, high_before) = wilson(now, total), wilson(before, total_before)
    below = math.sqrt((one - low) ** 2 + (high_before - other) ** 2)
    above = math.sqrt((high - one) ** 2 + (other - low_before) ** 2)
    return one - other - below, one - other + above


def campbell(now, total, before, total_before):
    both = total + total_before
    pooled = (now + before) / both
    error = math.sqrt(pooled * (1 - pooled) * (1 / total + 1 / total_before) * both / (both - 1))
    return (now / total - before / total_before) / error


def by_subject(frame):
    return {row["subject"]: row.asDict() for row in frame.collect()}


HEALTH = "site string, month date, tag string, n_cohort bigint, answered_24h double, mature boolean"


def health(spark, spans):
    """tag_health_monthly: of each tag (answered, asked) in the older and in the newer six months."""
    rows = [(SITE, day("2026-07-01"), "young", 500, 1.0, False), (SITE, day("2025-06-01"), "java", 500, 1.0, True)]
    for tag, (before, now) in spans.items():
        rows += [(SITE, day("2025-12-01"), tag, before[1], before[0] / before[1], True)]
        rows += [(SITE, day("2026-01-01"), tag, now[1] - 10, (now[0] - 5) / (now[1] - 10), True)]
        rows += [(SITE, day("2026-06-01"), tag, 10, 0.5, True)]
    return spark.createDataFrame(rows, HEALTH)


def test_rates_are_compared_by_a_test_for_small_counts(spark):
    spans = {"java": ((30, 100), (75, 110)), "go": ((11, 20), (15, 30)), "few": ((5, 19), (20, 40))}
    rows = by_subject(findings.answered_findings(health(spark, spans)))
    assert set(rows) == {"java", "go"}
    java, go = rows["java"], rows["go"]
    assert (java["n_now"], java["n_before"], java["since"], java["until"]) == (
        110,
        100,
        day("2026-01-01"),
        day("2026-06-30"),
    )
    assert java["effect"] == pytest.approx(75 / 110 - 0.3)
    assert (java["effect_lo"], java["effect_hi"]) == pytest.approx(newcombe(75, 110, 30, 100), rel=1e-9)
    p = p_of(campbell(75, 110, 30, 100))
    assert (java["p"], java["q"], java["stands_out"]) == (pytest.approx(p), pytest.approx(2 * p), True)
    assert (go["p"], go["stands_out"]) == (pytest.approx(p_of(campbell(15, 30, 11, 20))), False)
    # Two tests: half the level each, and four of five times.
    width = (go["effect_hi"] - go["effect_lo"]) / (2 * Z95)
    assert go["detectable"] == pytest.approx((2.865 + 0.8416) * width, rel=1e-3)


def test_all_answered_on_both_sides_is_no_difference(spark):
    rows = by_subject(findings.answered_findings(health(spark, {"java": ((25, 25), (35, 40))})))
    assert rows["java"]["p"] == pytest.approx(p_of(campbell(35, 40, 25, 25)))


TRENDS = (
    "site string, week_start date, tag string, n_52w bigint, site_52w bigint, n_52w_before bigint, "
    "site_52w_before bigint, z double, p double, q double, status string, partial boolean"
)


def trends(spark, *rows):
    return spark.createDataFrame([(SITE, day(week), *rest) for week, *rest in rows], TRENDS)


def test_a_trend_is_told_as_the_table_of_trends_has_it(spark):
    frame = trends(
        spark,
        ("2026-01-05", "rust", 90, 1000, 20, 900, 5.0, 1e-6, 2e-6, "rising", False),
        ("2026-01-05", "go", 40, 1000, 30, 900, 0.9, 0.4, 0.4, "stable", False),
        ("2026-01-05", "new", 40, 1000, 0, 900, None, None, None, "low_n", False),
        ("2026-01-12", "rust", 1, 1, 1, 1, 9.0, 0.0, 0.0, "falling", True),
        ("2025-12-29", "php", 40, 1000, 30, 900, -5.0, 1e-6, 1e-6, "falling", False),
    )
    rows = by_subject(findings.trend_findings(frame))
    assert {subject: row["stands_out"] for subject, row in rows.items()} == {"rust": True, "go": False}
    rust = rows["rust"]
    assert (rust["n_now"], rust["n_before"], rust["p"], rust["q"]) == (90, 20, 1e-6, 2e-6)
    assert (rust["since"], rust["until"]) == (day("2025-01-13"), day("2026-01-11"))
    assert (rust["effect_lo"], rust["effect_hi"]) == pytest.approx(newcombe(90, 1000, 20, 900), rel=1e-9)


ASKED = "site string, question_id bigint, tags array<string>, created_at timestamp, owner_user_id bigint"


def emerging(spark, *spans):
    """The findings by tag, of (tags, questions in the 12 weeks, in the 52 before, people who asked the newer)."""
    rows = []
    for tags, now, before, people in spans:
        rows += [(SITE, len(rows) + n, tags, at("2026-01-11 23:00"), n % people) for n in range(now)]
        rows += [(SITE, len(rows) + n, tags, at("2025-10-19 23:00"), n) for n in range(before)]
        # In the first of the newer weeks, before the older ones, and in the week that is not over.
        rows += [(SITE, len(rows), tags, at("2025-10-20"), None), (SITE, len(rows) + 1, tags, at("2024-10-20"), 1)]
        rows += [(SITE, len(rows), tags, at("2026-01-12"), 1)]
    newest = trends(spark, ("2026-01-05", "x", 1, 1, 1, 1, None, None, None, "low_n", False))
    return by_subject(findings.emerging_findings(spark.createDataFrame(rows, ASKED), newest))


def test_a_topic_comes_up_when_many_ask_about_it(spark):
    rows = emerging(
        spark,
        (["новый"], 39, 10, 20),
        (["one's"], 39, 10, 9),
        (["small"], 28, 5, 28),
        (["old"], 93, 872, 5),
        (["few"], 9, 9, 9),
    )
    told = {subject: (row["n_now"], row["stands_out"]) for subject, row in rows.items()}
    assert told == {"новый": (40, True), "one's": (40, False), "small": (29, False), "old": (94, False)}
    new = rows["новый"]
    assert (new["since"], new["until"], new["n_before"]) == (day("2025-10-20"), day("2026-01-11"), 10)
    # Of 213 questions now and 906 before 10 * 213 / 906 were expected; two more on each side.
    expected = 10 * 213 / 906
    assert (new["value_now"], new["value_before"]) == pytest.approx((40 / 213, 10 / 906))
    assert new["effect"] == pytest.approx(42 / (expected + 2))
    error = math.sqrt(1 / 42 + expected**2 / 10 / (expected + 2) ** 2)
    ends = [new["effect"] * math.exp(sign * Z95 * error) for sign in (-1, 1)]
    assert (new["effect_lo"], new["effect_hi"]) == pytest.approx(ends)
    assert new["p"] == pytest.approx(p_of(campbell(40, 213, 10, 906)))
    assert new["detectable"] is None
    assert rows["old"]["q"] < LEVEL, "a fall stands out in trends, not here"


WEEKS = "site string, week_start date, tag string, n_questions bigint, site_questions bigint, partial boolean"


def seasons(spark, counts, now, site=100, years=(1, 2, 3)):
    """The findings by tag, of its counts in the five weeks around the same one of each year, and of those now."""
    rows = [(SITE, day("2026-06-08"), "c#", 99, 100, True), (SITE, day("2026-04-20"), "c#", 99, 100, False)]
    for tag, each in counts.items():
        for year in years:
            for week, n in zip(range(50, 55), each, strict=True):
                monday = day("2026-06-01") - timedelta(weeks=52 * year - 52 + week)
                rows += [(SITE, monday, tag, n, site, False)] if n else []
        rows += [(SITE, day("2026-06-01"), tag, now[tag], site, False)] if now[tag] else []
    return by_subject(findings.season_findings(spark.createDataFrame(rows, WEEKS)))


def test_a_week_is_compared_with_the_same_weeks_of_years_before(spark):
    even, wild = [10, 10, 10, 10, 10], [0, 25, 0, 20, 5]
    rows = seasons(
        spark,
        {"c#": even, "标签": wild, "none": even, "few": [1, 2, 1, 2, 3]},
        {"c#": 25, "标签": 25, "none": 0, "few": 90},
    )
    told = {subject: (row["n_now"], row["n_before"], row["stands_out"]) for subject, row in rows.items()}
    assert told == {"c#": (25, 150, True), "标签": (25, 150, False), "none": (0, 150, False)}
    even_row, wild_row = rows["c#"], rows["标签"]
    assert (even_row["since"], even_row["until"]) == (day("2026-06-01"), day("2026-06-07"))
    assert (even_row["value_now"], even_row["value_before"]) == pytest.approx((0.25, 0.1))
    # Chi-squared of the wild ones: 3 * (100 + 225 + 100 + 100 + 25) / 9; 14 degrees of freedom, t's quantile 2.1448.
    for row, dispersion in ((even_row, 1), (wild_row, 3 * 550 / 9 / 14)):
        error = math.sqrt(dispersion * 0.09 * (1 / 100 + 1 / 1500))
        half = (row["effect_hi"] - row["effect_lo"]) / 2
        assert half == pytest.approx(2.1448 * error, rel=2e-3)
        t = 0.15 / error
        assert row["p"] == pytest.approx(p_of(113 / 115 * math.sqrt(14 * math.log(1 + t * t / 14))))


def test_one_year_is_no_season(spark):
    assert seasons(spark, {"c#": [10] * 5}, {"c#": 25}, years=(1,)) == {}
    assert set(seasons(spark, {"c#": [10] * 5}, {"c#": 25}, years=(1, 3))) == {"c#"}


UNITS = (
    "site string, question_id bigint, unit_type string, created_at timestamp, n_sentences int, polarity_net double, "
    "text_part string"
)


def of_bodies(rows):
    return [(*row, "body") for row in rows]


def test_texts_on_one_question_are_one_witness(spark):
    newest = trends(spark, ("2026-01-05", "x", 1, 1, 1, 1, None, None, None, "low_n", False))
    # 20 questions of java with two texts each, alike within a question, and 60 texts of php.
    moods = {number: 0.5 if number % 2 else -0.1 for number in range(20)}
    units = [(SITE, number, "answer", at("2026-01-06"), 1, mood) for number, mood in moods.items() for _ in range(2)]
    units += [(SITE, 100 + number, "answer", at("2026-01-07"), 1, (number % 3 - 1) / 2) for number in range(60)]
    units += [(SITE, 0, "answer", at("2026-01-06"), 0, 0.0), (SITE, 0, "answer", at("2026-01-13"), 1, 1.0)]
    tags = [(SITE, number, ["java"] if number < 100 else ["php"]) for number in [*range(20), *range(100, 160)]]
    tags += [(SITE, 999, ["java"])]
    questions = spark.createDataFrame(tags, "site string, question_id bigint, tags array<string>")
    # In no mean: another language, and a title alone.
    left_out = [
        (SITE, 1, "answer", at("2026-01-06"), 1, None, "body"),
        (SITE, 1, "question", at("2026-01-06"), 1, -1.0, "title"),
    ]
    frame = spark.createDataFrame(of_bodies(units) + left_out, UNITS)
    rows = by_subject(findings.mood_findings(frame, questions, newest))
    baseline = 2 * sum(moods.values()) / 100
    off = [2 * (mood - baseline) for mood in moods.values()]
    effect = sum(off) / 40
    error = math.sqrt(sum((each - 2 * effect) ** 2 for each in off) * 20 / 19) / 40
    java = rows["java"]
    assert (java["n_now"], java["n_before"], java["value_now"]) == (40, 60, pytest.approx(0.2))
    assert (java["effect"], java["value_before"]) == pytest.approx((effect, baseline))
    # Student's t with 19 degrees of freedom: 97.5 % quantile 2.0930; the two-sided p of 2.5 is 0.02177 (tables).
    assert (java["effect_lo"], java["effect_hi"]) == pytest.approx(
        (effect - 2.093 * error, effect + 2.093 * error), rel=1e-3
    )
    t = effect / error
    assert java["p"] == pytest.approx(p_of(153 / 155 * math.sqrt(19 * math.log(1 + t * t / 19))))
    assert p_of(153 / 155 * math.sqrt(19 * math.log(1 + 2.5**2 / 19))) == pytest.approx(0.02177, rel=0.01)


def test_texts_all_alike_are_no_finding(spark):
    newest = trends(spark, ("2026-01-05", "x", 1, 1, 1, 1, None, None, None, "low_n", False))
    units = [(SITE, number, "answer", at("2026-01-06"), 1, 0.1) for number in range(30)]
    questions = [(SITE, number, ["java"]) for number in range(30)]
    questions = spark.createDataFrame(questions, "site string, question_id bigint, tags array<string>")
    rows = by_subject(findings.mood_findings(spark.createDataFrame(of_bodies(units), UNITS), questions, newest))
    assert (rows["java"]["p"], rows["java"]["stands_out"]) == (1.0, False)


QUESTIONS = "site string, question_id bigint, tags array<string>, created_at timestamp, observed_at timestamp"


def test_a_pair_is_told_of_when_even_its_lower_end_is_twice_chance(spark):
    groups = [(["a", "b"], 30), (["a", "c"], 12), (["a"], 70), (["c"], 50), (["d"], 9), (["e"], 400), (["d", "a"], 3)]
    rows = []
    for tags, count in groups:
        rows += [(SITE, len(rows) + n, tags, at("2026-01-06"), at("2026-03-15")) for n in range(count)]
    # A month that is not over, and one that is too long ago.
    rows += [(SITE, len(rows) + n, ["a", "b"], at("2026-03-02"), at("2026-03-15")) for n in range(99)]
    rows += [(SITE, len(rows) + n, ["a", "b"], at("2025-02-02"), at("2026-03-15")) for n in range(99)]
    found = by_subject(findings.pair_findings(spark.createDataFrame(rows, QUESTIONS)))
    total, n_a, n_c = sum(count for _, count in groups), 30 + 12 + 70 + 3, 62
    assert set(found) == {"a + b", "a + c", "a + d"}
    ab, ac = found["a + b"], found["a + c"]
    assert (ab["since"], ab["until"], ab["n_now"], ab["n_before"]) == (day("2025-03-01"), day("2026-02-28"), 30, 30)
    assert (ab["effect"], ab["value_before"]) == pytest.approx((total / n_a, n_a / total))
    assert ab["effect_lo"] == pytest.approx(wilson(30, 30)[0] * total / n_a)
    # Five tags with ten questions or more: ten pairs were looked at, three of which are there.
    p = p_of(campbell(30, 30, n_a - 30, total - 30))
    assert (ab["p"], ab["q"]) == (pytest.approx(p), pytest.approx(10 * p))
    assert ab["stands_out"]
    assert ab["detectable"] is None
    assert ac["p"] == pytest.approx(p_of(campbell(12, n_c, n_a - 12, total - n_c)))
    assert not ac["stands_out"]


def test_the_level_leaves_one_run_in_twenty(spark):
    assert len({"trend", "emerging", "season", "answered", "mood", "pair"}) * LEVEL == pytest.approx(0.05)
