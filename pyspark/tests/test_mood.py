"""Posts through the steps `sentiment` and `tag_sentiment`: what is scored, and what is left out."""

import pytest
from builders import TestLake, answer, comment, page, question

from soflow_jobs import answers, comments, questions, tag_sentiment, text_sentiment
from soflow_jobs.task import TaskError

STEPS = {
    "questions": questions,
    "answers": answers,
    "comments": comments,
    "sentiment": text_sentiment,
    "tag_sentiment": tag_sentiment,
}
ENGLISH = [
    question(1, title="How do I read a file?", body="<p>I hate this terrible API, it is driving me crazy.</p>"),
    question(2, title="Which list is faster?", body="<p>I have two lists and want the faster one.</p>"),
]
ANSWERS = [answer(100, 1, body="<p>This is what I use and I love it!</p>")]
COMMENTS = [comment(1000, 100, body="Thank you so much, that is wonderful!")]
ITALIAN = [
    question(
        3, title="Come si legge un file?", body="<p>Odio questa terribile interfaccia, devo dire che è brutta.</p>"
    )
]
RUSSIAN = [answer(101, 1, body="<p>Это ужасное решение, оно никогда не работало.</p>")]
RUSSIAN_COMMENTS = [comment(1001, 100, body="Большое спасибо, отличный ответ!")]


def scored(spark, lake, asked, answered, commented, **more):
    """The lake after all five steps."""
    for endpoint, items in (("questions", asked), ("answers", answered), ("comments", commented)):
        lake.raw(endpoint, page(*items))
    for step, module in STEPS.items():
        module.run(spark, lake.task(step, **more))
    return lake


def moods(spark, lake):
    columns = "week_start tag unit_type n_units net_mean net_lo net_hi baseline_net diff_vs_baseline label".split()
    return lake.rows(spark, "tag_sentiment_weekly", *columns)


def test_pages_in_other_languages_change_no_mood(spark, tmp_path):
    english = scored(spark, TestLake(tmp_path / "english"), ENGLISH, ANSWERS, COMMENTS)
    mixed = scored(
        spark, TestLake(tmp_path / "mixed"), ENGLISH + ITALIAN, ANSWERS + RUSSIAN, COMMENTS + RUSSIAN_COMMENTS
    )
    assert moods(spark, mixed) == moods(spark, english) != []
    texts = mixed.rows(spark, "text_sentiment", "unit_id", "lang_guess", "label", "polarity_net", "p_negative")
    assert [row for row in texts if row[2] is None] == [
        (1001, "ru", None, None, None),
        (101, "ru", None, None, None),
        (3, "it", None, None, None),
    ]
    left_out = mixed.rows(spark, "tag_sentiment_weekly", "unit_type", "n_units", "n_left_out")
    assert left_out == [("answer", 1, 1), ("comment", 1, 1), ("question", 2, 1)]


def test_weeks_of_other_languages_alone_have_no_mood(spark, task_lake):
    lake = scored(spark, task_lake, ITALIAN, RUSSIAN, RUSSIAN_COMMENTS)
    assert moods(spark, lake) == []
    assert len(lake.rows(spark, "text_sentiment", "unit_id")) == 3


def test_a_title_alone_is_marked_and_in_no_mean(spark, task_lake):
    titles = [question(3, title="I hate this terrible thing!"), question(4, title="Why?", body="<pre>x</pre>")]
    lake = scored(spark, task_lake, ENGLISH + titles, [], [])
    parts = lake.rows(spark, "text_sentiment", "unit_id", "text_part")
    assert parts == [(1, "body"), (2, "body"), (3, "title"), (4, "title")]
    assert lake.rows(spark, "tag_sentiment_weekly", "n_units", "n_left_out") == [(2, 2)]


def test_vader_can_be_asked_for(spark, task_lake):
    lake = scored(spark, task_lake, ENGLISH, [], [], parameters={"site": "stackoverflow", "sentiment": "vader"})
    rows = lake.rows(spark, "text_sentiment", "unit_id", "engine", "label", "p_negative", "polarity_net")
    assert rows == [(1, "vader-tech", "negative", None, -0.5), (2, "vader-tech", "neutral", None, 0.0)]


def test_another_word_is_refused_before_anything_is_read(task_lake):
    task = task_lake.task("sentiment", parameters={"site": "stackoverflow", "sentiment": "magic"})
    with pytest.raises(TaskError, match="^`parameters.sentiment` is 'magic'; it must be one of model, vader$"):
        text_sentiment.run(None, task)
