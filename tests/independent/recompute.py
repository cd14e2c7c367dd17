"""Computes the derived tables of a lake again from the tables that they are made from, and compares every value.

    recompute.py FILES

FILES is a JSON object of lists of Parquet files by table, as `soflow tables paths` prints them. Knows the definitions
of docs/tables.md and nothing of the code that soflow runs: pandas, and the formulas written out. Prints a line a table,
and each difference above 1e-9; exits with 1 when there is one.
"""

import json
import math
import re
import sys

import numpy as np
import pandas as pd
from compare import findings
from network import tag_communities
from statistics_of import LEVEL, Z95, benjamini_hochberg, counted, monday, month, p_of, wilson

DAY = pd.Timedelta(days=1)
PARTITION = re.compile(r"([^/=]+)=([^/]*)/")


def load(files):
    """A table: its files one below the other, with the partition columns of their folders."""
    frames = []
    for file in files:
        frame = pd.read_parquet(file, partitioning=None)
        for name, value in PARTITION.findall(file):
            frame[name] = value
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def question_tags(tables):
    rows = tables["questions"][["site", "question_id", "tags", "created_at"]].copy()
    rows["tag"] = [list(dict.fromkeys(tags)) for tags in rows["tags"]]
    rows["position"] = [list(range(1, len(tags) + 1)) for tags in rows["tag"]]
    return rows.explode(["tag", "position"]).drop(columns="tags")


def tag_trends_weekly(tables):
    questions = tables["questions"]
    frame = pd.DataFrame(
        {"site": questions["site"], "week": monday(questions["created_at"]), "tags": questions["tags"]}
    )
    seen = questions.groupby("site")["observed_at"].max()
    found = []
    for site, asked in frame.groupby("site"):
        totals = asked.groupby("week").size()
        first, last = totals.index.min(), totals.index.max()
        weeks = pd.date_range(first, last, freq="7D")
        all_weeks = totals.reindex(weeks, fill_value=0).to_numpy()
        tagged = asked.explode("tags").groupby(["tags", "week"]).size()
        for tag in tagged.index.get_level_values(0).unique():
            counts = tagged[tag].reindex(weeks, fill_value=0).to_numpy()
            began = weeks[np.nonzero(counts)[0][0]]
            for at, week in enumerate(weeks):
                row = a_week(counts, all_weeks, at)
                if all_weeks[at] == 0 or not (counts[at] > 0 or row["trend_n"] >= 30):
                    continue
                over = (week + 7 * DAY).tz_localize("UTC") <= seen[site]
                is_new = began > week - 26 * 7 * DAY and first <= week - 78 * 7 * DAY
                found.append({"site": site, "week_start": week, "tag": tag, "partial": not over, "new": is_new, **row})
    rows = pd.DataFrame(found)
    rows["q"] = np.nan
    for _, family in rows[rows["p"].notna()].groupby(["site", "week_start"]):
        rows.loc[family.index, "q"] = benjamini_hochberg(family["p"])
    stands_out = rows["q"] < LEVEL
    direction = np.where(
        stands_out & (rows["z"] > 0), "rising", np.where(stands_out & (rows["z"] < 0), "falling", "stable")
    )
    rows["status"] = np.where(rows["trend_n"] < 30, "low_n", np.where(rows["new"], "new", direction))
    return rows.drop(columns=["trend_n", "new"])


def a_week(counts, totals, at):
    """What is said of a tag in the week at an index."""

    def span(values, first, last):
        return values[max(0, at - first) : at - last + 1] if at - last >= 0 else values[:0]

    n, total = counts[at], totals[at]
    low, high = wilson(n, total) if total else (0, 0)
    prior, site_prior = span(counts, 12, 1).sum(), span(totals, 12, 1).sum()
    year_ago, site_year_ago = span(counts, 52, 52).sum(), span(totals, 52, 52).sum()
    x, all_x = span(counts, 103, 0), span(totals, 103, 0)
    z = trend(x, all_x) if x.sum() >= 30 else None
    recent, site_recent = span(counts, 51, 0).sum(), span(totals, 51, 0).sum()
    return {
        "n_questions": n,
        "site_questions": total,
        "share": n / total if total else 0,
        "share_lo": low,
        "share_hi": high,
        "growth_12w_log2": math.log2((n + 2) / (total * prior / site_prior + 2)) if site_prior else None,
        "yoy_log2": math.log2((n + 2) / (total * year_ago / site_year_ago + 2)) if site_year_ago else None,
        "n_52w": recent,
        "site_52w": site_recent,
        "n_52w_before": x.sum() - recent,
        "site_52w_before": all_x.sum() - site_recent,
        "z": z,
        "p": None if z is None else p_of(z),
        "trend_n": x.sum(),
    }


