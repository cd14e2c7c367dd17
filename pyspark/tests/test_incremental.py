"""Runs day by day give the tables that one run over everything gives: only the touched periods were rewritten."""

import os
import random

import pytest
from builders import TestLake, answer, comment, page, question
from test_real_data import STEPS

from soflow_jobs.lake import read
from soflow_jobs.schemas import PARTITIONS, TABLES, names

ON_SAIL = os.environ.get("SOFLOW_TEST_ENGINE", "sail") == "sail"

KEYS = {
    "questions": ["question_id"],
    "question_tags": ["question_id", "tag"],
    "answers": ["answer_id"],
    "comments": ["comment_id"],
    "text_sentiment": ["unit_type", "unit_id"],
    "tag_trends_weekly": ["week_start", "tag"],
    "tag_health_monthly": ["month", "tag"],
    "tag_response": ["tag", "askers"],
    "tag_sentiment_weekly": ["week_start", "tag", "unit_type"],
    "tag_pairs_monthly": ["month", "tag_a", "tag_b"],
    "tag_communities": ["tag"],
    "findings": ["kind", "subject"],
}
WORDS = ["I love it!", "I hate it.", "It throws.", "Thanks, excellent.", "Awful docs.", "Port 80 is open."]


def some_days(seed):
    """Three days of (endpoint, page, fetched): posts in any order, edits, retags, answers late and early."""
    chance = random.Random(seed)
    days, known = [], []
    for number, fetched in enumerate(["2025-12-20T12:00:00Z", "2025-12-31T12:00:00Z", "2026-01-09T12:00:00Z"]):
        latest = ["2025-12-19", "2025-12-31", "2026-01-09"][number]
        asked, answered, said = [], [], []
        for index in range(60):
            again = known and chance.random() < 0.2
            ident, created = chance.choice(known) if again else (number * 100 + index + 1, a_day(chance, latest))
            tags = chance.sample(["java", "c#", "go", f"t{chance.randint(1, 9)}"], chance.randint(1, 3))
            asked.append(question(ident, created, tags=tags, body=chance.choice(WORDS), score=chance.randint(-2, 9)))
            known.append((ident, created))
        for index in range(60):
            ident, created = chance.choice(known)
            when = created if chance.random() < 0.5 else max(created, a_day(chance, latest))
            user = chance.choice([10, 20])
            answered.append(answer(10_000 + number * 100 + index, ident, when, user, body=chance.choice(WORDS)))
            post, kind = (ident, "question")
            said.append(comment(20_000 + number * 100 + index, post, when, post_type=kind, body=chance.choice(WORDS)))
        found = [("questions", asked), ("answers", answered), ("comments", said)]
        days.append([(endpoint, page(*items), fetched) for endpoint, items in found])
    return days


def a_day(chance, latest):
    """A day of 2022 to the latest: mostly a recent one."""
    year, month = chance.choice([(2022, 3), (2023, 12), (2024, 1), (2024, 12), (2025, 6), (2025, 12), (2026, 1)])
    return min(latest, f"{year}-{month:02d}-{chance.randint(1, 30):02d}") + f" {chance.randint(0, 23):02d}:00"


def run_all(spark, lake, pages, scope):
    for endpoint, body, fetched in pages:
        lake.raw(endpoint, body, fetched=fetched)
    for step, module in STEPS.items():
        module.run(spark, lake.task(step, scope=scope))
    lake.publish(spark)


def published(spark, lake, table):
    """The live rows by key, without the run's id."""
    columns = [name for name in names(TABLES[table] + PARTITIONS[table]) if name != "_run_id"]
    rows = [row.asDict() for row in read(spark, lake.published.get(table, []), table, columns).collect()]
    by_key = {tuple(str(row[name]) for name in KEYS[table]): row for row in rows}
    assert len(by_key) == len(rows)
    return by_key


def check_daily_equals_at_once(spark, folder, days):
    """Runs the days one by one in one lake and together in another, and compares every table."""
    daily, at_once = TestLake(folder / "daily"), TestLake(folder / "once")
    for pages in days:
        run_all(spark, daily, pages, "changed")
    run_all(spark, at_once, [each for pages in days for each in pages], "all")
    for table in KEYS:
        expected = published(spark, at_once, table)
        found = published(spark, daily, table)
        assert found.keys() == expected.keys(), table
        for key, row in expected.items():
            assert differing(found[key], row) == [], (table, key)


