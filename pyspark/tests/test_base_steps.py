"""questions and comments from raw pages to partitions: merging, quarantine, limits."""

import gzip
import os
import random
from pathlib import Path
from string import ascii_letters

import pyarrow.parquet as pq
import pytest
from builders import at, comment, page, question

from soflow_jobs import comments, questions
from soflow_jobs.ingest import QuarantineLimitError
from soflow_jobs.lake import leave_columns, place
from soflow_jobs.schemas import TABLES, names

SHORT = ("question_id", "score", "created_month")


def run_questions(spark, lake, *pages, **more):
    lake.raw("questions", *pages, **more)
    questions.run(spark, lake.task("questions"))


def test_rows_go_to_the_month_they_were_created_in(spark, task_lake, capsys):
    run_questions(
        spark,
        task_lake,
        page(question(1, "2025-12-31 23:59", score=1), question(2, "2026-01-01", score=2)),
        page(question(3, "2026-01-31 23:59", score=3)),
    )
    assert task_lake.rows(spark, "questions", *SHORT) == [(1, 1, "2025-12"), (2, 2, "2026-01"), (3, 3, "2026-01")]
    assert task_lake.written(spark, "quarantine") == []
    assert '@soflow {"pages": 2, "rows_read": 3, "quarantined": 0}' in capsys.readouterr().out


def test_every_column_of_a_row(spark, task_lake):
    item = question(
        1, "2010-01-05 10:00", title="Why &lt;T&gt;?", tags=["java", "c#"], body="<p>See <code>a</code></p>"
    )
    run_questions(spark, task_lake, page({**item, "novel": 1}), fetched="2026-11-22T10:00:00Z")
    (row,) = task_lake.rows(spark, "questions")
    at_ten = at("2010-01-05 10:00").replace(tzinfo=None)
    assert row == (
        *("stackoverflow", 1, "Why <T>?", "Why &lt;T&gt;?", ["java", "c#"], 0, 7, 0, False, None),
        *(at_ten, at_ten, None, None, None, None, False, False),
        *(10, "registered", "Ann", 5),
        *("See", 1, 5, None),
        *("CC BY-SA 2.5", True, at("2026-11-22 10:00").replace(tzinfo=None), "api", 1, "daily.2026-11-22.1"),
        "2010-01",
    )


@pytest.mark.parametrize("good", [0, 1])
def test_an_object_too_large_for_memory_is_set_aside_unread(spark, task_lake, good):
    for number in range(good):
        task_lake.raw("questions", page(question(number + 2)))
    # What it holds is small, so that a reader that opens it is found out.
    *_, large = task_lake.raw("questions", page(question(1)), about={"stored_bytes": 64 * 1024 * 1024 + 1})
    questions.run(spark, task_lake.task("questions"))
    found = task_lake.rows(spark, "quarantine", "raw_uri", "reason", "detail")
    assert found == [(large, "page-too-large", "more than 67,108,864 bytes as stored")]
    assert len(task_lake.written(spark, "questions")) == good


def test_a_comment_on_another_kind_of_post_and_one_under_another_licence_stop_nothing(spark, task_lake):
    items = [comment(1, post_type="question"), comment(2, post_type="wiki"), comment(3, content_license="MIT")]
    task_lake.raw("comments", page(*items))
    comments.run(spark, task_lake.task("comments"))
    assert task_lake.rows(spark, "comments", "comment_id", "post_type") == [(1, "question"), (2, "wiki")]
    assert task_lake.rows(spark, "quarantine", "item_id", "reason") == [(3, "unknown-value")]


def test_the_version_observed_last_stays(spark, task_lake):
    task_lake.raw("questions", page(question(1, score=5)), fetched="2026-11-22T10:00:00Z")
    task_lake.raw("questions", page(question(1, score=9)), fetched="2026-11-22T12:00:00Z")
    task_lake.raw("questions", page(question(1, score=7)), fetched="2026-11-22T11:00:00Z")
    questions.run(spark, task_lake.task("questions"))
    assert task_lake.rows(spark, "questions", "question_id", "score") == [(1, 9)]


def test_of_versions_observed_together_the_one_changed_last_stays(spark, task_lake):
    later = question(1)["last_activity_date"] + 60
    run_questions(spark, task_lake, page(question(1, score=9, last_activity_date=later), question(1, score=5)))
    assert task_lake.rows(spark, "questions", "question_id", "score") == [(1, 9)]


