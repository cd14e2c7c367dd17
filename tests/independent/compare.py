"""What was compared, as docs/tables.md defines `findings`."""

import math
from statistics import NormalDist

import pandas as pd
from statistics_of import LEVEL, Z95, benjamini_hochberg, counted, monday, month, newcombe, p_of, two_shares, wilson

DAY = pd.Timedelta(days=1)


def findings(tables):
    trends = tables["tag_trends_weekly"]
    over = trends[~trends["partial"]]
    newest = pd.to_datetime(over["week_start"]).groupby(over["site"]).max()
    found = [pd.DataFrame()]
    for site, week in newest.items():
        families = {
            "trend": told_trends(trends[trends["site"] == site], week),
            "emerging": told_emerging(tables["questions"], site, week),
            "season": told_season(trends[trends["site"] == site], week),
            "answered": told_answered(tables["tag_health_monthly"], site),
            "mood": told_moods(tables, site, week),
            "pair": told_pairs(tables["questions"], site),
        }
        for kind, rows in families.items():
            tests = rows.pop("tests") if "tests" in rows else None
            if len(rows) and "q" not in rows:
                rows["p"] = [p_of(z) for z in rows["z"]]
                rows["q"] = benjamini_hochberg(rows["p"], None if tests is None else tests.iloc[0])
                rows["stands_out"] = (rows["q"] < LEVEL) & rows.pop("allowed")
            if len(rows) and kind not in ("pair", "emerging"):
                asked = NormalDist().inv_cdf(1 - LEVEL / len(rows) / 2) + NormalDist().inv_cdf(0.8)
                rows["detectable"] = asked * (rows["effect_hi"] - rows["effect_lo"]) / (2 * Z95)
            found.append(rows.assign(site=site, kind=kind).drop(columns="z", errors="ignore"))
    return pd.concat(found, ignore_index=True)


def side(subject, span, now, before, of_all, z):
    low, high = newcombe(*now, *before)
    n_now, n_before = (now[1], before[1]) if of_all else (now[0], before[0])
    return {
        "subject": subject,
        "since": span[0],
        "until": span[1],
        "n_now": n_now,
        "n_before": n_before,
        "value_now": now[0] / now[1],
        "value_before": before[0] / before[1],
        "effect": now[0] / now[1] - before[0] / before[1],
        "effect_lo": low,
        "effect_hi": high,
        "z": z,
        "allowed": True,
    }


def told_trends(trends, week):
    rows = trends[
        (pd.to_datetime(trends["week_start"]) == week) & trends["q"].notna() & (trends["site_52w_before"] > 0)
    ]
    span = (week - 51 * 7 * DAY, week + 6 * DAY)
    found = []
    for row in rows.itertuples():
        now, before = (row.n_52w, row.site_52w), (row.n_52w_before, row.site_52w_before)
        told = {"p": row.p, "q": row.q, "stands_out": row.status in ("rising", "falling")}
        found.append({**side(row.tag, span, now, before, False, 0.0), **told})
    return pd.DataFrame(found).drop(columns="allowed", errors="ignore")


def told_emerging(questions, site, week):
    asked = questions[questions["site"] == site].assign(week=lambda rows: monday(rows["created_at"]))
    asked = asked[(asked["week"] <= week) & (asked["week"] > week - 64 * 7 * DAY)]
    asked = asked.assign(new=asked["week"] > week - 12 * 7 * DAY, tags=[list(dict.fromkeys(t)) for t in asked["tags"]])
    total, total_before = asked["new"].sum(), (~asked["new"]).sum()
    found = []
    for tag, rows in asked.explode("tags").groupby("tags"):
        new = rows[rows["new"]]
        n, before = len(new), len(rows) - len(new)
        if len(rows) < 30 or not total or not total_before:
            continue
        scale = total / total_before
        effect, error = (
            (n + 2) / (scale * before + 2),
            math.sqrt(1 / (n + 2) + scale**2 * before / (scale * before + 2) ** 2),
        )
        low, high = effect * math.exp(-Z95 * error), effect * math.exp(Z95 * error)
        row = {"subject": tag, "since": week - 11 * 7 * DAY, "until": week + 6 * DAY, "n_now": n, "n_before": before}
        row |= {"value_now": n / total, "value_before": before / total_before, "effect": effect}
        row |= {
            "effect_lo": low,
            "effect_hi": high,
            "detectable": None,
            "z": two_shares(n, total, before, total_before),
        }
        found.append({**row, "allowed": n >= 30 and new["owner_user_id"].nunique() >= 10 and low > 1})
    return pd.DataFrame(found)


