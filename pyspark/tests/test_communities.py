"""tag_communities: the network, its communities by hand, and their order."""

import random

import pytest
from builders import at, day

from soflow_jobs import communities, tag_pairs

SITE = "stackoverflow"
QUESTION = "site string, question_id bigint, tags array<string>, created_at timestamp, observed_at timestamp"
TRIANGLES = [
    ("a", "b", 20),
    ("a", "c", 20),
    ("b", "c", 20),
    ("d", "e", 30),
    ("d", "f", 30),
    ("e", "f", 30),
    ("c", "d", 1),
]


def test_two_triangles_with_a_bridge_are_two_communities():
    rows = {row["tag"]: row for row in communities.communities(TRIANGLES)}
    told = {tag: (row["community"], row["leader"], row["n_tags"], row["strength"]) for tag, row in rows.items()}
    few, many = {"a": 40, "b": 40, "c": 41}, {"d": 61, "e": 60, "f": 60}
    assert told == {
        **{tag: (2, "c", 3, strength) for tag, strength in few.items()},
        **{tag: (1, "d", 3, strength) for tag, strength in many.items()},
    }
    assert (rows["c"]["n_links"], rows["c"]["inside"], rows["a"]["inside"]) == (3, pytest.approx(40 / 41), 1.0)
    # 302 ends: 120 and 180 inside, 121 and 181 in all.
    quality = (120 + 180) / 302 - (121 / 302) ** 2 - (181 / 302) ** 2
    assert rows["a"]["modularity"] == rows["f"]["modularity"] == pytest.approx(quality)
    assert {row["stability"] for row in rows.values()} == {1.0}


def test_the_order_of_the_links_changes_nothing():
    chance = random.Random(1)
    links = sorted({tuple(sorted(chance.sample("abcdefghijklmnop", 2))) for _ in range(60)})
    links = [(*link, chance.randint(10, 30)) for link in links]
    found = communities.communities(links)
    for _ in range(3):
        chance.shuffle(links)
        assert communities.communities(links) == found
    assert min(row["stability"] for row in found) < 0.75, "of links by chance no community is stable"


def test_a_ring_of_cliques_is_found():
    """Thirty cliques of five tags; the best division has pairs of them (Fortunato and Barthélemy 2007)."""
    tags = [[f"{clique:02}{at}" for at in range(5)] for clique in range(30)]
    links = [(one, other, 10) for group in tags for one in group for other in group if one < other]
    links += [tuple(sorted((tags[at][0], tags[at - 1][1]))) + (10,) for at in range(30)]
    groups = communities.louvain(links)
    assert all(set(group) <= members or not set(group) & members for group in tags for members in groups)
    # Single cliques have 0.876, pairs of neighbours 0.888.
    ends = sum(2 * n for *_, n in links)
    inside = sum(2 * n for one, other, n in links for members in groups if {one, other} <= members)
    shares = [sum(n for *pair, n in links for tag in pair if tag in members) / ends for members in groups]
    assert inside / ends - sum(share * share for share in shares) > 0.876


def test_nothing_gives_nothing():
    assert communities.communities([]) == []


def test_a_redrawn_count_has_the_spread_of_a_count():
    drawn = [communities.redrawn(replicate, "c#", "标签", 100) for replicate in range(2000)]
    mean = sum(drawn) / 2000
    assert abs(mean - 100) < 1
    assert abs(sum((each - mean) ** 2 for each in drawn) / 1999 - 100) < 12
    assert communities.redrawn(0, "c#", "标签", 100) == drawn[0]


def test_links_are_pairs_of_the_year_that_are_more_than_chance(spark):
    groups = [(["c#", "标签"], 12), (["c#", "one's"], 9), (["x", "y"], 10), (["x"], 90), (["y"], 90), (["z"], 50)]
    rows = []
    for tags, count in groups:
        rows += [(SITE, len(rows) + n, tags, at("2026-01-06"), at("2026-03-15")) for n in range(count)]
    rows += [(SITE, len(rows) + n, ["z", "c#"], at("2026-03-02"), at("2026-03-15")) for n in range(99)]
    found = tag_pairs.tag_communities(spark, spark.createDataFrame(rows, QUESTION)).collect()
    # x and y are together on 10 of 261 questions, less often than by chance.
    assert [(row["tag"], row["strength"], row["community"], row["leader"]) for row in found] == [
        ("c#", 12, 1, "c#"),
        ("标签", 12, 1, "c#"),
    ]
    assert {(row["since"], row["until"]) for row in found} == {(day("2025-03-01"), day("2026-02-28"))}
    assert tag_pairs.tag_communities(spark, spark.createDataFrame([], QUESTION)).collect() == []
