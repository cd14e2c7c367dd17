"""The task contract: what is taken, what is refused and in which words."""

import json

import pytest
from builders import at

from soflow_jobs.periods import week_years
from soflow_jobs.task import TaskError, parse_task

TASK = {
    "task_version": 1,
    "run": "daily.2026-11-22.3",
    "job": "daily",
    "step": "questions",
    "date": "2026-11-22",
    "scope": "changed",
    "parameters": {"site": "stackoverflow"},
    "quarantine_limit": 0.05,
    "scratch": "file:///lake/scratch/",
    "inputs": {
        "raw.questions": {"objects": [{"uri": "file:///lake/1.json.gz", "fetched_at": "2026-11-22T23:59:59Z"}]},
        "answers": {
            "published": [{"prefix": "file:///a/", "partitions": [{"created_month": "2026-10"}], "changed": []}],
            "upstream": None,
        },
    },
    "outputs": {
        "quarantine": {
            "prefix": "file:///q",
            "partition_by": ["endpoint", "dt"],
            "only": {"endpoint": "questions", "dt": "2026-11-22"},
            "current": [],
        }
    },
}


def test_a_task_is_read_into_types():
    task = parse_task(json.dumps(TASK))
    assert task.raw["questions"][0].fetched_at == at("2026-11-22 23:59:59")
    assert (task.site, task.everything, task.scratch) == ("stackoverflow", False, "file:///lake/scratch")
    assert task.inputs["answers"].published[0].partitions == ({"created_month": "2026-10"},)
    assert task.outputs["quarantine"].only == {"endpoint": "questions", "dt": "2026-11-22"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task_version": 2}, "version 1"),
        ({"scope": "some"}, "`scope`"),
        ({"date": "22.11.2026"}, "`date`"),
        ({"run": None}, "`task.run`"),
        ({"quarantine_limit": 5}, "`quarantine_limit`"),
        ({"quarantine_limit": True}, "`quarantine_limit`"),
        ({"inputs": []}, "`inputs`"),
        ({"inputs": {"raw.questions": {"objects": [{"uri": "x", "fetched_at": "noon"}]}}}, "fetched_at"),
        (
            {"inputs": {"raw.q": {"objects": [{"uri": "x", "fetched_at": "2026-11-22", "about": {"bytes": "5"}}]}}},
            "`inputs.raw.q.about`",
        ),
        ({"inputs": {"answers": {"upstream": 5}}}, "`inputs.answers.upstream`"),
        ({"outputs": {"t": {"prefix": "x", "partition_by": ["a", "b"], "only": {"b": "1"}}}}, "`outputs.t.only`"),
        ({"outputs": {"t": {"prefix": "x", "current": [{"prefix": "y", "partitions": [1]}]}}}, "partitions"),
    ],
)
def test_what_the_contract_does_not_allow_is_refused_by_name(change, words):
    with pytest.raises(TaskError, match=words):
        parse_task(json.dumps({**TASK, **change}))


def test_times_may_have_any_fraction_and_offset():
    for text in ("2026-11-22T10:00:00.123456789Z", "2026-11-22T11:00:00.123456+01:00"):
        raw = {"raw.questions": {"objects": [{"uri": "x", "fetched_at": text}]}}
        fetched = parse_task(json.dumps({**TASK, "inputs": raw})).raw["questions"][0].fetched_at
        assert fetched == at("2026-11-22 10:00:00.123456")


def test_what_is_noted_about_a_page_may_be_absent():
    objects = [{"uri": "x.xml.gz", "fetched_at": "2026-11-22T10:00:00Z", "about": {"quota_remaining": -1}}]
    objects.append({"uri": "x.json.gz", "fetched_at": "2026-11-22T10:00:00Z"})
    raw = parse_task(json.dumps({**TASK, "inputs": {"raw.q": {"objects": objects}}})).raw["q"]
    assert [(page.is_dump, page.about) for page in raw] == [(True, {"quota_remaining": -1}), (False, {})]


def test_text_that_is_not_json_is_refused():
    with pytest.raises(TaskError, match="not JSON"):
        parse_task("{")


def test_a_table_the_job_file_left_out_is_named():
    with pytest.raises(TaskError, match="`questions`"):
        parse_task(json.dumps(TASK)).output("questions")


@pytest.mark.parametrize(
    ("months", "after", "expected"),
    [
        (["2025-06"], 0, {2025}),
        (["2026-01"], 0, {2025, 2026}),  # 1 January 2026 is in the week of Monday 2025-12-29
        (["2024-01"], 0, {2024}),  # 1 January 2024 is a Monday
        (["2024-01"], 52, {2024, 2025}),
        (["2025-12"], 52, {2025, 2026}),
        (["2010-01", "2020-06"], 0, {2009, 2010, 2020}),
    ],
)
def test_a_month_touches_the_years_of_its_weeks(months, after, expected):
    assert week_years(months, after) == expected
