"""What every table looks like: columns in order, Spark types, partition columns.

The same types on every engine: int is 32 bit, bigint 64, a timestamp is an instant with the session in UTC. A partition
column stands in the directory's name only. Columns marked `null` may be null; all others never are.
"""

from __future__ import annotations

Columns = tuple[tuple[str, str], ...]

OWNER: Columns = (
    ("owner_user_id", "bigint"),  # null: the account is deleted
    ("owner_type", "string"),  # null; registered, unregistered, moderator, does_not_exist ...
    ("owner_display_name", "string"),  # null; unescaped
    ("owner_reputation", "int"),  # null, always from a dump; when observed, not when posted
)

ORIGIN: Columns = (
    ("content_license", "string"),  # CC BY-SA and a version: 2.5, 3.0, 4.0
    ("license_derived", "boolean"),  # true: it was left out and the date decided
    ("observed_at", "timestamp"),  # when the page with this version was fetched
    ("source", "string"),  # api or dump
    ("_extra", "int"),  # fields of the item, or attributes of the row, that no documentation names
    ("_run_id", "string"),  # the run that brought this version of the row
)

QUESTIONS: Columns = (
    ("site", "string"),
    ("question_id", "bigint"),
    ("title", "string"),  # unescaped once
    ("title_raw", "string"),  # as received
    ("tags", "array<string>"),  # 1 to 5, in the order received
    ("score", "int"),
    ("view_count", "bigint"),  # null: not in the filter
    ("answer_count", "int"),
    ("is_answered", "boolean"),  # has an accepted or upvoted answer: not the same as answer_count > 0
    ("accepted_answer_id", "bigint"),  # null: none
    ("created_at", "timestamp"),
    ("last_activity_at", "timestamp"),
    ("last_edit_at", "timestamp"),  # null: never
    ("closed_at", "timestamp"),  # null: open
    ("closed_reason", "string"),  # null: open, or from a dump; as the API words it, unescaped
    ("closed_reason_class", "string"),  # null: open; see soflow_jobs/questions.py
    ("migrated", "boolean"),  # came from another site
    ("community_wiki", "boolean"),
    *OWNER,
    ("body_text", "string"),  # null: no body in the page; without code and quotations
    ("code_chars", "int"),  # null: no body; characters in pre and code
    ("body_chars", "int"),  # null: no body; characters of the rendered body, code and quotations included
    ("link", "string"),  # null: not in the filter; for attribution
    *ORIGIN,
)

ANSWERS: Columns = (
    ("site", "string"),
    ("answer_id", "bigint"),
    ("question_id", "bigint"),
    ("is_accepted", "boolean"),
    ("score", "int"),
    ("created_at", "timestamp"),
    ("last_activity_at", "timestamp"),
    ("last_edit_at", "timestamp"),  # null: never
    ("community_wiki", "boolean"),
    *OWNER,
    ("body_text", "string"),  # null: no body in the page; without code and quotations
    ("code_chars", "int"),  # null: no body
    ("body_chars", "int"),  # null: no body
    ("link", "string"),  # null: not in the filter
    ("is_self_answer", "boolean"),  # null: the question is not known; asker and answerer are the same account
    ("first_in_thread", "boolean"),  # earliest of the question's known answers
    *ORIGIN,
)

COMMENTS: Columns = (
    ("site", "string"),
    ("comment_id", "bigint"),
    ("post_id", "bigint"),  # a question's or an answer's id
    ("post_type", "string"),  # null: not in the filter, or from a dump; question, answer, wiki ... as the API says
    ("score", "int"),
    ("edited", "boolean"),  # null: not in the filter
    ("created_at", "timestamp"),
    *OWNER,
    ("reply_to_user_id", "bigint"),  # null: no reply, or to a deleted account
    ("text", "string"),  # null: no body in the page; without code
    ("link", "string"),  # null: not in the filter
    *ORIGIN,
)