def test_equal_versions_are_chosen_by_place_not_by_chance(spark, task_lake):
    run_questions(spark, task_lake, page(question(1, score=1), question(1, score=2)), page(question(1, score=3)))
    assert task_lake.rows(spark, "questions", "question_id", "score") == [(1, 3)]


def test_merging_replaces_what_was_touched_and_keeps_the_rest(spark, task_lake):
    run_questions(
        spark,
        task_lake,
        page(question(1, score=1), question(2, score=2), question(3, "2026-02-01", score=3)),
        fetched="2026-11-21T00:00:00Z",
    )
    task_lake.publish(spark)
    run_questions(spark, task_lake, page(question(2, score=20), question(4, score=4)))
    assert task_lake.written(spark, "questions") == [{"created_month": "2026-01"}]
    rows = task_lake.rows(spark, "questions", "question_id", "score", "_run_id")
    first, second = "daily.2026-11-22.1", "daily.2026-11-22.2"
    assert rows == [(1, 1, first), (2, 20, second), (4, 4, second)]


def test_an_older_page_does_not_undo_a_newer_row(spark, task_lake):
    run_questions(spark, task_lake, page(question(1, score=9)), fetched="2026-11-22T00:00:00Z")
    task_lake.publish(spark)
    run_questions(spark, task_lake, page(question(1, score=1)), fetched="2026-11-01T00:00:00Z")
    assert task_lake.rows(spark, "questions", "question_id", "score") == [(1, 9)]


def test_the_same_pages_again_give_the_same_rows(spark, task_lake):
    for _ in range(2):
        run_questions(spark, task_lake, page(question(1), question(2, tags=["c++"])))
        rows = task_lake.rows(spark, "questions", "question_id", "tags", "observed_at")
        task_lake.publish(spark)
    assert rows == [
        (n, tags, at("2026-11-22 23:59:59").replace(tzinfo=None)) for n, tags in ((1, ["java"]), (2, ["c++"]))
    ]


def test_a_page_is_rows_or_a_line_in_the_quarantine(spark, task_lake, capsys):
    good = page(question(1), question(2, score="3"), "odd")
    uris = task_lake.raw(
        "questions", good, good[:-9], b"", gzip.compress(b"<html>"), gzip.compress(b'{"error_id": 502}')
    )
    questions.run(spark, task_lake.task("questions"))
    assert task_lake.rows(spark, "questions", "question_id") == [(1,)]
    columns = ("raw_uri", "page_error", "item_index", "item_id", "reason", "endpoint", "dt")
    where = ("questions", "2026-11-22")
    assert task_lake.rows(spark, "quarantine", *columns) == sorted(
        [
            (uris[0], False, 1, 2, "wrong-type", *where),
            (uris[0], False, 2, None, "wrong-type", *where),
            (uris[1], True, None, None, "truncated-gzip", *where),
            (uris[2], True, None, None, "empty", *where),
            (uris[3], True, None, None, "html", *where),
            (uris[4], True, None, None, "api-error", *where),
        ],
        key=repr,
    )
    assert '"pages": 5, "rows_read": 3, "quarantined": 6' in capsys.readouterr().out


def test_the_quarantine_is_one_leaf_directory(spark, task_lake):
    run_questions(spark, task_lake, page("odd"))
    leaf = task_lake.folder / "curated/quarantine" / f"run={task_lake.run}" / "endpoint=questions/dt=2026-11-22"
    assert list(leaf.glob("*.parquet"))
    ((site, sample, run),) = task_lake.rows(spark, "quarantine", "site", "sample", "_run_id")
    assert (site, sample, run) == ("stackoverflow", '"odd"', task_lake.run)


def test_too_many_pages_in_quarantine_stop_the_step_before_it_writes(spark, task_lake):
    task_lake.raw("questions", page(question(1)), page(question(2))[:-9], page(question(3))[:-9], page(question(4)))
    words = (
        r"2 of 4 pages \(50.0 %\) of raw.questions were quarantined, above the limit of 49 %: 2x truncated-gzip \(0000"
    )
    with pytest.raises(QuarantineLimitError, match=words):
        questions.run(spark, task_lake.task("questions", limit=0.49))
    assert task_lake.written(spark, "questions") == task_lake.written(spark, "quarantine") == []


def test_too_many_rows_in_quarantine_stop_the_step_too(spark, task_lake):
    task_lake.raw("questions", page(question(1), question("2"), question("3")))
    with pytest.raises(QuarantineLimitError, match=r"2 of 3 rows \(66.7 %\).*2x wrong-type"):
        questions.run(spark, task_lake.task("questions", limit=0.5))


