"""Pages of whole threads: the same page is read for questions, for answers and for comments."""

import gzip

import pytest
from builders import answer, comment, page, question

from soflow_jobs import answers, comments, questions
from soflow_jobs.nested import items_of


def thread(number, *its_answers, **more):
    """A question with its answers in it, as a filter for whole threads gives it."""
    return question(number, answers=list(its_answers), **more)


def ids(endpoint, key, *items):
    return [item[key] if why is None else why.reason for item, why in items_of(endpoint, list(items))]


def test_answers_are_found_in_their_questions():
    items = [thread(1, answer(10), answer(11)), question(2), answer(12), thread(3, answer(13))]
    assert ids("answers", "answer_id", *items) == [10, 11, 12, 13]


def test_comments_are_found_on_questions_and_on_their_answers():
    items = [
        thread(1, answer(10, comments=[comment(101)]), answer(11), comments=[comment(100)]),
        answer(12, comments=[comment(102)]),
        comment(103),
    ]
    assert ids("comments", "comment_id", *items) == [100, 101, 102, 103]


def test_questions_are_never_looked_for_inside_others():
    assert items_of("questions", [answer(10, 1)]) == [(answer(10, 1), None)]


def test_a_place_says_what_the_filter_left_out():
    bare = {"comment_id": 100, "score": 0}
    items = [question(1, comments=[dict(bare)], answers=[{"answer_id": 10, "comments": [dict(bare)]}])]
    found = [(item["post_id"], item["post_type"]) for item, _ in items_of("comments", items)]
    assert found == [(1, "question"), (10, "answer")]
    posts = [{"post_id": 7, "post_type": "answer", "last_activity_date": 1, "comments": [dict(bare)]}]
    assert [(item["post_id"], item["post_type"]) for item, _ in items_of("comments", posts)] == [(7, "answer")]
    assert items_of("answers", [question(5, answers=[{"answer_id": 10}])]) == [
        ({"answer_id": 10, "question_id": 5}, None)
    ]


def test_what_an_item_says_itself_is_not_overruled():
    ((item, _),) = items_of("comments", [question(1, comments=[comment(100, post_id=9, post_type="answer")])])
    assert (item["post_id"], item["post_type"]) == (9, "answer")


@pytest.mark.parametrize("endpoint", ["answers", "comments"])
def test_pages_of_other_items_with_nothing_nested_give_nothing(endpoint):
    assert items_of(endpoint, [question(1), question(2, answers=[], comments=[]), question(3, answers=None)]) == []
    assert items_of("comments", [answer(10)]) == []


def test_an_item_that_lost_its_id_is_not_taken_for_another_endpoints():
    lost = {key: value for key, value in answer().items() if key != "answer_id"}
    assert items_of("answers", [lost, "odd"]) == [(lost, None), ("odd", None)]
    lost = {key: value for key, value in comment().items() if key != "comment_id"}
    assert items_of("comments", [lost, 5]) == [(lost, None), (5, None)]


def test_nested_lists_that_are_none_are_refused():
    broken = question(1, answers={"answer_id": 10}, comments="none")
    assert ids("answers", "answer_id", broken) == ["wrong-type"]
    assert ids("comments", "comment_id", broken) == ["wrong-type", "wrong-type"]
    inside = question(1, answers=[answer(10, comments=7)])
    assert ids("comments", "comment_id", inside) == ["wrong-type"]


def test_one_page_of_threads_fills_three_tables(spark, task_lake):
    whole = page(
        thread(1, answer(10, 1, comments=[comment(101, 10)]), "odd", comments=[comment(100, 1)]),
        thread(2, answer(20, 2, score="1"), comments="none"),
        question(3),
    )
    for endpoint in ("questions", "answers", "comments"):
        task_lake.raw(endpoint, whole)
    for step in (questions, answers, comments):
        step.run(spark, task_lake.task(step.__name__.rsplit(".", 1)[-1]))
    assert task_lake.rows(spark, "questions", "question_id", "_extra") == [(1, 0), (2, 0), (3, 0)]
    assert task_lake.rows(spark, "answers", "answer_id", "question_id") == [(10, 1)]
    expected = [(100, 1, "question"), (101, 10, "answer")]
    assert task_lake.rows(spark, "comments", "comment_id", "post_id", "post_type") == expected
    assert task_lake.rows(spark, "quarantine", "endpoint", "item_index", "item_id", "reason") == sorted(
        [
            ("answers", 1, None, "wrong-type"),
            ("answers", 2, 20, "wrong-type"),
            ("comments", 2, None, "wrong-type"),
            ("comments", 3, None, "wrong-type"),
        ],
        key=repr,
    )


def test_a_list_that_stands_twice_is_nobodys(spark, task_lake):
    body = b'{"items": [{"question_id": 1, "answers": [], "answers": [{"answer_id": 10}]}]}'
    task_lake.raw("answers", gzip.compress(body))
    answers.run(spark, task_lake.task("answers"))
    assert task_lake.rows(spark, "quarantine", "reason", "sample") == [
        ("duplicate-key", '{"question_id": 1, "answers": [{"answer_id": 10}]}')
    ]