QUARANTINE: Columns = (
    ("site", "string"),
    ("raw_uri", "string"),  # the page
    ("page_error", "boolean"),  # true: nothing of the page could be used
    ("item_index", "int"),  # null for a page; place among the items, or line of a dump's part, from 0
    ("item_id", "bigint"),  # null: none that could be read
    ("reason", "string"),
    ("detail", "string"),  # what was found and what was expected, at most 500 characters
    ("sample", "string"),  # the beginning of the item or page, at most 500 characters
    ("observed_at", "timestamp"),
    ("_run_id", "string"),
)

INGEST_AUDIT: Columns = (
    ("site", "string"),
    ("raw_run", "string"),  # the run folder in raw
    ("source", "string"),  # null: a folder soflow did not make; api, dump, pages, sample
    ("pages", "bigint"),
    ("pages_quarantined", "bigint"),  # nothing of them could be used
    ("rows_raw", "bigint"),  # the endpoint's items = rows_quarantined + distinct_ids + duplicates
    ("rows_quarantined", "bigint"),
    ("distinct_ids", "bigint"),
    ("duplicates", "bigint"),  # the same id again, in the same folder
    ("unknown_fields", "bigint"),  # sum of `_extra`
    ("bytes", "bigint"),  # null: not known of every page; bodies, decompressed
    ("quota_used", "bigint"),  # null: no page tells; requests, those of others with the same key included
    ("watermark_before", "timestamp"),  # null: not read by watermark; how far the endpoint was read before
    ("watermark_after", "timestamp"),  # null: as before; how far afterwards
    ("created_min", "timestamp"),  # null: no usable row
    ("created_max", "timestamp"),  # null: no usable row
    ("fetched_first", "timestamp"),
    ("fetched_last", "timestamp"),
    ("_run_id", "string"),
)

TEXT_SENTIMENT: Columns = (
    ("site", "string"),
    ("unit_id", "bigint"),  # the question's, answer's or comment's id
    ("question_id", "bigint"),  # null: a comment on a post that is not known
    ("created_at", "timestamp"),
    ("text_part", "string"),  # body; title: of a question nothing else was fetched, or all else was code
    ("n_sentences", "int"),  # 0: nothing left without code and quotations
    # Null from here to `label`: in another language than English.
    ("n_pos", "int"),  # sentences, by VADER
    ("n_neg", "int"),
    ("polarity_net", "double"),  # -1 to 1: p_positive - p_negative; by VADER (n_pos - n_neg) / n_sentences, or 0
    ("compound_mean", "double"),  # mean of VADER's compound over sentences, -1 to 1; 0 without sentences
    ("emotive_share", "double"),  # (n_pos + n_neg) / n_sentences, 0 to 1
    ("p_negative", "double"),  # null: VADER decided; the three add up to 1, in 4 places
    ("p_neutral", "double"),  # null: as p_negative
    ("p_positive", "double"),  # null: as p_negative
    ("label", "string"),  # negative, neutral or positive: the most probable
    ("lang_guess", "string"),  # null: too little to tell, taken for English; ISO 639-1
    ("engine", "string"),  # model or vader-tech
    ("engine_version", "string"),
    ("_run_id", "string"),
)

TAG_TRENDS_WEEKLY: Columns = (
    ("site", "string"),
    ("week_start", "date"),  # a Monday, UTC
    ("tag", "string"),
    ("n_questions", "bigint"),  # 0: a tag with 30 or more in the 104 weeks up to this one
    ("site_questions", "bigint"),  # distinct questions of the site in that week
    ("share", "double"),  # n_questions / site_questions
    ("share_lo", "double"),  # Wilson, 95 %
    ("share_hi", "double"),
    ("growth_12w_log2", "double"),  # null: no question of the site in the 12 weeks before; shrunk, so finite
    ("yoy_log2", "double"),  # null: no question of the site 52 weeks before; shrunk
    ("n_52w", "bigint"),  # questions with the tag in the 52 weeks up to this one
    ("site_52w", "bigint"),
    ("n_52w_before", "bigint"),  # in the 52 weeks before those
    ("site_52w_before", "bigint"),
    ("z", "double"),  # null: fewer than 30 in 104 weeks, or one week only; Cochran-Armitage over the 104 weeks
    ("p", "double"),  # null: as z; two-sided
    ("q", "double"),  # null: as z; Benjamini-Hochberg over the tags of the week
    ("status", "string"),  # rising, falling, stable, new, low_n
    ("partial", "boolean"),  # the week was not over when the newest page was fetched
    ("_run_id", "string"),
)