@pytest.mark.parametrize("seed", [1, 2] if ON_SAIL else [1])
def test_day_by_day_equals_all_at_once(spark, tmp_path, seed, monkeypatch):
    # Few questions a month: let the thresholds be met.
    for name in ("MIN_BOTH", "MIN_TAG", "MIN_LINK"):
        monkeypatch.setattr(f"soflow_jobs.tag_pairs.{name}", 2)
    monkeypatch.setattr("soflow_jobs.tag_trends.MIN_QUESTIONS", 4)
    least = (
        "MIN_SEASON MIN_SEASON_WEEKS MIN_EXPECTED MIN_LOOKED MIN_EMERGING MIN_ASKERS MIN_ASKED MIN_TEXTS MIN_THREADS"
    )
    for name in least.split():
        monkeypatch.setattr(f"soflow_jobs.findings.{name}", 0 if name == "MIN_EXPECTED" else 3)
    # Spark takes a minute for each day.
    check_daily_equals_at_once(spark, tmp_path, some_days(seed)[0 if ON_SAIL else 1 :])


def a_run(fetched, asked=(), answered=()):
    """One day's pages."""
    pages = [("questions", page(*asked), fetched)] if asked else []
    return pages + ([("answers", page(*answered), fetched)] if answered else [])


OLD = question(1, "2015-03-02", tags=["old"])
FAR = {
    "an earlier first question ends a tag's being new, years later": [
        a_run("2026-03-01T00:00:00Z", [question(5, "2010-01-04"), OLD, question(2, "2019-04-01", tags=["x"])]),
        a_run("2026-03-02T00:00:00Z", [question(3, "2012-01-02", tags=["x"])]),
    ],
    "a partial week of the old year is over when the new year's pages come": [
        a_run("2025-12-24T00:00:00Z", [OLD, question(2, "2025-12-23")]),
        a_run("2026-02-10T00:00:00Z", [question(3, "2026-02-09")]),
    ],
    "an old answer to an old question, found late": [
        a_run("2026-03-01T00:00:00Z", [question(2, "2019-04-01", tags=["x"])], [answer(101, 7, "2018-01-01")]),
        a_run("2026-03-02T00:00:00Z", [], [answer(102, 2, "2019-04-01 12:00")]),
    ],
    "a month comes of age": [
        a_run("2025-12-31T00:00:00Z", [OLD, question(2, "2025-12-29")], [answer(101, 2, "2025-12-30")]),
        a_run("2026-03-01T00:00:00Z", [question(3, "2026-02-09")], [answer(102, 3, "2026-02-10")]),
    ],
    "a retagged question takes its answers along": [
        a_run(
            "2026-03-01T00:00:00Z",
            [question(2, "2019-04-01", tags=["x"])],
            [answer(101, 2, "2023-06-01", body="I love it!")],
        ),
        a_run("2026-03-02T00:00:00Z", [question(2, "2019-04-01", tags=["y"])]),
    ],
}


@pytest.mark.skipif(not ON_SAIL, reason="which periods are computed is decided before the engine: tested on Sail")
@pytest.mark.parametrize("case", FAR)
def test_effects_far_from_the_changed_month(spark, tmp_path, case):
    check_daily_equals_at_once(spark, tmp_path, FAR[case])


def differing(found, expected):
    """Columns that differ by more than a double's last bits."""
    return [
        name
        for name, value in expected.items()
        if found[name] != (pytest.approx(value, abs=1e-9) if isinstance(value, float) else value)
    ]


def test_a_changed_month_leaves_other_years_alone(spark, task_lake):
    items = [question(n, f"{year}-03-01", tags=["a", "b"]) for n, year in enumerate([2019, 2021, 2024, 2026], start=1)]
    run_all(spark, task_lake, [("questions", page(*items), "2026-11-20T00:00:00Z")], "changed")
    run_pages = [("questions", page(question(9, "2026-03-05", tags=["a"])), "2026-11-21T00:00:00Z")]
    before = task_lake.number
    run_all(spark, task_lake, run_pages, "changed")
    assert before + 1 == task_lake.number
    live = {
        p.prefix.rsplit(".", 1)[-1]: [x["year"] for x in p.partitions] for p in task_lake.published["tag_trends_weekly"]
    }
    assert live == {"1": ["2019", "2021", "2024"], "2": ["2026"]}
