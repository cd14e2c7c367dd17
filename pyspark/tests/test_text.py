"""HTML -> text, licences, measures of labelled texts: pure functions."""

import json

import pytest
from builders import at

from soflow_jobs import gold
from soflow_jobs.licence import licence
from soflow_jobs.text import html_to_text, storable


@pytest.mark.parametrize(
    ("body", "text", "code", "shown"),
    [
        ("<p>One.</p>\n\n<p>Two.</p>\n", "One.\nTwo.", 0, 11),
        ('<p>a</p><pre class="lang-java"><code>int x;</code></pre><p>b</p>', "a\nb", 6, 8),
        ("<p>Call <code>terrible()</code> now</p>", "Call now", 10, 19),
        ("<blockquote><p>He hates it</p></blockquote><p>Fine</p>", "Fine", 0, 15),
        ("<blockquote><pre>x</pre></blockquote>", "", 1, 1),
        ("<p>5 &lt; 6 &amp;amp; &#39;ok&#39;</p>", "5 < 6 &amp; 'ok'", 0, 16),
        ("<p>a\r\nb<br>c</p>", "a\nb\nc", 0, 5),
        ("<ul><li>x</li><li>y</li></ul>", "x\ny", 0, 2),
        ('<a href="http://x.y/z">link</a> text', "link text", 0, 9),
        ("<p>naïve 日本語 🙂</p>", "naïve 日本語 🙂", 0, 11),
        ("<pre><code>unclosed</pre><p>after</p>", "after", 8, 13),
        ("<script>alert(1)</script>hi", "hi", 0, 10),
        ("", "", 0, 0),
    ],
)
def test_a_body_becomes_its_own_words(body, text, code, shown):
    found = html_to_text(body)
    assert (found.text, found.code_chars, found.body_chars) == (text, code, shown)


def test_markup_the_parser_refuses_is_cut_out():
    assert "after" in html_to_text("before <![foo[ x ]]> after").text


def test_large_bodies_are_read():
    """A reader that looks at all of what is before for each tag would not come to an end."""
    assert len(html_to_text("<p>word</p>" * 300_000).text) == 5 * 300_000 - 1
    html_to_text("<" * 200_000)


def test_surrogates_and_nul_are_replaced_and_emoji_kept():
    assert storable("a\ud83d b\0 🙂") == "a\ufffd b\ufffd 🙂"


@pytest.mark.parametrize(
    ("created", "edited", "expected"),
    [
        ("2011-04-07 23:59", None, "CC BY-SA 2.5"),
        ("2011-04-08", None, "CC BY-SA 3.0"),
        ("2018-05-01 23:59", None, "CC BY-SA 3.0"),
        ("2018-05-02", None, "CC BY-SA 4.0"),
        ("2009-01-01", "2012-01-01", "CC BY-SA 3.0"),
        ("2009-01-01", "2018-05-02", "CC BY-SA 4.0"),
    ],
)
def test_the_later_of_writing_and_editing_decides_the_licence(created, edited, expected):
    assert licence(at(created), edited and at(edited)) == expected


def test_measures_against_counts_by_hand():
    told = ["negative", "negative", "neutral", "positive"]
    found = gold.measure(told, ["negative", "neutral", "neutral", "positive"])
    assert found["recall"] == {"negative": 0.5, "neutral": 1.0, "positive": 1.0}
    assert found["f1"] == {"negative": 0.6667, "neutral": 0.6667, "positive": 1.0}
    assert found["macro_f1"] == 0.7778


def test_gold_reads_semicolons_in_texts_and_crlf(tmp_path, capsys):
    path = tmp_path / "gold.csv"
    path.write_bytes(b"t1;negative;I hate it; really\r\nt2;positive;I love it!\r\n\r\n")
    assert gold.read_gold("t1;negative;I hate it; really\r\n") == [("negative", "I hate it; really")]
    assert gold.main([str(path)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["texts"], said["macro_f1"], said["recall"]["neutral"]) == (2, 1.0, None)


@pytest.mark.parametrize("content", [b"", b"t1;negative", b"t1;angry;text", b"t1;neutral;\xff\xfe"])
def test_gold_refuses_an_odd_file_in_one_line(tmp_path, capsys, content):
    path = tmp_path / "gold.csv"
    path.write_bytes(content)
    assert gold.main([str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1


def test_gold_refuses_a_file_that_is_not_there(tmp_path, capsys):
    assert gold.main([str(tmp_path / "none.csv")]) == 2
    assert "none.csv" in capsys.readouterr().err
