"""Parts of a data dump: lines -> attributes -> rows, through the checks of API items."""

import pytest
from builders import PART, at, page, part, question, row

from soflow_jobs import answers, comments, questions
from soflow_jobs.dump import attributes, read_part
from soflow_jobs.dump_records import dump_row
from soflow_jobs.fields import Reject
from soflow_jobs.records import ANSWERS, COMMENTS, QUESTIONS

SITE = "bicycles.meta"
TIMES = {"CreationDate": "2010-08-25T19:50:51.187", "LastActivityDate": "2010-08-26T10:00:00.003"}
LICENCE = {"ContentLicense": "CC BY-SA 2.5"}
POST = {"Score": 8, **TIMES, **LICENCE}


def asked(number=1, **more):
    """A question's row in Posts.xml."""
    own = {"Title": "How?", "Tags": "<java>", "ViewCount": 7, "AnswerCount": 0, "Body": "<p>So</p>"}
    return row(**{"Id": number, "PostTypeId": 1, "OwnerUserId": 10, **POST, **own, **more})


def answered(number=10, question_id=1, **more):
    """An answer's row in Posts.xml."""
    own = {"Id": number, "PostTypeId": 2, "ParentId": question_id, "OwnerUserId": 20, "Body": "<p>So</p>"}
    return row(**{**own, **POST, "Score": 0, **more})


def commented(number=100, post_id=1, **more):
    """A row in Comments.xml."""
    own = {"Id": number, "PostId": post_id, "Score": 0, "Text": "Hm", "CreationDate": TIMES["CreationDate"]}
    return row(**{**own, "UserId": 3, **LICENCE, **more})


def typed(endpoint, line, site=SITE):
    return dump_row(endpoint, attributes(line.encode()), site)


def refused(endpoint, line):
    with pytest.raises(Reject) as caught:
        typed(endpoint, line)
    return caught.value.reason


def test_a_question_has_what_the_api_would_give():
    line = asked(
        Title='<b> & "quotes"', Body="<p>a &lt; b</p>\n<pre>x</pre>", Tags="<java><c#>", AcceptedAnswerId=10,
        ClosedDate="2011-01-01T00:00:00.999", CommunityOwnedDate=TIMES["CreationDate"],
        LastEditDate=TIMES["CreationDate"], CommentCount=3, Novel="?",
    )  # fmt: skip
    found = typed(QUESTIONS, line)
    expected = {
        "question_id": 1, "title": '<b> & "quotes"', "title_raw": '<b> & "quotes"', "tags": ["java", "c#"], "score": 8,
        "view_count": 7, "answer_count": 0, "is_answered": True, "accepted_answer_id": 10,
        "created_at": at("2010-08-25 19:50:51"), "last_activity_at": at("2010-08-26 10:00"),
        "last_edit_at": at("2010-08-25 19:50:51"), "closed_at": at("2011-01-01"), "closed_reason": None,
        "closed_reason_class": "other", "migrated": False, "community_wiki": True, "owner_user_id": 10,
        "owner_type": None, "owner_display_name": None, "owner_reputation": None, "body_text": "a < b", "code_chars": 1,
        "body_chars": 7, "link": "https://bicycles.meta.stackexchange.com/q/1", "content_license": "CC BY-SA 2.5",
        "license_derived": False, "source": "dump", "_extra": 1, "created_month": "2010-08",
    }  # fmt: skip
    assert found == expected


def test_titles_and_names_are_not_unescaped_a_second_time():
    found = typed(QUESTIONS, asked(Title="What is &amp;lt;?", OwnerDisplayName="A&#39;s"))
    assert (found["title"], found["title_raw"], found["owner_display_name"]) == ("What is &amp;lt;?",) * 2 + (
        "A&#39;s",
    )


def test_an_answer_and_its_question():
    found = typed(ANSWERS, answered(10, 7))
    assert (found["answer_id"], found["question_id"], found["is_accepted"], found["body_text"]) == (10, 7, False, "So")
    assert found["link"] == "https://bicycles.meta.stackexchange.com/a/10"


