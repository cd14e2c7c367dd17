"""The sample's texts, put together from lists of phrases. Attitude follows the tag's mood."""

import html
from collections.abc import Callable

from chance import HERE, Dice, Tag


def read_phrases() -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    section = ""
    for line in [line for name in ("phrases.txt", "names.txt") for line in (HERE / name).read_text().split("\n")[:-1]]:
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif not line.startswith("#"):
            sections.setdefault(section, []).append(line)
    return sections


PHRASES = read_phrases()


def escape(text: str) -> str:
    """Escapes what HTML needs, as in the bodies the API sends."""
    return html.escape(text, quote=False)


def escape_api(text: str) -> str:
    """Escapes as the API's safe filters do in titles and names: quotes, Latin-1 and emoji become numbers as well."""
    numbered = [f"&#{ord(c)};" if "\xa0" <= c <= "\xff" or c >= "\U00010000" else c for c in html.escape(text)]
    return "".join(numbered).replace("&#x27;", "&#39;")


def slug(text: str) -> str:
    """The last part of a link: ASCII letters and digits, hyphens, and the rest percent-encoded in lower case."""
    made = ""
    for c in text.lower():
        if c.isascii() and c.isalnum():
            made += c
        elif c.isalnum():
            made += "".join(f"%{byte:02x}" for byte in c.encode())
        elif made and not made.endswith("-"):
            made += "-"
    return made.rstrip("-")


def as_it_is(text: str) -> str:
    return text


def pick(section: str, dice: Dice) -> str:
    return dice.choose(PHRASES[section])


def sentence(section: str, tag: Tag, dice: Dice, form: Callable[[str], str] = escape) -> str:
    """A phrase of a section with its slots filled."""
    filled, rest = "", pick(section, dice)
    while "{" in rest:
        before, _, slot = rest.partition("{")
        name, _, rest = slot.partition("}")
        if name == "tag":
            value = tag.name
        else:
            value = str(2 + dice.below(998)) if name == "n" else pick(f"{name}.{tag.family}", dice)
        filled += before + form(value)
    return filled + rest


def attitude(of: str, tag: Tag, dice: Dice) -> str | None:
    """The section of an attitude, or nothing for most texts."""
    annoyed, pleased = max(-tag.mood, 0), max(tag.mood, 0)
    negative = max(14 + 13 * annoyed - 3 * pleased, 2)
    positive = max(17 + 12 * pleased - 4 * annoyed, 3)
    throw = dice.below(100)
    if throw < negative:
        return f"{of}-negative"
    return f"{of}-positive" if throw < negative + positive else None


def title(tag: Tag, dice: Dice) -> str:
    """A title as its author wrote it."""
    return sentence("title-odd" if dice.permille(35) else "title", tag, dice, as_it_is)


class Body:
    """A body being written, as rendered HTML."""

    def __init__(self, tag: Tag, dice: Dice) -> None:
        self.tag, self.dice, self.html = tag, dice, ""

    def paragraph(self, *sections: str) -> None:
        self.html += f"<p>{' '.join(sentence(section, self.tag, self.dice) for section in sections)}</p>\n"

    def attitude(self, of: str) -> None:
        section = attitude(of, self.tag, self.dice)
        if section:
            self.paragraph(section)

    def sometimes_quote(self, percent: int) -> None:
        if self.dice.percent(percent):
            self.html += f"<blockquote>\n<p>{sentence('quote', self.tag, self.dice)}</p>\n</blockquote>\n"

    def sometimes_list(self, percent: int) -> None:
        if self.dice.percent(percent):
            items = [f"<li>{sentence('list', self.tag, self.dice)}</li>\n" for _ in range(2)]
            self.html += f"<ul>\n{''.join(items)}</ul>\n"

    def sometimes_code(self, percent: int) -> None:
        if not self.dice.percent(percent):
            return
        kind = f' class="lang-{self.tag.family} prettyprint-override"' if self.dice.percent(8) else ""
        lines = [pick(f"code.{self.tag.family}", self.dice) for _ in range(self.dice.below(3) + 1)]
        code = "".join(escape(line.replace("\\n", "\n")) + "\n" for line in lines)
        self.html += f"<pre{kind}><code>{code}</code></pre>\n"

    def finish(self) -> str:
        """The body; the line ends of a few are those of Windows."""
        return self.html.replace("\n", "\r\n") if self.dice.permille(6) else self.html


def question(tag: Tag, dice: Dice) -> str:
    body = Body(tag, dice)
    body.paragraph("opening", "opening")
    body.sometimes_code(77)
    body.paragraph(*["tried"] * (3 - dice.below(2)))
    body.sometimes_quote(6)
    body.sometimes_list(9)
    body.attitude("question")
    body.sometimes_code(25)
    body.paragraph("closing")
    return body.finish()


def answer(tag: Tag, dice: Dice) -> str:
    body = Body(tag, dice)
    body.sometimes_quote(8)
    body.attitude("answer")
    body.paragraph(*["answer"] * (2 - dice.below(2)))
    body.sometimes_code(62)
    body.sometimes_list(7)
    if dice.percent(40):
        body.paragraph("answer-closing")
    return body.finish()


def comment(tag: Tag, to: str | None, dice: Dice) -> str:
    """One line of HTML without paragraphs, which may start with a name."""
    mood = attitude("comment", tag, dice)
    matter = "comment" if mood is None or dice.percent(35) else None
    more = "comment" if dice.percent(25) else None
    sentences = [sentence(section, tag, dice) for section in (mood, matter, more) if section]
    return " ".join([f"@{escape(to)}", *sentences] if to else sentences)
