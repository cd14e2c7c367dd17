"""tag_response: which answers are good, whose questions count, and for whom."""

from builders import at, day

from soflow_jobs import tag_health
from soflow_jobs.tag_response import tag_response

SITE = "stackoverflow"
SEEN = at("2026-03-03")
QUESTION = (
    "site string, question_id bigint, tags array<string>, created_at timestamp, observed_at timestamp, "
    "owner_user_id bigint"
)
ANSWER = (
    "site string, question_id bigint, created_at timestamp, observed_at timestamp, is_self_answer boolean, "
    "is_accepted boolean, score int"
)


def response(spark, questions, answers, seen=SEEN):
    """The rows by (tag, askers), of questions (id, created, owner, tags) and answers (question, created, own, ...)."""
    asked = [(SITE, number, list(tags), at(created), seen, owner) for number, created, owner, tags in questions]
    given = [(SITE, number, at(created), seen, *rest) for number, created, *rest in answers]
    asked, given = spark.createDataFrame(asked, QUESTION), spark.createDataFrame(given, ANSWER)
    rows = tag_response(asked, given, tag_health.observed_until(asked, given)).collect()
    return {(row["tag"], row["askers"]): row.asDict() for row in rows}


def test_an_answer_is_good_when_anothers_and_accepted_or_voted_up_within_30_days(spark):
    questions = [(number, "2026-01-05 10:00", None, ["c#"]) for number in range(1, 9)]
    answers = [
        (1, "2026-01-06", False, True, -1),
        (2, "2026-01-06", None, False, 1),
        (3, "2026-01-06", True, True, 9),
        (4, "2026-01-06", False, False, 0),
        (5, "2026-02-04 10:00", False, True, 0),
        (6, "2026-02-04 10:01", False, True, 5),
        (7, "2025-12-24", False, False, 3),
        (7, "2026-01-06", False, False, 3),
    ]
    row = response(spark, questions, answers)["c#", "all"]
    assert (row["n"], row["n_helped"], row["helped_rate"], row["low_n"]) == (8, 4, 0.5, True)
    # Wilson of 4 of 8 (Newcombe 1998: symmetric about a half): 0.2152 to 0.7848.
    assert (round(row["helped_lo"], 4), round(row["helped_hi"], 4)) == (0.2152, 0.7848)


def test_newcomers_are_who_asks_for_the_first_time_in_the_lake(spark):
    questions = [
        (1, "2019-05-05", 7, ["old"]),
        (2, "2026-01-05", 7, ["java"]),
        (3, "2026-01-05", 8, ["java", "标签", "java"]),
        (4, "2026-01-05", 8, ["java"]),
        (5, "2026-01-05", None, ["java"]),
    ]
    rows = response(spark, questions, [(3, "2026-01-05", False, True, 0)])
    told = {key: (row["n"], row["n_helped"]) for key, row in rows.items()}
    java = {("java", "all"): (4, 1), ("java", "newcomer"): (1, 1), ("java", "returning"): (2, 0)}
    assert told == {**java, ("标签", "all"): (1, 1), ("标签", "newcomer"): (1, 1)}
    assert {row["known_since"] for row in rows.values()} == {day("2019-05-05")}


def test_only_twelve_months_that_are_old_enough_count(spark):
    days = {1: "2025-01-31", 2: "2025-02-01", 3: "2026-01-31", 4: "2026-02-01"}
    questions = [(number, created, 7, ["java"]) for number, created in days.items()]
    answers = [(number, created, False, True, 0) for number, created in days.items()]
    (row,) = (row for key, row in response(spark, questions, answers).items() if key[1] == "all")
    assert (row["n"], row["since"], row["until"]) == (2, day("2025-02-01"), day("2026-01-31"))
    # A minute before the last moment of January is 30 days old, the months end with December.
    (row,) = (
        row for key, row in response(spark, questions, answers, at("2026-03-02 23:59")).items() if key[1] == "all"
    )
    assert (row["n"], row["until"]) == (2, day("2025-12-31"))
    assert response(spark, questions, []) == {}, "nobody knows until when answers were looked at"
