"""Registers a view per published table that shows its live partitions and no other file.

A table's rows lie under several run prefixes, and one prefix also holds partitions that a later run has replaced.
"""

import os
import re
from functools import reduce
from urllib.parse import quote, unquote

# Values whose directory name is the value itself, in every engine. See `leaves` for the others.
PLAIN = re.compile(r"[A-Za-z0-9_.-]+")
CANONICAL = {"int": re.compile(r"0|-?[1-9]\d*"), "date": re.compile(r"\d{4}-\d\d-\d\d"), "string": PLAIN}
CANONICAL["bigint"] = CANONICAL["integer"] = CANONICAL["long"] = CANONICAL["int"]
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


class Table:
    def __init__(self, spark, engine, name, described):
        self.spark, self.engine, self.name = spark, engine, name
        self.keys = described["partition_by"]
        self.types = {column["name"]: column["type"] for column in described["schema"]}
        self.parts = described["parts"]

    def register(self):
        """Makes the temporary view. Raises ValueError when a live partition is not there."""
        self.frame().createOrReplaceTempView(self.name)

    def frame(self):
        frames = []
        for part in self.parts:
            self.check(part)
            odd = [partition for partition in part["partitions"] if not self.is_plain(partition["values"])]
            # One directory that Spark cannot list, such as `hour=10:00`, would make it fail for the whole prefix.
            if odd and self.engine == "spark":
                odd = part["partitions"]
            whole = [partition for partition in part["partitions"] if partition not in odd]
            if whole:
                frames.append(self.root(part["prefix"], whole))
            frames += self.leaves(odd)
        return reduce(lambda left, right: left.unionAll(right), frames) if frames else self.empty()

    def empty(self):
        if not self.types:
            raise ValueError(f"`{self.name}` has never had a row, and its step did not say which columns it has")
        return self.spark.createDataFrame([], ddl(self.types))

    def check(self, part):
        """Sail reads a directory that is not there as an empty one; a published partition that is lost is no such."""
        for partition in part["partitions"]:
            path = local(partition["place"])
            if self.keys and path is not None and not os.path.isdir(path):
                where = partition["place"].removeprefix(part["prefix"]).lstrip("/")
                raise ValueError(f"partition {where} of `{self.name}` is missing in {part['prefix']}")

    def is_plain(self, values):
        return all(
            values[key] != HIVE_NULL and bool(CANONICAL.get(self.types[key].lower(), NEVER).fullmatch(values[key]))
            for key in self.keys
        )

    def root(self, prefix, wanted):
        """Returns one read of the whole prefix, filtered: hundreds of partitions, one branch of the union."""
        frame = self.spark.read.schema(ddl(self.types)).parquet(self.uri(prefix))
        frame = frame.selectExpr(*(quoted(name) for name in self.types))
        return frame.where(self.live(wanted)) if self.keys else frame

    def live(self, wanted):
        """Returns the condition that only these partitions meet, short even with a year of days for each of a few."""
        groups = {}
        for partition in wanted:
            *first, last = (partition["values"][key] for key in self.keys)
            groups.setdefault(tuple(first), []).append(last)
        *outer, inner = self.keys
        conditions = []
        for first, lasts in groups.items():
            equal = [f"{quoted(key)} = {self.literal(key, value)}" for key, value in zip(outer, first, strict=True)]
            within = ", ".join(self.literal(inner, value) for value in lasts)
            conditions.append("(" + " and ".join([*equal, f"{quoted(inner)} in ({within})"]) + ")")
        return " or ".join(conditions)

    def leaves(self, wanted):
        """Yields one read per partition, its values put back by hand.

        Each engine decodes the directories that it spells, and not those of the other. Sail looks for `k=x=y` where
        the directory is `k=x%3Dy` as soon as a query says `k = 'x=y'`, and so returns nothing; and it shows a null
        partition as text.
        """
        stored = {name: kind for name, kind in self.types.items() if name not in self.keys}
        for partition in wanted:
            columns = [
                f"{self.literal(name, partition['values'][name])} as {quoted(name)}"
                if name in self.keys
                else quoted(name)
                for name in self.types
            ]
            yield self.spark.read.schema(ddl(stored)).parquet(self.uri(partition["place"])).selectExpr(*columns)

    def uri(self, place):
        """Sail decodes the URI it is given, as URIs are; Spark takes the text behind `file://` as the path."""
        path = local(place)
        if path is None:
            return place
        return "file://" + (quote(path) if self.engine == "sail" else path)

    def literal(self, key, value):
        if value == HIVE_NULL:
            return f"cast(null as {self.types[key]})"
        text = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"cast('{text}' as {self.types[key]})"


NEVER = re.compile(r"(?!)")


def ddl(types):
    return ", ".join(f"{quoted(name)} {kind}" for name, kind in types.items())


def quoted(name):
    return "`" + name.replace("`", "``") + "`"


def local(prefix):
    """Returns the path of a `file:` prefix, which may be spelled as Hadoop does (as it is) or as a URI; else None."""
    if not prefix.startswith("file:"):
        return prefix if prefix.startswith("/") else None
    path = "/" + prefix[len("file:") :].lstrip("/")
    return path if os.path.isdir(path) else unquote(path)
