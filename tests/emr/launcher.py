"""Stands in for the engine's launcher: writes one small file for each table a task names, and nothing else.

Takes the command line of `launch.py step`, and runs the driver of a chain as that does. A run of the real engine takes
seconds; what is tested here is what happens around it. What a script says in comments is done:

    # partitions: a b    its tables have these
    # fails: TEXT        it fails with this in a traceback
    # waits              it puts an object `waits/STEP` and goes on when there is one `go`
"""

import json
import os
import re
import socket
import sys
import time

# The stand-in for S3 wants a signature and does not look at it.
SIGNED = "AWS4-HMAC-SHA256 Credential={}/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


def ask(uri, method, body=b""):
    """Returns the status and the body. Importing Python's clients of HTTP takes longer than all the rest."""
    host, port = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://").split(":")
    head = [
        f"{method} /{uri.removeprefix('s3://')} HTTP/1.0",
        f"Host: {host}:{port}",
        f"Authorization: {SIGNED.format(os.environ['AWS_ACCESS_KEY_ID'])}",
        "Content-Type: application/octet-stream",
        f"Content-Length: {len(body)}",
    ]
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        with connection.makefile("rb") as answer:
            status, _, found = answer.read().partition(b"\r\n\r\n")
    return int(status.split()[1]), found


def send(uri, method, body=b""):
    status, found = ask(uri, method, body)
    if status >= 300:
        sys.exit(f"{method} {uri}: {status} {found.decode()}")
    return found


def is_there(uri):
    return ask(uri, "GET")[0] == 200


def write(target):
    if is_there(target):
        sys.exit(f"AnalysisException: [PATH_ALREADY_EXISTS] {target} already exists")
    send(target, "PUT", bytes.fromhex("@PARQUET@"))


def run(script, task):
    bucket = "/".join(task.split("/")[:3])
    if "# waits" in script:
        send(f"{bucket}/waits/{name_of(task)}", "PUT", b"-")
        while not is_there(f"{bucket}/go"):
            time.sleep(0.01)
    failure = re.search("# fails: (.*)", script)
    if failure:
        sys.exit(f'Traceback (most recent call last):\n  File "{name_of(task)}.py", line 1, in run\n{failure[1]}')
    task = json.loads(send(task, "GET"))
    for table in task["inputs"].values():
        upstream = table.get("upstream")
        if upstream:
            send(f"{upstream}/part-0.parquet", "GET")
    named = re.search("# partitions:(.*)", script)
    parts = [f"part={value}/" for value in named[1].split()] if named else []
    for table in task["outputs"].values():
        for part in parts or [""]:
            write(f"{table['prefix']}/{part}part-0.parquet")


def name_of(task):
    return task.rsplit("/", 1)[-1].removesuffix(".json")


def announce(step, what):
    for stream in (sys.stdout, sys.stderr):
        print(f"@soflow step {step} {what}", file=stream, flush=True)


def run_chain(done, commands):
    for script, _, task in zip(commands[::3], commands[1::3], commands[2::3]):
        step = name_of(task)
        announce(step, "begins")
        print(f"{step} prints", flush=True)
        run(send(script, "GET").decode(), task)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        send(f"{done}/{step}/part-0", "PUT", json.dumps({"step": step, "started": now, "ended": now}).encode())
        announce(step, "ends")


arguments = sys.argv[sys.argv.index("--") + 1 :]
path = sys.argv[sys.argv.index("--script") + 1]
if path.endswith("/soflow_chain.py"):
    run_chain(arguments[0], arguments[1:])
else:
    with open(path) as script:
        run(script.read(), arguments[arguments.index("--task") + 1])
