"""Rendered HTML to plain text. Pure Python."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from html.parser import HTMLParser

CODE = frozenset({"pre", "code"})
SILENT = CODE | {"blockquote", "script", "style"}
BLOCK = frozenset("p br div li ul ol h1 h2 h3 h4 h5 h6 hr table tr td th dl dt dd pre blockquote".split())

SPACES = re.compile(r"[^\S\n]+")
BREAKS = re.compile(r" ?\n[\s]*")
SURROGATE = re.compile("[\ud800-\udfff]")
TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True)
class Text:
    """A body's own words, without code and quotations; and how many characters it shows in all, and in code."""

    text: str
    code_chars: int
    body_chars: int


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.open: list[str] = []  # silent elements we are inside of
        self.code_chars = 0
        self.body_chars = 0

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag in SILENT:
            self.open.append(tag)
        if not self.open or tag in SILENT:
            self.words.append("\n" if tag in BLOCK else " " if tag in SILENT else "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            # A missing end tag inside must not silence the rest of the body.
            while self.open.pop() != tag:
                pass
        if not self.open:
            self.words.append("\n" if tag in BLOCK else "")

    def handle_data(self, data: str) -> None:
        self.body_chars += len(data)
        if not self.open:
            self.words.append(data)
        elif not CODE.isdisjoint(self.open):
            self.code_chars += len(data)


def html_to_text(body: str) -> Text:
    """The body without the content of pre, code and blockquote, without tags, unescaped exactly once.

    Paragraphs end in one newline, other white space is one space. Never raises: markup that html.parser cannot take is
    cut out by a pattern instead.
    """
    reader = _Reader()
    try:
        reader.feed(body)
        reader.close()
    except AssertionError:  # html.parser on `<![x[`; never in what the site renders
        plain = html.unescape(TAG.sub(" ", body))
        return Text(squeeze(plain), 0, len(plain))
    return Text(squeeze("".join(reader.words)), reader.code_chars, reader.body_chars)


def squeeze(text: str) -> str:
    """Single spaces, single newlines, none at the ends."""
    return BREAKS.sub("\n", SPACES.sub(" ", text.replace("\r", "\n"))).strip()


def storable(text: str) -> str:
    """The text with what no UTF-8 file or SQL engine can hold replaced by U+FFFD: lone surrogates and NUL."""
    if SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\0", "\ufffd")


def unescape(text: str) -> str:
    """Titles and names: the API escapes them once, so once is right; `&amp;lt;` was typed as `&lt;`."""
    return html.unescape(text)
