"""What tests build by hand: API items, raw pages, tasks; and how they read tables back."""

import gzip
import html
import json
from calendar import timegm
from datetime import date, datetime, timezone

from soflow_jobs.lake import partitions_in, read
from soflow_jobs.schemas import PARTITIONS
from soflow_jobs.task import Published, Task, parse_task

SITE = "stackoverflow"
NEEDS = {
    "questions": (["raw.questions"], ["questions", "quarantine", "ingest_audit"]),
    "question_tags": (["questions"], ["question_tags"]),
    "answers": (["raw.answers", "questions"], ["answers", "quarantine", "ingest_audit"]),
    "comments": (["raw.comments"], ["comments", "quarantine", "ingest_audit"]),
    "sentiment": (["questions", "answers", "comments"], ["text_sentiment"]),
    "tag_trends": (["questions"], ["tag_trends_weekly"]),
    "tag_health": (["questions", "answers"], ["tag_health_monthly", "tag_response"]),
    "tag_sentiment": (["text_sentiment", "questions"], ["tag_sentiment_weekly"]),
    "tag_pairs": (["questions"], ["tag_pairs_monthly", "tag_communities"]),
    "findings": (["tag_trends_weekly", "tag_health_monthly", "text_sentiment", "questions"], ["findings"]),
}


def at(text):
    """`2026-01-05` or `2026-01-05 10:00` as an aware UTC time."""
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def epoch(text):
    """The same as epoch seconds, as the API writes times."""
    return timegm(at(text).timetuple())


def day(text):
    """`2026-01-05` as a date."""
    return date.fromisoformat(text)


def question(number=1, created="2026-01-05 10:00", **more):
    """An item of /questions with the fields that are always there."""
    item = {
        "question_id": number,
        "title": "How?",
        "tags": ["java"],
        "score": 0,
        "answer_count": 0,
        "is_answered": False,
        "view_count": 7,
        "creation_date": epoch(created),
        "last_activity_date": epoch(created),
        "owner": {"user_id": 10, "user_type": "registered", "reputation": 5, "display_name": "Ann"},
    }
    return {**item, **more}


def answer(number=100, question_id=1, created="2026-01-05 11:00", user=20, **more):
    """An item of /answers with the fields that are always there."""
    item = {
        "answer_id": number,
        "question_id": question_id,
        "is_accepted": False,
        "score": 0,
        "creation_date": epoch(created),
        "last_activity_date": epoch(created),
        "owner": {"user_id": user, "user_type": "registered"},
    }
    return {**item, **more}


def comment(number=1000, post_id=1, created="2026-01-05 12:00", **more):
    """An item of /comments with the fields that are always there."""
    return {"comment_id": number, "post_id": post_id, "score": 0, "creation_date": epoch(created), **more}


def page(*items, **wrapper):
    """A page's bytes as they lie in the raw bucket."""
    return gzip.compress(json.dumps({"items": list(items), "has_more": False, **wrapper}).encode())


def row(**attributes):
    """A line of a dump's file; values are escaped as its writer does."""
    quoted = (f'{name}="{html.escape(str(value)).replace(chr(10), "&#xA;")}"' for name, value in attributes.items())
    return f"  <row {' '.join(quoted)} />\r\n"


def part(*lines):
    """A part of a dump as it lies in the raw bucket."""
    return gzip.compress("".join(lines).encode())


PART = "{:06d}.xml.gz"  # the name of a part


class TestLake:
    """A lake in a folder. Runs are numbered: each task belongs to `self.run`, and publish() makes its tables live."""

    __test__ = False

    def __init__(self, folder):
        self.folder = folder
        self.number = 1
        self.published: dict[str, list[Published]] = {}
        self.pages: dict[str, list[dict]] = {}

    @property
    def run(self):
        return f"daily.2026-11-22.{self.number}"

    def uri(self, *parts):
        return "file://" + "/".join([str(self.folder), *parts])

    def raw(self, endpoint, *bodies, fetched="2026-11-22T23:59:59Z", name="{:06d}.json.gz", folder=None, **noted):
        """Adds raw pages, each bytes; returns their URIs."""
        objects = self.pages.setdefault(endpoint, [])
        for body in bodies:
            path = self.folder / "raw" / endpoint / f"run={folder or self.number}" / name.format(len(objects) + 1)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            objects.append({"uri": f"file://{path}", "fetched_at": fetched, **noted})
        return [each["uri"] for each in objects]

    def task(self, step, scope="changed", limit=1.0, **more) -> Task:
        """The task soflow would write for this step of the current run."""
        reads, writes = NEEDS[step]
        inputs = {name: self._input(name) for name in reads}
        outputs = {table: self._output(table, step) for table in writes}
        names = {"run": self.run, "job": "daily", "step": step, "date": "2026-11-22", "scope": scope}
        contract = {"scratch": self.uri("scratch", self.run, step), "inputs": inputs, "outputs": outputs}
        parameters = {"parameters": {"site": SITE}, "quarantine_limit": limit}
        return parse_task(json.dumps({"task_version": 1, **names, **contract, **parameters, **more}))

    def _input(self, name):
        if name.startswith("raw."):
            return {"objects": self.pages.get(name[4:], [])}
        live = [
            {"prefix": p.prefix, "partitions": list(p.partitions), "changed": list(p.changed)}
            for p in self.published.get(name, [])
        ]
        return {"published": live, "upstream": self.prefix(name)}

    def _output(self, table, step):
        only = {"endpoint": step, "dt": "2026-11-22"} if table in ("quarantine", "ingest_audit") else {}
        current = [{"prefix": p.prefix, "partitions": list(p.partitions)} for p in self.published.get(table, [])]
        by = [column for column, _ in PARTITIONS[table]]
        return {"prefix": self.prefix(table), "partition_by": by, "only": only, "current": current}

    def prefix(self, table):
        return self.uri("curated", table, f"run={self.run}")

    def written(self, spark, table):
        """The partitions that the current run wrote."""
        return partitions_in(spark, self.prefix(table), table)

    def rows(self, spark, table, *columns, order=None):
        """The rows the current run wrote, as tuples of `columns`, sorted."""
        live = [Published(self.prefix(table), tuple(self.written(spark, table)))]
        found = read(spark, live, table, columns or None).collect()
        return sorted((tuple(row) for row in found), key=order or repr)

    def publish(self, spark):
        """What soflow does when all steps are done: this run's partitions replace those of the same values."""
        for table in PARTITIONS:
            new = self.written(spark, table)
            if new:
                kept = [
                    Published(p.prefix, tuple(x for x in p.partitions if x not in new))
                    for p in self.published.get(table, [])
                ]
                self.published[table] = [*kept, Published(self.prefix(table), tuple(new))]
        self.number += 1
        self.pages = {}
