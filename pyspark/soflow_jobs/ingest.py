"""What the base steps share: raw pages -> typed rows, quarantine and its limit, the newest version of each id."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from soflow_jobs.dump_records import FORMS
from soflow_jobs.ingest_audit import TABLE, audit
from soflow_jobs.lake import Lake, empty, say
from soflow_jobs.pages import HINT, PAGE, REJECT, ROW, combined, parse_pages, too_large, unread_lines
from soflow_jobs.records import Endpoint
from soflow_jobs.schemas import ddl, names
from soflow_jobs.task import Task


class QuarantineLimitError(RuntimeError):
    """More of the raw pages or items than `quarantine_limit` allows could not be used."""


def ingest(spark: SparkSession, task: Task, lake: Lake, endpoint: Endpoint) -> DataFrame:
    """The typed rows of the task's raw pages: all versions, with `raw_uri` and `item_index`.

    Parses once, into scratch. Writes the quarantine and the audit of the task's own date; raises QuarantineLimitError
    before any of that.
    """
    lines = stage(spark, task, endpoint)
    own = of_own_date(spark, task, endpoint, lines)
    rejects = own.where(F.col("kind") == REJECT)
    pages, items, others = count_input(own)
    counts = count_rejects(rejects)
    quarantined = sum(count for _, _, count, _ in counts)
    say(pages=pages, rows_read=items, quarantined=quarantined, **({"ignored": others} if others else {}))
    check_limit(task, endpoint, counts, pages, items)
    if quarantined:
        lake.write("quarantine", rejects)
    # A job of another's that uses the base steps need not have the table.
    if pages and TABLE in task.outputs:
        lake.write(TABLE, audit(spark, task, endpoint, own))
    rows = lines.where(F.col("kind") == ROW)
    told = FORMS[endpoint.name].told
    from_dump = any(page.is_dump for page in task.raw.get(endpoint.name, ()))
    return with_hints(rows, lines.where(F.col("kind") == HINT), endpoint.id, told) if told and from_dump else rows


def of_own_date(spark: SparkSession, task: Task, endpoint: Endpoint, lines: DataFrame) -> DataFrame:
    """The lines without those of other dates' pages: what was wrong with them is in those dates' partitions."""
    others = [(page.uri,) for page in task.raw.get(endpoint.name, ()) if page.other_date]
    if not others:
        return lines
    return lines.join(spark.createDataFrame(others, "raw_uri string"), on="raw_uri", how="left_anti")


def with_hints(rows: DataFrame, hints: DataFrame, key: str, told: str) -> DataFrame:
    """The rows, `told` true also for those that a hint of the same run folder is about: a dump is in one folder."""
    folder = F.regexp_replace("raw_uri", "[^/]*$", "").alias("_folder")
    known = hints.select(folder, key).distinct().withColumn("_known", F.lit(True))
    joined = rows.select("*", folder).join(known, on=["_folder", key], how="left")
    true = F.col(told) | F.coalesce(F.col("_known"), F.lit(False))
    return joined.withColumn(told, true).select(*rows.columns)


def stage(spark: SparkSession, task: Task, endpoint: Endpoint) -> DataFrame:
    """The combined lines of every page of the task, each page exactly once, from scratch."""
    columns = combined(endpoint.name)
    pages = {page.uri: page for page in task.raw.get(endpoint.name, ())}
    lines, read = empty(spark, columns), {}
    if readable := [page for page in pages.values() if not too_large(page)]:
        parsed = f"{task.scratch}/parsed"
        parse_pages(spark, task, endpoint, readable).write.option("compression", "zstd").parquet(parsed)
        lines = spark.read.schema(ddl(columns)).parquet(parsed)
        # Written above and not parsed anew by what follows, so a copy stays the same copy.
        copies = [tuple(row) for row in lines.where(F.col("kind") == PAGE).select("raw_uri", "copy").collect()]
        read = dict(sorted(copies))
        twice = [copy for uri, copy in copies if copy != read[uri]]
        if twice:
            lines = lines.where(~F.col("copy").isin(twice))
    unread = unread_lines(task, [page for uri, page in pages.items() if uri not in read])
    if not unread:
        return lines
    order = names(columns)
    others = spark.createDataFrame([tuple(line.get(name) for name in order) for line in unread], ddl(columns))
    return lines.unionByName(others) if read else others


def count_input(lines: DataFrame) -> tuple[int, int, int]:
    """How many pages, how many items of the endpoint in them, and how many rows of a dump that are in no table."""
    sums = (F.sum(name) for name in ("n_items", "n_others"))
    pages, items, others = lines.where(F.col("kind") == PAGE).agg(F.count("*"), *sums).collect()[0]
    return pages, items or 0, others or 0


def count_rejects(rejects: DataFrame) -> list[tuple[bool, str, int, str]]:
    """(page_error, reason, count, first raw URI) a line, most frequent first."""
    grouped = rejects.groupBy("page_error", "reason").agg(F.count("*").alias("n"), F.min("raw_uri").alias("uri"))
    found = [(row["page_error"], row["reason"], row["n"], row["uri"]) for row in grouped.collect()]
    return sorted(found, key=lambda each: (-each[2], each[1]))


def check_limit(
    task: Task, endpoint: Endpoint, counts: list[tuple[bool, str, int, str]], pages: int, items: int
) -> None:
    """Raises QuarantineLimitError when the share of unusable pages, or of unusable items, is above the limit."""
    for page_error, what, total in ((True, "pages", pages), (False, "rows", items)):
        found = [each for each in counts if each[0] is page_error]
        rejected = sum(count for _, _, count, _ in found)
        if not total or rejected / total <= task.quarantine_limit:
            continue
        reasons = ", ".join(
            f"{count}x {reason} ({uri.rsplit('/', 1)[-1]}{', ...' if count > 1 else ''})"
            for _, reason, count, uri in found
        )
        raise QuarantineLimitError(
            f"{rejected:,} of {total:,} {what} ({rejected / total * 100:.1f} %) of raw.{endpoint.name} were "
            f"quarantined, above the limit of {task.quarantine_limit * 100:.4g} %: {reasons}; raise "
            f"`quarantine-limit` in the job file or mend raw"
        )


def newest(versions: DataFrame, key: str) -> DataFrame:
    """One row for each (site, key): the version observed last, then the one changed last.

    `versions` has `raw_uri` and `item_index`, null for rows already in the table: of equal versions the one from the
    raw pages stays, and of several there the last by URI and place, so the result does not depend on row order.
    """
    changed = [name for name in ("last_activity_at", "last_edit_at") if name in versions.columns]
    order = [F.col(name).desc_nulls_last() for name in ("observed_at", *changed, "raw_uri", "item_index")]
    ranked = versions.withColumn("_version", F.row_number().over(Window.partitionBy("site", key).orderBy(*order)))
    return ranked.where(F.col("_version") == 1).drop("_version")


def merge(lake: Lake, endpoint: Endpoint, incoming: DataFrame, months: list[str]) -> DataFrame:
    """The complete partitions of these months: the table as it is, with the incoming rows in."""
    current = lake.current(endpoint.name, keep=lambda partition: partition["created_month"] in months)
    placed = current.withColumn("raw_uri", F.lit(None).cast("string"))
    placed = placed.withColumn("item_index", F.lit(None).cast("int"))
    return newest(incoming.select(*placed.columns).unionByName(placed), endpoint.id)


def months_of(frame: DataFrame) -> list[str]:
    """The distinct created_month values, sorted."""
    return sorted(row[0] for row in frame.select("created_month").distinct().collect())


def run_base(spark: SparkSession, task: Task, endpoint: Endpoint) -> None:
    """A whole base step whose rows depend on nothing but their own pages."""
    lake = Lake(spark, task)
    incoming = ingest(spark, task, lake, endpoint)
    months = months_of(incoming)
    if months:
        lake.write(endpoint.name, merge(lake, endpoint, incoming, months))