def told_season(trends, week):
    counts = trends.assign(week=pd.to_datetime(trends["week_start"])).pivot_table(
        index="week", columns="tag", values="n_questions", aggfunc="sum", fill_value=0
    )
    totals = trends.groupby(pd.to_datetime(trends["week_start"]))["site_questions"].max()
    same = [week - 7 * (52 * year + off) * DAY for year in (1, 2, 3) for off in range(-2, 3)]
    same = [each for each in same if each in totals.index]
    found = []
    for tag in counts.columns if len(same) >= 10 else []:
        n, before, total, site = counts[tag][week], counts[tag][same], totals[week], totals[same]
        share = before.sum() / site.sum()
        if before.sum() < 30 or total * share < 5 or share == 1:
            continue
        freedom = len(same) - 1
        spread = max(1, ((before - share * site) ** 2 / (site * share * (1 - share))).sum() / freedom)
        error = math.sqrt(spread * share * (1 - share) * (1 / total + 1 / site.sum()))
        effect, scale = n / total - share, (8 * freedom + 1) / (8 * freedom + 3)
        half, t = error * math.sqrt(freedom * math.expm1((Z95 / scale) ** 2 / freedom)), effect / error
        row = {"subject": tag, "since": week, "until": week + 6 * DAY, "n_now": n, "n_before": before.sum()}
        row |= {"value_now": n / total, "value_before": share, "effect": effect, "effect_lo": effect - half}
        z = math.copysign(scale * math.sqrt(freedom * math.log1p(t * t / freedom)), t)
        found.append({**row, "effect_hi": effect + half, "z": z, "allowed": True})
    return pd.DataFrame(found)


def told_answered(health, site):
    mature = health[(health["site"] == site) & health["mature"] & (health["n_cohort"] > 0)].copy()
    if mature.empty:
        return pd.DataFrame()
    mature["month"] = pd.to_datetime(mature["month"])
    newest = mature["month"].max()
    mature = mature[mature["month"] > newest - pd.DateOffset(months=12)]
    mature["answered"] = (mature["answered_24h"] * mature["n_cohort"]).round()
    recent = mature["month"] > newest - pd.DateOffset(months=6)
    span = (newest - pd.DateOffset(months=5), newest + pd.offsets.MonthEnd(0))
    found = []
    for tag, rows in mature.groupby("tag"):
        now, before = rows[recent[rows.index]], rows[~recent[rows.index]]
        now, before = (
            (now["answered"].sum(), now["n_cohort"].sum()),
            (before["answered"].sum(), before["n_cohort"].sum()),
        )
        if min(now[1], before[1]) >= 20:
            found.append(side(tag, span, now, before, True, two_shares(*now, *before)))
    return pd.DataFrame(found)


def told_moods(tables, site, week):
    units = spoken(tables["text_sentiment"])
    units = units[(units["site"] == site) & (units["week"] <= week) & (units["week"] > week - 52 * 7 * DAY)].copy()
    units["off"] = units["polarity_net"] - units.groupby(["week", "unit_type"])["polarity_net"].transform("mean")
    tags = tables["questions"][["site", "question_id", "tags"]].explode("tags")
    found = []
    for tag, rows in units.merge(tags, on=["site", "question_id"]).groupby("tags"):
        threads = rows.groupby("question_id")["off"].agg(["sum", "size"])
        if len(rows) < 30 or len(threads) < 20:
            continue
        effect, freedom = rows["off"].mean(), len(threads) - 1
        squares = ((threads["sum"] - threads["size"] * effect) ** 2).sum()
        error = math.sqrt(squares * len(threads) / freedom) / len(rows)
        scale = (8 * freedom + 1) / (8 * freedom + 3)
        half = error * math.sqrt(freedom * math.expm1((Z95 / scale) ** 2 / freedom))
        t = effect / error if error > 0 and abs(effect) > 1e-9 else 0.0
        z = math.copysign(scale * math.sqrt(freedom * math.log1p(t * t / freedom)), t)
        mean = rows["polarity_net"].mean()
        row = {"subject": tag, "since": week - 51 * 7 * DAY, "until": week + 6 * DAY, "n_now": len(rows)}
        row |= {"n_before": len(units) - len(rows), "value_now": mean, "value_before": mean - effect, "effect": effect}
        found.append({**row, "effect_lo": effect - half, "effect_hi": effect + half, "z": z, "allowed": True})
    return pd.DataFrame(found)


def spoken(units):
    units = units[(units["n_sentences"] > 0) & units["polarity_net"].notna() & (units["text_part"] == "body")].copy()
    units["week"] = monday(units["created_at"])
    return units


def told_pairs(questions, site):
    asked = questions[questions["site"] == site]
    this_month = asked["observed_at"].max().tz_convert("UTC").tz_localize(None).to_period("M").to_timestamp()
    months = month(asked["created_at"])
    asked = asked[(months < this_month) & (months >= this_month - pd.DateOffset(months=12))]
    both, single = counted(sorted(set(tags)) for tags in asked["tags"])
    enough = {tag: n for tag, n in single.items() if n >= 10}
    span, total, found = (this_month - pd.DateOffset(months=12), this_month - DAY), len(asked), []
    for (a, b), n in both.items():
        if a in enough and b in enough:
            rarer, commoner = sorted((single[a], single[b]))
            (low, high), chance = wilson(n, rarer), commoner / total
            row = {"subject": f"{a} + {b}", "since": span[0], "until": span[1], "n_now": n, "n_before": rarer}
            row |= {"value_now": n / rarer, "value_before": chance, "effect": n / rarer / chance}
            row |= {"effect_lo": low / chance, "effect_hi": high / chance, "detectable": None}
            z = two_shares(n, rarer, commoner - n, total - rarer) if total > rarer else 0.0
            found.append({**row, "z": z, "tests": len(enough) * (len(enough) - 1) / 2, "allowed": low / chance >= 2})
    return pd.DataFrame(found)
