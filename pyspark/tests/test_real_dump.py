"""A complete dump of a small site through every step; counts made independently of the code. Needs SOFLOW_REAL_DATA."""

import gzip
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
from builders import PART, TestLake
from test_real_data import ON_SAIL, STEPS

LINES = 300  # a part
FILES = {"questions": "Posts", "answers": "Posts", "comments": "Comments"}


@pytest.fixture(scope="module")
def loaded(spark, real_data, tmp_path_factory):
    """The lake after one run over the dump, and its rows' attributes by file."""
    lake, rows = TestLake(tmp_path_factory.mktemp("dump")), {}
    for endpoint, name in FILES.items():
        text = gzip.decompress(Path(f"{real_data}/bicycles-meta-dump/{name}.xml.gz").read_bytes())
        rows[name] = [row.attrib for row in ElementTree.fromstring(text)]
        lines = text.splitlines(keepends=True)[2:-1]
        lake.raw(
            endpoint, *[gzip.compress(b"".join(lines[i : i + LINES])) for i in range(0, len(lines), LINES)], name=PART
        )
    # On Spark what reads the dump: the others, on 190 months, take minutes, and are run on real pages there.
    for step, module in STEPS.items() if ON_SAIL else [item for item in STEPS.items() if item[0] in FILES]:
        module.run(spark, lake.task(step, limit=0.0, parameters={"site": "bicycles.meta"}))
    return lake, rows


def of_type(rows, kind):
    return [row for row in rows["Posts"] if row["PostTypeId"] == kind]


def test_every_row_of_the_dump_is_one_row(spark, loaded):
    lake, rows = loaded
    for table, key, expected in [
        ("questions", "question_id", of_type(rows, "1")),
        ("answers", "answer_id", of_type(rows, "2")),
        ("comments", "comment_id", rows["Comments"]),
    ]:
        found = lake.rows(spark, table, key, "source", "_extra")
        assert found == sorted(((int(row["Id"]), "dump", 0) for row in expected), key=repr)
    assert [len(of_type(rows, "1")), len(of_type(rows, "2")), len(rows["Comments"])] == [453, 971, 2448]


def test_the_audit_counts_the_same(spark, loaded):
    lake, rows = loaded
    found = lake.rows(spark, "ingest_audit", "endpoint", "rows_raw", "distinct_ids", "duplicates", "rows_quarantined")
    assert found == [("answers", 971, 971, 0, 0), ("comments", 2448, 2448, 0, 0), ("questions", 453, 453, 0, 0)]
    pages = dict(lake.rows(spark, "ingest_audit", "endpoint", "pages"))
    parts = {endpoint: -(-len(rows[name]) // LINES) for endpoint, name in FILES.items()}
    assert pages == parts


def test_who_is_answered_and_what_is_accepted(spark, loaded):
    lake, rows = loaded
    accepted = {row["AcceptedAnswerId"] for row in rows["Posts"] if "AcceptedAnswerId" in row}
    upvoted = {row["ParentId"] for row in of_type(rows, "2") if int(row["Score"]) > 0}
    told = Counter(flag for (flag,) in lake.rows(spark, "questions", "is_answered"))
    assert told[True] == sum("AcceptedAnswerId" in row or row["Id"] in upvoted for row in of_type(rows, "1"))
    assert told[True] > len(accepted) > 0 and told[False] > 0
    assert sum(flag for (flag,) in lake.rows(spark, "answers", "is_accepted")) == len(accepted)


def test_the_values_are_those_of_the_dump(spark, loaded):
    lake, rows = loaded
    raw = {int(row["Id"]): row for row in rows["Posts"]}
    columns = ("question_id", "title", "tags", "score", "owner_user_id", "created_at", "content_license", "closed_at")
    for number, title, tags, score, owner, created, licence, closed in lake.rows(spark, "questions", *columns):
        row = raw[number]
        assert (title, licence) == (row["Title"], row["ContentLicense"])
        assert "".join(f"<{tag}>" for tag in tags) == row["Tags"]
        assert (str(score), owner) == (row["Score"], int(row["OwnerUserId"]) if "OwnerUserId" in row else None)
        assert created.isoformat() == row["CreationDate"][:19]
        assert (closed is not None) == ("ClosedDate" in row)


@pytest.mark.skipif(not ON_SAIL, reason="on Spark only the steps that read the dump are run")
def test_the_whole_job_follows(spark, loaded):
    lake, rows = loaded
    units = Counter(kind for (kind,) in lake.rows(spark, "text_sentiment", "unit_type"))
    assert units == {"question": 453, "answer": 971, "comment": 2448}
    weekly = sum(n for (n,) in lake.rows(spark, "tag_trends_weekly", "n_questions"))
    assert weekly == sum(row["Tags"].count("<") for row in of_type(rows, "1"))
    monthly = lake.rows(spark, "tag_health_monthly", "n", "n_cohort")
    assert sum(n for n, _ in monthly) == weekly
    assert lake.written(spark, "quarantine") == []