TAG_HEALTH_MONTHLY: Columns = (
    ("site", "string"),
    ("month", "date"),  # its first day
    ("tag", "string"),
    ("n", "bigint"),  # questions created in the month
    ("n_cohort", "bigint"),  # of those, 7 days old or older when answers were last looked at
    ("no_answer_rate", "double"),  # answer_count = 0
    ("not_answered_rate", "double"),  # is_answered = false
    ("answered_1h", "double"),  # null: n_cohort = 0; share of the cohort with another's answer within 1 hour
    ("answered_24h", "double"),  # null: n_cohort = 0
    ("answered_24h_lo", "double"),  # null: n_cohort = 0; Wilson, 95 %
    ("answered_24h_hi", "double"),  # null: n_cohort = 0
    ("answered_7d", "double"),  # null: n_cohort = 0
    ("median_ttfa_s", "bigint"),  # null: not mature, or fewer than half answered within 7 days; seconds
    ("self_answered_rate", "double"),  # share of n whose asker answered
    ("accepted_rate", "double"),
    ("closed_rate", "double"),
    ("closed_rate_lo", "double"),  # Wilson, 95 %
    ("closed_rate_hi", "double"),
    ("neg_score_rate", "double"),
    ("median_score", "double"),
    ("distinct_askers", "bigint"),  # deleted accounts are not counted
    ("mature", "boolean"),  # every question of the month is in the cohort
    ("low_n", "boolean"),  # fewer than 30 in the cohort: the rates say little
    ("_run_id", "string"),
)

TAG_RESPONSE: Columns = (
    ("site", "string"),
    ("tag", "string"),
    ("askers", "string"),  # all, newcomer (the asker's first question in the lake), returning
    ("since", "date"),  # first day of the twelve months
    ("until", "date"),  # last day of them
    ("n", "bigint"),  # questions, all 30 days old or older when answers were last looked at
    ("n_helped", "bigint"),  # with another's answer within 30 days that is accepted or has a positive score
    ("helped_rate", "double"),  # n_helped / n
    ("helped_lo", "double"),  # Wilson, 95 %
    ("helped_hi", "double"),
    ("low_n", "boolean"),  # n below 30: the rate says little
    ("known_since", "date"),  # day of the site's oldest question in the lake: who asked before is taken for a newcomer
    ("_run_id", "string"),
)

TAG_SENTIMENT_WEEKLY: Columns = (
    ("site", "string"),
    ("week_start", "date"),  # a Monday, UTC
    ("tag", "string"),
    ("unit_type", "string"),  # question, answer, comment
    ("n_units", "bigint"),  # texts with at least one sentence, not in another language, not a title alone
    ("n_left_out", "bigint"),  # the tag's other texts with at least one sentence
    ("net_mean", "double"),  # mean polarity_net
    ("net_lo", "double"),  # 95 %, the model's doubt about each text included; -1 or above
    ("net_hi", "double"),  # 1 or below
    ("baseline_net", "double"),  # mean over all units of the site, same week and unit type
    ("diff_vs_baseline", "double"),
    ("label", "string"),  # above, below, at, low_n
    ("_run_id", "string"),
)

TAG_PAIRS_MONTHLY: Columns = (
    ("site", "string"),
    ("month", "date"),  # its first day
    ("tag_a", "string"),  # < tag_b
    ("tag_b", "string"),
    ("n_both", "bigint"),  # 5 or more
    ("n_a", "bigint"),
    ("n_b", "bigint"),
    ("lift", "double"),
    ("lift_lo", "double"),  # 95 %: Wilson of n_both among the questions of the rarer tag
    ("lift_hi", "double"),
    ("npmi", "double"),  # -1 to 1
    ("rank", "int"),  # 1 = most questions with both, in the month
    ("delta_rank_12m", "int"),  # null: not ranked 12 months before; positive = climbed
    ("low_n", "boolean"),  # fewer than 10 questions with both
    ("_run_id", "string"),
)