def test_the_limit_itself_is_allowed(spark, task_lake):
    task_lake.raw("questions", page(question(1), question("2")))
    questions.run(spark, task_lake.task("questions", limit=0.5))
    assert task_lake.rows(spark, "questions", "question_id") == [(1,)]


def test_pages_without_items_write_nothing(spark, task_lake):
    run_questions(spark, task_lake, page(), page())
    assert task_lake.written(spark, "questions") == []


def test_no_pages_at_all_is_a_quiet_day(spark, task_lake, capsys):
    questions.run(spark, task_lake.task("questions"))
    assert '"pages": 0, "rows_read": 0, "quarantined": 0' in capsys.readouterr().out
    assert task_lake.written(spark, "questions") == []


def test_folders_with_spaces_keep_their_pages(spark, tmp_path):
    from builders import TestLake

    lake = TestLake(tmp_path / "a b+c")
    run_questions(spark, lake, page(question(1)), page("odd"))
    assert lake.rows(spark, "questions", "question_id") == [(1,)]


def test_text_that_breaks_engines_comes_through(spark, task_lake):
    body = b'{"items": [' + str(question(1)).replace("'", '"').replace("False", "false").encode() + b"]}"
    run_questions(spark, task_lake, gzip.compress(body.replace(b"How?", b"lone \\ud800 nul \\u0000 \xf0\x9f\x99\x82")))
    assert task_lake.rows(spark, "questions", "title") == [("lone \ufffd nul \ufffd 🙂",)]


def test_comments_without_text_and_with(spark, task_lake):
    task_lake.raw("comments", page(comment(1000), comment(1001, body="Thanks", post_type="question")))
    comments.run(spark, task_lake.task("comments"))
    rows = task_lake.rows(spark, "comments", "comment_id", "post_id", "post_type", "text", "created_month")
    assert rows == [(1000, 1, None, None, "2026-01"), (1001, 1, "question", "Thanks", "2026-01")]


def test_deleted_owners_are_kept(spark, task_lake):
    run_questions(spark, task_lake, page(question(1, owner={"user_type": "does_not_exist"})))
    assert task_lake.rows(spark, "questions", "question_id", "owner_user_id", "owner_type") == [
        (1, None, "does_not_exist")
    ]


def test_a_page_that_the_engine_hands_over_twice_counts_once(spark, task_lake, capsys):
    # Sail divides more than 10 MiB of objects among its threads, and one that two of them share comes whole, twice.
    large = ["".join(random.Random(number).choices(ascii_letters, k=6_000_000)) for number in range(3)]
    pages = [page(question(number + 1, tags=[f"t{number}"], title=text)) for number, text in enumerate(large)]
    assert sum(map(len, pages)) > 10 * 1024 * 1024
    run_questions(spark, task_lake, *pages, page("odd"))
    assert '"pages": 4, "rows_read": 4, "quarantined": 1' in capsys.readouterr().out
    assert task_lake.rows(spark, "questions", "question_id") == [(1,), (2,), (3,)]
    assert len(task_lake.rows(spark, "quarantine", "raw_uri")) == 1


def test_pages_of_other_dates_bring_their_rows_and_nothing_else(spark, task_lake, capsys):
    task_lake.raw("questions", page(question(1, score=1)), folder="own")
    broken = {**question(2), "tags": "java"}
    task_lake.raw("questions", page(question(3, score=3), broken), folder="other", date="2026-11-23")
    questions.run(spark, task_lake.task("questions", limit=0.0))
    assert task_lake.rows(spark, "questions", "question_id", "score") == [(1, 1), (3, 3)]
    assert task_lake.written(spark, "quarantine") == []
    assert task_lake.rows(spark, "ingest_audit", "raw_run", "pages", "rows_raw") == [("own", 1, 1)]
    assert '"pages": 1, "rows_read": 1, "quarantined": 0' in capsys.readouterr().out


def test_outputs_without_rows_say_their_columns(spark, task_lake):
    if os.environ.get("SOFLOW_TEST_ENGINE", "sail") == "sail":
        pytest.skip("Sail writes no file without rows: its launcher leaves the columns")
    task = task_lake.task("questions")
    leave_columns(spark, task)
    (file,) = Path(place(task.output("quarantine")).removeprefix("file://")).rglob("*.parquet")
    left = pq.read_table(file)
    assert (left.num_rows, left.schema.names) == (0, names(TABLES["quarantine"]))
    assert task_lake.written(spark, "quarantine") == []