def test_a_comment_is_markdown_and_not_html():
    found = typed(COMMENTS, commented(Text="Use `List<T>`, a < b &amp; *not* [this](http://a.b/c_(d))", UserId=-1))
    assert (found["text"], found["owner_user_id"]) == ("Use , a < b &amp; not this", -1)
    assert (found["post_id"], found["post_type"], found["link"]) == (1, None, None)


@pytest.mark.parametrize("tags", ["<c++><.net>", "|c++|.net|"])
def test_both_ways_of_writing_tags(tags):
    assert typed(QUESTIONS, asked(Tags=tags))["tags"] == ["c++", ".net"]


def test_deleted_owners():
    found = typed(QUESTIONS, row(Id=1, PostTypeId=1, Title="T", Tags="|a|", AnswerCount=0, **POST))
    assert (found["owner_user_id"], found["owner_type"], found["owner_display_name"]) == (None, "does_not_exist", None)
    assert (found["view_count"], found["body_text"]) == (None, None)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"Id": "x"}, "wrong-type"),
        ({"Id": "0"}, "out-of-range"),
        ({"Id": "9" * 19}, "out-of-range"),
        ({"Score": "1.5"}, "wrong-type"),
        ({"Score": "\u0663"}, "wrong-type"),
        ({"Score": 2**31}, "out-of-range"),
        ({"CreationDate": "2010-08-25"}, "wrong-type"),
        ({"CreationDate": "2010-13-25T00:00:00.000"}, "wrong-type"),
        ({"CreationDate": "1999-01-01T00:00:00"}, "out-of-range"),
        ({"Tags": "java"}, "bad-tags"),
        ({"Tags": "<a><b><c><d><e><f>"}, "bad-tags"),
    ],
)
def test_a_wrong_attribute_refuses_the_row(changed, reason):
    assert refused(QUESTIONS, asked(**changed)) == reason


def test_a_row_without_what_it_needs_is_refused():
    assert refused(QUESTIONS, row(Id=1, PostTypeId=1, **POST)) == "missing-field"
    assert refused(ANSWERS, row(Id=1, PostTypeId=2, **POST)) == "missing-field"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('<row Id="1"', "not-xml"),
        ('<row Id="1" Id="2" />', "not-xml"),
        ('<row Id="1" /><row Id="2" />', "not-xml"),
        ("<row><row /></row>", "not-xml"),
        ('<rows Id="1" />', "not-xml"),
        ("<posts>", "not-xml"),
        ('<row Id="&other;" />', "not-xml"),
        ('<!DOCTYPE row [<!ENTITY a "b">]><row Id="&a;" />', "not-xml"),
        ('<row Id="1" /><!-- no -->', "not-xml"),
        ('<row Id="1"><!-- />', "not-xml"),
        (b'<row Id="\xff" />', "invalid-utf8"),
    ],
)
def test_a_line_that_is_no_row_has_a_reason(line, reason):
    with pytest.raises(Reject) as caught:
        attributes(line if isinstance(line, bytes) else line.encode())
    assert caught.value.reason == reason


def test_a_row_keeps_lines_and_loses_what_no_xml_may_hold():
    line = '\ufeff  <row Text="a&#xA;b&#x1F;c&#0;d\x08 &#x1F642; &#65;" />\r\n'
    assert attributes(line.encode()) == {"Text": "a\nb\ufffdc\ufffdd\ufffd 🙂 A"}


def test_lines_have_numbers_and_blank_ones_do_not_count():
    assert [number for number, _ in read_part(part(row(Id=1), "\r\n", row(Id=2), "\n"))] == [0, 2]
    with pytest.raises(Reject) as caught:
        read_part(part("\r\n"))
    assert caught.value.reason == "empty"


def load(lake, *parts, endpoints=("questions", "answers"), **more):
    for endpoint in endpoints:
        lake.raw(endpoint, *parts, name=PART, **more)


