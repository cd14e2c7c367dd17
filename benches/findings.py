"""How often `findings` tells of something that is chance, and how often it sees what is there.

    soflow engine python -- benches/findings.py            prints the tables of docs/findings.md; some minutes

Made-up sites, each as one run would see it, all in one frame: first without any true change, then with one. Random
numbers with a seed, so the figures come out again.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from pysail.spark import SparkConnectServer
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "pyspark"))

from soflow_jobs import findings, tag_trends  # noqa: E402

SITES = 400
WEEKS = 104
FIRST = pd.Timestamp("2024-01-01")
TAGS = np.geomspace(0.004, 0.1, 40)  # shares of the site's questions
ASKED = 400  # questions of a site a week
SCRATCH = tempfile.TemporaryDirectory(prefix="soflow-findings-")


def main() -> None:
    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    spark = SparkSession.builder.remote("sc://{}:{}".format(*server.listening_address)).getOrCreate()
    chance = np.random.default_rng(2026)
    print(f"Of {SITES} made-up sites without a true change so many had a finding:\n")
    print("| kind | sites | share |\n|---|---|---|")
    told = {
        "trend": trends(spark, chance),
        "emerging": emerging(spark, chance),
        "season": seasons(spark, chance),
        "answered": answered(spark, chance, 0.6),
        "mood": moods(spark, chance),
        "pair": pairs(spark, chance),
    }
    for kind, found in told.items():
        sites = set(found["site"])
        print(f"| {kind} | {len(sites)} | {100 * len(sites) / SITES:.1f} % |")
    anything = set().union(*(set(found["site"]) for found in told.values()))
    print(f"| any | {len(anything)} | {100 * len(anything) / SITES:.1f} % |")
    print("\nOf as many sites the one tag that was changed was found:\n\n| what changed | found |\n|---|---|")
    for weeks in (4, 8):
        found = trends(spark, chance, doubled=weeks)
        share = 100 * len(found[found["subject"] == "t0"]) / SITES
        print(f"| share doubled {weeks} weeks ago, from 40 to 80 questions a week | {share:.0f} % |")
    found = emerging(spark, chance, 2.0)
    share = 100 * len(found[found["subject"] == "t0"]) / SITES
    print(f"| share doubled 12 weeks ago, from 5 to 10 questions a week: emerging | {share:.0f} % |")
    found = seasons(spark, chance, 2.0)
    share = 100 * len(found[found["subject"] == "t0"]) / SITES
    print(f"| share doubled in the newest week, from 40 to 80 questions: season | {share:.0f} % |")
    found = answered(spark, chance, 0.4)
    share = 100 * len(found[found["subject"] == "t0"]) / SITES
    print(f"| answered within 24 hours from 60 to 40 %, 150 questions on each side | {share:.0f} % |")


def load(spark, told: pd.DataFrame, schema: str):
    """The rows as a frame; they are too many for one message to the engine."""
    folder = Path(tempfile.mkdtemp(dir=SCRATCH.name))
    told.to_parquet(folder / "rows.parquet", coerce_timestamps="us", allow_truncated_timestamps=True)
    return spark.read.schema(schema).parquet(f"file://{folder}")


def standing_out(frame) -> pd.DataFrame:
    return frame.where("stands_out").select("site", "subject").toPandas()


def trends(spark, chance, doubled: int = 0) -> pd.DataFrame:
    """Weekly counts; `doubled`: the share of the first tag is twice as much in the last so many weeks."""
    shares = np.tile(TAGS, (WEEKS, 1))
    if doubled:
        shares[:, 0] = 40 / ASKED
        shares[WEEKS - doubled :, 0] *= 2
    counts = chance.binomial(ASKED, shares, size=(SITES, WEEKS, len(TAGS)))
    site, week, tag = np.nonzero(counts)
    monday = (FIRST + pd.to_timedelta(7 * week, unit="D")).date
    told = pd.DataFrame(
        {"site": site.astype(str), "week": monday, "tag": [f"t{n}" for n in tag], "n": counts[site, week, tag]}
    )
    numbered = (F.datediff("week", F.lit(tag_trends.FIRST_MONDAY)) / 7).cast("int")
    weekly = load(spark, told, "site string, week date, tag string, n bigint").withColumn("number", numbered)
    totals = weekly.select("site", "week", "number").distinct().withColumn("n", F.lit(ASKED).cast("bigint"))
    seen = totals.groupBy("site").agg(F.date_add(F.max("week"), 7).cast("timestamp").alias("seen_until"))
    return standing_out(findings.trend_findings(tag_trends.trends_of(weekly, totals, seen, None)))


def emerging(spark, chance, now: float = 1.0) -> pd.DataFrame:
    """100 questions a week with one of 20 tags, for 64 weeks; the first has `now` times its share in the last 12."""
    weeks = np.arange(64)
    rest = TAGS[::2] / TAGS[::2].sum() * 0.95
    told = []
    for newer, held in ((False, weeks[:52]), (True, weeks[52:])):
        first = 0.05 * (now if newer else 1.0)
        shares = np.concatenate([[first], rest * (1 - first) / 0.95])
        size = (SITES, len(held), 100)
        site, week, _ = (axis.ravel() for axis in np.indices(size))
        tags = chance.choice(len(shares), p=shares, size=len(site))
        told.append(pd.DataFrame({"site": site.astype(str), "tag": tags, "week": held[week]}))
    rows = pd.concat(told, ignore_index=True)
    created = (FIRST + pd.to_timedelta(7 * rows["week"], unit="D")).dt.tz_localize("UTC")
    rows = rows.assign(question_id=rows.index, created_at=created, owner_user_id=rows.index % 1000)
    rows["tags"] = [[f"t{tag}"] for tag in rows["tag"]]
    schema = "site string, question_id bigint, tags array<string>, created_at timestamp, owner_user_id bigint"
    questions = load(spark, rows.drop(columns=["tag", "week"]), schema)
    last = (FIRST + pd.Timedelta(days=7 * 63)).date()
    newest = questions.select("site").distinct().selectExpr("site", f"date '{last}' as week_start", "false as partial")
    return standing_out(findings.emerging_findings(questions, newest))


def seasons(spark, chance, now: float = 1.0) -> pd.DataFrame:
    """The weeks of a season; shares go up and down by a fifth, and the first tag's newest is `now` times as much."""
    back = np.array([0, *findings.SEASON])
    shares = TAGS * np.exp(chance.normal(0, 0.2, size=(SITES, len(back), len(TAGS))))
    shares[:, :, 0] *= 40 / ASKED / TAGS[0]
    shares[:, 0, 0] *= now
    counts = chance.binomial(ASKED, np.minimum(shares, 1.0))
    site, week, tag = np.nonzero(counts)
    monday = (FIRST - pd.to_timedelta(7 * back[week], unit="D")).date
    told = pd.DataFrame({"site": site.astype(str), "week_start": monday, "tag": [f"t{n}" for n in tag]})
    told = told.assign(n_questions=counts[site, week, tag], site_questions=ASKED, partial=False)
    schema = "site string, week_start date, tag string, n_questions bigint, site_questions bigint, partial boolean"
    return standing_out(findings.season_findings(load(spark, told, schema)))


