"""Runs a list of SQL statements over published tables and leaves each result in a file."""

import json
import os
import re

from soflow_launch import result, statements
from soflow_launch.tables import Table


def run(path, engine):
    """Returns 0 if every statement ran, else 1. Writes `<id>.arrow` or `<id>.error.json` into the request's `output`.

    The request: `tables` (name -> partition_by, schema, parts of live partitions), `statements` (id, sql and perhaps
    limit: one row more than that is written, so that the reader can tell that there are more) and `output`.
    """
    from pyspark.sql import SparkSession

    with open(path) as file:
        request = json.load(file)
    os.makedirs(request["output"], exist_ok=True)
    spark = SparkSession.builder.getOrCreate()
    broken = register(spark, engine, request["tables"])
    failed = 0
    for statement in request["statements"]:
        statement["sql"] = statements.spelled(statement["sql"], engine)
        failed += not answer(spark, statement, broken, request["output"])
    return 1 if failed else 0


def register(spark, engine, tables):
    """Returns what is wrong with which table. One broken table does not keep the others from being read."""
    broken = {}
    for name, described in tables.items():
        try:
            Table(spark, engine, name, described).register()
        except Exception as error:
            broken[name] = trimmed(error)
    return broken


def answer(spark, statement, broken, directory):
    """Returns whether the statement ran; its rows, or what went wrong, are in `directory` then."""
    target = os.path.join(directory, statement["id"])
    sql = statement["sql"]
    reason = statements.refusal(sql) or about_broken(sql, broken)
    if reason is None:
        try:
            frame = spark.sql(sql)
            if statement.get("limit") is not None:
                frame = frame.limit(statement["limit"] + 1)
            result.write(result.table(frame), f"{target}.arrow")
            return True
        except Exception as error:
            reason = trimmed(error)
    with open(f"{target}.error.json", "w") as file:
        json.dump({"error": reason}, file)
    return False


def about_broken(sql, broken):
    """Returns what is wrong with a table that the statement names; the engine would say that it does not exist."""
    for name, reason in broken.items():
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", sql, re.IGNORECASE):
            return reason
    return None


def trimmed(error):
    """Returns the engine's message without Java frames, plans and gRPC's wrapping, 2 000 characters at most."""
    text = getattr(error, "desc", None) or str(error)
    # Sail's spelling of the name `a.b`.
    text = re.sub(
        r"ObjectName\(\[(.*?)\]\)", lambda found: ".".join(re.findall(r'Identifier\("(.*?)"\)', found[1])), text
    )
    for marker in ("\n\tat ", "\nJVM stacktrace", "\n== Physical Plan", "\n'Project", ";\n'", "\nat org.apache"):
        text = text.split(marker, 1)[0]
    return text.strip().rstrip(";")[:2000] or type(error).__name__
