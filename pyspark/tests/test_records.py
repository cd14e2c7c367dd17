"""Items -> rows: strict typing, and the quirks of real data."""

import json

import pytest
from builders import answer, at, comment, epoch, question

from soflow_jobs.fields import Reject
from soflow_jobs.records import ANSWERS, COMMENTS, QUESTIONS, make_row


def as_question(**more):
    return make_row(QUESTIONS, question(**more))


def rejected(endpoint, item):
    with pytest.raises(Reject) as caught:
        make_row(endpoint, item)
    return caught.value.reason, caught.value.detail


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("question_id", None, "missing-field"),
        ("question_id", "5", "wrong-type"),
        ("question_id", 5.0, "wrong-type"),
        ("question_id", True, "wrong-type"),
        ("question_id", 0, "out-of-range"),
        ("question_id", 2**63, "out-of-range"),
        ("question_id", 10**400, "out-of-range"),
        ("score", float("nan"), "wrong-type"),
        ("score", float("inf"), "wrong-type"),
        ("score", 2**31, "out-of-range"),
        ("view_count", -1, "out-of-range"),
        ("answer_count", -1, "out-of-range"),
        ("is_answered", 1, "wrong-type"),
        ("is_answered", "true", "wrong-type"),
        ("title", 7, "wrong-type"),
        ("title", None, "missing-field"),
        ("creation_date", 1_767_607_200_000, "out-of-range"),
        ("creation_date", "2026-01-05", "wrong-type"),
        ("last_activity_date", 0, "out-of-range"),
        ("owner", "Ann", "wrong-type"),
        ("owner", {"user_id": "10"}, "wrong-type"),
        ("body", ["<p>"], "wrong-type"),
        ("tags", "java", "bad-tags"),
        ("tags", [], "bad-tags"),
        ("tags", ["java", 5], "bad-tags"),
        ("tags", ["java", " "], "bad-tags"),
        ("tags", ["a", "b", "c", "d", "e", "f"], "bad-tags"),
        ("tags", None, "missing-field"),
    ],
)
def test_a_wrong_field_rejects_the_item_and_is_named(field, value, reason):
    found, detail = rejected(QUESTIONS, question(**{field: value}))
    assert found == reason
    assert field in detail


def test_the_detail_says_what_was_found_and_what_was_expected():
    assert rejected(QUESTIONS, question(score="5")) == ("wrong-type", "`score` is str '5'; expected an integer")


def test_an_absent_field_differs_from_a_null_in_words_only():
    item = question()
    del item["score"]
    assert rejected(QUESTIONS, item) == ("missing-field", "`score` is absent; expected an integer")
    assert rejected(QUESTIONS, question(score=None)) == ("missing-field", "`score` is null; expected an integer")


def test_a_key_twice_with_two_values_rejects_the_item():
    from soflow_jobs.raw import read_page

    item = json.dumps(question())[:-1] + ', "score": 9}'
    (parsed,) = read_page(f'{{"items": [{item}]}}'.encode())
    assert rejected(QUESTIONS, parsed) == ("duplicate-key", "`score` stands twice, with different values")


def test_optional_fields_may_be_absent_or_null():
    item = question(body=None, view_count=None, accepted_answer_id=None)
    del item["owner"]
    row = make_row(QUESTIONS, item)
    names = ("body_text", "view_count", "accepted_answer_id", "owner_user_id", "owner_type", "last_edit_at")
    assert [row[name] for name in names] == [None] * 6


def test_titles_are_unescaped_once():
    row = as_question(title="Can&#39;t use &amp;lt; &quot;List&lt;T&gt;&quot; &#201;")
    assert row["title"] == 'Can\'t use &lt; "List<T>" É'
    assert row["title_raw"] == "Can&#39;t use &amp;lt; &quot;List&lt;T&gt;&quot; &#201;"


def test_names_are_unescaped_and_links_kept():
    row = as_question(owner={"user_id": 1, "display_name": "Flerim&#233;"}, link="https://x/juha-palom%c3%a4ki")
    assert (row["owner_display_name"], row["link"]) == ("Flerimé", "https://x/juha-palom%c3%a4ki")


def test_a_deleted_owner_has_a_type_and_no_id():
    row = as_question(owner={"user_type": "does_not_exist", "display_name": "user1750369"})
    assert (row["owner_user_id"], row["owner_type"], row["owner_reputation"]) == (None, "does_not_exist", None)
    assert as_question(owner={"user_type": "does_not_exist"})["owner_display_name"] is None


def test_the_community_user_has_a_negative_id():
    assert as_question(owner={"user_id": -1})["owner_user_id"] == -1


def test_a_missing_licence_is_derived_and_a_given_one_kept():
    row = as_question(created="2018-05-01", last_edit_date=epoch("2018-05-02"))
    assert (row["content_license"], row["license_derived"]) == ("CC BY-SA 4.0", True)
    row = as_question(created="2010-01-01", content_license="CC BY-SA 2.5")
    assert (row["content_license"], row["license_derived"]) == ("CC BY-SA 2.5", False)