def test_what_other_rows_of_the_dump_tell_reaches_the_row(spark, task_lake):
    load(
        task_lake,
        part(asked(1, AcceptedAnswerId=10), asked(2), asked(3), asked(4), answered(12, 3)),
        part(answered(10, 1), answered(11, 2, Score=1), answered(13, 9, Score=5)),
    )
    questions.run(spark, task_lake.task("questions"))
    answers.run(spark, task_lake.task("answers"))
    told = task_lake.rows(spark, "questions", "question_id", "is_answered")
    assert told == [(1, True), (2, True), (3, False), (4, False)]
    told = task_lake.rows(spark, "answers", "answer_id", "is_accepted", "question_id")
    assert told == [(10, True, 1), (11, False, 2), (12, False, 3), (13, False, 9)]


def test_a_dump_tells_nothing_of_what_the_api_said(spark, task_lake):
    task_lake.raw(
        "questions", page(question(2, is_answered=False)), fetched="2026-11-23T00:00:00Z", name="api/0.json.gz"
    )
    load(task_lake, part(asked(2), answered(11, 2, Score=1)), endpoints=["questions"], fetched="2026-11-01T00:00:00Z")
    questions.run(spark, task_lake.task("questions"))
    assert task_lake.rows(spark, "questions", "question_id", "is_answered", "source") == [(2, False, "api")]


def test_posts_that_are_in_no_table_are_counted(spark, task_lake, capsys):
    load(task_lake, part(asked(1), row(Id=5, PostTypeId=4, **POST), row(Id=6, PostTypeId=17), answered(10)))
    questions.run(spark, task_lake.task("questions"))
    answers.run(spark, task_lake.task("answers"))
    said = [line for line in capsys.readouterr().out.splitlines() if "pages" in line]
    assert said == ['@soflow {"pages": 1, "rows_read": 1, "quarantined": 0, "ignored": 2}'] * 2


def test_rows_that_cannot_be_used_are_in_the_quarantine(spark, task_lake):
    lines = [
        asked(1),
        "nonsense\r\n",
        asked(2, Score="x"),
        row(Id=7),
        answered(10, Score="y"),
        answered(11, ParentId=1),
    ]
    load(task_lake, part(*lines), part(asked(3))[:-9])
    questions.run(spark, task_lake.task("questions"))
    answers.run(spark, task_lake.task("answers"))
    assert task_lake.rows(spark, "questions", "question_id") == [(1,)]
    assert task_lake.rows(spark, "answers", "answer_id") == [(11,)]
    both = [(1, None, "not-xml"), (3, 7, "missing-field"), (None, None, "truncated-gzip")]
    expected = [("questions", *each) for each in both] + [("answers", *each) for each in both]
    expected += [("questions", 2, 2, "wrong-type"), ("answers", 4, 10, "wrong-type")]
    found = task_lake.rows(spark, "quarantine", "endpoint", "item_index", "item_id", "reason")
    assert found == sorted(expected, key=repr)
    ((sample,),) = {row for row in task_lake.rows(spark, "quarantine", "sample") if "nonsense" in row[0]}
    assert sample == "nonsense\r\n"


def test_comments_on_posts_that_are_not_there_stay(spark, task_lake):
    load(task_lake, part(commented(100, 999), commented(101, 1, UserId="?")), endpoints=["comments"])
    comments.run(spark, task_lake.task("comments"))
    rows = task_lake.rows(spark, "comments", "comment_id", "post_id", "text", "source", "content_license")
    assert rows == [(100, 999, "Hm", "dump", "CC BY-SA 2.5")]


def test_the_version_observed_last_stays_whatever_it_comes_from(spark, task_lake):
    load(task_lake, part(asked(1), asked(2)), endpoints=["questions"], fetched="2026-11-10T00:00:00Z")
    api = [page(question(number, "2010-08-25 19:50:51")) for number in (1, 2)]
    task_lake.raw("questions", api[0], fetched="2026-11-09T00:00:00Z")
    task_lake.raw("questions", api[1], fetched="2026-11-11T00:00:00Z")
    questions.run(spark, task_lake.task("questions"))
    assert task_lake.rows(spark, "questions", "question_id", "source") == [(1, "dump"), (2, "api")]
