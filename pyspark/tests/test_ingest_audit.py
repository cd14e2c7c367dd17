"""ingest_audit: one row a run folder, counted from what its pages were parsed into."""

import pytest
from builders import PART, answer, at, page, part, question, row

from soflow_jobs import answers, questions
from soflow_jobs.ingest_audit import noted, quota_used, source_of
from soflow_jobs.task import RawObject

COUNTS = ("pages", "pages_quarantined", "rows_raw", "rows_quarantined", "distinct_ids", "duplicates", "unknown_fields")


def noon(text):
    """What a collected timestamp is: without a zone, in UTC."""
    return at(text).replace(tzinfo=None)


def test_a_folder_is_one_row_with_what_its_pages_held(spark, task_lake):
    good = page(question(1), question(2, "2026-01-07", novel=1), question(1, score=5), question(3, score="x"), "odd")
    task_lake.raw("questions", good, fetched="2026-11-22T10:00:00Z")
    task_lake.raw("questions", good[:-9], b"", page(question(2, other=1)), fetched="2026-11-22T12:00:00Z")
    questions.run(spark, task_lake.task("questions"))
    assert task_lake.rows(spark, "ingest_audit", "raw_run", *COUNTS) == [("1", 4, 2, 6, 2, 2, 2, 2)]
    columns = ("site", "endpoint", "dt", "source", "created_min", "created_max", "fetched_first", "fetched_last")
    assert task_lake.rows(spark, "ingest_audit", *columns, "_run_id") == [
        (
            *("stackoverflow", "questions", "2026-11-22", None),
            *(noon("2026-01-05 10:00"), noon("2026-01-07"), noon("2026-11-22 10:00"), noon("2026-11-22 12:00")),
            task_lake.run,
        )
    ]


def test_folders_stay_apart_and_say_where_they_are_from(spark, task_lake):
    task_lake.raw("answers", page(answer(10), answer(11)), folder="api-7", about={"bytes": 40})
    task_lake.raw("answers", page(answer(11), answer(12, novel=1)), page(), folder="pages-0a")
    found = {"Id": 13, "PostTypeId": 2, "ParentId": 1, "Score": 0, "Novel": 1}
    times = {"CreationDate": "2026-01-05T00:00:00.000", "LastActivityDate": "2026-01-05T00:00:00.000"}
    task_lake.raw("answers", part(row(**found, **times), row(Id=1, PostTypeId=1)), folder="dump-1", name=PART)
    answers.run(spark, task_lake.task("answers"))
    assert task_lake.rows(spark, "ingest_audit", "raw_run", "source", *COUNTS, "bytes") == [
        ("api-7", "api", 1, 0, 2, 0, 2, 0, 0, 40),
        ("dump-1", "dump", 1, 0, 1, 0, 1, 0, 1, None),
        ("pages-0a", "pages", 2, 0, 2, 0, 2, 0, 1, None),
    ]


def test_a_page_of_threads_counts_for_the_endpoint_that_is_nested_in_it(spark, task_lake):
    task_lake.raw("answers", page(question(1, answers=[answer(10), answer(11)]), question(2)))
    answers.run(spark, task_lake.task("answers"))
    assert task_lake.rows(spark, "ingest_audit", "endpoint", *COUNTS) == [("answers", 1, 0, 2, 0, 2, 0, 0)]


def test_a_folder_without_usable_rows_is_there_too(spark, task_lake):
    task_lake.raw("questions", page(), page(question(1))[:-9])
    questions.run(spark, task_lake.task("questions"))
    assert task_lake.rows(spark, "ingest_audit", *COUNTS, "created_min") == [(2, 1, 0, 0, 0, 0, 0, None)]
    assert task_lake.written(spark, "questions") == []


def test_a_day_without_pages_has_no_row(spark, task_lake):
    questions.run(spark, task_lake.task("questions"))
    assert task_lake.written(spark, "ingest_audit") == []


def test_what_the_ingester_noted_is_there(spark, task_lake):
    first = {"quota_remaining": 9_999, "watermark_before": 1_767_607_200, "watermark_after": 1_767_608_000, "bytes": 10}
    last = {"quota_remaining": 9_997, "watermark_before": 1_767_608_000, "watermark_after": 1_767_610_800, "bytes": 5}
    task_lake.raw("questions", page(question(1)), fetched="2026-11-22T12:00:00Z", about=last)
    task_lake.raw("questions", page(question(2)), fetched="2026-11-22T11:00:00Z", about=first)
    questions.run(spark, task_lake.task("questions"))
    columns = ("quota_used", "bytes", "watermark_before", "watermark_after")
    found = task_lake.rows(spark, "ingest_audit", *columns)
    assert found == [(3, 15, noon("2026-01-05 10:00"), noon("2026-01-05 11:00"))]


@pytest.mark.parametrize(
    ("remaining", "used"), [([], None), ([300], 1), ([300, 299, 297], 4), ([2, -1, 300, 299], 5), ([5, 5], 1)]
)
def test_the_quota_is_what_fell(remaining, used):
    assert quota_used(remaining) == used


def test_a_sum_over_pages_of_which_one_is_not_known_is_not_known():
    pages = [RawObject("a/1", at("2026-01-01"), {"bytes": 1}), RawObject("a/2", at("2026-01-01"))]
    assert noted(pages) == (None, None, None, None)


@pytest.mark.parametrize("seconds", [10**15, -(10**15), 2**63 - 1])
def test_a_watermark_that_no_calendar_has_is_none(seconds):
    page = RawObject("a/1", at("2026-01-01"), {"watermark_before": seconds, "watermark_after": seconds})
    assert noted([page])[2:] == (None, None)


def test_a_folder_of_others_has_no_source():
    assert [source_of(name) for name in ("sample-7-x1", "dump-1", "apis-1", "mine")] == ["sample", "dump", None, None]


def test_a_job_without_the_table_does_without(spark, task_lake):
    task_lake.raw("questions", page(question(1)))
    task = task_lake.task("questions")
    del task.outputs["ingest_audit"]
    questions.run(spark, task)
    assert task_lake.written(spark, "ingest_audit") == []
    assert task_lake.rows(spark, "questions", "question_id") == [(1,)]
