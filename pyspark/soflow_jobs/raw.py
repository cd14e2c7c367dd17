"""One raw page: bytes -> items, or a Reject that says why not. Pure Python, no Spark.

A page is what the API sent, one JSON object with `items`; gzip-compressed, as its name says, or (tolerated) plain.
"""

from __future__ import annotations

import codecs
import json
import re
import zlib
from typing import Any

from soflow_jobs.fields import Duplicated, Reject, shown
from soflow_jobs.text import storable

GZIP = b"\x1f\x8b"
BLANK = b"\xef\xbb\xbf \t\r\n"  # white space and the byte order mark
# Decompressed. 100 posts of 30,000 characters are 3 MB; more than 64 is an accident or a bomb.
MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 100  # the API nests 5 deep
SAMPLE = 500  # characters
WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)

# A string (even one that never ends) or a bracket: what nesting consists of.
TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]', re.DOTALL)


def read_page(content: bytes) -> list[Any]:
    """The items of the page, each any JSON value. Raises Reject."""
    body = gunzip(content) if content.startswith(GZIP) else content
    if len(body) > MAX_BYTES:
        raise Reject("page-too-large", f"{len(body):,} bytes; at most {MAX_BYTES:,} are read")
    return items(decode(body))


def gunzip(content: bytes) -> bytes:
    """All members decompressed. Raises Reject on a stream that is cut, damaged, or larger than MAX_BYTES."""
    parts: list[bytes] = []
    size = 0
    while content.startswith(GZIP):
        member = zlib.decompressobj(31)
        try:
            part = member.decompress(content, MAX_BYTES + 1 - size)
        except zlib.error as cause:
            raise Reject("corrupt-gzip", f"after {size:,} bytes: {cause}") from cause
        size += len(part)
        parts.append(part)
        if size > MAX_BYTES:
            raise Reject("page-too-large", f"more than {MAX_BYTES:,} bytes when decompressed")
        if not member.eof:
            raise Reject("truncated-gzip", f"the stream ends after {size:,} decompressed bytes, before its trailer")
        content = member.unused_data
    if content.strip(b"\0"):
        raise Reject("corrupt-gzip", f"{len(content):,} bytes follow the end of the stream")
    return b"".join(parts)


def decode(body: bytes) -> Any:
    """The JSON value in the body. NaN and Infinity are let through to the field that holds them. Raises Reject."""
    if is_wide(body):
        raise Reject("invalid-utf8", "UTF-16 text; save it as UTF-8 (`Out-File -Encoding utf8`)")
    start = body[:SAMPLE].lstrip(BLANK)
    if not start and not body.strip(BLANK):
        raise Reject("empty", f"{len(body)} bytes, none of them visible")
    if start.startswith(b"<"):
        raise Reject("html", f"starts with {shown(start[:60].decode('utf-8', 'replace'))}; expected a JSON object")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        found = f"byte {cause.start:,} is 0x{body[cause.start]:02x}: {cause.reason}"
        raise Reject("invalid-utf8", f"{found}; text in Latin-1 or Windows-1252 must be saved as UTF-8") from cause
    # Python 3.12 and later let json recurse deeper than the stack of an engine's worker thread is large.
    if depth(body) > MAX_DEPTH:
        raise Reject("not-json", f"nested more than {MAX_DEPTH} deep")
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError as cause:
        raise Reject("not-json", "nested too deeply") from cause
    except ValueError as cause:  # JSONDecodeError; also an integer of more than 4,300 digits
        raise Reject("not-json", str(cause)) from cause


def is_wide(body: bytes) -> bool:
    """Whether it is UTF-16 or UTF-32 text: marked as such, or with every other byte zero, as ASCII has in it."""
    head = body[:SAMPLE]
    few, many = sorted((head[::2].count(0), head[1::2].count(0)))
    return head.startswith(WIDE_MARKS) or (many * 4 > len(head) and few * 16 < len(head))


def depth(body: bytes) -> int:
    """How deep brackets nest outside strings; stops counting beyond MAX_DEPTH."""
    level = deepest = 0
    for token in TOKEN.finditer(body):
        first = body[token.start()]
        if first in b"[{":
            level += 1
            deepest = max(deepest, level)
            if deepest > MAX_DEPTH:
                break
        elif first in b"]}":
            level -= 1
    return deepest


def items(page: Any) -> list[Any]:
    """The page's `items`. The wrapper's other fields (quota, backoff) may hold anything. Raises Reject."""
    if not isinstance(page, dict):
        raise Reject("not-a-page", f"a JSON {type(page).__name__}; expected an object with `items`")
    if isinstance(page, Duplicated) and "items" in page.twice:
        raise Reject("duplicate-key", "`items` stands twice in the page, with different values")
    if page.get("error_id") is not None:
        said = f"{shown(page['error_id'])} {page.get('error_name')}: {page.get('error_message')}"
        raise Reject("api-error", f"the body is an API error, {said}")
    found = page.get("items")
    if not isinstance(found, list):
        what = "no `items`" if found is None else f"`items` is {type(found).__name__} {shown(found)}"
        raise Reject("not-a-page", f"{what}; expected a list. Fields: {', '.join(list(page)[:10])}")
    return found


def page_sample(content: bytes) -> str:
    """The first 500 characters of the page as text, as far as it can be decompressed. Never raises."""
    body = content[: SAMPLE * 4]
    if content.startswith(GZIP):
        try:
            body = zlib.decompressobj(31).decompress(content, SAMPLE * 4)
        except zlib.error:
            pass
    return storable(body.decode("utf-8", "replace"))[:SAMPLE]


def item_sample(item: Any) -> str:
    """The first 500 characters of the item as JSON. Never raises."""
    try:
        return storable(json.dumps(item, ensure_ascii=False))[:SAMPLE]
    except (ValueError, RecursionError):
        return storable(shown(item))[:SAMPLE]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    # repr, since NaN differs from itself and 1 equals true.
    twice = tuple(key for key, value in pairs if repr(plain[key]) != repr(value))
    if not twice:
        return plain
    marked = Duplicated(plain)
    marked.twice = twice
    return marked