def trend(counts, totals):
    """z of Cochran and Armitage."""
    time, n = np.arange(len(counts)), totals.sum()
    share, mean = counts.sum() / n, (time * totals).sum() / n
    variance = share * (1 - share) * ((time - mean) ** 2 * totals).sum()
    return ((time - mean) * counts).sum() / math.sqrt(variance) if variance > 0 else None


def tag_health_monthly(tables):
    questions, answers = tables["questions"], tables["answers"]
    seen = pd.concat(
        [questions.groupby("site")["observed_at"].max(), answers.groupby("site")["observed_at"].max()], axis=1
    )
    seen = seen.min(axis=1, skipna=False)
    own = answers["is_self_answer"].fillna(False).astype(bool)
    thread = ["site", "question_id"]
    first = answers[~own].groupby(thread)["created_at"].min().rename("first_at")
    selfish = answers[own].groupby(thread).size().rename("selfish")
    rows = questions.merge(first, on=thread, how="left").merge(selfish, on=thread, how="left")
    seconds = rows["first_at"].dt.floor("s") - rows["created_at"].dt.floor("s")
    rows["ttfa"] = seconds.dt.total_seconds().clip(lower=0)
    until = rows["site"].map(seen)
    rows["month"] = month(rows["created_at"])
    rows["cohort"] = until - rows["created_at"] >= 7 * DAY
    rows["old"] = until - (rows["month"] + pd.offsets.MonthBegin(1)).dt.tz_localize("UTC") >= 7 * DAY
    found = []
    for (site, first_day, tag), group in rows.explode("tags").groupby(["site", "month", "tags"]):
        n, cohort, mature = len(group), group[group["cohort"]], bool(group["old"].all())

        def within(seconds, cohort=cohort):
            return (cohort["ttfa"] <= seconds).mean() if len(cohort) else None

        in_time = sorted(group["ttfa"][group["ttfa"] <= 7 * 86_400])
        half = math.ceil(n / 2)
        answered, closed = within(86_400), group["closed_at"].notna().sum()
        low, high = wilson(round(answered * len(cohort)), len(cohort)) if len(cohort) else (None, None)
        closed_low, closed_high = wilson(closed, n)
        found.append(
            {
                "site": site,
                "month": first_day,
                "tag": tag,
                "n": n,
                "n_cohort": len(cohort),
                "no_answer_rate": (group["answer_count"] == 0).mean(),
                "not_answered_rate": (~group["is_answered"].astype(bool)).mean(),
                "answered_1h": within(3_600),
                "answered_24h": answered,
                "answered_24h_lo": low,
                "answered_24h_hi": high,
                "answered_7d": within(7 * 86_400),
                "median_ttfa_s": in_time[half - 1] if mature and len(in_time) >= half else None,
                "self_answered_rate": group["selfish"].notna().mean(),
                "accepted_rate": group["accepted_answer_id"].notna().mean(),
                "closed_rate": closed / n,
                "closed_rate_lo": closed_low,
                "closed_rate_hi": closed_high,
                "neg_score_rate": (group["score"] < 0).mean(),
                "median_score": group["score"].median(),
                "distinct_askers": group["owner_user_id"].nunique(),
                "mature": mature,
                "low_n": len(cohort) < 30,
            }
        )
    return pd.DataFrame(found)


def tag_response(tables):
    questions, answers = tables["questions"], tables["answers"]
    own = answers["is_self_answer"].fillna(False).astype(bool)
    good = answers[~own & (answers["is_accepted"] | (answers["score"] > 0))]
    thread = ["site", "question_id"]
    first = good.groupby(thread)["created_at"].min().rename("good_at")
    rows = questions.merge(first, on=thread, how="left").sort_values(["created_at", "question_id"])
    rows["helped"] = rows["good_at"].dt.floor("s") - rows["created_at"].dt.floor("s") <= 30 * DAY
    rows["first"] = ~rows.duplicated(["site", "owner_user_id"])
    rows["month"] = month(rows["created_at"])
    rows["tags"] = [list(dict.fromkeys(tags)) for tags in rows["tags"]]
    found = []
    for site, asked in rows.groupby("site"):
        seen = min(asked["observed_at"].max(), answers[answers["site"] == site]["observed_at"].max())
        until = (seen - 30 * DAY).tz_convert("UTC").tz_localize(None).to_period("M").to_timestamp()
        since, known = until - pd.DateOffset(months=12), asked["created_at"].min().strftime("%Y-%m-%d")
        asked = asked[(asked["month"] >= since) & (asked["month"] < until)]
        someone = asked["owner_user_id"].notna()
        kinds = {
            "all": asked,
            "newcomer": asked[someone & asked["first"]],
            "returning": asked[someone & ~asked["first"]],
        }
        for kind, those in kinds.items():
            for tag, group in those.explode("tags").groupby("tags"):
                n, helped = len(group), group["helped"].sum()
                low, high = wilson(helped, n)
                row = {"site": site, "tag": tag, "askers": kind, "since": since, "until": until - DAY, "n": n}
                row |= {"n_helped": helped, "helped_rate": helped / n, "helped_lo": low, "helped_hi": high}
                found.append({**row, "low_n": n < 30, "known_since": known})
    return pd.DataFrame(found)


