"""One item of a page -> one row of a base table, or a Reject. Pure Python, no Spark.

A row is a dict with the endpoint's columns and `created_month`; what depends on other tables is left out (null).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from soflow_jobs.fields import INT32, INT64, Fields, Reject, shown
from soflow_jobs.licence import is_known, licence
from soflow_jobs.text import html_to_text, unescape

MAX_TAGS = 5

# Fields the API's documentation names, used or not (api.stackexchange.com/docs/types). Others are counted in `_extra`.
COMMON = frozenset(
    "owner score creation_date last_edit_date last_activity_date community_owned_date locked_date content_license link "
    "share_link body body_markdown title tags comments comment_count up_vote_count down_vote_count upvoted downvoted "
    "last_editor posted_by_collectives recommendations collectives".split()
)
QUESTION_FIELDS = COMMON | frozenset(
    "question_id is_answered accepted_answer_id answer_count view_count answers bounty_amount bounty_closes_date "
    "bounty_user closed_date closed_reason closed_details close_vote_count reopen_vote_count delete_vote_count "
    "favorite_count favorited migrated_from migrated_to notice protected_date can_answer can_close can_comment "
    "can_edit can_flag can_suggest_edit".split()
)
ANSWER_FIELDS = COMMON | frozenset(
    "answer_id question_id is_accepted accepted awarded_bounty_amount awarded_bounty_users can_comment can_edit "
    "can_flag can_suggest_edit".split()
)
COMMENT_FIELDS = COMMON | frozenset("comment_id post_id post_type edited reply_to_user can_flag".split())

# The close dialogue's words through the years (lower case) -> one class. Sources: the API's values in real pages,
# meta.stackexchange.com/questions/10582 (the older reasons and what became of them).
CLOSED_REASON_CLASSES = {
    "duplicate": "duplicate",
    "exact duplicate": "duplicate",
    "not suitable for this site": "off_topic",
    "off topic": "off_topic",
    "off-topic": "off_topic",
    "blatantly off-topic": "off_topic",
    "general reference": "off_topic",
    "needs details or clarity": "needs_details",
    "needs debugging details": "needs_details",
    "not a real question": "needs_details",
    "unclear what you're asking": "needs_details",
    "needs more focus": "needs_focus",
    "too broad": "needs_focus",
    "opinion-based": "opinion_based",
    "opinion based": "opinion_based",
    "primarily opinion-based": "opinion_based",
    "not constructive": "opinion_based",
    "subjective and argumentative": "opinion_based",
    "too localized": "not_reproducible",
    "no longer relevant": "not_reproducible",
    "not reproducible": "not_reproducible",
    "not reproducible or was caused by a typo": "not_reproducible",
}
OTHER = "other"


@dataclass(frozen=True)
class Endpoint:
    """How the items of one raw endpoint become rows of the table of the same name."""

    name: str
    id: str
    row: Callable[[Fields], dict[str, Any]]
    known: frozenset[str]


def make_row(endpoint: Endpoint, item: dict[str, Any]) -> dict[str, Any]:
    """The typed row of one item. Raises Reject."""
    fields = Fields(item)
    row = endpoint.row(fields)
    return {
        **row,
        "created_month": f"{row['created_at']:%Y-%m}",
        "source": "api",
        "_extra": sum(1 for key in item if key not in endpoint.known),
    }


def question_row(item: Fields) -> dict[str, Any]:
    """A question of /questions. Raises Reject."""
    title = item.text("title", required=True)
    closed_at = item.moment("closed_date")
    closed_reason = _unescaped(item.text("closed_reason"))
    row = {
        "question_id": item.id("question_id", required=True),
        "title": unescape(title),
        "title_raw": title,
        "tags": item.tags("tags", 1, MAX_TAGS),
        "view_count": item.integer("view_count", 0, INT64),
        "answer_count": item.integer("answer_count", 0, INT32, required=True),
        "is_answered": item.boolean("is_answered", required=True),
        "accepted_answer_id": item.id("accepted_answer_id"),
        "last_activity_at": item.moment("last_activity_date", required=True),
        "closed_at": closed_at,
        "closed_reason": closed_reason,
        "closed_reason_class": closed_reason_class(closed_at, closed_reason),
        "migrated": item.object("migrated_from") is not None,
        "community_wiki": item.moment("community_owned_date") is not None,
    }
    return row | _post(item) | _body(item)


def answer_row(item: Fields) -> dict[str, Any]:
    """An answer of /answers. Raises Reject."""
    row = {
        "answer_id": item.id("answer_id", required=True),
        "question_id": item.id("question_id", required=True),
        "is_accepted": item.boolean("is_accepted", required=True),
        "last_activity_at": item.moment("last_activity_date", required=True),
        "community_wiki": item.moment("community_owned_date") is not None,
    }
    return row | _post(item) | _body(item)


def comment_row(item: Fields) -> dict[str, Any]:
    """A comment of /comments. Raises Reject."""
    post_type = item.text("post_type")
    reply_to = item.object("reply_to_user")
    body = item.text("body")
    row = {
        "comment_id": item.id("comment_id", required=True),
        "post_id": item.id("post_id", required=True),
        "post_type": post_type,
        "edited": item.boolean("edited"),
        "reply_to_user_id": reply_to.integer("user_id", -INT64, INT64) if reply_to else None,
        "text": None if body is None else html_to_text(body).text,
    }
    return row | _post(item)


def closed_reason_class(closed_at: datetime | None, reason: str | None) -> str | None:
    """One of the six classes, or `other` for words we do not know; None for an open question."""
    if reason is None:
        return None if closed_at is None else OTHER
    return CLOSED_REASON_CLASSES.get(reason.strip().lower(), OTHER)


def _post(item: Fields) -> dict[str, Any]:
    """What questions, answers and comments share: score, times, owner, licence, link."""
    created_at = item.moment("creation_date", required=True)
    last_edit_at = item.moment("last_edit_date")
    given = item.text("content_license")
    if given and not is_known(given):
        raise Reject("unknown-value", f"`content_license` is {shown(given)}; expected a version of CC BY-SA")
    owner = item.object("owner")
    return {
        "score": item.integer("score", required=True),
        "created_at": created_at,
        "last_edit_at": last_edit_at,
        # Id -1 is the Community user.
        "owner_user_id": owner.integer("user_id", -INT64, INT64) if owner else None,
        "owner_type": owner.text("user_type") if owner else None,
        "owner_display_name": _unescaped(owner.text("display_name")) if owner else None,
        "owner_reputation": owner.integer("reputation") if owner else None,
        "link": item.text("link"),
        "content_license": given or licence(created_at, last_edit_at),
        "license_derived": not given,
    }


def _body(item: Fields) -> dict[str, Any]:
    body = item.text("body")
    if body is None:
        return {"body_text": None, "code_chars": None, "body_chars": None}
    text = html_to_text(body)
    return {"body_text": text.text, "code_chars": text.code_chars, "body_chars": text.body_chars}


def _unescaped(text: str | None) -> str | None:
    return None if text is None else unescape(text)


QUESTIONS = Endpoint("questions", "question_id", question_row, QUESTION_FIELDS)
ANSWERS = Endpoint("answers", "answer_id", answer_row, ANSWER_FIELDS)
COMMENTS = Endpoint("comments", "comment_id", comment_row, COMMENT_FIELDS)
