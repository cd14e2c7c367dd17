"""One part of a data dump: bytes -> lines -> the attributes of each row, or a Reject. Pure Python, no Spark.

A part is lines of Posts.xml or Comments.xml, gzip-compressed, each line exactly one `<row Id="1" ... />`: without the
file's header and end, UTF-8, and of no more bytes than raw.MAX_BYTES.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from xml.etree import ElementTree

from soflow_jobs.fields import Reject, shown
from soflow_jobs.raw import BLANK, SAMPLE, gunzip
from soflow_jobs.text import storable

# What XML 1.0 allows no document to hold, written out or as a reference; dumps do hold such references. Source:
# www.w3.org/TR/xml, production 2.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|&#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,8}));")


def read_part(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Each line that is not blank, with its number in the part, from 0. Raises Reject for the part as a whole."""
    body = gunzip(content)
    if not body.strip(BLANK):
        raise Reject("empty", f"{len(body)} bytes, none of them visible")
    return ((number, line) for number, line in enumerate(BytesIO(body)) if line.strip(BLANK))


def attributes(line: bytes) -> dict[str, str]:
    """The attributes of the one row that the line is. Raises Reject."""
    try:
        text = line.strip(BLANK).decode()
    except UnicodeDecodeError as cause:
        raise Reject("invalid-utf8", f"byte {cause.start:,} of the line: {cause.reason}") from cause
    # Nothing but a row is parsed: no document type, and so no entities that could grow.
    if not text.startswith("<row") or not text.endswith("/>") or "<!" in text:
        raise Reject("not-xml", f"the line is {shown(text)}; expected one `<row ... />`")
    try:
        row = _parse(text)
    except ElementTree.ParseError as cause:
        raise Reject("not-xml", f"{cause}; expected one `<row ... />`") from cause
    if row.tag != "row" or len(row):
        raise Reject("not-xml", f"the element is {shown(row.tag)}; expected an empty `row`")
    return row.attrib


def row_id(found: dict[str, str]) -> int | None:
    """The row's own id, if it is one."""
    text = found.get("Id", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0 else None


def line_sample(line: bytes) -> str:
    """The first 500 characters of the line. Never raises."""
    return storable(line[: SAMPLE * 4].decode("utf-8", "replace"))[:SAMPLE]


def _parse(text: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError:
        mended = FORBIDDEN.sub(_allowed, text)
        if mended == text:
            raise
        return ElementTree.fromstring(mended)


def _allowed(found: re.Match[str]) -> str:
    """The reference as it is, when it names a character that XML allows; else U+FFFD."""
    hexadecimal, decimal = found.groups()
    if hexadecimal is None and decimal is None:
        return "\ufffd"
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    fine = code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
    return found[0] if fine else "\ufffd"