TAG_COMMUNITIES: Columns = (
    ("site", "string"),
    ("tag", "string"),
    ("since", "date"),  # first day of the twelve months
    ("until", "date"),  # last day of them
    ("community", "int"),  # from 1, the one with the most questions
    ("leader", "string"),  # the tag of the community with the greatest strength
    ("n_tags", "int"),  # of the community
    ("n_links", "int"),  # of the tag: other tags with 10 questions in common, and more than by chance
    ("strength", "bigint"),  # questions on its links
    ("inside", "double"),  # the share of those on links inside the community
    ("stability", "double"),  # of the community, 0 to 1: mean best Jaccard index in 50 redrawn networks
    ("modularity", "double"),  # of the site's whole network
    ("_run_id", "string"),
)

QUESTION_TAGS: Columns = (
    ("site", "string"),
    ("question_id", "bigint"),
    ("tag", "string"),
    ("position", "int"),  # in the question's list of tags, from 1
    ("created_at", "timestamp"),
    ("_run_id", "string"),
)

FINDINGS: Columns = (
    ("site", "string"),
    ("kind", "string"),  # trend, emerging, season, answered, mood, pair
    ("subject", "string"),  # a tag; of a pair `tag_a + tag_b`
    ("since", "date"),  # first day of what is compared
    ("until", "date"),  # last day of it
    (
        "n_now",
        "bigint",
    ),  # trend, emerging, season: questions with the tag; answered: questions; mood: texts; pair: questions with both
    ("n_before", "bigint"),  # the same of the span before; mood: all other texts; pair: questions with the rarer tag
    ("value_now", "double"),  # of shares a share; mood: mean polarity; pair: n_now / n_before
    ("value_before", "double"),  # of the other side; pair: the commoner tag's share of all questions
    ("effect", "double"),  # value_now - value_before; pair: their ratio, the lift; emerging: their ratio, shrunk
    ("effect_lo", "double"),  # 95 %
    ("effect_hi", "double"),
    ("p", "double"),  # two-sided
    ("q", "double"),  # Benjamini-Hochberg over all that were tested of the kind
    ("stands_out", "boolean"),  # q below the level; pair: and effect_lo of 2 or more; emerging: and above 1, of many
    ("detectable", "double"),  # null: pair, emerging; the smallest effect that four of five times would have stood out
    ("_run_id", "string"),
)

TABLES: dict[str, Columns] = {
    "questions": QUESTIONS,
    "question_tags": QUESTION_TAGS,
    "answers": ANSWERS,
    "comments": COMMENTS,
    "quarantine": QUARANTINE,
    "ingest_audit": INGEST_AUDIT,
    "text_sentiment": TEXT_SENTIMENT,
    "tag_trends_weekly": TAG_TRENDS_WEEKLY,
    "tag_health_monthly": TAG_HEALTH_MONTHLY,
    "tag_response": TAG_RESPONSE,
    "tag_sentiment_weekly": TAG_SENTIMENT_WEEKLY,
    "tag_pairs_monthly": TAG_PAIRS_MONTHLY,
    "tag_communities": TAG_COMMUNITIES,
    "findings": FINDINGS,
}

PARTITIONS: dict[str, Columns] = {
    "questions": (("created_month", "string"),),  # yyyy-MM of created_at, UTC
    "question_tags": (("created_month", "string"),),
    "answers": (("created_month", "string"),),
    "comments": (("created_month", "string"),),
    "quarantine": (("endpoint", "string"), ("dt", "string")),  # dt: the logical date
    "ingest_audit": (("endpoint", "string"), ("dt", "string")),
    "text_sentiment": (("created_month", "string"), ("unit_type", "string")),
    "tag_trends_weekly": (("year", "int"),),  # of week_start
    "tag_health_monthly": (("year", "int"),),
    "tag_response": (),
    "tag_sentiment_weekly": (("year", "int"),),
    "tag_pairs_monthly": (("year", "int"),),
    "tag_communities": (),
    "findings": (),
}


def names(columns: Columns) -> list[str]:
    """The columns' names, in order."""
    return [name for name, _ in columns]


def ddl(columns: Columns) -> str:
    """The columns as a Spark schema string."""
    return ", ".join(f"`{name}` {kind}" for name, kind in columns)