def tag_pairs_monthly(tables):
    questions = tables["questions"]
    frame = pd.DataFrame({"site": questions["site"], "month": month(questions["created_at"])})
    frame["tags"] = [sorted(set(tags)) for tags in questions["tags"]]
    found = []
    for (site, first_day), group in frame.groupby(["site", "month"]):
        both, single = counted(group["tags"])
        for (a, b), n in both.items():
            if n >= 5:
                low, high = wilson(n, min(single[a], single[b]))
                chance, lift = max(single[a], single[b]) / len(group), n * len(group) / (single[a] * single[b])
                npmi = 1.0 if n == len(group) else min(1, max(-1, math.log(lift) / -math.log(n / len(group))))
                row = {"n_both": n, "n_a": single[a], "n_b": single[b], "lift": lift, "npmi": npmi, "low_n": n < 10}
                row |= {"lift_lo": low / chance, "lift_hi": high / chance}
                found.append({"site": site, "month": first_day, "tag_a": a, "tag_b": b, **row})
    rows = pd.DataFrame(found)
    rows["product"] = rows["n_a"] * rows["n_b"]
    rows = rows.sort_values(["n_both", "product", "tag_a", "tag_b"], ascending=[False, True, True, True])
    rows["rank"] = rows.groupby(["site", "month"]).cumcount() + 1
    key = ["site", "month", "tag_a", "tag_b"]
    before = rows[[*key, "rank"]].assign(month=rows["month"] + pd.DateOffset(years=1))
    rows = rows.merge(before, on=key, how="left", suffixes=("", "_before"))
    return rows.assign(delta_rank_12m=rows["rank_before"] - rows["rank"]).drop(columns=["product", "rank_before"])


def text_sentiment(tables):
    """What follows from the posts, and from the row's own counts and probabilities; the rest is taken as it is."""
    asked, answered, said = (tables[name] for name in ("questions", "answers", "comments"))
    body = asked["body_text"].fillna("") != ""
    parts = [
        asked.assign(unit_type="question", unit_id=asked["question_id"], text_part=np.where(body, "body", "title")),
        answered[answered["body_text"].notna()].rename(columns={"answer_id": "unit_id"}).assign(unit_type="answer"),
        placed(said[said["text"].notna()], asked, answered)
        .rename(columns={"comment_id": "unit_id"})
        .assign(unit_type="comment"),
    ]
    key = ["site", "unit_type", "unit_id"]
    names = [*key, "question_id", "created_at", "text_part"]
    units = pd.concat([part.reindex(columns=names) for part in parts], ignore_index=True)
    units["text_part"] = units["text_part"].fillna("body")
    derived = [*names[3:], "polarity_net", "emotive_share", "label"]
    rows = units.merge(tables["text_sentiment"].drop(columns=derived), on=key, how="left")
    spoken = rows["n_pos"].notna()
    rows["polarity_net"] = (rows["p_positive"] - rows["p_negative"]).round(4)
    rows["emotive_share"] = ((rows["n_pos"] + rows["n_neg"]) / rows["n_sentences"].clip(lower=1)).where(spoken)
    chances = rows[["p_negative", "p_neutral", "p_positive"]].fillna(0).to_numpy()
    words = np.array(["negative", "neutral", "positive"])[chances.argmax(axis=1)]
    rows["label"] = pd.Series(words, index=rows.index, dtype=object).where(spoken, None)
    assert np.allclose(chances[spoken.to_numpy()].sum(axis=1), 1, atol=1e-9), "probabilities add up to 1"
    assert (rows["lang_guess"].notna() & (rows["lang_guess"] != "en"))[~spoken].all(), "left out, and not told why"
    return rows


