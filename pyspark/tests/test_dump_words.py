"""What a dump says otherwise than the API: comments in Markdown, and no links."""

import pytest

from soflow_jobs.markdown import markdown_to_text
from soflow_jobs.sites import host


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("snake_case_name and 2*3*4", "snake_case_name and 2*3*4"),
        ("**bold**, _leaning_ and __both__", "bold, leaning and both"),
        ("`` a`b `` is code", "is code"),
        ("an odd ` alone", "an odd ` alone"),
        ('[a title](https://x.y "why")', "a title"),
        ("[not] (http://x)", "[not] (http://x)"),
        ("two\r\n\r\nlines", "two\nlines"),
    ],
)
def test_markdown_of_comments(text, expected):
    assert markdown_to_text(text) == expected


def test_markdown_of_megabytes_ends():
    for sign in ("`a ", "[", "*a ", "_", "``"):
        assert len(markdown_to_text(sign * 200_000)) > 0


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        ("stackoverflow", "stackoverflow.com"),
        ("ru.stackoverflow", "ru.stackoverflow.com"),
        ("meta.superuser", "meta.superuser.com"),
        ("mathoverflow.net", "mathoverflow.net"),
        ("meta", "meta.stackexchange.com"),
        ("bicycles", "bicycles.stackexchange.com"),
        ("bicycles.meta", "bicycles.meta.stackexchange.com"),
        ("what.is/this", None),
    ],
)
def test_the_host_of_a_site(site, expected):
    assert host(site) == expected
