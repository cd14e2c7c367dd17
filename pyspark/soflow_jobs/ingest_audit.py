"""What a base step found in raw: one row of `ingest_audit` for each run folder whose pages it read.

Counted from the lines that the pages were parsed into, so it is what the table got and not what an ingester meant to
give. Only what a page cannot tell, quota and watermarks, comes from the task.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from itertools import pairwise

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from soflow_jobs.fields import LATEST
from soflow_jobs.pages import PAGE, REJECT, ROW
from soflow_jobs.records import Endpoint
from soflow_jobs.schemas import ddl
from soflow_jobs.task import RawObject, Task

TABLE = "ingest_audit"
# `.../run=pages-0123456789ab/000001.json.gz`
FOLDER = r"run=([^/]+)/[^/]*$"
# How the names of run folders begin, by what put the pages there.
SOURCES = ("api", "dump", "pages", "sample")

# What does not come from the lines.
NOTED = (
    ("raw_run", "string"),
    ("source", "string"),
    ("bytes", "bigint"),
    ("quota_used", "bigint"),
    ("watermark_before", "timestamp"),
    ("watermark_after", "timestamp"),
)


def audit(spark: SparkSession, task: Task, endpoint: Endpoint, lines: DataFrame) -> DataFrame:
    """The rows of this step's partition; none when there were no pages."""
    folders: dict[str, list[RawObject]] = {}
    own = (page for page in task.raw.get(endpoint.name, ()) if not page.other_date)
    for page in sorted(own, key=lambda page: (page.fetched_at, page.uri)):
        folders.setdefault(folder_of(page.uri), []).append(page)
    told = [(name, source_of(name), *noted(pages)) for name, pages in folders.items()]
    frame = counted(lines, endpoint).join(spark.createDataFrame(told, ddl(NOTED)), on="raw_run")
    return frame.withColumns({"site": F.lit(task.site), "_run_id": F.lit(task.run)})


def counted(lines: DataFrame, endpoint: Endpoint) -> DataFrame:
    """What the lines of each run folder tell."""
    is_page, is_row, is_reject = (F.col("kind") == kind for kind in (PAGE, ROW, REJECT))
    page_error = F.col("page_error")
    ids = F.countDistinct(F.when(is_row, F.col(endpoint.id)))

    def count(condition: Column) -> Column:
        return F.sum(F.when(condition, 1).otherwise(0))

    return lines.groupBy(F.regexp_extract("raw_uri", FOLDER, 1).alias("raw_run")).agg(
        count(is_page).alias("pages"),
        count(is_reject & page_error).alias("pages_quarantined"),
        F.sum("n_items").alias("rows_raw"),
        count(is_reject & ~page_error).alias("rows_quarantined"),
        ids.alias("distinct_ids"),
        (count(is_row) - ids).alias("duplicates"),
        F.sum(F.when(is_row, F.col("_extra")).otherwise(0)).alias("unknown_fields"),
        F.min(F.when(is_row, F.col("created_at"))).alias("created_min"),
        F.max(F.when(is_row, F.col("created_at"))).alias("created_max"),
        F.min("observed_at").alias("fetched_first"),
        F.max("observed_at").alias("fetched_last"),
    )


def noted(pages: list[RawObject]) -> tuple[int | None, int | None, datetime | None, datetime | None]:
    """Bytes, quota_used and both watermarks of one folder, whose pages are in the order fetched; None: not noted."""
    sizes, remaining, before, after = (
        [page.about[key] for page in pages if key in page.about]
        for key in ("bytes", "quota_remaining", "watermark_before", "watermark_after")
    )
    whole = sum(sizes) if len(sizes) == len(pages) else None
    return whole, quota_used(remaining), moment(min(before, default=None)), moment(max(after, default=None))


def quota_used(remaining: list[int]) -> int | None:
    """By how much the quota fell from page to page, and one for the first page; None when no page tells.

    Where it rises a new day has begun. What else used the same key meanwhile is counted too: the API tells no more.
    """
    return 1 + sum(max(0, earlier - later) for earlier, later in pairwise(remaining)) if remaining else None


def moment(seconds: int | None) -> datetime | None:
    """Epoch seconds as an aware UTC time; None for what no reading of a site can have come to."""
    known = seconds is not None and 0 <= seconds <= LATEST
    return datetime.fromtimestamp(seconds, timezone.utc) if known else None


def folder_of(uri: str) -> str:
    """The name of the page's run folder."""
    found = re.search(FOLDER, uri)
    return found[1] if found else ""


def source_of(folder: str) -> str | None:
    """What put the pages there; None for a folder that none of our ingesters made."""
    first = folder.partition("-")[0]
    return first if first in SOURCES else None