def placed(said, asked, answered):
    """Comments with the question they are on, or on an answer of."""
    posts = pd.concat(
        [
            pd.DataFrame({"site": asked["site"], "post_id": asked["question_id"], "on": asked["question_id"]}),
            pd.DataFrame({"site": answered["site"], "post_id": answered["answer_id"], "on": answered["question_id"]}),
        ]
    )
    found = said.reset_index().merge(posts, on=["site", "post_id"], how="left").set_index("index")
    direct = found["post_id"].where(found["post_type"] == "question")
    return found.assign(question_id=found["on"].fillna(direct))


def tag_sentiment_weekly(tables):
    units, tags = tables["text_sentiment"], tables["questions"][["site", "question_id", "tags"]].explode("tags")
    units = units[units["n_sentences"] > 0].assign(week_start=monday(units["created_at"]))
    counts = units["polarity_net"].notna() & (units["text_part"] == "body")
    units["net"] = units["polarity_net"].where(counts)
    units["square"] = (units["p_negative"] + units["p_positive"]).fillna(units["polarity_net"] ** 2)
    week = ["site", "week_start", "unit_type"]
    baseline = units.groupby(week)["net"].mean()
    found = []
    for key, rows in units.merge(tags, on=["site", "question_id"]).groupby([*week, "tags"]):
        known = rows[rows["net"].notna()]
        if known.empty:
            continue
        n, site_mean, mean = len(known), baseline[key[:3]], known["net"].mean()
        middle = known["net"].sum() / (n + 2)
        half = Z95 * math.sqrt(((known["square"].sum() + 1) / (n + 2) - middle**2) / (n + 2))
        low, high = max(-1, middle - half), min(1, middle + half)
        label = "above" if low > site_mean + 1e-9 else "below" if high < site_mean - 1e-9 else "at"
        row = dict(zip([*week, "tag"], key, strict=True)) | {"n_units": n, "n_left_out": len(rows) - n}
        row |= {"net_mean": mean, "net_lo": low, "net_hi": high, "baseline_net": site_mean}
        found.append({**row, "diff_vs_baseline": mean - site_mean, "label": label if n >= 30 else "low_n"})
    return pd.DataFrame(found)


MADE = {
    "text_sentiment": (text_sentiment, ["site", "unit_type", "unit_id"]),
    "question_tags": (question_tags, ["site", "question_id", "tag"]),
    "tag_trends_weekly": (tag_trends_weekly, ["site", "week_start", "tag"]),
    "tag_health_monthly": (tag_health_monthly, ["site", "month", "tag"]),
    "tag_response": (tag_response, ["site", "tag", "askers"]),
    "tag_sentiment_weekly": (tag_sentiment_weekly, ["site", "week_start", "tag", "unit_type"]),
    "tag_pairs_monthly": (tag_pairs_monthly, ["site", "month", "tag_a", "tag_b"]),
    "tag_communities": (tag_communities, ["site", "tag"]),
    "findings": (findings, ["site", "kind", "subject"]),
}


def plain(frame, key):
    """The rows by key, days as days."""
    frame = frame.drop(columns=[name for name in ("year", "created_month", "_run_id") if name in frame])
    for name in ("week_start", "month", "since", "until", "known_since"):
        if name in frame:
            frame[name] = pd.to_datetime(frame[name]).dt.strftime("%Y-%m-%d")
    return frame.set_index(key).sort_index()


def differences(found, expected):
    """What differs between the rows of a table, each a line of text."""
    missing, more = expected.index.difference(found.index), found.index.difference(expected.index)
    if len(missing) or len(more):
        yield f"{len(missing)} rows are missing, {list(missing[:3])}; {len(more)} are too many, {list(more[:3])}"
        return
    if set(found.columns) != set(expected.columns):
        yield f"other columns: {sorted(set(found.columns) ^ set(expected.columns))}"
        return
    for name in expected.columns:
        one, other = found[name], expected.loc[found.index, name]
        if one.dtype.kind in "OTM" or name in ("status", "label"):
            same = (one.astype(str) == other.astype(str)) | (one.isna() & other.isna())
        else:
            one, other = one.astype(float), other.astype(float)
            same = (one.isna() & other.isna()) | np.isclose(one, other, rtol=1e-9, atol=1e-9)
        for key in found.index[~same][:3]:
            yield f"{name} of {key}: {found.loc[key, name]!r}, expected {expected.loc[key, name]!r}"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        tables = {name: load(files) for name, files in json.load(file).items() if files}
    wrong = 0
    for name, (make, key) in MADE.items():
        if name not in tables:
            continue
        expected = make(tables)
        if expected.empty and tables[name].empty:
            print(f"{name}: no rows")
            continue
        found = list(differences(plain(tables[name], key), plain(expected, key)))
        print(f"{name}: {len(expected)} rows{''.join(f'{chr(10)}  {line}' for line in found)}")
        wrong += bool(found)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
