"""One row of a data dump -> one row of a base table, through the checks that items of the API go through.

The attributes are written as the item the API would give and typed by `records`. What differs: a dump escapes nothing
for HTML but the bodies of posts, and knows no reputation, no `closed_reason` and no link. It has times in
milliseconds, which are cut to the API's seconds, so that both tell the same time of the same post. Pure Python.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from soflow_jobs.fields import Reject, shown
from soflow_jobs.markdown import markdown_to_text
from soflow_jobs.records import Endpoint, make_row
from soflow_jobs.sites import host

Attributes = dict[str, str]

NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?", re.ASCII)
TAGS = re.compile(r"(?:<[^<>|]+>)+|\|(?:[^<>|]+\|)+")
TAG = re.compile(r"[^<>|]+")

# PostTypeId -> the endpoint whose items those posts are. Source: meta.stackexchange.com/questions/2677; the others
# are tag wikis, elections and articles.
QUESTION, ANSWER = "1", "2"
POSTS = {QUESTION: "questions", ANSWER: "answers"}

# The attributes a dump is known to have. Source: meta.stackexchange.com/questions/2677. Others are counted in `_extra`.
POST_ATTRIBUTES = frozenset(
    "Id PostTypeId AcceptedAnswerId ParentId CreationDate DeletionDate Score ViewCount Body OwnerUserId "
    "OwnerDisplayName LastEditorUserId LastEditorDisplayName LastEditDate LastActivityDate Title Tags AnswerCount "
    "CommentCount FavoriteCount ClosedDate CommunityOwnedDate ContentLicense".split()
)
COMMENT_ATTRIBUTES = frozenset("Id PostId Score Text CreationDate UserDisplayName UserId ContentLicense".split())


@dataclass(frozen=True)
class Form:
    """How rows of a dump become rows of one table: the API's item, what is not HTML in it, and the rest.

    `told` is the column that other rows of the same dump tell, `path` where the site shows the item, if that is known.
    """

    item: Callable[[Attributes], dict[str, Any]]
    plain: Callable[[Attributes], dict[str, Any]]
    known: frozenset[str]
    told: str | None
    path: str | None


def dump_row(endpoint: Endpoint, found: Attributes, site: str) -> dict[str, Any]:
    """The typed row of one row of the dump. Raises Reject."""
    form = FORMS[endpoint.name]
    row = make_row(endpoint, form.item(found))
    home = host(site)
    link = f"https://{home}/{form.path}/{row[endpoint.id]}" if home and form.path else None
    extra = sum(1 for name in found if name not in form.known)
    return {**row, **form.plain(found), "link": link, "source": "dump", "_extra": extra}


def belongs_to(endpoint: Endpoint, found: Attributes) -> str | None:
    """The endpoint whose item the row is; None for a post that is in no table. Raises Reject."""
    if endpoint.name not in POSTS.values():
        return endpoint.name
    if "PostTypeId" not in found:
        raise Reject("missing-field", "`PostTypeId` is absent; expected a number")
    return POSTS.get(str(_number(found, "PostTypeId")))


def hint(endpoint: Endpoint, found: Attributes) -> int | None:
    """The id of the endpoint's item that this row of another one tells something of, or None.

    Of a question: that an answer with a score above 0 has answered it. Of an answer: that it is accepted. A row with
    values that cannot be read tells nothing; its own step says so.
    """
    try:
        if endpoint.name == "questions":
            return _number(found, "ParentId") if (_number(found, "Score") or 0) > 0 else None
        return _number(found, "AcceptedAnswerId")
    except Reject:
        return None


def _question(found: Attributes) -> dict[str, Any]:
    accepted = _number(found, "AcceptedAnswerId")
    return {
        "question_id": _number(found, "Id"),
        "title": found.get("Title"),
        "tags": _tags(found),
        "view_count": _number(found, "ViewCount"),
        "answer_count": _number(found, "AnswerCount"),
        # Or by an upvoted answer, of which the question's own row knows nothing.
        "is_answered": accepted is not None,
        "accepted_answer_id": accepted,
        "closed_date": _moment(found, "ClosedDate"),
        **_post(found),
    }


def _answer(found: Attributes) -> dict[str, Any]:
    # The question says which answer is accepted.
    ids = {"answer_id": _number(found, "Id"), "question_id": _number(found, "ParentId")}
    return {**ids, "is_accepted": False, **_post(found)}


def _comment(found: Attributes) -> dict[str, Any]:
    return {
        "comment_id": _number(found, "Id"),
        "post_id": _number(found, "PostId"),
        **_written(found, "UserId", "UserDisplayName"),
    }


def _post(found: Attributes) -> dict[str, Any]:
    return {
        "last_activity_date": _moment(found, "LastActivityDate"),
        "last_edit_date": _moment(found, "LastEditDate"),
        "community_owned_date": _moment(found, "CommunityOwnedDate"),
        "body": found.get("Body"),
        **_written(found, "OwnerUserId", "OwnerDisplayName"),
    }


def _written(found: Attributes, user: str, name: str) -> dict[str, Any]:
    number = _number(found, user)
    # A deleted account leaves its name at most; the API calls its owner `does_not_exist`.
    owner = {"user_type": "does_not_exist", "display_name": found.get(name)} if number is None else {"user_id": number}
    return {
        "score": _number(found, "Score"),
        "creation_date": _moment(found, "CreationDate"),
        "content_license": found.get("ContentLicense"),
        "owner": owner,
    }


def _plain_post(found: Attributes) -> dict[str, Any]:
    return {"owner_display_name": found.get("OwnerDisplayName")}


def _plain_question(found: Attributes) -> dict[str, Any]:
    return {**_plain_post(found), "title": found.get("Title")}


def _plain_comment(found: Attributes) -> dict[str, Any]:
    text = found.get("Text")
    return {"owner_display_name": found.get("UserDisplayName"), "text": text and markdown_to_text(text)}


def _number(found: Attributes, name: str) -> int | None:
    text = found.get(name)
    if text is None:
        return None
    if not NUMBER.fullmatch(text):
        raise Reject("wrong-type", f"`{name}` is {shown(text)}; expected an integer")
    return int(text)


def _moment(found: Attributes, name: str) -> int | None:
    """Epoch seconds of a time in UTC, which a dump writes without a zone."""
    text = found.get(name)
    if text is None:
        return None
    match = MOMENT.fullmatch(text)
    try:
        return timegm(datetime.fromisoformat(match[1]).timetuple()) if match else _no_moment(name, text)
    except ValueError:
        return _no_moment(name, text)


def _no_moment(name: str, text: str) -> int:
    raise Reject("wrong-type", f"`{name}` is {shown(text)}; expected a time like 2010-08-25T19:50:51.187")


def _tags(found: Attributes) -> list[str] | None:
    """The tags of `<java><c#>`, or as newer dumps write it, `|java|c#|`."""
    text = found.get("Tags")
    if text is not None and not TAGS.fullmatch(text):
        raise Reject("bad-tags", f"`Tags` is {shown(text)}; expected `<java><c#>` or `|java|c#|`")
    return None if text is None else TAG.findall(text)


FORMS = {
    "questions": Form(_question, _plain_question, POST_ATTRIBUTES, "is_answered", "q"),
    "answers": Form(_answer, _plain_post, POST_ATTRIBUTES, "is_accepted", "a"),
    "comments": Form(_comment, _plain_comment, COMMENT_ATTRIBUTES, None, None),
}
