"""Which tags belong together: communities in the network of tags that are asked about together more than by chance.

Louvain's method (Blondel et al., Journal of Statistical Mechanics (2008), P10008), in whole numbers and a fixed order,
so that the same network gives the same communities everywhere; docs/tables.md has each rule. Runs in the driver:
what is left of the pairs is a short list, of at most MAX_LINKS.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from hashlib import sha256
from math import floor, sqrt
from statistics import NormalDist

MIN_BOTH = 10  # questions with both tags, to be a link
MAX_LINKS = 50_000  # of a site, those with the most questions: about two seconds a network
REPLICATES = 50

Link = tuple[str, str, int]  # two tags and how many questions have both


def communities(links: Iterable[Link]) -> list[dict]:
    """A dict a tag, by tag: the columns of tag_communities that come from the network of one site."""
    links = sorted(links)
    strength: Counter = Counter()
    n_links: Counter = Counter()
    for one, other, n in links:
        strength.update({one: n, other: n})
        n_links.update((one, other))
    groups = louvain(links)
    inside: Counter = Counter()
    place = {tag: at for at, members in enumerate(groups) for tag in members}
    for one, other, n in links:
        if place[one] == place[other]:
            inside.update({one: n, other: n})
    quality, stable = modularity(groups, strength, inside), stability(links, groups)
    # The most asked about is the first.
    groups_by_size = sorted(
        zip(groups, stable, strict=True), key=lambda each: (-sum(strength[tag] for tag in each[0]), min(each[0]))
    )
    rows = []
    for number, (members, held) in enumerate(groups_by_size, start=1):
        leader = min(members, key=lambda tag: (-strength[tag], tag))
        group = {"community": number, "leader": leader, "n_tags": len(members), "stability": held}
        for tag in members:
            own = {"n_links": n_links[tag], "strength": strength[tag], "inside": inside[tag] / strength[tag]}
            rows.append({"tag": tag, **group, **own, "modularity": quality})
    return sorted(rows, key=lambda row: row["tag"])


def louvain(links: list[Link]) -> list[set[str]]:
    """The communities, each a set of tags, by their first tag."""
    tags = sorted({tag for link in links for tag in link[:2]})
    number = {tag: at for at, tag in enumerate(tags)}
    weights: list[dict[int, int]] = [defaultdict(int) for _ in tags]
    for one, other, n in links:
        weights[number[one]][number[other]] += n
        weights[number[other]][number[one]] += n
    belongs = list(range(len(tags)))
    while True:
        placed = moved(weights)
        if placed == list(range(len(weights))):
            break
        belongs = [placed[at] for at in belongs]
        weights = merged(weights, placed)
    found: dict[int, set[str]] = defaultdict(set)
    for tag, at in zip(tags, belongs, strict=True):
        found[at].add(tag)
    return list(found.values())


def moved(weights: list[dict[int, int]]) -> list[int]:
    """The community of each node after moving single nodes until none gains, numbered by their first node.

    A node goes where modularity gains most; among equals it stays, or takes the community with the lowest number.
    """
    degree = [sum(row.values()) for row in weights]
    whole = sum(degree)
    place, total = list(range(len(weights))), list(degree)
    again = True
    while again:
        again = False
        for node, row in enumerate(weights):
            here = place[node]
            total[here] -= degree[node]
            towards = defaultdict(int, {here: 0})
            for other, weight in row.items():
                if other != node:
                    towards[place[other]] += weight
            # The gain times whole squared over two: whole numbers, of which none is nearly equal.
            gain = {each: whole * weight - degree[node] * total[each] for each, weight in towards.items()}
            best = max(gain.values())
            if gain[here] < best:
                place[node] = min(each for each, value in gain.items() if value == best)
                again = True
            total[place[node]] += degree[node]
    renumbered: dict[int, int] = {}
    return [renumbered.setdefault(each, len(renumbered)) for each in place]


def merged(weights: list[dict[int, int]], place: list[int]) -> list[dict[int, int]]:
    """The network of communities; what is inside of one is its link to itself, counted from both ends."""
    network: list[dict[int, int]] = [defaultdict(int) for _ in range(max(place) + 1)]
    for node, row in enumerate(weights):
        for other, weight in row.items():
            network[place[node]][place[other]] += weight
    return network


def modularity(groups: list[set[str]], strength: Counter, inside: Counter) -> float:
    """The share of links inside communities less what chance would put there; 0 without links.

    Source: Newman, Physical Review E 70 (2004), 056131.
    """
    whole = sum(strength.values())
    parts = ((sum(inside[tag] for tag in each), sum(strength[tag] for tag in each)) for each in groups)
    return sum(whole * within - total * total for within, total in parts) / (whole * whole) if whole else 0.0


def stability(links: list[Link], groups: list[set[str]]) -> list[float]:
    """How much of each community is found again in networks as chance might have given them, 0 to 1.

    The mean over them of the best Jaccard index with any community there. Source: Hennig, Computational Statistics &
    Data Analysis 52 (2007), 258-271: from 0.75 on a group is stable, below 0.6 it is not to be trusted.
    """
    sums = [0.0] * len(groups)
    for replicate in range(REPLICATES):
        drawn = ((one, other, redrawn(replicate, one, other, n)) for one, other, n in links)
        found = louvain([link for link in drawn if link[2] > 0])
        place = {tag: at for at, members in enumerate(found) for tag in members}
        for at, members in enumerate(groups):
            shared = Counter(place[tag] for tag in members if tag in place)
            sums[at] += max((n / (len(members) + len(found[to]) - n) for to, n in shared.items()), default=0.0)
    return [each / REPLICATES for each in sums]


def redrawn(replicate: int, one: str, other: str, n: int) -> int:
    """A count as chance might have given it: of Poisson's spread around n, by the normal value of a hash."""
    digest = sha256(f"{replicate} {one} {other}".encode()).digest()
    share = (int.from_bytes(digest[:6], "big") + 0.5) / 2**48
    return max(0, floor(n + sqrt(n) * NormalDist().inv_cdf(share) + 0.5))
