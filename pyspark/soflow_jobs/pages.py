"""Raw pages -> one frame of rows, rejects and page marks. The part of reading raw that runs inside Spark's workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from soflow_jobs.fields import INT64, Reject, shown
from soflow_jobs.nested import items_of
from soflow_jobs.raw import item_sample, page_sample, read_page
from soflow_jobs.records import Endpoint, make_row
from soflow_jobs.schemas import PARTITIONS, QUARANTINE, TABLES, Columns, ddl, names
from soflow_jobs.task import RawObject, Task

ARROW = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "array<string>": pa.list_(pa.string()),
}

# What a line of the combined frame is. Every page gives one PAGE line and, for each item, a ROW or a REJECT;
# a page that cannot be used gives a PAGE line and one REJECT.
ROW, REJECT, PAGE = "row", "reject", "page"


def combined(table: str) -> Columns:
    """The columns of the combined frame: `kind`, `n_items` (of a page), the table's, and the quarantine's others."""
    own = TABLES[table] + PARTITIONS[table]
    more = tuple(column for column in QUARANTINE if column[0] not in names(own))
    return (("kind", "string"), ("n_items", "int"), *own, *more)


def parse_pages(spark: SparkSession, task: Task, endpoint: Endpoint, pages: Iterable[RawObject]) -> DataFrame:
    """The combined frame of these pages. Neither engine hands over an object of zero bytes: it is not in the result."""
    by_path = {path_key(page.uri): page for page in pages}
    columns = combined(endpoint.name)
    schema = pa.schema([(name, ARROW[kind]) for name, kind in columns])
    site, run = task.site, task.run

    def parse(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for path, content in zip(batch.column("path"), batch.column("content"), strict=True):
                page = find_page(by_path, path.as_py())
                lines = page_lines(endpoint, page, content.as_py())
                yield pa.RecordBatch.from_pylist([{**line, "site": site, "_run_id": run} for line in lines], schema)

    read = spark.read.format("binaryFile").load([page.uri for page in by_path.values()])
    return read.select(F.col("path"), F.col("content")).mapInArrow(parse, ddl(columns))


def page_lines(endpoint: Endpoint, page: RawObject, content: bytes) -> list[dict[str, Any]]:
    """The combined lines of one page. Never raises for what a page may hold."""
    origin = {"raw_uri": page.uri, "observed_at": page.fetched_at}
    try:
        items = items_of(endpoint.name, read_page(content))
    except Reject as why:
        sample = page_sample(content)
        return [
            {**origin, "kind": PAGE, "n_items": 0},
            {**origin, "kind": REJECT, "page_error": True, **_why(why), "sample": sample},
        ]
    lines = [{**origin, "kind": PAGE, "n_items": len(items)}]
    lines += [{**origin, **item_line(endpoint, *item), "item_index": index} for index, item in enumerate(items)]
    return lines


def item_line(endpoint: Endpoint, item: Any, why: Reject | None) -> dict[str, Any]:
    """The ROW or REJECT line of one item, which is refused for `why` if it is."""
    try:
        if why:
            raise why
        if not isinstance(item, dict):
            raise Reject("wrong-type", f"the item is {type(item).__name__} {shown(item)}; expected an object")
        return {"kind": ROW, **make_row(endpoint, item)}
    except Reject as why:
        number = item.get(endpoint.id) if isinstance(item, dict) else None
        known = type(number) is int and 0 < number <= INT64
        return {
            "kind": REJECT,
            "page_error": False,
            "item_id": number if known else None,
            **_why(why),
            "sample": item_sample(item),
        }


def unread_lines(task: Task, pages: Iterable[RawObject]) -> list[dict[str, Any]]:
    """The combined lines of pages the engine did not hand over."""
    why = Reject("empty", "the object has no bytes, or was removed since the run was planned")
    lines: list[dict[str, Any]] = []
    for page in pages:
        origin = {"raw_uri": page.uri, "observed_at": page.fetched_at, "site": task.site, "_run_id": task.run}
        lines.append({**origin, "kind": PAGE, "n_items": 0})
        lines.append({**origin, "kind": REJECT, "page_error": True, **_why(why), "sample": ""})
    return lines


def path_key(uri: str) -> str:
    """What is the same in the task's URI and in the path an engine reports: Spark `file:/a/b`, Sail `a/b`."""
    scheme, colon, rest = uri.partition(":")
    return unquote(rest if colon and "/" not in scheme else uri).lstrip("/")


def find_page(by_path: dict[str, RawObject], path: str) -> RawObject:
    """The page the engine read from `path`. Raises LookupError for one that is not in the task."""
    key = path_key(path)
    if key in by_path:
        return by_path[key]
    # On an object store Sail's path starts after the bucket.
    matches = [page for known, page in by_path.items() if known.endswith("/" + key)]
    if len(matches) != 1:
        raise LookupError(f"the engine read `{path}`, which matches {len(matches)} of the task's raw objects")
    return matches[0]


def _why(why: Reject) -> dict[str, str]:
    return {"reason": why.reason, "detail": why.detail}
