"""answers: flags that depend on the thread, across months and runs."""

from builders import answer, page, question

from soflow_jobs import answers, questions


def run_day(spark, lake, asked=(), answered=(), fetched="2026-11-22T23:59:59Z"):
    """One run of the two steps."""
    if asked:
        lake.raw("questions", page(*asked), fetched=fetched)
        questions.run(spark, lake.task("questions"))
    if answered:
        lake.raw("answers", page(*answered), fetched=fetched)
    answers.run(spark, lake.task("answers"))


def flags(spark, lake):
    return lake.rows(spark, "answers", "answer_id", "is_self_answer", "first_in_thread")


def test_the_first_answer_is_the_earliest_and_a_tie_goes_to_the_lower_id(spark, task_lake):
    answered = [answer(102), answer(101), answer(103, created="2026-01-05 10:30", question_id=2)]
    run_day(spark, task_lake, [question(1), question(2)], answered)
    assert flags(spark, task_lake) == [(101, False, True), (102, False, False), (103, False, True)]


def test_a_self_answer_needs_two_known_accounts(spark, task_lake):
    deleted = {"user_type": "does_not_exist"}
    asked = [question(1), question(2, owner=deleted)]
    answered = [
        answer(101, 1, user=10),
        answer(102, 1, owner=deleted),
        answer(103, 2, owner=deleted),
        answer(104, 99, user=10),
    ]
    run_day(spark, task_lake, asked, answered)
    assert flags(spark, task_lake) == [(101, True, True), (102, False, False), (103, False, True), (104, None, True)]


def test_a_later_answer_in_another_month_knows_of_the_first(spark, task_lake):
    run_day(spark, task_lake, [question(1)], [answer(101)], fetched="2026-11-20T00:00:00Z")
    task_lake.publish(spark)
    run_day(spark, task_lake, answered=[answer(102, created="2026-03-01")])
    assert task_lake.written(spark, "answers") == [{"created_month": "2026-03"}]
    assert flags(spark, task_lake) == [(102, False, False)]


def test_an_earlier_answer_found_late_takes_the_flag_in_the_other_month(spark, task_lake):
    run_day(spark, task_lake, [question(1)], [answer(102, created="2026-03-01"), answer(103, 5, "2026-03-02")])
    task_lake.publish(spark)
    run_day(spark, task_lake, answered=[answer(101)])
    assert flags(spark, task_lake) == [(101, False, True), (102, False, False), (103, None, True)]


def test_a_question_found_late_settles_its_answers(spark, task_lake):
    run_day(spark, task_lake, answered=[answer(101, 1, user=10), answer(102, 7, created="2026-02-01")])
    assert flags(spark, task_lake) == [(101, None, True), (102, None, True)]
    task_lake.publish(spark)
    run_day(spark, task_lake, asked=[question(1)])
    assert task_lake.written(spark, "answers") == [{"created_month": "2026-01"}]
    assert flags(spark, task_lake) == [(101, True, True)]


def test_nothing_new_writes_nothing(spark, task_lake):
    run_day(spark, task_lake, [question(1)], [answer(101)])
    task_lake.publish(spark)
    run_day(spark, task_lake, asked=[question(1)])
    assert task_lake.written(spark, "answers") == []