def test_a_later_version_of_the_licence_is_kept_and_another_licence_sets_the_item_aside():
    assert as_question(content_license="CC BY-SA 5.0")["content_license"] == "CC BY-SA 5.0"
    assert as_question(content_license="")["license_derived"] is True
    for other in ("CC BY-NC 4.0", "cc by-sa 4.0", " ", "CC BY-SA 4.0, MIT"):
        for endpoint, item in ((QUESTIONS, question()), (ANSWERS, answer()), (COMMENTS, comment())):
            found, detail = rejected(endpoint, {**item, "content_license": other})
            assert (found, repr(other) in detail) == ("unknown-value", True)


@pytest.mark.parametrize("kind", ["question", "answer", "wiki", "article", ""])
def test_what_kind_of_post_a_comment_is_on_is_kept_in_the_words_of_the_api(kind):
    assert make_row(COMMENTS, comment(post_type=kind))["post_type"] == kind


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Duplicate", "duplicate"),
        ("exact duplicate", "duplicate"),
        ("Not suitable for this site", "off_topic"),
        ("not a real question", "needs_details"),
        ("Needs details or clarity", "needs_details"),
        ("unclear what you&#39;re asking", "needs_details"),
        ("Needs more focus", "needs_focus"),
        ("too broad", "needs_focus"),
        ("Opinion-based", "opinion_based"),
        ("not constructive", "opinion_based"),
        ("too localized", "not_reproducible"),
        ("because", "other"),
    ],
)
def test_close_reasons_of_all_eras_fall_into_classes(words, expected):
    row = as_question(closed_date=epoch("2026-02-01"), closed_reason=words)
    assert row["closed_reason_class"] == expected


def test_closed_without_a_reason_is_other_and_open_has_no_class():
    assert as_question(closed_date=epoch("2026-02-01"))["closed_reason_class"] == "other"
    assert as_question()["closed_reason_class"] is None


def test_a_migrated_question_is_flagged():
    moved = {"on_date": 1289820456, "question_id": 210979, "other_site": {"api_site_parameter": "superuser"}}
    assert as_question(migrated_from=moved)["migrated"] is True
    assert as_question()["migrated"] is False


def test_rare_documented_fields_are_known_and_others_counted():
    rare = {
        "locked_date": 1,
        "protected_date": 1,
        "bounty_amount": 50,
        "posted_by_collectives": [],
        "recommendations": [],
    }
    assert as_question(**rare)["_extra"] == 0
    assert as_question(new_field=1, another={"score": 2})["_extra"] == 2
    assert as_question(community_owned_date=epoch("2026-01-06"))["community_wiki"] is True


def test_scores_may_be_negative_and_views_wide():
    row = as_question(score=-8, view_count=3_000_000_000)
    assert (row["score"], row["view_count"]) == (-8, 3_000_000_000)


def test_answered_is_not_the_same_as_having_answers():
    row = as_question(answer_count=2, is_answered=False)
    assert (row["answer_count"], row["is_answered"]) == (2, False)


def test_odd_tags_stay_as_they_are_and_a_repeated_one_counts_once():
    odd = ["c++", "c#", ".net", "jboss6.x", "android-5.0-lollipop"]
    assert as_question(tags=odd)["tags"] == odd
    assert as_question(tags=["b", "a", "b"])["tags"] == ["b", "a"]


def test_text_no_engine_can_store_is_replaced():
    row = as_question(title="a\ud800b\0c", tags=["x\ud800"])
    assert (row["title"], row["tags"]) == ("a\ufffdb\ufffdc", ["x\ufffd"])


def test_months_are_utc():
    assert as_question(created="2025-12-31 23:59")["created_month"] == "2025-12"
    assert as_question(created="2026-01-01 00:00")["created_month"] == "2026-01"


def test_an_answer_and_a_comment_have_their_own_fields():
    row = make_row(ANSWERS, answer(100, 7, is_accepted=True, body="<p>Do <code>x</code></p>"))
    assert (row["answer_id"], row["question_id"], row["is_accepted"], row["body_text"]) == (100, 7, True, "Do")
    assert (row["code_chars"], row["body_chars"], row["created_at"]) == (1, 4, at("2026-01-05 11:00"))
    row = make_row(COMMENTS, comment(1000, 7, body="Thanks &amp; bye", reply_to_user={"user_id": 3}, edited=True))
    assert (row["comment_id"], row["post_id"], row["text"], row["reply_to_user_id"]) == (1000, 7, "Thanks & bye", 3)


def test_a_comment_without_body_and_reply_has_nulls():
    row = make_row(COMMENTS, comment())
    assert [row[name] for name in ("text", "reply_to_user_id", "post_type", "edited", "owner_user_id")] == [None] * 5
    assert make_row(COMMENTS, comment(reply_to_user={"user_type": "does_not_exist"}))["reply_to_user_id"] is None
