"""The task contract: the JSON a step gets, checked and typed. Knows no Spark. See docs/task.md."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from typing import Any

TASK_VERSION = 1
SCOPES = ("all", "changed")
FRACTION = re.compile(r"\.\d+")

Partition = dict[str, str]


class TaskError(ValueError):
    """The task file is not what docs/task.md says. The message names the key."""


@dataclass(frozen=True)
class RawObject:
    """One raw page: where it is, when it was fetched (aware, UTC), and what its ingester noted about it.

    `other_date` is the date it is for, when that is not the task's: its rows are made anew, and nothing else of it.
    """

    uri: str
    fetched_at: datetime
    about: dict[str, int] = field(default_factory=dict)
    other_date: date | None = None

    @property
    def is_dump(self) -> bool:
        """True for rows of a data dump, one XML element a line; any other page is a response of the API."""
        return self.uri.endswith(".xml.gz")


@dataclass(frozen=True)
class Published:
    """A run's directory of a table, of which only `partitions` are live; `changed` is a part of those."""

    prefix: str
    partitions: tuple[Partition, ...]
    changed: tuple[Partition, ...] = ()


@dataclass(frozen=True)
class TableInput:
    """A table as readers see it, and what an earlier step of this run writes to it (or None)."""

    published: tuple[Published, ...]
    upstream: str | None


@dataclass(frozen=True)
class Output:
    """Where a table goes: a prefix with nothing under it, and the partitions to merge with."""

    prefix: str
    partition_by: tuple[str, ...]
    only: Partition
    current: tuple[Published, ...]


@dataclass(frozen=True)
class Task:
    """Everything a step needs to know."""

    run: str
    job: str
    step: str
    date: date
    scope: str
    quarantine_limit: float
    scratch: str
    parameters: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, tuple[RawObject, ...]] = field(default_factory=dict)
    inputs: dict[str, TableInput] = field(default_factory=dict)
    outputs: dict[str, Output] = field(default_factory=dict)

    @property
    def everything(self) -> bool:
        """True when every period of the output is to be computed."""
        return self.scope == "all"

    @property
    def site(self) -> str:
        """The parameter `site`, e.g. `stackoverflow`."""
        site = self.parameters.get("site")
        if not isinstance(site, str) or not site:
            raise TaskError("`parameters.site` must be the site's name, such as `stackoverflow`")
        return site

    def output(self, table: str) -> Output:
        """The output named `table`. Raises TaskError when the job file does not let this step write it."""
        if table not in self.outputs:
            raise TaskError(f"step `{self.step}` writes `{table}`, but the task's `outputs` has no `{table}`")
        return self.outputs[table]

    def input(self, table: str) -> TableInput:
        """The input named `table`. Raises TaskError when the job file does not let this step read it."""
        if table not in self.inputs:
            raise TaskError(f"step `{self.step}` reads `{table}`, but the task's `inputs` has no `{table}`")
        return self.inputs[table]


def parse_task(text: str) -> Task:
    """The task in `text`. Raises TaskError, naming the key, for anything docs/task.md does not allow."""
    try:
        raw = json.loads(text)
    except ValueError as cause:
        raise TaskError(f"the task file is not JSON: {cause}") from cause
    top = _object(raw, "task")
    if top.get("task_version") != TASK_VERSION:
        raise TaskError(f"`task_version` is {top.get('task_version')!r}; this code knows version {TASK_VERSION}")
    inputs = _object(top.get("inputs", {}), "inputs")
    outputs = _object(top.get("outputs", {}), "outputs")
    scope = _text(top, "scope", "task")
    if scope not in SCOPES:
        raise TaskError(f"`scope` is `{scope}`; it must be one of {', '.join(SCOPES)}")
    return Task(
        run=_text(top, "run", "task"),
        job=_text(top, "job", "task"),
        step=_text(top, "step", "task"),
        date=_date(_text(top, "date", "task")),
        scope=scope,
        quarantine_limit=_share(top.get("quarantine_limit", 0.0)),
        scratch=_text(top, "scratch", "task").rstrip("/"),
        parameters=_object(top.get("parameters", {}), "parameters"),
        raw={name[4:]: _raw(value, name) for name, value in inputs.items() if name.startswith("raw.")},
        inputs={name: _input(value, name) for name, value in inputs.items() if not name.startswith("raw.")},
        outputs={name: _output(value, name) for name, value in outputs.items()},
    )


