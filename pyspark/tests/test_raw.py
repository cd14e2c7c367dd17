"""Pages: bytes -> items or a reason."""

import gzip
import json

import pytest
from builders import page, question

from soflow_jobs import raw
from soflow_jobs.fields import Reject
from soflow_jobs.raw import item_sample, page_sample, read_page


def reason(content):
    with pytest.raises(Reject) as caught:
        read_page(content)
    assert 0 < len(caught.value.detail) <= 500
    return caught.value.reason


def packed(text):
    return gzip.compress(text.encode() if isinstance(text, str) else text)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (packed(" \n"), "empty"),
        (packed("\ufeff"), "empty"),
        (page(question())[:-20], "truncated-gzip"),
        (page(question())[:-4], "truncated-gzip"),
        (page(question())[:12], "truncated-gzip"),
        (b"\x1f\x8b", "truncated-gzip"),
        (b"\x1f\x8b" + b"nonsense, not deflate", "corrupt-gzip"),
        (page(question())[:-8] + b"\0\0\0\0\0\0\0\0", "corrupt-gzip"),
        (page(question()) + b"trailing", "corrupt-gzip"),
        (packed("<!DOCTYPE html><html>Too many requests</html>"), "html"),
        (packed('{"items": ['), "not-json"),
        (packed("plain words"), "not-json"),
        (packed('{"items": []} {"items": []}'), "not-json"),
        (packed(b'{"items": [{"title": "\xff\xfe"}]}'), "invalid-utf8"),
        (packed('{"error_id": 502, "error_name": "throttle_violation", "error_message": "wait"}'), "api-error"),
        (packed("[]"), "not-a-page"),
        (packed("null"), "not-a-page"),
        (packed('{"has_more": false}'), "not-a-page"),
        (packed('{"items": {"question_id": 1}}'), "not-a-page"),
        (packed('{"items": null}'), "not-a-page"),
        (packed('{"items": [1], "items": [2]}'), "duplicate-key"),
        (packed('{"items": [' + "[" * 200_000 + "]" * 200_000 + "]}"), "not-json"),
        (packed('{"a":' * 5_000 + "1" + "}" * 5_000), "not-json"),
        (packed('{"items": [' + "9" * 5_000 + "]}"), "not-json"),
    ],
)
def test_a_page_that_cannot_be_used_has_a_reason(content, expected):
    assert reason(content) == expected


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_told_in_words_a_person_knows(encoding):
    with pytest.raises(Reject) as caught:
        read_page(packed('{"items": [{"title": "caf\u00e9"}]}'.encode(encoding)))
    assert caught.value.reason == "invalid-utf8"
    assert caught.value.detail == "UTF-16 text; save it as UTF-8 (`Out-File -Encoding utf8`)"


def test_other_encodings_are_told_with_the_place():
    with pytest.raises(Reject) as caught:
        read_page('{"items": [{"title": "caf\u00e9"}]}'.encode("latin-1"))
    assert "byte 25 is 0xe9" in caught.value.detail
    assert "text in Latin-1 or Windows-1252 must be saved as UTF-8" in caught.value.detail


def test_any_line_ends_and_zeros_in_strings_are_no_other_encoding():
    assert read_page(b'{\r"items": [\r1]}\r') == [1]
    assert reason(b'{"items": ["' + b"\0" * 300 + b'"]}') == "not-json"
    assert reason(b"\0" * 300) == "not-json"


@pytest.mark.parametrize(
    "wrapper", [{}, {"quota_remaining": -1}, {"backoff": 1.5}, {"backoff": None}, {"quota_max": "x"}]
)
def test_the_wrapper_may_hold_anything(wrapper):
    assert read_page(page({"question_id": 5}, **wrapper)) == [{"question_id": 5}]


def test_an_empty_page_is_a_page():
    assert read_page(page()) == []


def test_plain_json_under_a_gzip_name_is_read():
    assert read_page(b'{"items": [1]}') == [1]


def test_a_byte_order_mark_is_skipped():
    assert read_page(packed('\ufeff{"items": [1]}')) == [1]


def test_a_gzip_of_two_members_is_one_page():
    assert read_page(packed('{"items": ') + packed("[1]}")) == [1]


def test_brackets_inside_strings_are_not_nesting():
    text = "[" * 5_000 + '\\"' + "{" * 5_000
    assert read_page(packed('{"items": ["' + text + '"]}')) == [text.replace("\\", "")]


def test_a_bomb_stops_at_the_limit(monkeypatch):
    monkeypatch.setattr(raw, "MAX_BYTES", 1_000_000)
    assert reason(packed(b" " * 50_000_000)) == "page-too-large"
    assert reason(b" " * 1_000_001) == "page-too-large"


def test_an_8_mb_body_is_read():
    body = "<p>so it is</p>\n" * 500_000
    assert read_page(page({"body": body})) == [{"body": body}]


def test_a_key_that_stands_twice_with_one_value_is_harmless():
    assert read_page(packed('{"items": [{"score": 1, "score": 1}]}')) == [{"score": 1}]


def test_samples_show_what_can_be_shown():
    assert page_sample(page(question()))[:10] == '{"items": '
    assert page_sample(page(*[{"n": n} for n in range(5_000)])[:3_000])[:10] == '{"items": '
    assert page_sample(b"\xff\xfeabc\0") == "\ufffd\ufffdabc\ufffd"
    assert len(page_sample(b"x" * 10_000)) == 500
    assert item_sample(json.loads('{"title": "\\ud800"}')) == '{"title": "\ufffd"}'
