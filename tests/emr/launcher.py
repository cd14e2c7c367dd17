"""Stands in for the engine's launcher: writes one small file for each table a task names, and nothing else.

A script may name partitions of its tables: `# partitions: a b`. Takes the command line of `launch.py step`. A run of the real engine takes seconds; what is tested here is what happens
around it.
"""

import json
import os
import re
import sys
import urllib.error
import urllib.request


# The stand-in for S3 wants a signature and does not look at it.
SIGNED = "AWS4-HMAC-SHA256 Credential={}/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


def send(uri, method, body=None):
    place = os.environ["AWS_ENDPOINT_URL"] + "/" + uri.removeprefix("s3://")
    signature = SIGNED.format(os.environ["AWS_ACCESS_KEY_ID"])
    headers = {"Authorization": signature, "Content-Type": "application/octet-stream"}
    with urllib.request.urlopen(urllib.request.Request(place, body, headers, method=method)) as answer:
        return answer.read()


def write(target):
    try:
        send(target, "GET")
    except urllib.error.HTTPError:
        send(target, "PUT", bytes.fromhex("@PARQUET@"))
    else:
        sys.exit(f"AnalysisException: [PATH_ALREADY_EXISTS] {target} already exists")


task = json.loads(send(sys.argv[sys.argv.index("--task") + 1], "GET"))
for table in task["inputs"].values():
    upstream = table.get("upstream")
    if upstream:
        send(f"{upstream}/part-0.parquet", "GET")
with open(sys.argv[sys.argv.index("--script") + 1]) as script:
    named = re.search("partitions:(.*)", script.read())
parts = [f"part={value}/" for value in named[1].split()] if named else []
for table in task["outputs"].values():
    for part in parts or [""]:
        write(f"{table['prefix']}/{part}part-0.parquet")
