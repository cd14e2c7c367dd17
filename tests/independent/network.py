"""Communities of tags, as docs/tables.md defines them, on a matrix."""

import hashlib
import math
from statistics import NormalDist

import numpy as np
import pandas as pd
from statistics_of import counted, month, wilson

DAY = pd.Timedelta(days=1)


def tag_communities(tables):
    found = []
    for site, asked in tables["questions"].groupby("site"):
        this_month = asked["observed_at"].max().tz_convert("UTC").tz_localize(None).to_period("M").to_timestamp()
        since, months = this_month - pd.DateOffset(months=12), month(asked["created_at"])
        asked = asked[(months < this_month) & (months >= since)]
        both, single = counted(sorted(set(tags)) for tags in asked["tags"])
        links = {}
        for (a, b), n in sorted(both.items()):
            rarer, commoner = sorted((single[a], single[b]))
            if n >= 10 and wilson(n, rarer)[0] / (commoner / len(asked)) > 1:
                links[a, b] = n
        if links:
            rows = described(links)
            found.append(rows.assign(site=site, since=since, until=this_month - DAY))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def matrix(links):
    tags = sorted({tag for pair in links for tag in pair})
    weights = np.zeros((len(tags), len(tags)), dtype=object)
    for (a, b), n in links.items():
        weights[tags.index(a), tags.index(b)] = weights[tags.index(b), tags.index(a)] = n
    return tags, weights


def described(links):
    tags, weights = matrix(links)
    of = divided(weights)
    degree, same = weights.sum(axis=1), of[:, None] == of[None, :]
    whole = degree.sum()
    chance = np.outer(degree, degree) / whole
    rows = pd.DataFrame({"tag": tags, "of": of, "strength": degree.astype(int), "n_links": (weights > 0).sum(axis=1)})
    rows["inside"] = ((weights * same).sum(axis=1) / degree).astype(float)
    rows["modularity"] = float(((weights - chance) * same).sum() / whole)
    sizes = rows.groupby("of").agg(strength=("strength", "sum"), first=("tag", "min"))
    order = sizes.sort_values(["strength", "first"], ascending=[False, True]).index
    rows["community"] = rows["of"].map({each: number for number, each in enumerate(order, start=1)})
    leaders = (
        rows.sort_values(["strength", "tag"], ascending=[False, True]).drop_duplicates("of").set_index("of")["tag"]
    )
    rows["leader"], rows["n_tags"] = rows["of"].map(leaders), rows.groupby("of")["tag"].transform("size")
    rows["stability"] = rows["of"].map(held(links, {each: set(group["tag"]) for each, group in rows.groupby("of")}))
    return rows.drop(columns="of")


def divided(weights):
    """The number of each node's community."""
    of = np.arange(len(weights))
    while True:
        now = one_level(weights)
        if len(set(now)) == len(now):
            return of
        first = {}
        now = np.array([first.setdefault(each, len(first)) for each in now])
        of = now[of]
        member = (now[:, None] == np.arange(len(first))[None, :]).astype(object)
        weights = member.T @ weights @ member


def one_level(weights):
    degree, of = weights.sum(axis=1), np.arange(len(weights))
    whole, moved = degree.sum(), True
    while moved:
        moved = False
        for i in range(len(weights)):
            others = np.arange(len(weights)) != i
            gains = {}
            for c in sorted({of[i], *of[(weights[i] > 0) & others]}):
                there = (of == c) & others
                gains[c] = whole * weights[i][there].sum() - degree[i] * degree[there].sum()
            best = max(gains.values())
            if gains[of[i]] != best:
                of[i] = next(c for c, gain in gains.items() if gain == best)
                moved = True
    return of


def held(links, groups):
    sums = dict.fromkeys(groups, 0.0)
    for replicate in range(50):
        drawn = {}
        for (a, b), n in links.items():
            h = int.from_bytes(hashlib.sha256(f"{replicate} {a} {b}".encode()).digest()[:6], "big")
            weight = math.floor(n + math.sqrt(n) * NormalDist().inv_cdf((h + 0.5) / 2**48) + 0.5)
            if weight > 0:
                drawn[a, b] = weight
        tags, weights = matrix(drawn)
        of = divided(weights)
        found = [{tag for tag, each in zip(tags, of, strict=True) if each == c} for c in set(of)]
        for each, members in groups.items():
            sums[each] += max(len(members & other) / len(members | other) for other in found)
    return {each: total / 50 for each, total in sums.items()}
