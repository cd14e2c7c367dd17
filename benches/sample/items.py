"""The JSON of questions, answers and comments, with the fields in the API's order and absent instead of null."""

import functools
from typing import Any

import texts
from chance import ANSWER, COMMENT, PERSON, QUESTION, Dice
from outline import END, Answer, Comment, Question

LICENSE = "CC BY-SA 4.0"
FIRST_USER = 90_000_000  # User ids start where nobody has been.

# Reasons of today and of years ago: real data has both.
CLOSED_REASONS = [
    "Duplicate",
    "Needs details or clarity",
    "Duplicate",
    "Not suitable for this site",
    "Opinion-based",
    "Needs more focus",
    "exact duplicate",
    "not a real question",
    "not constructive",
]

Item = dict[str, Any]


def without_none(item: Item) -> Item:
    return {name: value for name, value in item.items() if value is not None}


@functools.cache
def person(number: int) -> tuple[Item, str]:
    """A user beside a post, the API's `shallow_user`, and what others call them. All names are invented."""
    dice = Dice(PERSON, number)
    first, last = texts.pick("first", dice), texts.pick("last", dice)
    number_of_site = FIRST_USER + number
    if dice.permille(28):
        # Deleted: no id is left, and not always a name.
        name = f"user{number_of_site}" if dice.percent(90) else None
        return without_none({"user_type": "does_not_exist", "display_name": name}), first
    registered = not dice.permille(9)
    name = f"{first} {last}"
    user = {
        "account_id": 70_000_000 + number,
        "reputation": 1 + dice.seconds(1_900, 900) % 900_000 if registered else 1,
        "user_id": number_of_site,
        "user_type": "registered" if registered else "unregistered",
        "accept_rate": 20 + dice.below(81) if dice.percent(22) else None,
        "display_name": texts.escape_api(name),
        "link": f"https://stackoverflow.com/users/{number_of_site}/{texts.slug(name)}",
    }
    return without_none(user), first


def question(index: int, row: Question, newer: bool) -> Item:
    dice = Dice(QUESTION, index)
    tag = row.tags[0]
    title = texts.title(tag, dice)
    body = texts.question(tag, dice)

    def later(permille: int, middle: int) -> int | None:
        at = row.created + dice.seconds(middle, 512)
        return at if dice.permille(permille) and at < END else None

    edited, closed = later(320, 3_000), later(80, 3_600)
    migrated = dice.permille(4)
    bounty = 50 * (1 + dice.below(6)) if END - row.created < 60 * 86_400 and dice.permille(40) else None
    # The order is that of the draws.
    item = {
        "tags": [tag.name for tag in row.tags],
        "migrated_from": migration(row, dice) if migrated else None,
        "posted_by_collectives": collective(tag.name) if dice.permille(12) else None,
        "owner": person(row.author)[0],
        "is_answered": row.answered,
        "view_count": 4 + dice.below(40) + dice.below((END - row.created) // 86_400 + 1) + 7 * newer,
        "bounty_amount": bounty,
        "bounty_closes_date": END + 3 * 86_400 if bounty else None,
        "closed_date": closed,
        "accepted_answer_id": row.accepted.id if row.accepted else None,
        "answer_count": row.answers,
        "community_owned_date": later(4, 3_000),
        "protected_date": later(6, 4_000),
        "locked_date": later(3, 4_200),
        "score": question_score(dice) + newer,
        "last_activity_date": max(row.last_activity, edited or 0),
        "creation_date": row.created,
        "last_edit_date": edited,
        "question_id": row.id,
        "content_license": LICENSE if closed is None and not migrated else None,
        "link": f"https://stackoverflow.com/questions/{row.id}/{texts.slug(title)}",
        "closed_reason": dice.choose(CLOSED_REASONS) if closed else None,
        "title": texts.escape_api(title),
        "body": body,
        # A field nobody has heard of: readers must live with it.
        "experiment_group": "b" if dice.permille(10) else None,
    }
    return without_none(item)


def question_score(dice: Dice) -> int:
    """A score as questions have it: mostly around zero, some negative, a few large."""
    start, span = ((-7, 5), (-2, 2), (0, 1), (1, 3), (4, 12), (16, 90))[dice.weighted((2, 10, 45, 35, 7, 1))]
    return start + dice.below(span)


def answer(index: int, row: Answer, newer: bool) -> Item:
    dice = Dice(ANSWER, index)
    item = {
        "owner": person(row.author)[0],
        "is_accepted": row.accepted,
        "community_owned_date": row.created if dice.permille(5) else None,
        "score": row.score + (newer and row.score > 0),
        "last_activity_date": row.edited or row.created,
        "last_edit_date": row.edited,
        "creation_date": row.created,
        "answer_id": row.id,
        "question_id": row.question.id,
        "content_license": LICENSE,
        "body": texts.answer(row.question.tags[0], dice),
    }
    return without_none(item)


def comment(index: int, row: Comment, newer: bool) -> Item:
    dice = Dice(COMMENT, index)
    replied_to, name = (None, None) if row.reply_to is None else person(row.reply_to)
    # A few posts have been deleted since; their comments are still in a page fetched before.
    deleted = index % 1_500 == 777
    item = {
        "owner": person(row.author)[0],
        "reply_to_user": replied_to,
        "edited": dice.percent(12),
        "score": (0, 1, 2, 5, 14)[dice.weighted((70, 18, 7, 4, 1))] + newer,
        "creation_date": row.created,
        "post_id": row.post.id - 80_000_000 * deleted,
        "comment_id": row.id,
        "content_license": LICENSE,
        "body": texts.comment(row.question.tags[0], name, dice),
    }
    return without_none(item)


def migration(row: Question, dice: Dice) -> Item:
    site = {
        "site_type": "main_site",
        "name": "Super User",
        "site_url": "https://superuser.com",
        "api_site_parameter": "superuser",
        "site_state": "normal",
    }
    return {"other_site": site, "on_date": row.created + 5_400, "question_id": 800_000 + dice.below(90_000)}


def collective(tag: str) -> list[Item]:
    about = {
        "tags": [tag],
        "external_links": [],
        "description": "An example collective &amp; its friends",
        "link": "/collectives/example",
        "name": "Example Collective",
        "slug": "example",
    }
    return [about]
