"""The Markdown of comments to plain text. Pure Python.

Source of what comments may hold: stackoverflow.com/editing-help#comment-formatting; nothing else is markup there.
"""

from __future__ import annotations

import re

from soflow_jobs.text import squeeze

# A site takes 600 characters a comment, so nothing spans more; the limit keeps a made-up line of megabytes cheap.
CODE = re.compile(r"(?<!`)(`+)(?!`)(.{1,600}?)(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\[([^\[\]]+)\]\((?:https?|ftp)://[^\s()]*(?:\([^\s()]*\)[^\s()]*)?(?:\s+\"[^\"\n]*\")?\)")
EMPHASIS = re.compile(r"(?<![\w*])(\*\*|\*|__|_)(?=[^\s*_])(.{1,600}?)(?<=[^\s*_])\1(?![\w*])")


def markdown_to_text(text: str) -> str:
    """A comment's own words: without code, without the address of a link, without the signs of emphasis.

    What html_to_text gives for the same comment from the API, where it comes rendered.
    """
    words = LINK.sub(r"\1", CODE.sub(" ", text))
    return squeeze(EMPHASIS.sub(r"\2", words))
