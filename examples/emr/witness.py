"""Asks AWS what a run has left there, without soflow: its steps, objects, Glue tables and partitions.

    python witness.py s3://bucket/lake database run-id [how many tables there must be, if not 9]

Needs botocore. Ends with 1 when something that must be there is not.
"""

import sys
from collections import Counter

from botocore.session import get_session


def main(lake: str, database: str, run: str, expected: str = "9") -> None:
    bucket, _, prefix = lake.removeprefix("s3://").partition("/")
    steps = steps_of(run)
    print(f"EMR: {len(steps)} steps of {run}")
    for name, cluster, state in steps:
        print(f"  {cluster} {name.removeprefix(f'{run}/'):<15} {state}")

    below = f"{prefix}/" if prefix else ""
    sizes = objects(bucket, below)
    print(f"\nS3: {len(sizes)} objects, {sum(sizes.values()) / 1e6:.1f} MB")
    top = Counter(key.removeprefix(below).split("/")[0] for key in sizes)
    for name, count in sorted(top.items()):
        print(f"  {name:<15} {count:>5}")

    tables = pages("glue", "get_tables", "TableList", DatabaseName=database)
    print(f"\nGlue: {len(tables)} tables in {database}")
    missing = []
    for table in tables:
        partitions = pages("glue", "get_partitions", "Partitions", DatabaseName=database, TableName=table["Name"])
        places = [partition["StorageDescriptor"]["Location"] for partition in partitions]
        if not table["PartitionKeys"]:
            places = [table["StorageDescriptor"]["Location"]]
        files = {place: files_below(place, bucket, sizes) for place in places}
        missing += [place for place, number in files.items() if not number]
        shown = table["Parameters"].get("soflow.run", "")
        print(f"  {table['Name']:<22} {len(partitions):>4} partitions {sum(files.values()):>5} files  {shown}")

    if missing:
        sys.exit(f"no file where Glue points: {missing}")
    if len(tables) < int(expected) or not steps or any(state != "COMPLETED" for *_, state in steps):
        sys.exit("that is not all that the run should have left")


def steps_of(run: str) -> list[tuple[str, str, str]]:
    found = []
    for cluster in pages("emr", "list_clusters", "Clusters"):
        steps = pages("emr", "list_steps", "Steps", ClusterId=cluster["Id"])
        mine = [step for step in reversed(steps) if step["Name"].startswith(f"{run}/")]
        found += [(step["Name"], cluster["Id"], step["Status"]["State"]) for step in mine]
    return found


def objects(bucket: str, below: str) -> dict[str, int]:
    found = pages("s3", "list_objects_v2", "Contents", Bucket=bucket, Prefix=below)
    return {item["Key"]: item["Size"] for item in found}


def files_below(place: str, bucket: str, sizes: dict[str, int]) -> int:
    below = place.removeprefix(f"s3://{bucket}/").rstrip("/") + "/"
    return sum(key.startswith(below) and key.endswith(".parquet") for key in sizes)


def pages(service: str, operation: str, items: str, **asked: str) -> list[dict]:
    paginator = get_session().create_client(service).get_paginator(operation)
    return [item for page in paginator.paginate(**asked) for item in page.get(items, [])]


if __name__ == "__main__":
    main(*sys.argv[1:])
