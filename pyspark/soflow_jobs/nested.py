"""The items of an endpoint in a page, wherever they stand: a filter may nest answers and comments in questions.

Pure Python, no Spark.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from soflow_jobs.fields import Duplicated, Reject, shown

# An item as it stands in the page and, when no items can be taken from it, why.
Found = tuple[Any, Reject | None]

# Fields that tell whose an item without its own id is. An answer that lost its id has a `question_id` like a question,
# but says whether it is accepted; a comment names its post in `post_id` and nothing else.
ANSWERS_OWN = ("answer_id", "is_accepted")
POSTS_OWN = ("question_id", "answer_id", "last_activity_date")


def items_of(endpoint: str, page: list[Any]) -> list[Found]:
    """The items that are the endpoint's, in the page's order.

    Items of the endpoint itself stay as they are. What is nested gets from its place what its filter left out: the
    `question_id`, or the `post_id` and `post_type`. An item of another endpoint with nothing nested gives nothing.
    """
    expand = {"answers": _answers, "comments": _comments}.get(endpoint, _itself)
    return [found for item in page for found in expand(item)]


def _itself(item: Any) -> Iterator[Found]:
    yield item, None


def _answers(item: Any) -> Iterator[Found]:
    if isinstance(item, dict) and "answer_id" not in item and item.get("answers") is not None:
        yield from _nested(item, "answers", question_id=item.get("question_id"))
    elif not _has(item, ("question_id",)) or _has(item, ANSWERS_OWN):
        yield item, None


def _comments(item: Any) -> Iterator[Found]:
    if _has(item, ("comment_id",)) or not _has(item, (*POSTS_OWN, "comments", "answers")):
        yield item, None
    else:
        yield from _comments_on(item)


def _comments_on(post: dict[str, Any]) -> Iterator[Found]:
    yield from _nested(post, "comments", **_place(post))
    for answer, why in _nested(post, "answers", question_id=post.get("question_id")):
        if why or not isinstance(answer, dict):
            yield answer, why
        else:
            yield from _nested(answer, "comments", **_place(answer))


def _place(post: dict[str, Any]) -> dict[str, Any]:
    """What comments on this post say of it. Items of /posts name themselves by `post_id` and `post_type`."""
    for kind in ("answer", "question"):
        if f"{kind}_id" in post:
            return {"post_id": post[f"{kind}_id"], "post_type": kind}
    return {key: post.get(key) for key in ("post_id", "post_type")}


def _nested(item: dict[str, Any], key: str, **place: Any) -> Iterator[Found]:
    """The entries of the list `key`, each with the fields of its place that it lacks; nothing when there is no list."""
    found = item.get(key)
    if isinstance(item, Duplicated) and key in item.twice:
        yield item, Reject("duplicate-key", f"`{key}` stands twice, with different values")
    elif found is not None and not isinstance(found, list):
        yield item, Reject("wrong-type", f"`{key}` is {type(found).__name__} {shown(found)}; expected a list")
    else:
        for each in found or ():
            if isinstance(each, dict):
                each.update({name: value for name, value in place.items() if each.get(name) is None})
            yield each, None


def _has(item: Any, keys: tuple[str, ...]) -> bool:
    return isinstance(item, dict) and any(key in item for key in keys)
