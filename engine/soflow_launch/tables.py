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
# Source: Spark's ExternalCatalogUtils.charToEscape, which is Hive's.
ESCAPED = set("\"#%'*/:=?\\\x7f{[]^") | {chr(code) for code in range(1, 32)}


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
            wanted = [tuple(values[key] for key in self.keys) for values in part["partitions"]]
            self.check(part["prefix"], wanted)
            plain = [values for values in wanted if self.is_plain(values)]
            if plain or not self.keys:
                frames.append(self.root(part["prefix"], plain))
            frames += self.leaves(part["prefix"], [values for values in wanted if values not in set(plain)])
        return reduce(lambda left, right: left.unionAll(right), frames) if frames else self.empty()

    def empty(self):
        return self.spark.createDataFrame([], ddl(self.types))

    def check(self, prefix, wanted):
        """Sail reads a directory that is not there as an empty one; a published partition that is lost is no such."""
        root = local(prefix)
        for values in wanted if root else []:
            path = os.path.join(root, *self.directories(values))
            if not os.path.isdir(path):
                raise ValueError(
                    f"partition {'/'.join(self.directories(values))} of `{self.name}` is missing in {prefix}"
                )

    def is_plain(self, values):
        return all(
            value not in (None, HIVE_NULL) and bool(CANONICAL.get(self.types[key].lower(), NEVER).fullmatch(value))
            for key, value in zip(self.keys, values, strict=True)
        )

    def root(self, prefix, wanted):
        """Returns one read of the whole prefix, filtered: hundreds of partitions, one branch of the union."""
        frame = self.spark.read.schema(ddl(self.types)).parquet(self.uri(prefix))
        frame = frame.selectExpr(*(quoted(name) for name in self.types))
        return frame.where(self.live(wanted)) if self.keys else frame

    def live(self, wanted):
        """Returns the condition that only these partitions meet, short even with a year of days for each of a few."""
        groups = {}
        for *first, last in wanted:
            groups.setdefault(tuple(first), []).append(last)
        *outer, inner = self.keys
        conditions = []
        for first, lasts in groups.items():
            equal = [f"{quoted(key)} = {self.literal(key, value)}" for key, value in zip(outer, first, strict=True)]
            within = ", ".join(self.literal(inner, value) for value in lasts)
            conditions.append("(" + " and ".join([*equal, f"{quoted(inner)} in ({within})"]) + ")")
        return " or ".join(conditions)

    def leaves(self, prefix, wanted):
        """Yields one read per partition, its values put back by hand.

        Sail looks for `k=x=y` where the directory is `k=x%3Dy` as soon as a query says `k = 'x=y'`, and so returns
        nothing; and it shows a null partition as the text of its directory's name.
        """
        stored = {name: kind for name, kind in self.types.items() if name not in self.keys}
        for values in wanted:
            path = self.uri("/".join([prefix.rstrip("/"), *self.directories(values)]))
            given = dict(zip(self.keys, values, strict=True))
            columns = [
                f"{self.literal(name, given[name])} as {quoted(name)}" if name in given else quoted(name)
                for name in self.types
            ]
            yield self.spark.read.schema(ddl(stored)).parquet(path).selectExpr(*columns)

    def uri(self, prefix):
        """Sail decodes the URI it is given, as URIs are; Spark takes the text behind `file://` as the path."""
        path = local(prefix)
        if path is None:
            return prefix
        return "file://" + (quote(path) if self.engine == "sail" else path)

    def directories(self, values):
        return [f"{key}={escaped(value)}" for key, value in zip(self.keys, values, strict=True)]

    def literal(self, key, value):
        if value is None or value == HIVE_NULL:
            return f"cast(null as {self.types[key]})"
        text = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"cast('{text}' as {self.types[key]})"


NEVER = re.compile(r"(?!)")


def ddl(types):
    return ", ".join(f"{quoted(name)} {kind}" for name, kind in types.items())


def quoted(name):
    return "`" + name.replace("`", "``") + "`"


def escaped(value):
    """Returns a partition value as Hive spells it in a directory's name."""
    if value in (None, ""):
        return HIVE_NULL
    return "".join(f"%{ord(char):02X}" if char in ESCAPED else char for char in value)


def local(prefix):
    """Returns the path of a `file:` prefix, which may be spelled as Hadoop does (as it is) or as a URI; else None."""
    if not prefix.startswith("file:"):
        return prefix if prefix.startswith("/") else None
    path = "/" + prefix[len("file:") :].lstrip("/")
    return path if os.path.isdir(path) else unquote(path)