def answered(spark, chance, now: float) -> pd.DataFrame:
    """Rates of two half-years; of the first tag the share answered is `now` in the second one."""
    rows = []
    for site in range(SITES):
        for tag in range(40):
            asked = 150 if tag == 0 else int(chance.integers(25, 300))
            for month, rate in (("2025-10-01", 0.6), ("2026-04-01", now if tag == 0 else 0.6)):
                share = float(chance.binomial(asked, rate) / asked)
                rows.append((str(site), pd.Timestamp(month).date(), f"t{tag}", asked, share, True))
        rows.append((str(site), pd.Timestamp("2026-06-01").date(), "newest", 1, 1.0, True))
    schema = "site string, month date, tag string, n_cohort bigint, answered_24h double, mature boolean"
    told = pd.DataFrame(rows, columns=["site", "month", "tag", "n_cohort", "answered_24h", "mature"])
    return standing_out(findings.answered_findings(load(spark, told, schema)))


def moods(spark, chance) -> pd.DataFrame:
    """Twenty tags of forty questions with three texts each, which have much of their mood from the question."""
    site, tag, thread, _ = (axis.ravel() for axis in np.indices((SITES, 20, 40, 3)))
    question = (site * 20 + tag) * 40 + thread
    polarity = np.clip(chance.normal(0, 0.3, SITES * 800)[question] + chance.normal(0, 0.3, len(site)), -1, 1)
    week = (pd.Timestamp("2025-07-07") + pd.to_timedelta(7 * (thread % 50), unit="D")).tz_localize("UTC")
    told = {"site": site.astype(str), "question_id": question, "unit_type": "answer", "created_at": week}
    told = pd.DataFrame({**told, "text_part": "body", "n_sentences": np.int32(1), "polarity_net": polarity})
    schema = (
        "site string, question_id bigint, unit_type string, created_at timestamp, text_part string, n_sentences int"
    )
    units = load(spark, told, f"{schema}, polarity_net double")
    number = np.arange(SITES * 800)
    tags = [[f"t{n}"] for n in number // 40 % 20]
    asked = pd.DataFrame({"site": (number // 800).astype(str), "question_id": number, "tags": tags})
    questions = load(spark, asked, "site string, question_id bigint, tags array<string>")
    newest = units.select("site").distinct().selectExpr("site", "date '2026-06-29' as week_start", "false as partial")
    return standing_out(findings.mood_findings(units, questions, newest))


def pairs(spark, chance) -> pd.DataFrame:
    """A thousand questions with one of ten tags and, apart from that, one of ten others."""
    rows = SITES * 1000
    tags = np.stack([chance.integers(0, 10, rows), 10 + chance.integers(0, 10, rows)], axis=1)
    asked = {"site": (np.arange(rows) // 1000).astype(str), "question_id": np.arange(rows)}
    frame = pd.DataFrame({**asked, "tags": [[f"t{one}", f"t{other}"] for one, other in tags]})
    questions = load(spark, frame, "site string, question_id bigint, tags array<string>")
    questions = questions.selectExpr(
        "*", "timestamp '2026-01-06' as created_at", "timestamp '2026-03-01' as observed_at"
    )
    return standing_out(findings.pair_findings(questions))


if __name__ == "__main__":
    main()