def _raw(value: Any, name: str) -> tuple[RawObject, ...]:
    where = f"inputs.{name}"
    objects = _list(_object(value, where).get("objects", []), f"{where}.objects")
    return tuple(
        RawObject(
            _text(_object(each, where), "uri", where),
            _moment(_text(each, "fetched_at", where), where),
            _numbers(each.get("about", {}), f"{where}.about"),
            _date(_text(each, "date", where)) if "date" in each else None,
        )
        for each in objects
    )


def _input(value: Any, name: str) -> TableInput:
    where = f"inputs.{name}"
    table = _object(value, where)
    upstream = table.get("upstream")
    if upstream is not None and not isinstance(upstream, str):
        raise TaskError(f"`{where}.upstream` must be a URI or null, not {upstream!r}")
    return TableInput(_published(table.get("published", []), f"{where}.published"), upstream and upstream.rstrip("/"))


def _output(value: Any, name: str) -> Output:
    where = f"outputs.{name}"
    table = _object(value, where)
    partition_by = tuple(_list(table.get("partition_by", []), f"{where}.partition_by"))
    only = _partition(table.get("only", {}), f"{where}.only")
    if tuple(only) != partition_by[: len(only)]:
        raise TaskError(f"`{where}.only` must fix the first of {list(partition_by)}, in that order, not {list(only)}")
    current = _published(table.get("current", []), f"{where}.current")
    return Output(_text(table, "prefix", where).rstrip("/"), partition_by, only, current)


def _published(value: Any, where: str) -> tuple[Published, ...]:
    return tuple(
        Published(
            _text(_object(each, where), "prefix", where).rstrip("/"),
            tuple(_partition(p, f"{where}.partitions") for p in _list(each.get("partitions", []), where)),
            tuple(_partition(p, f"{where}.changed") for p in _list(each.get("changed", []), where)),
        )
        for each in _list(value, where)
    )


def _partition(value: Any, where: str) -> Partition:
    """Partition values are text, whatever JSON they are written in: they come from directory names."""
    partition = _object(value, where)
    if any(isinstance(v, bool) or not isinstance(v, str | int) for v in partition.values()):
        raise TaskError(f"`{where}` must map columns to text, not {partition!r}")
    return {str(column): str(v) for column, v in partition.items()}


def _numbers(value: Any, where: str) -> dict[str, int]:
    numbers = _object(value, where)
    if any(type(number) is not int for number in numbers.values()):
        raise TaskError(f"`{where}` must map names to integers, not {numbers!r}")
    return numbers


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TaskError(f"`{where}` must be an object, not {value!r}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise TaskError(f"`{where}` must be a list, not {value!r}")
    return value


def _text(value: dict[str, Any], key: str, where: str) -> str:
    if not isinstance(value.get(key), str) or not value[key]:
        raise TaskError(f"`{where}.{key}` must be text, not {value.get(key)!r}")
    return value[key]


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise TaskError(f"`quarantine_limit` must be a share from 0 to 1, not {value!r}")
    return float(value)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as cause:
        raise TaskError(f"`date` must be yyyy-MM-dd, not `{text}`") from cause


def _moment(text: str, where: str) -> datetime:
    try:
        # Python 3.10 knows no `Z` and only fractions of 3 or 6 digits.
        micros = FRACTION.sub(lambda found: found[0][:7].ljust(7, "0"), text)
        moment = datetime.fromisoformat(micros.replace("Z", "+00:00"))
    except ValueError as cause:
        raise TaskError(f"`{where}.fetched_at` must be like 2026-11-22T23:59:59Z, not `{text}`") from cause
    return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
