"""Raw pages -> one frame of rows, rejects and page marks. The part of reading raw that runs inside Spark's workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from soflow_jobs.dump import attributes, line_sample, read_part, row_id
from soflow_jobs.dump_records import belongs_to, dump_row, hint
from soflow_jobs.fields import INT64, Reject, shown
from soflow_jobs.nested import items_of
from soflow_jobs.raw import MAX_BYTES, item_sample, page_sample, read_page
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
# a page that cannot be used gives a PAGE line and one REJECT. A HINT has the id of an item, of which another row of
# the same dump tells something: see dump_records.hint.
ROW, REJECT, PAGE, HINT = "row", "reject", "page", "hint"
# Counted in the PAGE line and not in the frame: a row of a dump that is in no table.
OTHER = "other"

BATCH = 2_000  # lines an Arrow batch: a part of a dump has fifty thousand, and a worker more than one part


def combined(table: str) -> Columns:
    """The columns of the combined frame: `kind`, `copy`, two counts of a page, the table's and the quarantine's others.

    `copy` names the reading of a page that the line is from. `n_items` are the page's items of the endpoint,
    `n_others` rows of a dump that are in no table.
    """
    own = TABLES[table] + PARTITIONS[table]
    more = tuple(column for column in QUARANTINE if column[0] not in names(own))
    return (("kind", "string"), ("copy", "string"), ("n_items", "int"), ("n_others", "int"), *own, *more)


def parse_pages(spark: SparkSession, task: Task, endpoint: Endpoint, pages: Iterable[RawObject]) -> DataFrame:
    """The combined frame of these pages. Neither engine hands over an object of zero bytes: it is not in the result.

    Sail divides objects of more than 10 MiB in all by bytes among its threads, and hands one that two threads share to
    both of them, whole: such a page is in the result once for each `copy`.
    """
    by_path = {path_key(page.uri): page for page in pages}
    columns = combined(endpoint.name)
    schema = pa.schema([(name, ARROW[kind]) for name, kind in columns])
    site, run = task.site, task.run

    def parse(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for path, content in zip(batch.column("path"), batch.column("content"), strict=True):
                page = find_page(by_path, path.as_py())
                common = {"site": site, "_run_id": run, "copy": uuid4().hex}
                lines = ({**line, **common} for line in page_lines(endpoint, page, content.as_py(), site))
                while some := list(islice(lines, BATCH)):
                    yield pa.RecordBatch.from_pylist(some, schema)

    read = spark.read.format("binaryFile").load([page.uri for page in by_path.values()])
    return read.select(F.col("path"), F.col("content")).mapInArrow(parse, ddl(columns))


def page_lines(endpoint: Endpoint, page: RawObject, content: bytes, site: str) -> Iterator[dict[str, Any]]:
    """The combined lines of one page, the PAGE line last. Never raises for what a page may hold."""
    origin = {"raw_uri": page.uri, "observed_at": page.fetched_at}
    found: Counter[str] = Counter()
    try:
        for line in dump_lines(endpoint, content, site) if page.is_dump else api_lines(endpoint, content):
            found[line["kind"]] += 1
            if line["kind"] != OTHER:
                yield {**origin, **line}
    except Reject as why:
        yield {**origin, **reject_line(why, page_sample(content))}
    yield {**origin, "kind": PAGE, "n_items": found[ROW] + found[REJECT], "n_others": found[OTHER]}


def api_lines(endpoint: Endpoint, content: bytes) -> Iterator[dict[str, Any]]:
    """A ROW or REJECT line of each of the endpoint's items. Raises Reject for the page, before the first line."""
    for index, item in enumerate(items_of(endpoint.name, read_page(content))):
        yield {**item_line(endpoint, *item), "item_index": index}


def item_line(endpoint: Endpoint, item: Any, why: Reject | None) -> dict[str, Any]:
    """The ROW or REJECT line of one item, which is refused for `why` if it is."""
    try:
        if why:
            raise why
        if not isinstance(item, dict):
            raise Reject("wrong-type", f"the item is {type(item).__name__} {shown(item)}; expected an object")
        return {"kind": ROW, **make_row(endpoint, item)}
    except Reject as cause:
        number = item.get(endpoint.id) if isinstance(item, dict) else None
        known = type(number) is int and 0 < number <= INT64
        return reject_line(cause, item_sample(item)) | {"page_error": False, "item_id": number if known else None}


def dump_lines(endpoint: Endpoint, content: bytes, site: str) -> Iterator[dict[str, Any]]:
    """A ROW or REJECT line of each of the endpoint's rows, HINTs from other posts, and OTHER for what is in no table.

    Raises Reject for the part, before the first line. A row that cannot be read is a REJECT for every endpoint that
    reads the part.
    """
    for index, text in read_part(content):
        found: dict[str, str] = {}
        try:
            found = attributes(text)
            owner = belongs_to(endpoint, found)
            if owner == endpoint.name:
                yield {"kind": ROW, **dump_row(endpoint, found, site), "item_index": index}
            elif owner is None:
                yield {"kind": OTHER}
            elif told := hint(endpoint, found):
                yield {"kind": HINT, endpoint.id: told}
        except Reject as why:
            place = {"page_error": False, "item_index": index, "item_id": row_id(found)}
            yield reject_line(why, line_sample(text)) | place


def reject_line(why: Reject, sample: str) -> dict[str, Any]:
    """The REJECT line of a page."""
    return {"kind": REJECT, "page_error": True, "reason": why.reason, "detail": why.detail, "sample": sample}


def unread_lines(task: Task, pages: Iterable[RawObject]) -> list[dict[str, Any]]:
    """The combined lines of pages the engine did not hand over, or was not asked for."""
    gone = Reject("empty", "the object has no bytes, or was removed since the run was planned")
    large = Reject("page-too-large", f"more than {MAX_BYTES:,} bytes as stored")
    lines: list[dict[str, Any]] = []
    for page in pages:
        why = large if too_large(page) else gone
        origin = {"raw_uri": page.uri, "observed_at": page.fetched_at, "site": task.site, "_run_id": task.run}
        lines.append({**origin, "kind": PAGE, "n_items": 0, "n_others": 0})
        lines.append({**origin, **reject_line(why, "")})
    return lines


def too_large(page: RawObject) -> bool:
    """Whether the object is too large to be read into memory, compressed as it is."""
    return page.about.get("stored_bytes", 0) > MAX_BYTES


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
